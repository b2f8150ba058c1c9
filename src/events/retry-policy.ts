import { assertOptions, describe, numberOption, OptionError, own } from "../lib/options.js";
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

/**
 * When a failed task is tried again: exponential back-off with full jitter, or a function that says in how many
 * milliseconds, undefined for never.
 */
export type RetryOptions =
  | {
      /** Most milliseconds before the second attempt, 1 to 86,400,000; doubled for each further one. Default: 1,000. */
      readonly baseMs?: number | undefined;
      /** Most milliseconds between two attempts, 1 to 2,592,000,000. Default: 21,600,000, six hours. */
      readonly maxMs?: number | undefined;
    }
  | ((failure: RetryFailure) => number | undefined);

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

/** What applies where nothing was said. */
export const defaultRetry: RetryPolicy = backOff(1_000, 21_600_000);

/** Reads an option `retry`; undefined where it was left out. Throws a TypeError that names the option and the fix. */
export function parseRetry(value: unknown, where: string): RetryPolicy | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "function") return byFunction(value as (failure: RetryFailure) => unknown, where);
  assertOptions(value, ["baseMs", "maxMs"], where);
  const baseMs = numberOption(own(value, "baseMs"), `${where}.baseMs`, {
    min: 1,
    max: 86_400_000,
    fallback: 1_000,
  });
  const maxMs = numberOption(own(value, "maxMs"), `${where}.maxMs`, {
    min: 1,
    max: 2_592_000_000,
    fallback: 21_600_000,
  });
  return backOff(baseMs, maxMs);
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
      if (typeof delay !== "number" || Number.isNaN(delay) || delay < 0) {
        throw new OptionError(
          where,
          ` must return milliseconds, 0 or more, or undefined for no further attempt, not ${describe(delay)}`,
        );
      }
      return boundedDelay(delay);
    },
  };
}
