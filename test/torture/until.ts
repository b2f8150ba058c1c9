import { setTimeout as pause } from "node:timers/promises";
import { monotonicMs } from "./options.js";

/** Looks until something is there and resolves with it; rejects after `withinMs`, naming what it waited for. */
export async function until<Found>(
  what: string,
  look: () => Found | undefined | false | Promise<Found | undefined | false>,
  withinMs = 20_000,
): Promise<Found> {
  const end = monotonicMs() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (monotonicMs() > end) throw new Error(`${what}: not within ${withinMs} ms`);
    await pause(10);
  }
}
