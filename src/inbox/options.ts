import { attemptBounds } from "../events/handlers.js";
import { defaultRetry, parseRetry, type RetryOptions, type RetryPolicy } from "../events/retry-policy.js";
import type { Duration } from "../lib/duration.js";
import {
  assertOptions,
  choiceOption,
  describe,
  durationOption,
  numberOption,
  OptionError,
  optionKeys,
  own,
  stringOption,
  switchOption,
} from "../lib/options.js";
import type { InboxEngine } from "../types/engine.js";
import { parseRetention, type Retention, type RetentionOptions } from "./retention.js";

/** The option `inbox` of a receiver. `Tx` comes from the engine: what `context.complete` lets handlers write into. */
export interface InboxOptions<Tx = never> {
  /** What deliveries are stored in: `sqliteEngine(path)` of `hookgate/sqlite`, or one of your own. */
  readonly engine: InboxEngine<Tx>;
  /** `false`: this process only accepts deliveries; another one with the same handlers runs the tasks. Default: true. */
  readonly workers?: boolean | undefined;
  /** Headers to store in addition to content-type and user-agent. Names of credentials are refused. Default: none. */
  readonly keepHeaders?: readonly string[] | undefined;
  /** How long an event's id is remembered, "0ms" to "365d". Default: "7d". */
  readonly deduplicateFor?: Duration | undefined;
  /** Maximum number of waiting and running tasks of this receiver, 1 to 1,000,000,000; then 503 (ERR_OVERLOADED). Default: 1,000,000. */
  readonly maxBacklog?: number | undefined;
  /** Data that breaks its schema: stored as a dead letter and answered 202, or refused with 422 (ERR_EVENT_INVALID). Default: "dead-letter". */
  readonly onInvalid?: "dead-letter" | "refuse" | undefined;
  /** How long the store may take for a delivery, "10ms" to "5m"; then 503 (ERR_STORE_UNAVAILABLE). Default: "5s". */
  readonly acceptTimeout?: Duration | undefined;
  /** Time without a heartbeat after which another process takes over the tasks, "300ms" to "1h". Default: "10s". */
  readonly lease?: Duration | undefined;
  /** Attempts after which a task becomes a dead letter, 1 to 10,000. Default: 20. */
  readonly maxAttempts?: number | undefined;
  /** When a failed task is tried again. Default: exponential back-off with full jitter, from "1s" to at most "6h". */
  readonly retry?: RetryOptions | undefined;
  /** How long finished events are kept. Default: done and ignored ones "7d", those with a dead letter "30d". */
  readonly retention?: RetentionOptions | undefined;
}

/** `InboxOptions`, resolved. */
export interface InboxSettings<Tx = never> {
  readonly engine: InboxEngine<Tx>;
  readonly workers: boolean;
  /** Lower-case names of all headers that are stored. */
  readonly headers: readonly string[];
  readonly deduplicateForMs: number;
  readonly maxBacklog: number;
  readonly onInvalid: "dead-letter" | "refuse";
  readonly acceptTimeoutMs: number;
  readonly leaseMs: number;
  readonly maxAttempts: number;
  readonly retry: RetryPolicy;
  readonly retention: Retention;
}

const optionNames = optionKeys<InboxOptions>({
  engine: true,
  workers: true,
  keepHeaders: true,
  deduplicateFor: true,
  maxBacklog: true,
  onInvalid: true,
  acceptTimeout: true,
  lease: true,
  maxAttempts: true,
  retry: true,
  retention: true,
});

const members = ["open", "close", "accept", "consume", "list", "get", "change", "stats", "purge"] as const;
const alwaysKept = ["content-type", "user-agent"];
const secretHeaders = ["authorization", "proxy-authorization", "cookie"];

/**
 * Reads the option `inbox`; undefined if it was left out. `keyHeader` must not be stored. Throws a TypeError that
 * names the option and the fix.
 */
export function parseInboxOptions<Tx>(
  options: unknown,
  where: string,
  keyHeader: string,
): InboxSettings<Tx> | undefined {
  if (options === undefined) return undefined;
  if (isEngine(options)) {
    throw new OptionError(where, " is an engine itself: write `inbox: { engine: … }`");
  }
  assertOptions(options, optionNames, where);
  const number = (name: string, fallback: number, min: number, max: number): number =>
    numberOption(own(options, name), `${where}.${name}`, { min, max, fallback, integer: true });
  const duration = (name: string, fallback: Duration, min: Duration, max: Duration): number =>
    durationOption(own(options, name), `${where}.${name}`, { min, max, fallback });
  return {
    engine: parseEngine<Tx>(own(options, "engine"), `${where}.engine`),
    workers: switchOption(own(options, "workers"), `${where}.workers`, true),
    headers: parseHeaders(own(options, "keepHeaders"), `${where}.keepHeaders`, keyHeader),
    deduplicateForMs: duration("deduplicateFor", "7d", "0ms", "365d"),
    maxBacklog: number("maxBacklog", 1_000_000, 1, 1_000_000_000),
    onInvalid: choiceOption(
      own(options, "onInvalid"),
      `${where}.onInvalid`,
      ["dead-letter", "refuse"],
      "dead-letter",
    ),
    acceptTimeoutMs: duration("acceptTimeout", "5s", "10ms", "5m"),
    leaseMs: duration("lease", "10s", "300ms", "1h"),
    maxAttempts: number("maxAttempts", 20, attemptBounds.min, attemptBounds.max),
    retry: parseRetry(own(options, "retry"), `${where}.retry`) ?? defaultRetry,
    retention: parseRetention(own(options, "retention"), `${where}.retention`),
  };
}

function isEngine(value: unknown): boolean {
  return typeof value === "object" && value !== null && "accept" in value && "consume" in value;
}

function parseEngine<Tx>(value: unknown, where: string): InboxEngine<Tx> {
  const howTo = 'use sqliteEngine(path) of "hookgate/sqlite"';
  if (typeof value !== "object" || value === null) {
    throw new OptionError(where, ` must be an engine, not ${describe(value)}; ${howTo}`);
  }
  const missing = members.filter((member) => typeof Reflect.get(value, member) !== "function");
  const capabilities: unknown = Reflect.get(value, "capabilities");
  if (missing.length > 0 || typeof capabilities !== "object" || capabilities === null) {
    const lacks = missing.length > 0 ? missing.join(", ") : "capabilities";
    throw new OptionError(where, ` is not an inbox engine: it lacks ${lacks}; ${howTo}`);
  }
  return value as InboxEngine<Tx>;
}

function parseHeaders(value: unknown, where: string, keyHeader: string): readonly string[] {
  if (value === undefined) return alwaysKept;
  if (!Array.isArray(value)) {
    throw new OptionError(where, ` must be a list of header names, not ${describe(value)}`);
  }
  const names = value.map((name: unknown, at) => stringOption(name, `${where}[${at}]`).toLowerCase());
  for (const name of names) {
    if (secretHeaders.includes(name) || name === keyHeader.toLowerCase()) {
      throw new OptionError(
        where,
        ` names "${name}", which holds a credential: credentials are never stored`,
      );
    }
    if (!/^[!#$%&'+\-.^_`|~0-9a-z]+$/.test(name)) {
      throw new OptionError(where, ` has an invalid header name; write it as in "x-topic"`);
    }
  }
  return [...new Set([...alwaysKept, ...names])];
}
