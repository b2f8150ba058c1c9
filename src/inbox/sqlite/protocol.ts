import { Buffer } from "node:buffer";
import { parseJson } from "../../lib/json.js";
import type {
  Acceptance,
  BackupReport,
  Change,
  CompactReport,
  EventFilter,
  EventRecord,
  InboxStats,
  NewDelivery,
  NewEvent,
  TokenUse,
  Verdict,
} from "../../types/engine.js";
import type { ClaimedTask, Claims } from "../polling/task-queue.js";
import { resultCode, StoreEndedError } from "./errors.js";
import type { Found, SearchRequest } from "./search.js";
import type { Query, QueryAnswer } from "./user-queries.js";
import type { RecordedStatement } from "./user-writes.js";

/** A delivery on its way to the store: its head is JSON, its body is part of the request's bytes. */
export interface PackedDelivery {
  readonly receiver: string;
  readonly source: string;
  readonly tenant: string;
  readonly service: string;
  readonly receivedAtMs: number;
  readonly head: string;
  readonly bodyLength: number;
  readonly events: readonly NewEvent[];
  readonly rememberMs: number;
  readonly maxBacklog: number;
  readonly tokenUse: TokenUse | undefined;
}

export interface ClaimName {
  readonly event: number;
  readonly handler: string;
  readonly receiver: string;
  readonly fence: number;
}

export interface AcceptRequest {
  readonly op: "accept";
  readonly deliveries: readonly PackedDelivery[];
  /** Their bodies, concatenated. */
  readonly bytes: ArrayBuffer;
}

export interface ClaimRequest {
  readonly op: "claim";
  readonly consumer: number;
  readonly receiver: string;
  readonly wants: readonly {
    readonly handler: string;
    readonly limit: number;
    readonly maxAttempts: number;
  }[];
}

/** A change of those of the events that still match the filter. */
export interface ChangeRequest {
  readonly op: "change";
  readonly events: readonly number[];
  readonly filter: EventFilter;
  readonly change: Change;
}

/** Every request to a store. */
export type Request =
  | AcceptRequest
  | ClaimRequest
  | {
      readonly op: "settle";
      readonly runs: readonly { readonly claim: ClaimName; readonly verdict: Verdict }[];
    }
  | { readonly op: "complete"; readonly claim: ClaimName; readonly statements: readonly RecordedStatement[] }
  | {
      readonly op: "join";
      readonly consumer: number;
      readonly receiver: string;
      readonly leaseMs: number;
      readonly handlers: readonly {
        readonly name: string;
        readonly hold: boolean;
        readonly ordered: boolean;
      }[];
    }
  | {
      readonly op: "align";
      readonly receiver: string;
      readonly handler: string;
      /** The stored form of a key; null at the beginning. */
      readonly after: string | null;
    }
  | { readonly op: "heartbeat"; readonly consumer: number }
  | { readonly op: "expire"; readonly consumer: number; readonly beat: number }
  | { readonly op: "leave"; readonly consumer: number }
  | { readonly op: "probe" }
  | { readonly op: "doubt" }
  | ChangeRequest
  | { readonly op: "purge"; readonly events: readonly number[]; readonly keepBlocking: boolean }
  /** On its own connection, so that nothing else waits for it. */
  | { readonly op: "backup"; readonly path: string }
  | { readonly op: "compact" }
  | ({ readonly op: "find" } & SearchRequest)
  | { readonly op: "records"; readonly events: readonly number[] }
  | { readonly op: "get"; readonly recordId: string }
  | { readonly op: "stats"; readonly receiver: string | undefined }
  /** Only in memory, where no other connection sees the data. */
  | { readonly op: "query"; readonly query: Query };

/** The heartbeats of all consumers, and the store's clock. */
export interface Pulse {
  readonly alive: boolean;
  readonly clockMs: number;
  readonly others: readonly { readonly consumer: number; readonly beat: number; readonly leaseMs: number }[];
}

/** The result of one step of a purge. */
export interface Purged {
  readonly purged: number;
  /** Events that were processed, from the first on. */
  readonly seen: number;
  /** More ids and tokens may have expired. */
  readonly forgetsMore: boolean;
}

/** The answer to each request. */
export interface Answers {
  readonly accept: readonly Acceptance[];
  readonly claim: Claims;
  readonly settle: readonly boolean[];
  readonly complete: boolean;
  readonly join: number;
  /** Where the next step begins; null after the last. */
  readonly align: string | null;
  readonly heartbeat: Pulse;
  readonly expire: number;
  readonly leave: number;
  readonly probe: number;
  /** Milliseconds that the machine's clock is too far ahead; 0: it is trusted. */
  readonly doubt: number;
  readonly backup: BackupReport;
  readonly compact: CompactReport;
  readonly change: number;
  readonly purge: Purged;
  readonly find: Found;
  readonly records: readonly EventRecord[];
  readonly get: EventRecord | undefined;
  readonly stats: InboxStats;
  readonly query: QueryAnswer;
}

/** The time at which a message was sent, by the machine's clock and the store's, in milliseconds. */
export interface Times {
  readonly wallMs: number;
  readonly storeMs: number;
}

export type Reply =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: unknown };

/** A warning of the thread for the operator. */
export interface Note {
  readonly note: string;
}

/**
 * What is sent between the threads: one JSON text, and memory that is transferred. Compared with the structured clone of the
 * same objects it halves the cost of a delivery's way to the store and back.
 */
export interface Message {
  readonly json: string;
  /** The bodies of each `accept`, or all bodies of the claimed tasks. */
  readonly bytes: readonly ArrayBuffer[];
  /** What JSON cannot represent, by its index. */
  readonly others: readonly (readonly [number, unknown])[];
}

/** Requests as a message; the bodies of their deliveries are transferred with it. */
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

/** Replies as a message, with the bodies of claimed tasks in one buffer. */
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

/** An error as it is sent between the threads, where it loses its class and its members. */
export interface PortableError {
  readonly message: string;
  /** SQLite's result code; 0 if it did not come from SQLite. */
  readonly code: number;
  /** It is a StoreEndedError. */
  readonly ended: boolean;
}

export function portable(error: unknown): PortableError {
  const message = error instanceof Error ? error.message : String(error);
  return { message, code: resultCode(error), ended: error instanceof StoreEndedError };
}

/** Replaces the body by its length. */
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

/**
 * Deliveries as they are sent to the store's thread: all bodies in one buffer that is transferred, not copied. Transferring a
 * Buffer itself would take along the pool that it was cut from.
 */
export function packDeliveries(deliveries: readonly NewDelivery[]): AcceptRequest {
  let length = 0;
  for (const { rawBody } of deliveries) length += rawBody.length;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const { rawBody } of deliveries) {
    bytes.set(rawBody, at);
    at += rawBody.length;
  }
  return { op: "accept", deliveries: deliveries.map(pack), bytes: bytes.buffer };
}

function pack(delivery: NewDelivery): PackedDelivery {
  const { requestId, method, url, headers, address, caller, bodyKind } = delivery;
  return {
    receiver: delivery.receiver,
    source: delivery.source,
    tenant: delivery.tenant,
    service: delivery.service,
    receivedAtMs: Math.floor(delivery.receivedAtMs),
    head: JSON.stringify({ requestId, method, url, headers, address, caller, bodyKind }),
    bodyLength: delivery.rawBody.length,
    events: delivery.events,
    rememberMs: delivery.rememberMs,
    maxBacklog: delivery.maxBacklog,
    tokenUse: delivery.tokenUse,
  };
}
