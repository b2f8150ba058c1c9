import type { Connection } from "./connection.js";
import type { HandlerRow } from "./names.js";

/**
 * After a task under an order key has come to rest: lets the next one of its key be claimed, unless another waits or runs,
 * or a dead letter ahead of it holds it.
 */
export function promote(
  connection: Connection,
  handler: HandlerRow,
  key: string | null,
  storeMs: number,
): void {
  if (key === null) return;
  const ofKey = "handler = ? AND order_key = ? AND order_key IS NOT NULL";
  const busy = connection
    .statement(`SELECT 1 FROM hookgate_tasks WHERE ${ofKey} AND state IN (0, 2) LIMIT 1`)
    .get(handler.handler, key);
  if (busy !== undefined) return;
  const next = connection
    .statement(
      `SELECT event, state FROM hookgate_tasks WHERE ${ofKey} AND state IN (1${handler.hold ? ", 4" : ""}) ORDER BY event LIMIT 1`,
    )
    .get(handler.handler, key) as { readonly event: number; readonly state: number } | undefined;
  if (next === undefined || next.state !== 1) return;
  connection
    .statement("UPDATE hookgate_tasks SET state = 0, due = max(due, ?) WHERE event = ? AND handler = ?")
    .run(Math.floor(storeMs), next.event, handler.handler);
}

/** A run that ended. */
export interface EndedRun {
  readonly event: number;
  readonly handler: number;
  readonly attempts: number;
  readonly started_ms: number;
}

/** Of one task; older ones make place. */
const mostAttempts = 100;

/** Keeps an attempt for whoever looks at the task. */
export function noteAttempt(
  connection: Connection,
  { event, handler, attempts, started_ms }: EndedRun,
  how: {
    readonly durationMs: number | null;
    readonly outcome: "done" | "failed" | "lost";
    readonly error: string | null;
  },
): void {
  const row = connection
    .statement(
      "SELECT coalesce(max(number), 0) AS last FROM hookgate_attempts WHERE event = ? AND handler = ?",
    )
    .get(event, handler) as { readonly last: number };
  connection
    .statement(
      "INSERT INTO hookgate_attempts(event, handler, number, attempt, started_ms, duration_ms, outcome, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .run(event, handler, row.last + 1, attempts, started_ms, how.durationMs, how.outcome, how.error);
  if (row.last < mostAttempts) return;
  connection
    .statement("DELETE FROM hookgate_attempts WHERE event = ? AND handler = ? AND number <= ?")
    .run(event, handler, row.last + 1 - mostAttempts);
}
