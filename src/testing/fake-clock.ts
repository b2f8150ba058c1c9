import type { Clock } from "../lib/clock.js";

/** A clock that stands still until told otherwise. */
export interface FakeClock extends Clock {
  /** Moves the clock on by `ms` milliseconds and calls the timers that fall due, in their order. */
  advance(ms: number): void;
  /** How many timers are waiting. */
  readonly pending: number;
}

/**
 * A clock for tests. Give it to `createReceiver({ clock })`.
 *
 * @param startMs Milliseconds since the epoch; default 2026-01-01T00:00:00Z.
 */
export function createFakeClock(startMs = 1_767_225_600_000): FakeClock {
  let nowMs = startMs;
  const timers = new Set<{ readonly dueMs: number; readonly callback: () => void }>();
  return {
    now: () => nowMs,
    after(ms, callback) {
      const timer = { dueMs: nowMs + ms, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(ms) {
      const endMs = nowMs + ms;
      for (;;) {
        const [next] = [...timers].filter((t) => t.dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs);
        if (next === undefined) break;
        timers.delete(next);
        nowMs = Math.max(nowMs, next.dueMs);
        next.callback();
      }
      nowMs = endMs;
    },
    get pending() {
      return timers.size;
    },
  };
}
