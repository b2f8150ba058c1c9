import type { Clock } from "../lib/clock.js";
import type { Duration } from "../lib/duration.js";
import { instantOption, parseDuration } from "../lib/options.js";

/** A clock that moves only when it is told to. */
export interface FakeClock extends Clock {
  /** Moves the clock on by a duration such as `"5m"`, and calls the timers that fall due, in order. */
  advance(by: Duration): void;
  /** Sets the clock to an instant, earlier ones included, without calling a timer: what happens when a machine's clock is set. */
  set(now: Date | string): void;
  /** How many timers are waiting. */
  readonly pending: number;
}

/**
 * A clock for tests. Give it to `createReceiver({ clock })`.
 *
 * @param start A `Date`, or ISO 8601 text with its zone. Default: `"2026-01-01T00:00:00Z"`.
 */
export function createFakeClock(start: Date | string = "2026-01-01T00:00:00Z"): FakeClock {
  let nowMs = instantOption(start, "createFakeClock's start", 0);
  const timers = new Set<{ readonly dueMs: number; readonly callback: () => void }>();
  return {
    now: () => nowMs,
    after(ms, callback) {
      const timer = { dueMs: nowMs + ms, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(by) {
      const endMs = nowMs + parseDuration(by);
      for (;;) {
        const [next] = [...timers].filter((t) => t.dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs);
        if (next === undefined) break;
        timers.delete(next);
        nowMs = Math.max(nowMs, next.dueMs);
        next.callback();
      }
      nowMs = endMs;
    },
    set(now) {
      nowMs = instantOption(now, "the clock's time", nowMs);
    },
    get pending() {
      return timers.size;
    },
  };
}
