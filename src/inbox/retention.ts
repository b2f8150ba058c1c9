import { type Clock, isClockAhead } from "../lib/clock.js";
import type { Duration } from "../lib/duration.js";
import { assertOptions, durationOption, numberOption, OptionError, optionKeys, own } from "../lib/options.js";
import { printable } from "../lib/printable.js";
import type { InboxEngine, InboxStats, PurgeOptions } from "../types/engine.js";
import type { InboxReporter } from "../types/report.js";

const intervalMs = 60_000;
/** Warns once an hour that nothing is deleted by age. */
const runsPerWarning = 60;
/** Events per batch: a store with a single writer must not be blocked for long. */
const batch = 500;
/** Milliseconds between two batches, for other work of the store. */
const pauseMs = 100;

/** What retention needs. */
export interface RetentionParts {
  readonly engine: Pick<InboxEngine, "purge">;
  readonly receiver: string;
  readonly retention: Retention;
  readonly clock: Clock;
  readonly reporter: Pick<InboxReporter, "note">;
  /** Checked after each run: dead letters that block others are kept, and the operator should know. */
  readonly blockedTasks: Pick<BlockedTasksMonitor, "check">;
}

/**
 * Deletes expired events once a minute, in small batches, but no dead letter that blocks others. A failure is logged, and
 * tried again the next time. Returns the function that stops it.
 */
export function startRetention(parts: RetentionParts): () => void {
  const { clock } = parts;
  let ended = false;
  /** Consecutive runs in which the engine did not trust the clock. */
  let doubts = 0;
  let cancel = clock.after(intervalMs, look);

  // If it is stopped during a pause, the pause never ends.
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
    if (!ended) await parts.blockedTasks.check();
  }

  function again(): void {
    if (!ended) cancel = clock.after(intervalMs, look);
  }

  return () => {
    ended = true;
    cancel();
  };
}

/** Resolves with the error of an engine that does not trust the clock; deletion by number goes on. */
async function purgeAll(
  { engine, receiver, retention, clock }: RetentionParts,
  pause: () => Promise<void>,
  isOver: () => boolean,
): Promise<unknown> {
  let clockError: unknown;
  for (const state of ["done", "dead"] as const) {
    const beforeMs = clock.now() - (state === "done" ? retention.doneMs : retention.deadMs);
    const keep = state === "done" ? retention.maxDone : retention.maxDead;
    // Deleting a dead letter that blocks others would break their order: that is up to the operator.
    const shared: PurgeOptions = { receiver, state, keepBlocking: true, limit: batch };
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

/** What a monitor needs. */
export interface BlockedTasksParts {
  readonly engine: Pick<InboxEngine, "stats">;
  readonly receiver: string;
  readonly reporter: Pick<InboxReporter, "note">;
}

/**
 * Warns about tasks that a dead letter blocks (`onDeadLetter: "block"`): once per handler, and again after a time without
 * such tasks.
 */
export class BlockedTasksMonitor {
  readonly #parts: BlockedTasksParts;
  #blocked: ReadonlyMap<string, string> = new Map();

  constructor(parts: BlockedTasksParts) {
    this.#parts = parts;
  }

  /** Reads the counts from the store. */
  async check(): Promise<void> {
    const { engine, receiver } = this.#parts;
    this.update(await engine.stats({ receiver }));
  }

  /** Warns about what is new in the counts. */
  update({ handlers }: Pick<InboxStats, "handlers">): void {
    const blocked = new Map<string, string>();
    for (const { handler, blockedByDead, blockingDead, oldestBlockedByDeadMs } of handlers) {
      if (blockedByDead === 0) continue;
      const oldest =
        oldestBlockedByDeadMs === undefined ? "" : `, the oldest for ${minutes(oldestBlockedByDeadMs)}`;
      const finding = `${counted(blockedByDead, "task")} of the handler "${printable(handler)}" blocked by ${counted(blockingDead, "dead letter")} (onDeadLetter: "block")${oldest}; replay, drop or purge the dead letters: retention keeps them`;
      blocked.set(handler, finding);
      if (this.#blocked.has(handler)) continue;
      this.#parts.reporter.note("warn", finding, { handler, blockedByDead, blockingDead });
    }
    this.#blocked = blocked;
  }

  /** What was blocked at the last check, one line per handler. */
  findings(): readonly string[] {
    return [...this.#blocked.values()];
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function minutes(ms: number): string {
  return counted(Math.round(ms / 60_000), "minute");
}
