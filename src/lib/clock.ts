import { describe, OptionError } from "./options.js";

/** The one seam for time. `hookgate/testing` has a clock that moves only when told to. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `callback` once after `ms` milliseconds, unless the returned function is called first. */
  after(ms: number, callback: () => void): () => void;
}

/** The machine's clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/**
 * The clock of an option, or the machine's. One that fails must not end the process: `now` then throws an error of ours, so
 * that every check by it refuses, and `after` takes the machine's timers.
 */
export function parseClock(value: unknown, where: string): Clock {
  if (value === undefined) return systemClock;
  const clock = value as Partial<Clock> | null;
  if (typeof clock?.now !== "function" || typeof clock.after !== "function") {
    throw new OptionError(
      where,
      ` must have the methods now and after, as createFakeClock of hookgate/testing does`,
    );
  }
  return guarded(clock as Clock);
}

function guarded(clock: Clock): Clock {
  return {
    now() {
      const nowMs: unknown = clock.now();
      if (Number.isFinite(nowMs)) return nowMs as number;
      throw new TypeError(`the clock's now() returned ${describe(nowMs)}, not milliseconds since the epoch`);
    },
    after(ms, callback) {
      try {
        const cancel = clock.after(ms, callback);
        return () => attempt(cancel);
      } catch {
        return systemClock.after(ms, callback);
      }
    },
  };
}

function attempt(call: () => void): void {
  try {
    call();
  } catch {
    // A timer that cannot be ended finds that its work is done.
  }
}

/**
 * The clock's time for durations, deadlines of handlers and log lines: the machine's where the clock fails. What decides
 * whether somebody is let in asks the clock itself.
 */
export function timeOf(clock: Pick<Clock, "now">): number {
  try {
    return clock.now();
  } catch {
    return Date.now();
  }
}

/** True: an engine did not delete by age, because the machine's clock is far ahead of what its store has seen. */
export function isClockAhead(error: unknown): boolean {
  return error instanceof Error && (error as { readonly code?: unknown }).code === "ERR_CLOCK_AHEAD";
}
