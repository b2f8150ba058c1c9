import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { systemClock } from "../lib/clock.js";

/** Unread bytes that we still take behind an answer, at most: beyond them the connection is closed. */
const drainBytes = 65_536;
/** Milliseconds that a sender has to take in our answer while we no longer read. */
const lingerMs = 1_000;

/** What Node's HTTP server calls when the last answer of a connection is written; not in Node's types. */
interface ServerSocket extends Duplex {
  destroySoon?: () => void;
}

/**
 * Whether the connection has to close behind the answer, because more of the body may come than is worth reading:
 * it is chunked, longer than 64 KiB, or was given up half-way. What is small Node reads and drops, and the connection
 * stays in use.
 */
export function mustClose(req: IncomingMessage): boolean {
  if (req.complete) return false;
  const length = req.headers["content-length"];
  // Where the answer is given at once, a request without body is not complete yet.
  if (length === undefined) return req.headers["transfer-encoding"] !== undefined;
  return Number(length) > drainBytes || req.readableDidRead;
}

/**
 * Prepares a connection whose request body was not read to the end for closing: behind the answer our side is shut,
 * at most 64 KiB more are read and dropped, and the connection is destroyed when the sender closes it, or after one
 * second. To be called before the answer ends, on HTTP/1 only.
 *
 * Left alone, Node destroys the socket as soon as the answer is flushed (`resOnFinish` in its lib/_http_server.js calls
 * `destroySoon`). With bytes unread in the kernel that is a TCP reset, and a sender that is still writing loses the
 * answer with it (RFC 9112 section 9.6). So this one socket gets a `destroySoon` of its own.
 */
export function lingerOnClose(req: IncomingMessage): void {
  const socket: ServerSocket = req.socket;
  socket.destroySoon = () => linger(socket);
}

function linger(socket: Duplex): void {
  if (socket.destroyed) return;
  const stopTimer = systemClock.after(lingerMs, () => socket.destroy());
  socket.once("close", stopTimer);
  socket.on("error", ignore);
  // The HTTP parser must not see the rest: behind the body it would find the next request and hand it out. No one
  // else has business with this socket any more.
  socket.removeAllListeners("data");
  socket.removeAllListeners("end");
  let drained = 0;
  socket.on("data", (chunk: Buffer) => {
    drained += chunk.length;
    // Not destroyed here: the reset would overtake the answer. The sender is stopped by its full window instead.
    if (drained >= drainBytes) socket.pause();
  });
  socket.once("end", () => socket.destroy());
  socket.resume();
  socket.end();
}

/** A sender that resets the connection meanwhile is no news: it was refused. */
function ignore(): void {}
