import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { type ErrorCode, errorEntry } from "../errors.js";
import { systemClock } from "../lib/clock.js";
import { STATUS_CODES } from "../lib/module-loading.js";

/** Header fields by name. */
export type AnswerHeaders = Readonly<Record<string, string>>;

/** An answer made once and sent often. */
export interface PreparedAnswer {
  readonly status: number;
  /** Names and values in turn, as `writeHead` takes them without looking each up. */
  readonly headers: readonly string[];
  /** Text: Node sends it in one write with the head, and bytes in a second one. Undefined where the status has none. */
  readonly body: string | undefined;
  /** True: the connection is closed after it, whatever the request looks like. */
  readonly close: boolean;
}

/** Statuses that never have a body (RFC 9110 sections 15.3.5, 15.4.5). */
const bodiless: readonly number[] = [204, 304];

/** RFC 9110's phrases where Node still has those of RFC 2616 and RFC 4918. */
const phrases: ReadonlyMap<number, string> = new Map([
  [413, "Content Too Large"],
  [422, "Unprocessable Content"],
]);

/**
 * Prepares an answer. `body` is text; name its type in `headers`. Content-Length, `Cache-Control: no-store` and
 * `X-Content-Type-Options: nosniff` are added.
 */
export function prepareAnswer(answer: {
  readonly status: number;
  readonly body?: string;
  readonly headers?: AnswerHeaders;
  readonly close?: boolean;
}): PreparedAnswer {
  const { status, close = false } = answer;
  const body = bodiless.includes(status) ? undefined : (answer.body ?? "");
  const headers = ["Cache-Control", "no-store", "X-Content-Type-Options", "nosniff"];
  for (const [name, value] of Object.entries(answer.headers ?? {})) {
    headers.push(name, value);
  }
  if (body !== undefined) headers.push("Content-Length", String(Buffer.byteLength(body)));
  return { status, headers, body, close };
}

/** Prepares an answer with a JSON body. */
export function jsonAnswer(status: number, value: object, headers?: AnswerHeaders): PreparedAnswer {
  return prepareAnswer({
    status,
    body: JSON.stringify(value),
    headers: { "Content-Type": "application/json", ...headers },
  });
}

/**
 * Prepares the answer to an error: problem+json (RFC 9457), with `Retry-After` and closing as errors.ts has them. Below
 * 500 it names the code. From 500 on it does not: which part of us failed is for the operator, so all 503 look alike.
 */
export function problemAnswer(code: ErrorCode, extraHeaders?: AnswerHeaders): PreparedAnswer {
  const { status, retryAfterSeconds, close } = errorEntry(code);
  const title = phrases.get(status) ?? STATUS_CODES[status];
  const problem = { type: "about:blank", title, status };
  return prepareAnswer({
    status,
    body: JSON.stringify(status < 500 ? { ...problem, code } : problem),
    headers: {
      "Content-Type": "application/problem+json",
      ...(retryAfterSeconds === undefined ? {} : { "Retry-After": String(retryAfterSeconds) }),
      ...extraHeaders,
    },
    close: close === true,
  });
}

/**
 * Sends an answer and closes the connection where the answer, `close` or an unread body asks for it (see `mustClose`).
 * Returns false and sends nothing if the request was answered already or the sender is gone. Never throws.
 */
export function sendAnswer(
  res: ServerResponse,
  answer: PreparedAnswer,
  options: { readonly requestId: string; readonly close?: boolean },
): boolean {
  if (res.headersSent || res.writableEnded || res.destroyed) return false;
  const { req } = res;
  const close = answer.close || options.close === true || mustClose(req);
  if (close && !req.complete) lingerOnClose(req);
  if (hasHeaders(res)) {
    // Express has set X-Powered-By: with headers there, writeHead would take each of ours out and put it in again.
    for (let i = 0; i < answer.headers.length; i += 2) {
      res.setHeader(answer.headers[i] as string, answer.headers[i + 1] as string);
    }
    res.setHeader("X-Request-Id", options.requestId);
    if (close) res.setHeader("Connection", "close");
    res.statusCode = answer.status;
  } else {
    const headers = [...answer.headers, "X-Request-Id", options.requestId];
    if (close) headers.push("Connection", "close");
    res.writeHead(answer.status, headers);
  }
  if (req.method === "HEAD") res.end();
  else res.end(answer.body);
  return true;
}

/** Express sets this one first; a look at all names would make a list of them. */
function hasHeaders(res: ServerResponse): boolean {
  return res.hasHeader("x-powered-by") || res.getHeaderNames().length > 0;
}

/** The most unread bytes that are still read after an answer; if there are more, the connection is closed. */
const drainBytes = 65_536;
/** How long a sender has to read the answer after we have stopped reading, in milliseconds. */
const lingerMs = 1_000;

/** What Node's HTTP server calls when the last answer of a connection is written; not in Node's types. */
interface ServerSocket extends Duplex {
  destroySoon?: () => void;
}

/**
 * Whether the connection has to close after the answer, because more of the body may come than is worth reading:
 * it is chunked, longer than 64 KiB, or was abandoned half-way. A small rest is read and dropped by Node, and the
 * connection stays in use.
 */
export function mustClose(req: IncomingMessage): boolean {
  if (req.complete) return false;
  const length = req.headers["content-length"];
  // When the answer is sent immediately, a request without a body is not complete yet.
  if (length === undefined) return req.headers["transfer-encoding"] !== undefined;
  return Number(length) > drainBytes || req.readableDidRead;
}

/**
 * Prepares a connection whose request body was not read to the end for closing: after the answer our side is shut,
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
  // The HTTP parser must not see the rest: after the body it would find the next request and emit it. Nothing else uses this
  // socket any more.
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

/** A sender that was refused may reset the connection. */
function ignore(): void {}
