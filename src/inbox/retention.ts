import { type Clock, isClockAhead } from "../lib/clock.js";
import type { Duration } from "../lib/duration.js";
import { assertOptions, durationOption, numberOption, OptionError, optionKeys, own } from "../lib/options.js";
import { printable } from "../lib/printable.js";
import type { InboxEngine, InboxStats, PurgeOptions } from "../types/engine.js";
import type { InboxReporter } from "./reporter.js";

/** Milliseconds between two looks at what is too old. */
const intervalMs = 60_000;
/** Looks between two lines that say that nothing is deleted by age: an hour. */
const runsPerWarning = 60;
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
  readonly reporter: Pick<InboxReporter, "note">;
  /** Told when a look is over: what holds others back was kept, and somebody should know. */
  readonly heldTasks: Pick<HeldTasksMonitor, "check">;
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
  let cancel = clock.after(intervalMs, look);

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
          parts.reporter.note("warn", "old events could not be deleted from the inbox", { err: error });
        again();
      },
    );
  }

  async function lookOnce(): Promise<void> {
    const doubt = await purgeAll(parts, pause, () => ended);
    if (doubt !== undefined && doubts % runsPerWarning === 0) {
      parts.reporter.note("warn", "old events are not deleted from the inbox for now", { err: doubt });
    }
    doubts = doubt === undefined ? 0 : doubts + 1;
    if (!ended) await parts.heldTasks.check();
  }

  function again(): void {
    if (!ended) cancel = clock.after(intervalMs, look);
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
  let clockError: unknown;
  for (const state of ["done", "dead"] as const) {
    const beforeMs = clock.now() - (state === "done" ? retention.doneMs : retention.deadMs);
    const keep = state === "done" ? retention.maxDone : retention.maxDead;
    // A dead letter that holds others back is the operator's to end: to delete it would break their order.
    const shared = { receiver, state, keepHolding: true, limit: batch };
    const rules: PurgeOptions[] = [{ ...shared, beforeMs }];
    if (keep !== undefined) rules.push({ ...shared, keep });
    for (const rule of rules) {
      try {
        await purge(engine, rule, pause, isOver);
      } catch (error) {
        if (!isClockAhead(error)) throw error;
        clockError = error;
      }
    }
  }
  return clockError;
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

/** How long events are kept whose tasks have ended. Events with a task that waits or runs are never deleted. */
export interface RetentionOptions {
  /** How long done and ignored events are kept, "0ms" to "3650d". Default: "7d". */
  readonly done?: Duration | undefined;
  /** How long events with a dead letter are kept, "0ms" to "3650d". Default: "30d". */
  readonly dead?: Duration | undefined;
  /** Maximum number of done and ignored events, 0 to 1,000,000,000; the oldest are deleted first. Default: no limit. */
  readonly maxDone?: number | undefined;
  /** Maximum number of events with a dead letter, 0 to 1,000,000,000; the oldest are deleted first. Default: no limit. */
  readonly maxDead?: number | undefined;
}

/** `RetentionOptions`, resolved. */
export interface Retention {
  readonly doneMs: number;
  readonly deadMs: number;
  readonly maxDone: number | undefined;
  readonly maxDead: number | undefined;
}

const optionNames = optionKeys<RetentionOptions>({ done: true, dead: true, maxDone: true, maxDead: true });

/** Reads the option `retention`. Throws a TypeError that names the option and the fix. */
export function parseRetention(value: unknown, where: string): Retention {
  const given: unknown = value === undefined ? {} : value;
  assertOptions(given, optionNames, where);
  const age = (name: "done" | "dead", fallback: Duration): number => {
    const most = own(given, name);
    if (typeof most === "number") {
      const count = name === "done" ? "maxDone" : "maxDead";
      throw new OptionError(
        `${where}.${name}`,
        ` must be a duration such as "${fallback}", not ${most}; to limit the number of events, write ${count}: ${most}`,
      );
    }
    return durationOption(most, `${where}.${name}`, { min: "0ms", max: "3650d", fallback });
  };
  const count = (name: "maxDone" | "maxDead"): number | undefined => {
    const most = own(given, name);
    if (most === undefined) return undefined;
    return numberOption(most, `${where}.${name}`, { min: 0, max: 1_000_000_000, fallback: 0, integer: true });
  };
  return {
    doneMs: age("done", "7d"),
    deadMs: age("dead", "30d"),
    maxDone: count("maxDone"),
    maxDead: count("maxDead"),
  };
}

/** What a watch looks at, and whom it tells. */
export interface HeldTasksParts {
  readonly engine: Pick<InboxEngine, "stats">;
  readonly receiver: string;
  readonly reporter: Pick<InboxReporter, "note">;
}

/**
 * Tells the operator of tasks that stay behind a dead letter (`onDeadLetter: "block"`): once when a handler's first task is held,
 * and again when that comes back after an end.
 */
export class HeldTasksMonitor {
  readonly #parts: HeldTasksParts;
  #held: ReadonlyMap<string, string> = new Map();

  constructor(parts: HeldTasksParts) {
    this.#parts = parts;
  }

  /** Asks the store. Rejects with what it says. */
  async check(): Promise<void> {
    const { engine, receiver } = this.#parts;
    this.update(await engine.stats({ receiver }));
  }

  /** Takes what the store said. */
  update({ handlers }: Pick<InboxStats, "handlers">): void {
    const held = new Map<string, string>();
    for (const { handler, held: tasks, holding, oldestHeldMs } of handlers) {
      if (tasks === 0) continue;
      const oldest = oldestHeldMs === undefined ? "" : `, the oldest for ${minutes(oldestHeldMs)}`;
      const finding = `${counted(tasks, "task")} of the handler "${printable(handler)}" held behind ${counted(holding, "dead letter")} (onDeadLetter: "block")${oldest}; replay, drop or purge the dead letters: retention keeps them`;
      held.set(handler, finding);
      if (this.#held.has(handler)) continue;
      this.#parts.reporter.note("warn", finding, { handler, held: tasks, holding });
    }
    this.#held = held;
  }

  /** What was held at the last look, one line for each handler. */
  findings(): readonly string[] {
    return [...this.#held.values()];
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function minutes(ms: number): string {
  return counted(Math.round(ms / 60_000), "minute");
}
