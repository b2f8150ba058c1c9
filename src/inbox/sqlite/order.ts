import { Buffer } from "node:buffer";
import type { Connection } from "./connection.js";
import type { HandlerRow } from "./id-table.js";
import { state } from "./schema.js";

/**
 * Open and dead tasks of one ordering key. The two conditions on the state are those of the index: SQLite uses a partial index
 * only where a query repeats them, and `IN` instead of them would make it sort.
 */
const ofKey =
  "hookgate_tasks INDEXED BY hookgate_tasks_by_key WHERE state <> 3 AND state <> 5 AND handler = ? AND order_key = ?";

/** What of a handler decides on the order of its tasks. */
export type OrderedHandler = Pick<HandlerRow, "handler" | "hold">;

/** A task of an ordering key. */
interface KeyedTask {
  readonly event: number;
  readonly state: number;
}

/** The task that says most about its key: one that waits, else the oldest that is blocked, else one that runs, else dead. */
function leadOf(connection: Connection, handler: OrderedHandler, key: string): KeyedTask | undefined {
  return connection
    .statement(`SELECT event, state FROM ${ofKey} ORDER BY state, event LIMIT 1`)
    .get(handler.handler, key) as KeyedTask | undefined;
}

/** The oldest task of a key in a state. */
export function oldestOf(
  connection: Connection,
  handler: OrderedHandler,
  key: string,
  inState: number,
): number | undefined {
  const row = connection
    .statement(`SELECT event FROM ${ofKey} AND state = ? ORDER BY event LIMIT 1`)
    .get(handler.handler, key, inState) as { readonly event: number } | undefined;
  return row?.event;
}

/** Whether a new task under an ordering key must wait for another: one that waits or runs, or a dead letter that holds. */
export function hasOthers(connection: Connection, handler: OrderedHandler, key: string): boolean {
  const lead = leadOf(connection, handler, key);
  return lead !== undefined && (lead.state !== state.dead || handler.hold);
}

/**
 * After a task under an ordering key has come to rest: lets the next one of its key be claimed, unless another waits or runs,
 * or a dead letter ahead of it holds it. Its cost does not depend on how many tasks the key has.
 */
export function promote(
  connection: Connection,
  handler: OrderedHandler,
  key: string | null,
  storeMs: number,
): void {
  if (key === null) return;
  const next = leadOf(connection, handler, key);
  if (next?.state !== state.blocked) return;
  if (oldestOf(connection, handler, key, state.running) !== undefined) return;
  const dead = handler.hold ? oldestOf(connection, handler, key, state.dead) : undefined;
  if (dead !== undefined && dead < next.event) return;
  connection
    .statement("UPDATE hookgate_tasks SET state = 0, due = max(due, ?) WHERE event = ? AND handler = ?")
    .run(Math.floor(storeMs), next.event, handler.handler);
}

/** The event that a blocked task waits for: the one of its key that is next or runs, or the dead letter that holds it. */
export function blockerOf(
  connection: Connection,
  handler: OrderedHandler,
  { event, key }: { readonly event: number; readonly key: string },
): number | undefined {
  for (const inState of [state.waiting, state.running]) {
    const next = oldestOf(connection, handler, key, inState);
    if (next !== undefined) return next;
  }
  const dead = handler.hold ? oldestOf(connection, handler, key, state.dead) : undefined;
  return dead !== undefined && dead < event ? dead : undefined;
}

/** Whether a dead letter holds a task behind it. */
export function holdsOthers(
  connection: Connection,
  { handler, hold }: OrderedHandler,
  { event, key }: { readonly event: number; readonly key: string },
): boolean {
  if (!hold) return false;
  const sql = `SELECT 1 FROM ${ofKey} AND state = 1 AND event > ? LIMIT 1`;
  return connection.statement(sql).get(handler, key, event) !== undefined;
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

/** Keys of one transaction: a policy that changes for a million of them must not hold up deliveries. */
const keysPerStep = 200;

/**
 * Brings the keys of a handler into line with its policy, key by key: what is behind a dead letter that holds is blocked,
 * and where nothing of a key waits or runs, its next task does. Returns the last key of the step, undefined when all are
 * done. It also mends keys that an older version left without a next task.
 */
export function alignKeys(
  connection: Connection,
  handler: OrderedHandler,
  after: string | undefined,
  storeMs: number,
): string | undefined {
  let key = after;
  for (let count = 0; count < keysPerStep; count++) {
    key = keyAfter(connection, handler, key);
    if (key === undefined) return undefined;
    if (handler.hold) blockBehindDead(connection, handler, key);
    promote(connection, handler, key, storeMs);
  }
  return key;
}

/** By the indexes of what is blocked and of dead letters; the least of all keys is the empty text. */
const blockedKeys =
  "FROM hookgate_tasks INDEXED BY hookgate_tasks_blocked WHERE handler = ? AND state = 1 AND order_key";
const deadKeys =
  "FROM hookgate_tasks INDEXED BY hookgate_tasks_dead_by_key WHERE handler = ? AND order_key IS NOT NULL AND state = 4 AND order_key";

function keyAfter(
  connection: Connection,
  { handler, hold }: OrderedHandler,
  after: string | undefined,
): string | undefined {
  const least = (keys: string): string | undefined => {
    const sql = `SELECT order_key AS key ${keys} ${after === undefined ? ">=" : ">"} ? ORDER BY order_key LIMIT 1`;
    const row = connection.statement(sql).get(handler, after ?? "") as { readonly key: string } | undefined;
    return row?.key;
  };
  const [blocked, dead] = [least(blockedKeys), hold ? least(deadKeys) : undefined];
  if (blocked === undefined || dead === undefined) return blocked ?? dead;
  // By the order of the index, which is that of UTF-8 and not of UTF-16.
  return Buffer.compare(Buffer.from(blocked), Buffer.from(dead)) < 0 ? blocked : dead;
}

/** What runs goes on: its verdict sees the dead letter. */
function blockBehindDead(connection: Connection, handler: OrderedHandler, key: string): void {
  const dead = oldestOf(connection, handler, key, state.dead);
  const next = oldestOf(connection, handler, key, state.waiting);
  if (dead === undefined || next === undefined || next < dead) return;
  connection
    .statement("UPDATE hookgate_tasks SET state = 1 WHERE event = ? AND handler = ?")
    .run(next, handler.handler);
}
