import { Buffer } from "node:buffer";
import { parseJson } from "../../lib/json.js";
import type { ClaimedTask, Claims } from "../polling/task-source.js";
import { resultCode } from "./driver.js";
import type { Reply, Request } from "./protocol.js";
import { StoreEndedError } from "./store-ended.js";

/**
 * What goes between the threads: one JSON text and pieces of memory that are handed over. Measured against the structured
 * clone of the same objects it halves the cost of a delivery's way to the store and back.
 */
export interface Message {
  readonly json: string;
  /** The bodies of each `accept`, or all bodies of the tasks that were claimed. */
  readonly bytes: readonly ArrayBuffer[];
  /** What JSON cannot hold, by its place. */
  readonly others: readonly (readonly [number, unknown])[];
}

/** Requests as a message; the bodies of their deliveries are handed over with it. */
export function encodeRequests(requests: readonly Request[]): Message {
  const others: [number, unknown][] = [];
  const bytes: ArrayBuffer[] = [];
  const plain = requests.map((request, index) => {
    if (request.op === "accept") {
      bytes.push(request.bytes);
      return { op: request.op, deliveries: request.deliveries };
    }
    if (request.op !== "complete") return request;
    others.push([index, request]);
    return null;
  });
  return { json: JSON.stringify(plain), bytes, others };
}

/** The requests of a message. */
export function decodeRequests({ json, bytes, others }: Message): readonly Request[] {
  const requests = parseJson(json) as Request[];
  for (const [index, request] of others) requests[index] = request as Request;
  let next = 0;
  for (const request of requests) {
    if (request.op === "accept") Object.assign(request, { bytes: bytes[next++] });
  }
  return requests;
}

/** Replies, with the bodies of claimed tasks in one piece. */
export function encodeReplies(requests: readonly Request[], replies: readonly Reply[]): Message {
  const others: [number, unknown][] = [];
  const bodies: Uint8Array[] = [];
  const plain = replies.map((reply, index) => {
    if (!reply.ok) return { ok: false, error: portable(reply.error) };
    const op = requests[index]?.op;
    if (op === "get" || op === "records") {
      others.push([index, reply]);
      return null;
    }
    if (op === "claim") for (const task of (reply.value as Claims).tasks) bodies.push(takeBody(task));
    return reply;
  });
  const bytes = bodies.length === 0 ? [] : [joined(bodies)];
  return { json: JSON.stringify(plain), bytes, others };
}

/** The replies of a message; an error is `{ message, code }`. */
export function decodeReplies(
  requests: readonly Request[],
  { json, bytes, others }: Message,
): readonly Reply[] {
  const replies = parseJson(json) as Reply[];
  for (const [index, reply] of others) replies[index] = reply as Reply;
  const [piece = new ArrayBuffer(0)] = bytes;
  let at = 0;
  for (const [index, reply] of replies.entries()) {
    if (!reply.ok || requests[index]?.op !== "claim") continue;
    for (const task of (reply.value as Claims).tasks) {
      const length = Number(task.delivery.rawBody);
      Object.assign(task.delivery, { rawBody: Buffer.from(piece, at, length) });
      at += length;
    }
  }
  return replies;
}

/** An error as it goes between the threads. */
export interface PortableError {
  readonly message: string;
  /** SQLite's result code; 0 where it did not come from SQLite. */
  readonly code: number;
  /** It is a StoreEndedError. */
  readonly ended: boolean;
}

/** An error loses its class and its members on the way to the other thread. */
export function portable(error: unknown): PortableError {
  const message = error instanceof Error ? error.message : String(error);
  return { message, code: resultCode(error), ended: error instanceof StoreEndedError };
}

/** Leaves the length in the body's place. */
function takeBody({ delivery }: ClaimedTask): Uint8Array {
  const { rawBody } = delivery;
  Object.assign(delivery, { rawBody: rawBody.length });
  return rawBody;
}

function joined(bodies: readonly Uint8Array[]): ArrayBuffer {
  const piece = new ArrayBuffer(bodies.reduce((length, body) => length + body.length, 0));
  let at = 0;
  for (const body of bodies) {
    new Uint8Array(piece, at, body.length).set(body);
    at += body.length;
  }
  return piece;
}
