import type { Clock } from "../lib/clock.js";
import { isClockAhead } from "../lib/clock-ahead.js";
import type { InboxEngine, PurgeOptions } from "../types/engine.js";
import type { HeldWatch } from "./held-watch.js";
import type { InboxObserver } from "./observer.js";
import type { Retention } from "./retention-options.js";

/** Milliseconds between two looks at what is too old. */
const everyMs = 60_000;
/** Looks between two lines that say that nothing is deleted by age: an hour. */
const looksPerLine = 60;
/** Events deleted at once: a store with one writer is held no longer than that. */
const batch = 500;
/** Milliseconds that the store has for others between two batches. */
const pauseMs = 100;

/** What retention is made of. */
export interface RetentionParts {
  readonly engine: Pick<InboxEngine, "purge">;
  readonly receiver: string;
  readonly retention: Retention;
  readonly clock: Clock;
  readonly observer: Pick<InboxObserver, "note">;
  /** Told when a look is over: what holds others back was kept, and somebody should know. */
  readonly heldWatch: Pick<HeldWatch, "look">;
}

/**
 * Deletes once a minute what has been kept long enough, in small batches, but no dead letter that holds others back. What
 * fails is noted and tried again the next time. Returns the function that ends it.
 */
export function startRetention(parts: RetentionParts): () => void {
  const { clock } = parts;
  let ended = false;
  /** Looks in a row at which the engine did not believe the clock. */
  let doubts = 0;
  let cancel = clock.after(everyMs, look);

  // One that is ended in a pause stays in it.
  const pause = (): Promise<void> =>
    new Promise((resolve) => {
      cancel = clock.after(pauseMs, resolve);
    });

  function look(): void {
    lookOnce().then(
      () => again(),
      (error: unknown) => {
        if (!ended)
          parts.observer.note("warn", "old events could not be deleted from the inbox", { err: error });
        again();
      },
    );
  }

  async function lookOnce(): Promise<void> {
    const doubt = await purgeAll(parts, pause, () => ended);
    if (doubt !== undefined && doubts % looksPerLine === 0) {
      parts.observer.note("warn", "old events are not deleted from the inbox for now", { err: doubt });
    }
    doubts = doubt === undefined ? 0 : doubts + 1;
    if (!ended) await parts.heldWatch.look();
  }

  function again(): void {
    if (!ended) cancel = clock.after(everyMs, look);
  }

  return () => {
    ended = true;
    cancel();
  };
}

/** Resolves with why nothing was deleted by age, where the engine does not believe the clock; what counts goes on. */
async function purgeAll(
  { engine, receiver, retention, clock }: RetentionParts,
  pause: () => Promise<void>,
  isOver: () => boolean,
): Promise<unknown> {
  let doubt: unknown;
  for (const state of ["done", "dead"] as const) {
    const beforeMs = clock.now() - (state === "done" ? retention.doneMs : retention.deadMs);
    const keep = retention[state];
    // A dead letter that holds others back is the operator's to end: to delete it would break their order.
    const shared = { receiver, state, keepHolding: true, limit: batch };
    const rules: PurgeOptions[] = [{ ...shared, beforeMs }];
    if (keep !== undefined) rules.push({ ...shared, keep });
    for (const rule of rules) {
      try {
        await purge(engine, rule, pause, isOver);
      } catch (error) {
        if (!isClockAhead(error)) throw error;
        doubt = error;
      }
    }
  }
  return doubt;
}

/** Deletes batch by batch; resolves with the number of deleted events. */
export async function purge(
  engine: Pick<InboxEngine, "purge">,
  rule: PurgeOptions,
  pause: () => Promise<void>,
  isOver: () => boolean = () => false,
): Promise<number> {
  let total = 0;
  for (;;) {
    if (isOver()) return total;
    const deleted = await engine.purge(rule);
    total += deleted;
    if (deleted < rule.limit) return total;
    await pause();
  }
}
