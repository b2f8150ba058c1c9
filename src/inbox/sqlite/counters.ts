import type { Connection } from "./connection.js";
import * as sql from "./statements.js";

const counters = ["accepted", "handled", "failed", "dead"] as const;

type Counter = Exclude<(typeof counters)[number], "accepted">;
const minuteMs = 60_000;
const keptMinutes = 60;

/** For each span of this length the store keeps which events were accepted in it. */
export const timeSpanMs = 600_000;

/**
 * The changes of one transaction to the counts: events and tasks per minute, the backlog of each receiver, and which events were
 * accepted in which span of time.
 */
export class Counters {
  readonly #connection: Connection;
  #accepted = 0;
  #handled = 0;
  #failed = 0;
  #dead = 0;
  #firstEvent: number | undefined;
  #lastEvent = 0;
  readonly #backlogs = new Map<number, number>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  count(counter: Counter): void {
    if (counter === "handled") this.#handled++;
    else if (counter === "failed") this.#failed++;
    else this.#dead++;
  }

  /** Counts an accepted event; their numbers rise. */
  accepted(event: number): void {
    this.#accepted++;
    this.#firstEvent ??= event;
    this.#lastEvent = event;
  }

  /** Changes the number of open tasks of a receiver. */
  addBacklog(receiver: number, change: number): void {
    this.#backlogs.set(receiver, (this.#backlogs.get(receiver) ?? 0) + change);
  }

  /** Open tasks of a receiver, including those of this transaction. */
  backlog(receiver: number): number {
    const row = this.#connection.statement(sql.counters.backlog).get(receiver) as { backlog: number };
    return row.backlog + (this.#backlogs.get(receiver) ?? 0);
  }

  /** Writes the changes, within the transaction. */
  write(wallMs: number): void {
    for (const [receiver, change] of this.#backlogs) {
      if (change === 0) continue;
      this.#connection.statement(sql.counters.addBacklog).run(change, receiver);
    }
    this.#backlogs.clear();
    const counts = [this.#accepted, this.#handled, this.#failed, this.#dead];
    if (counts.every((count) => count === 0)) return;
    if (this.#firstEvent !== undefined) {
      this.#connection
        .statement(sql.counters.addSpan)
        .run(Math.floor(wallMs / timeSpanMs), this.#firstEvent, this.#lastEvent);
    }
    const minute = Math.floor(wallMs / minuteMs);
    this.#connection.statement(sql.counters.addMinute).run(minute, ...counts);
    this.clear();
  }

  /** Deletes expired minutes. */
  prune(wallMs: number): void {
    const oldest = Math.floor(wallMs / minuteMs) - keptMinutes;
    this.#connection.statement(sql.counters.dropMinutes).run(oldest);
  }

  clear(): void {
    this.#accepted = this.#handled = this.#failed = this.#dead = 0;
    this.#firstEvent = undefined;
    this.#backlogs.clear();
  }
}
