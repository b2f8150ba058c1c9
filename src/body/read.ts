import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import type { RawBodyError } from "raw-body";
import { Refusal } from "../errors.js";
import type { Clock } from "../lib/clock.js";
import type { Duration } from "../lib/duration.js";
import { onFirstUse } from "../lib/module-loading.js";
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
  // Written so that a length that is not a number is refused as well.
  if (length === undefined || length <= maxBytes) return undefined;
  return new Refusal(
    "ERR_BODY_TOO_LARGE",
    `the body announces ${length} bytes and body.maxBytes is ${maxBytes}`,
  );
}

/** A body slower than this on average is refused, once it has had time to start. */
const slowestBytesPerSecond = 1_024;
/** The time to start: half of the deadline, at most this. */
const longestStartMs = 5_000;
const paceCheckIntervalMs = 1_000;

/** What `readBody` needs in addition to the request. */
export interface ReadBodyOptions extends Pick<ParsedBodyOptions, "maxBytes" | "timeoutMs"> {
  readonly rawBodyFrom?: ParsedBodyOptions["rawBodyFrom"];
  readonly clock: Clock;
}

/** Called with the body, or with why there is none. */
export interface BodyListener {
  bodyRead(body: Buffer | Refusal): void;
}

/**
 * The body's bytes, or a Refusal: ERR_BODY_TOO_LARGE, ERR_BODY_TIMEOUT, ERR_BODY_ABORTED, or ERR_BODY_CONSUMED where
 * someone took them before. After a refusal the request is paused and free of our listeners; `sendAnswer` sees to
 * the rest of its bytes. Calls `listener` once, before it returns if the result is known already; never hangs, never throws.
 */
export function readBody(req: IncomingMessage, options: ReadBodyOptions, listener: BodyListener): void {
  const taken =
    options.rawBodyFrom === undefined ? undefined : takePreRead(req, options.rawBodyFrom, options.maxBytes);
  const length = contentLengthOf(req);
  // Of an empty body nothing can be lost, even where a parser was there before.
  const empty = length === 0 ? Buffer.alloc(0) : undefined;
  const known =
    taken ?? empty ?? refuseUnreadable(req, options.rawBodyFrom) ?? refuseByLength(req, options.maxBytes);
  if (known !== undefined) listener.bodyRead(known);
  else if (length === undefined) new ChunkedBody(req, options, listener);
  else new AnnouncedBody(req, length, options, listener);
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

/** A body that is being read, within its time. A class: closures for each of these steps were what a delivery made most of. */
abstract class ReadingBody {
  protected readonly req: IncomingMessage;
  protected received = 0;
  protected open = true;
  readonly #options: ReadBodyOptions;
  readonly #listener: BodyListener;
  #elapsedMs = 0;
  #cancelTimer: (() => void) | undefined = undefined;

  constructor(req: IncomingMessage, options: ReadBodyOptions, listener: BodyListener) {
    this.req = req;
    this.#options = options;
    this.#listener = listener;
    this.#checkPaceAt(Math.min(options.timeoutMs / 2, longestStartMs));
  }

  /** Stops listening; after it the request is free of us. */
  protected abstract release(result: Buffer | Refusal): void;

  protected finish(result: Buffer | Refusal): void {
    if (!this.open) return;
    this.open = false;
    this.#cancelTimer?.();
    this.release(result);
    this.#listener.bodyRead(result);
  }

  /** Ends the reading where the body is not complete at its deadline, or comes at less than the slowest pace. */
  #checkPaceAt(atMs: number): void {
    const { clock, timeoutMs } = this.#options;
    this.#cancelTimer = clock.after(atMs - this.#elapsedMs, () => {
      this.#elapsedMs = atMs;
      const refusal = paceFault(this.received, atMs, timeoutMs);
      if (refusal === undefined) this.#checkPaceAt(Math.min(timeoutMs, atMs + paceCheckIntervalMs));
      else this.finish(refusal);
    });
  }
}

/**
 * A body whose length is announced, as nearly all are. Collected here, in a third of the time of raw-body: no copy of a body
 * that came in one piece, no async resource, no ten listeners to add and remove.
 */
class AnnouncedBody extends ReadingBody {
  readonly #length: number;
  #chunks: Buffer[] | Buffer | undefined = undefined;
  readonly #onData = (chunk: Buffer): void => this.#take(chunk);
  readonly #onEnd = (): void => this.finish(this.#body());
  readonly #onClose = (): void => this.finish(aborted());

  constructor(req: IncomingMessage, length: number, options: ReadBodyOptions, listener: BodyListener) {
    super(req, options, listener);
    this.#length = length;
    req.on("data", this.#onData).on("end", this.#onEnd).on("close", this.#onClose).on("error", this.#onClose);
  }

  #take(chunk: Buffer): void {
    this.received += chunk.length;
    const chunks = this.#chunks;
    if (chunks === undefined) this.#chunks = chunk;
    else if (Array.isArray(chunks)) chunks.push(chunk);
    else this.#chunks = [chunks, chunk];
    // Node holds a body to its length; other servers that hand us requests may not.
    if (this.received > this.#length) this.finish(aborted());
  }

  #body(): Buffer | Refusal {
    const chunks = this.#chunks;
    if (this.received !== this.#length || chunks === undefined) return aborted();
    return Array.isArray(chunks) ? Buffer.concat(chunks, this.#length) : chunks;
  }

  protected release(result: Buffer | Refusal): void {
    const { req } = this;
    req
      .off("data", this.#onData)
      .off("end", this.#onEnd)
      .off("close", this.#onClose)
      .off("error", this.#onClose);
    if (result instanceof Refusal) req.pause();
  }
}

/** Loads what chunked bodies are read with, at the latest for the first of them. */
export const loadRawBody = onFirstUse(() => import("raw-body"));

/** A body in chunks, collected by raw-body. */
class ChunkedBody extends ReadingBody {
  readonly #onData = (chunk: Buffer): void => {
    this.received += chunk.length;
  };
  // raw-body tidies up on "close" without calling back: an abort that shows only so would hang.
  readonly #onClose = (): void => this.finish(aborted());
  /** Ends raw-body, while it collects. */
  #stop: (() => void) | undefined = undefined;

  constructor(req: IncomingMessage, options: ReadBodyOptions, listener: BodyListener) {
    super(req, options, listener);
    req.on("close", this.#onClose).on("error", this.#onClose);
    void loadRawBody().then(
      ({ default: getRawBody }) => this.#collect(getRawBody, options.maxBytes),
      (error: unknown) => this.finish(new Refusal("ERR_INTERNAL", "raw-body could not be loaded", error)),
    );
  }

  #collect(getRawBody: typeof import("raw-body"), maxBytes: number): void {
    if (!this.open) return;
    this.req.on("data", this.#onData);
    getRawBody(this.req, { limit: maxBytes }, (error, body) => {
      this.#stop = undefined;
      // Typed as always there; it is null where all went well.
      this.finish(error ? refusalFor(error, maxBytes) : body);
    });
    // It cannot be told to stop, so it is told what it understands: otherwise it would go on collecting.
    const abort = this.req.listeners("aborted").at(-1);
    this.#stop = () => abort?.call(this.req);
  }

  protected release(): void {
    this.req.off("close", this.#onClose).off("error", this.#onClose).off("data", this.#onData);
    this.#stop?.();
  }
}

function paceFault(bytes: number, elapsedMs: number, timeoutMs: number): Refusal | undefined {
  if (elapsedMs >= timeoutMs) {
    return new Refusal("ERR_BODY_TIMEOUT", `the body was not complete within ${timeoutMs} ms (body.timeout)`);
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
