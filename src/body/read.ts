import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import type { RawBodyError } from "raw-body";
import { Refusal } from "../errors.js";
import type { Clock } from "../lib/clock.js";
import type { Duration } from "../lib/duration.js";
import { onFirstUse } from "../lib/on-first-use.js";
import {
  assertOptions,
  choiceOption,
  describe,
  durationOption,
  numberOption,
  OptionError,
  optionKeys,
  own,
} from "../lib/options.js";
import type { BodyKind } from "../types/source.js";

/** The option `body` of a receiver. */
export interface BodyOptions {
  /** The longest body taken, in bytes: a whole number from 1 to 67,108,864 (64 MiB). Default: 262,144 (256 KiB). */
  readonly maxBytes?: number | undefined;
  /** How long a body may take to arrive, "1ms" to "5m". Default: "10s". */
  readonly timeout?: Duration | undefined;
  /** Kinds of body taken: "json", "form", "xml". Default: `["json"]`, or what the source's senders use. */
  readonly types?: readonly BodyKind[] | undefined;
  /** The member of the request that holds the bytes, as a Buffer, where the platform has read them before us. */
  readonly rawBodyFrom?: "rawBody" | "body" | undefined;
}

/** `BodyOptions`, resolved. */
export interface ParsedBodyOptions {
  readonly maxBytes: number;
  readonly timeoutMs: number;
  readonly types: readonly BodyKind[];
  readonly rawBodyFrom: "rawBody" | "body" | undefined;
}

const optionNames = optionKeys<BodyOptions>({
  maxBytes: true,
  timeout: true,
  types: true,
  rawBodyFrom: true,
});
const kinds: readonly BodyKind[] = ["json", "form", "xml"];
const places = ["rawBody", "body"] as const;

/** Reads the option `body`. Throws a TypeError that names the option and the fix; no bound can be switched off. */
export function parseBodyOptions(
  options: unknown,
  where: string,
  usual: readonly BodyKind[] = ["json"],
): ParsedBodyOptions {
  const given: unknown = options === undefined ? {} : options;
  assertOptions(given, optionNames, where);
  const rawBodyFrom = own(given, "rawBodyFrom");
  return {
    maxBytes: numberOption(own(given, "maxBytes"), `${where}.maxBytes`, {
      min: 1,
      max: 67_108_864,
      fallback: 262_144,
      integer: true,
    }),
    timeoutMs: durationOption(own(given, "timeout"), `${where}.timeout`, {
      min: "1ms",
      max: "5m",
      fallback: "10s",
    }),
    types: parseTypes(own(given, "types"), `${where}.types`, usual),
    rawBodyFrom:
      rawBodyFrom === undefined
        ? undefined
        : choiceOption(rawBodyFrom, `${where}.rawBodyFrom`, places, "rawBody"),
  };
}

function parseTypes(types: unknown, where: string, usual: readonly BodyKind[]): readonly BodyKind[] {
  if (types === undefined) return usual;
  if (!Array.isArray(types) || types.length === 0) {
    throw new OptionError(where, ` must be a list of "json", "form" and "xml", not ${describe(types)}`);
  }
  return types.map((type: unknown, index) => choiceOption(type ?? null, `${where}[${index}]`, kinds, "json"));
}

/** Whether a request has no body at all (RFC 9112 section 6.3). */
export function isBodyless(headers: IncomingMessage["headers"]): boolean {
  return headers["transfer-encoding"] === undefined && Number(headers["content-length"] ?? 0) === 0;
}

/** The body's length in bytes as its header announces it (RFC 9110 section 8.6); undefined: chunked, or no body. */
export function contentLengthOf(req: Pick<IncomingMessage, "headers">): number | undefined {
  const header = req.headers["content-length"];
  return header === undefined ? undefined : Number(header);
}

/** ERR_BODY_TOO_LARGE where the header announces more than `maxBytes`; needs nothing of the body. */
export function refuseByLength(req: Pick<IncomingMessage, "headers">, maxBytes: number): Refusal | undefined {
  const length = contentLengthOf(req);
  // Written so that a length that is no number is refused as well.
  if (length === undefined || length <= maxBytes) return undefined;
  return new Refusal(
    "ERR_BODY_TOO_LARGE",
    `the body announces ${length} bytes and body.maxBytes is ${maxBytes}`,
  );
}

/** A body slower than this on average is refused once it has had its time to begin. */
const slowestBytesPerSecond = 1_024;
/** The time to begin: half of the deadline, at most this. */
const longestStartMs = 5_000;
const betweenLooksMs = 1_000;

/** What `readBody` needs beside the request. */
export interface ReadBodyOptions extends Pick<ParsedBodyOptions, "maxBytes" | "timeoutMs"> {
  readonly rawBodyFrom?: ParsedBodyOptions["rawBodyFrom"];
  readonly clock: Clock;
}

/** Told the body, or why there is none. */
export interface BodyListener {
  bodyRead(body: Buffer | Refusal): void;
}

/**
 * The body's bytes, or a Refusal: ERR_BODY_TOO_LARGE, ERR_BODY_TIMEOUT, ERR_BODY_ABORTED, or ERR_BODY_CONSUMED where
 * someone took them before. After a refusal the request is paused and free of our listeners; `sendAnswer` sees to
 * the rest of its bytes. Tells `listener` once, before it returns where nothing has to be waited for; never hangs, never throws.
 */
export function readBody(req: IncomingMessage, options: ReadBodyOptions, listener: BodyListener): void {
  const taken =
    options.rawBodyFrom === undefined ? undefined : takePreRead(req, options.rawBodyFrom, options.maxBytes);
  // Of an empty body nothing can be lost, even where a parser was there before.
  const empty = contentLengthOf(req) === 0 ? Buffer.alloc(0) : undefined;
  const known =
    taken ?? empty ?? refuseUnreadable(req, options.rawBodyFrom) ?? refuseByLength(req, options.maxBytes);
  if (known === undefined) collect(req, options, listener);
  else listener.bodyRead(known);
}

/** The bytes that the platform kept; undefined where there are none. */
function takePreRead(
  req: IncomingMessage,
  place: "rawBody" | "body",
  maxBytes: number,
): Buffer | Refusal | undefined {
  const bytes: unknown = Reflect.get(req, place);
  if (!(bytes instanceof Uint8Array)) return undefined;
  if (bytes.length > maxBytes) {
    return new Refusal(
      "ERR_BODY_TOO_LARGE",
      `req.${place} holds ${bytes.length} bytes and body.maxBytes is ${maxBytes}`,
    );
  }
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Why the stream cannot give the whole body any more; undefined where it can. */
function refuseUnreadable(
  req: IncomingMessage,
  rawBodyFrom: ParsedBodyOptions["rawBodyFrom"],
): Refusal | undefined {
  if (req.destroyed && !req.readableEnded) return aborted();
  if (Readable.isDisturbed(req) || req.readableEnded || holdsParsedBody(req))
    return consumed(rawBodyFrom, req);
  if (req.readableEncoding !== null) {
    return new Refusal(
      "ERR_BODY_CONSUMED",
      "an earlier middleware called req.setEncoding, which changes the bytes; mount the receiver before it",
    );
  }
  return undefined;
}

/** Express 4's parsers leave `{}` on requests that they pass over; that body can still be read. */
function holdsParsedBody(req: IncomingMessage): boolean {
  const body: unknown = Reflect.get(req, "body");
  if (body === undefined || body === null) return false;
  return typeof body !== "object" || Object.keys(body).length > 0;
}

function consumed(rawBodyFrom: ParsedBodyOptions["rawBodyFrom"], req: IncomingMessage): Refusal {
  const why =
    rawBodyFrom === undefined
      ? "an earlier middleware read the body, so its bytes are gone"
      : `the body was read before, and req.${rawBodyFrom} is ${describe(Reflect.get(req, rawBodyFrom))}, not a Buffer`;
  return new Refusal(
    "ERR_BODY_CONSUMED",
    `${why}. Mount the receiver before express.json() and other body parsers, or let the parser keep the bytes: ` +
      "express.json({ verify: (req, _res, buf) => { req.rawBody = buf } }) " +
      'together with the option body: { rawBodyFrom: "rawBody" }',
  );
}

function aborted(): Refusal {
  return new Refusal("ERR_BODY_ABORTED", "the sender closed the connection before its body was complete");
}

/**
 * Collects the bytes. Where the length is announced, as nearly always, that is done here, in a third of what raw-body
 * takes for it: no copy of a body that came in one piece, no async resource, no ten listeners to add and remove. What is
 * chunked goes to raw-body.
 */
function collect(req: IncomingMessage, options: ReadBodyOptions, listener: BodyListener): void {
  const length = contentLengthOf(req);
  if (length === undefined) collectChunked(req, options, listener);
  else collectAnnounced(req, length, options, listener);
}

function collectAnnounced(
  req: IncomingMessage,
  length: number,
  options: ReadBodyOptions,
  listener: BodyListener,
): void {
  let chunks: Buffer[] | Buffer | undefined;
  let received = 0;
  let open = true;
  const finish = (result: Buffer | Refusal): void => {
    if (!open) return;
    open = false;
    stopTimer();
    req.off("data", onData).off("end", onEnd).off("close", onClose).off("error", onClose);
    if (result instanceof Refusal) req.pause();
    listener.bodyRead(result);
  };
  const onData = (chunk: Buffer): void => {
    received += chunk.length;
    if (chunks === undefined) chunks = chunk;
    else if (Array.isArray(chunks)) chunks.push(chunk);
    else chunks = [chunks, chunk];
    // Node holds a body to its length; other servers that hand us requests may not.
    if (received > length) finish(aborted());
  };
  const onEnd = (): void => {
    if (received !== length || chunks === undefined) finish(aborted());
    else finish(Array.isArray(chunks) ? Buffer.concat(chunks, length) : chunks);
  };
  const onClose = (): void => finish(aborted());
  const stopTimer = watchPace(options, () => received, finish);
  req.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose);
}

/** Loaded with the first chunked body: few senders chunk. */
const loadRawBody = onFirstUse(() => import("raw-body"));

function collectChunked(req: IncomingMessage, options: ReadBodyOptions, listener: BodyListener): void {
  let open = true;
  let release = (): void => {};
  const finish = (result: Buffer | Refusal): void => {
    if (!open) return;
    open = false;
    stopTimer();
    req.off("close", onClose).off("error", onClose).off("data", onData);
    listener.bodyRead(result);
  };
  // raw-body tidies up on "close" without calling back: an abort that shows only so would hang.
  const onClose = (): void => finish(aborted());
  let received = 0;
  const onData = (chunk: Buffer): void => {
    received += chunk.length;
  };
  const stopTimer = watchPace(
    options,
    () => received,
    (refusal) => {
      // raw-body cannot be told to stop, so it is told what it understands: otherwise it would go on collecting.
      open = false;
      req.off("close", onClose).off("error", onClose).off("data", onData);
      release();
      listener.bodyRead(refusal);
    },
  );
  req.on("close", onClose).on("error", onClose);
  void loadRawBody().then(
    ({ default: getRawBody }) => {
      if (!open) return;
      req.on("data", onData);
      getRawBody(req, { limit: options.maxBytes }, (error, body) => {
        // Typed as always there; it is null where all went well.
        finish(error ? refusalFor(error, options.maxBytes) : body);
      });
      const abort = req.listeners("aborted").at(-1);
      release = () => abort?.call(req);
    },
    (error: unknown) => finish(new Refusal("ERR_INTERNAL", "raw-body could not be loaded", error)),
  );
}

/**
 * Calls `tooSlow` once, where the body is not complete at its deadline or comes at less than the slowest pace. Returns the
 * function that ends the watch.
 */
function watchPace(
  { clock, timeoutMs }: ReadBodyOptions,
  received: () => number,
  tooSlow: (refusal: Refusal) => void,
): () => void {
  let elapsedMs = 0;
  let cancel = (): void => {};
  const waitUntil = (atMs: number): void => {
    cancel = clock.after(atMs - elapsedMs, () => {
      elapsedMs = atMs;
      const refusal = paceFault(received(), elapsedMs, timeoutMs);
      if (refusal === undefined) waitUntil(Math.min(timeoutMs, elapsedMs + betweenLooksMs));
      else tooSlow(refusal);
    });
  };
  waitUntil(Math.min(timeoutMs / 2, longestStartMs));
  return () => cancel();
}

function paceFault(bytes: number, elapsedMs: number, timeoutMs: number): Refusal | undefined {
  if (elapsedMs >= timeoutMs) {
    return new Refusal(
      "ERR_BODY_TIMEOUT",
      `the body was not complete within ${timeoutMs} ms (body.timeoutMs)`,
    );
  }
  if (bytes >= (slowestBytesPerSecond * elapsedMs) / 1_000) return undefined;
  return new Refusal(
    "ERR_BODY_TIMEOUT",
    `${bytes} bytes of the body came in ${elapsedMs} ms, less than ${slowestBytesPerSecond} bytes a second`,
  );
}

function refusalFor(error: RawBodyError, maxBytes: number): Refusal {
  if (error.type !== "entity.too.large") return aborted();
  return new Refusal("ERR_BODY_TOO_LARGE", `the body is longer than body.maxBytes, ${maxBytes} bytes`);
}
