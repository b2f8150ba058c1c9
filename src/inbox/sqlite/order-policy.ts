import { Buffer } from "node:buffer";
import type { Connection } from "./connection.js";
import { type OrderedHandler, oldestOf, promote } from "./order.js";
import { state } from "./schema.js";

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
