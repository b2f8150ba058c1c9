import { OptionError } from "./options.js";

/** The one seam for time. `hookgate/testing` has a clock that stands still until told. */
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

/** The clock of an option, or the machine's. */
export function parseClock(value: Clock | undefined, where: string): Clock {
  if (value === undefined) return systemClock;
  if (typeof value?.now !== "function" || typeof value.after !== "function") {
    throw new OptionError(
      where,
      ` must have the methods now and after, as createFakeClock of hookgate/testing has`,
    );
  }
  return value;
}
