import type { PurgeOptions } from "../../contracts/engine.js";
import type { StoreParts } from "./accept.js";
import type { Connection } from "./connection.js";
import { conditionOf, eventTables } from "./filter.js";
import { holdsOthers, promote } from "./order.js";
import type { Times } from "./protocol.js";

/** Whether an event has a dead letter that holds a task behind it. */
const holding =
  "EXISTS (SELECT 1 FROM hookgate_tasks d JOIN hookgate_handlers h ON h.handler = d.handler WHERE d.event = e.event AND d.state = 4 AND h.hold = 1 " +
  "AND EXISTS (SELECT 1 FROM hookgate_tasks b WHERE b.handler = d.handler AND b.order_key = d.order_key AND b.state = 1 AND b.event > d.event))";

/**
 * The events that a purge may take, oldest first. Finding them reads much, deleting them little: this runs on the
 * connection that only reads.
 */
export function findPurgeable(connection: Connection, options: PurgeOptions): readonly number[] {
  const { receiver, beforeMs, keep, keepHolding, limit, state } = options;
  const condition = conditionOf({ receiver, beforeMs });
  const ofState =
    state === "dead"
      ? conditionOf({ state: "dead" }).sql
      : "NOT EXISTS (SELECT 1 FROM hookgate_tasks t WHERE t.event = e.event AND t.state IN (0, 1, 2, 4))";
  let bound = Number.MAX_SAFE_INTEGER;
  if (keep !== undefined && keep > 0) {
    const kept = conditionOf({ receiver });
    const row = connection
      .statement(
        `SELECT e.event FROM ${eventTables} WHERE ${kept.sql} AND ${ofState} ORDER BY e.event DESC LIMIT 1 OFFSET ?`,
      )
      .get(...kept.values, keep - 1) as { readonly event: number } | undefined;
    if (row === undefined) return [];
    bound = row.event;
  }
  const rows = connection
    .statement(
      `SELECT e.event FROM ${eventTables} WHERE ${condition.sql} AND ${ofState}${keepHolding === true ? ` AND NOT ${holding}` : ""} AND e.event < ? ORDER BY e.event LIMIT ?`,
    )
    .all(...condition.values, bound, limit) as { readonly event: number }[];
  return rows.map(({ event }) => event);
}

/**
 * Deletes events with all that belongs to them; resolves with their number. One with a task that waits or runs by now
 * stays, as does one that holds others by now where those are kept. While its id is remembered the row of the id stays,
 * without its delivery.
 */
export function purgeEvents(
  parts: StoreParts,
  { events, keepHolding }: { readonly events: readonly number[]; readonly keepHolding: boolean },
  times: Times,
): number {
  const { connection } = parts;
  connection.begin();
  connection
    .statement(
      "UPDATE hookgate_meta SET value = max(value, coalesce((SELECT max(event) FROM hookgate_events), 0)) WHERE name = 'lastEvent'",
    )
    .run();
  let count = 0;
  for (const event of events) if (purgeOne(parts, event, keepHolding, times)) count++;
  const storeMs = Math.floor(times.storeMs);
  connection
    .statement(
      "DELETE FROM hookgate_events WHERE event IN (SELECT event FROM hookgate_events WHERE delivery = 0 AND remember_until <= ? LIMIT 500)",
    )
    .run(storeMs);
  connection
    .statement(
      "DELETE FROM hookgate_tokens WHERE token IN (SELECT token FROM hookgate_tokens WHERE expires_ms < ? LIMIT 500)",
    )
    .run(Math.floor(times.wallMs) - tokenGraceMs);
  return count;
}

/** A clock that was set back must not make a used token good again. */
const tokenGraceMs = 2 * 3_600_000;

function purgeOne(
  { connection, names }: StoreParts,
  event: number,
  keepHolding: boolean,
  times: Times,
): boolean {
  const open = connection
    .statement("SELECT 1 FROM hookgate_tasks WHERE event = ? AND state IN (0, 1, 2) LIMIT 1")
    .get(event);
  const row = connection
    .statement(
      "SELECT delivery, remembered, remember_until FROM hookgate_events WHERE event = ? AND delivery <> 0",
    )
    .get(event) as
    | { readonly delivery: number; readonly remembered: number; readonly remember_until: number }
    | undefined;
  if (open !== undefined || row === undefined) return false;
  const dead = deadWithKey(connection, event).map(({ handler, key }) => ({
    handler: names.handlerOf(handler),
    key,
  }));
  if (keepHolding && dead.some(({ handler, key }) => holdsOthers(connection, handler, { event, key }))) {
    return false;
  }
  for (const table of ["tasks", "attempts", "replays"]) {
    connection.statement(`DELETE FROM hookgate_${table} WHERE event = ?`).run(event);
  }
  if (row.remembered === 1 && row.remember_until > times.storeMs) {
    connection.statement("UPDATE hookgate_events SET delivery = 0 WHERE event = ?").run(event);
  } else connection.statement("DELETE FROM hookgate_events WHERE event = ?").run(event);
  connection
    .statement(
      "DELETE FROM hookgate_deliveries WHERE delivery = ?1 AND NOT EXISTS (SELECT 1 FROM hookgate_events WHERE event = ?1 AND delivery = ?1) " +
        "AND NOT EXISTS (SELECT 1 FROM hookgate_events WHERE delivery = ?1 AND event <> delivery AND delivery <> 0)",
    )
    .run(row.delivery);
  // What it held back is held no more.
  for (const { handler, key } of dead) promote(connection, handler, key, times.storeMs);
  return true;
}

function deadWithKey(
  connection: Connection,
  event: number,
): readonly { readonly handler: number; readonly key: string }[] {
  return connection
    .statement(
      "SELECT handler, order_key AS key FROM hookgate_tasks WHERE event = ? AND state = 4 AND order_key IS NOT NULL",
    )
    .all(event) as { readonly handler: number; readonly key: string }[];
}
