import { type Duration, millisecondsOf } from "../lib/duration.js";
import { assertOptions, describe, durationOption, OptionError, optionKeys, own } from "../lib/options.js";
import type { WebhookEvent } from "../types/event.js";

/** A failed attempt. */
export interface RetryFailure {
  /** The attempt that failed, from 1. */
  readonly attempt: number;
  /** What the handler threw, which may be anything; HandlerTimeoutError where its time was up. */
  readonly error: unknown;
  /** `data` is undefined where it could not be read any more. */
  readonly event: WebhookEvent;
}

/** Exponential back-off with full jitter: each delay is random, from zero to a limit that doubles with each attempt. */
export interface RetryDelays {
  /** The limit before the second attempt, "1ms" to "24h". Default: "1s". */
  readonly minDelay?: Duration | undefined;
  /** The highest limit, "1ms" to "30d". Default: "6h". */
  readonly maxDelay?: Duration | undefined;
}

/** When a failed task is tried again: by exponential back-off, or after what a function returns; undefined for never. */
export type RetryOptions = RetryDelays | ((failure: RetryFailure) => Duration | undefined);

/** `RetryOptions`, resolved. */
export interface RetryPolicy {
  /**
   * Whole milliseconds until the next attempt; undefined: none. `random` is from 0 up to 1. Throws what the user's
   * function throws, and a TypeError where it gives something else.
   */
  delayMs(failure: RetryFailure, random: number): number | undefined;
}

/** No delay is longer: ten years. */
const longestMs = 315_360_000_000;

/** Full jitter, so that what failed together does not come back together (ATTACKS H10). */
function backOff(baseMs: number, maxMs: number): RetryPolicy {
  return {
    delayMs: ({ attempt }, random) => Math.floor(random * Math.min(maxMs, baseMs * 2 ** (attempt - 1))),
  };
}

const delayNames = optionKeys<RetryDelays>({ minDelay: true, maxDelay: true });

/** What applies where nothing was said. */
export const defaultRetry: RetryPolicy = backOff(1_000, 21_600_000);

/** Reads an option `retry`; undefined where it was left out. Throws a TypeError that names the option and the fix. */
export function parseRetry(value: unknown, where: string): RetryPolicy | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "function") return byFunction(value as (failure: RetryFailure) => unknown, where);
  assertOptions(value, delayNames, where);
  const delay = (name: keyof RetryDelays, fallback: Duration, max: Duration): number =>
    durationOption(own(value, name), `${where}.${name}`, { min: "1ms", max, fallback });
  return backOff(delay("minDelay", "1s", "24h"), delay("maxDelay", "6h", "30d"));
}

/** A delay as stores take it: whole milliseconds, within bounds. */
export function boundedDelay(ms: number): number {
  return Math.min(longestMs, Math.max(0, Math.ceil(ms)));
}

function byFunction(delayOf: (failure: RetryFailure) => unknown, where: string): RetryPolicy {
  return {
    delayMs(failure) {
      const delay = delayOf(failure);
      if (delay === undefined) return undefined;
      const delayMs = millisecondsOf(delay);
      if (delayMs === undefined) {
        throw new OptionError(
          where,
          ` must return a duration such as "30s", or undefined for no further attempt, not ${describe(delay)}`,
        );
      }
      return boundedDelay(delayMs);
    },
  };
}
