import type { StoreParts } from "./accept.js";
import { noteAttempt } from "./order.js";
import { alignKeys } from "./order-policy.js";
import type { Pulse, Request, Times } from "./protocol.js";

/** Signs of life of those who run tasks, and what becomes of the tasks of one that gives none. */
export class Consumers {
  readonly #parts: StoreParts;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  /** Enters a consumer, and the policies of the handlers that are named. */
  join({ consumer, receiver, leaseMs, handlers }: Extract<Request, { op: "join" }>, times: Times): number {
    const { connection, names } = this.#parts;
    connection.begin();
    connection
      .statement(
        "INSERT OR REPLACE INTO hookgate_consumers(consumer, receiver, beat, lease_ms, beat_ms) VALUES (?, ?, 0, ?, ?)",
      )
      .run(consumer, names.receiver(receiver), leaseMs, Math.floor(times.storeMs));
    for (const { name, hold, ordered } of handlers) {
      const { handler } = names.handler(receiver, name);
      connection
        .statement("UPDATE hookgate_handlers SET hold = ?, ordered = max(ordered, ?) WHERE handler = ?")
        .run(hold ? 1 : 0, ordered ? 1 : 0, handler);
    }
    return consumer;
  }

  /** One step of what a changed policy does to the tasks that are there; the key to go on behind, null at the end. */
  align({ receiver, handler, after }: Extract<Request, { op: "align" }>, times: Times): string | null {
    const { connection, names } = this.#parts;
    connection.begin();
    const row = names.handler(receiver, handler);
    return alignKeys(connection, row, after ?? undefined, times.storeMs) ?? null;
  }

  /** A sign of life of one, and the last ones of the others. A claim whose consumer is not entered is one of the others, too. */
  heartbeat(consumer: number, times: Times): Pulse {
    const { connection, tally } = this.#parts;
    connection.begin();
    const { changes } = connection
      .statement("UPDATE hookgate_consumers SET beat = beat + 1, beat_ms = ? WHERE consumer = ?")
      .run(Math.floor(times.storeMs), consumer);
    const clock = connection
      .statement("UPDATE hookgate_meta SET value = max(value, ?) WHERE name = 'clock' RETURNING value")
      .get(Math.floor(times.storeMs)) as { readonly value: number };
    tally.tidy(times.wallMs);
    const others = connection
      .statement(
        "SELECT consumer, beat, lease_ms AS leaseMs FROM hookgate_consumers WHERE consumer <> ?1 UNION ALL " +
          "SELECT DISTINCT consumer, -1, 0 FROM hookgate_tasks WHERE state = 2 AND consumer <> ?1 AND consumer NOT IN (SELECT consumer FROM hookgate_consumers)",
      )
      .all(consumer) as Pulse["others"];
    return { alive: Number(changes) === 1, clockMs: clock.value, others };
  }

  /** Takes back what a consumer has claimed, unless it has given a sign of life since. Resolves with the number of tasks. */
  expire(consumer: number, beat: number, times: Times): number {
    const { connection } = this.#parts;
    connection.begin();
    const row = connection
      .statement("SELECT beat FROM hookgate_consumers WHERE consumer = ?")
      .get(consumer) as { readonly beat: number } | undefined;
    if ((row?.beat ?? -1) !== beat) return 0;
    return this.#takeBack(consumer, times);
  }

  /** Ends a consumer; what it still has is lost to it. */
  leave(consumer: number, times: Times): number {
    this.#parts.connection.begin();
    return this.#takeBack(consumer, times);
  }

  #takeBack(consumer: number, times: Times): number {
    const { connection } = this.#parts;
    const running = connection
      .statement(
        "SELECT event, handler, attempts, started_ms FROM hookgate_tasks WHERE state = 2 AND consumer = ?",
      )
      .all(consumer) as { event: number; handler: number; attempts: number; started_ms: number }[];
    for (const run of running)
      noteAttempt(connection, run, { durationMs: null, outcome: "lost", error: null });
    connection
      .statement(
        "UPDATE hookgate_tasks SET state = 0, due = ?, consumer = NULL WHERE state = 2 AND consumer = ?",
      )
      .run(Math.floor(times.storeMs), consumer);
    connection.statement("DELETE FROM hookgate_consumers WHERE consumer = ?").run(consumer);
    return running.length;
  }
}
