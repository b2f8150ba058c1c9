import type { StoreParts } from "./accept.js";
import type { Connection } from "./connection.js";
import { holdsOthers, promote } from "./order.js";
import type { Purged, Times } from "./protocol.js";

/** Milliseconds that a step may keep the only writer from others; the event at which they end is still deleted. */
const sliceMs = 10;
/** Rows of ids and tokens that are deleted in one step. */
const mostForgotten = 1_000;

/**
 * Deletes events with all that belongs to them, as many as the time of a step allows. One with a task that waits or runs
 * by now stays, as does one that holds others by now where those are kept. While its id is remembered the row of the id
 * stays, without its delivery.
 */
export function purgeEvents(
  parts: StoreParts,
  { events, keepHolding }: { readonly events: readonly number[]; readonly keepHolding: boolean },
  times: Times,
): Purged {
  const began = performance.now();
  const { connection } = parts;
  connection.begin();
  connection
    .statement(
      "UPDATE hookgate_meta SET value = max(value, coalesce((SELECT max(event) FROM hookgate_events), 0)) WHERE name = 'lastEvent'",
    )
    .run();
  let purged = 0;
  let seen = 0;
  for (const event of events) {
    if (purgeOne(parts, event, keepHolding, times)) purged++;
    seen++;
    if (performance.now() - began > sliceMs) break;
  }
  return { purged, seen, forgetsMore: forget(connection, times) };
}

/** A clock that was set back must not make a used token good again. */
const tokenGraceMs = 2 * 3_600_000;

/** Deletes what is remembered no longer; true: there may be more of it. */
function forget(connection: Connection, times: Times): boolean {
  const ids = connection
    .statement(
      "DELETE FROM hookgate_events WHERE event IN (SELECT event FROM hookgate_events INDEXED BY hookgate_events_emptied WHERE delivery = 0 AND remember_until <= ? LIMIT ?)",
    )
    .run(Math.floor(times.storeMs), mostForgotten);
  const tokens = connection
    .statement(
      "DELETE FROM hookgate_tokens WHERE token IN (SELECT token FROM hookgate_tokens INDEXED BY hookgate_tokens_by_end WHERE expires_ms < ? LIMIT ?)",
    )
    .run(Math.floor(times.wallMs) - tokenGraceMs, mostForgotten);
  connection
    .statement("DELETE FROM hookgate_times WHERE last < (SELECT min(event) FROM hookgate_events)")
    .run();
  return Math.max(Number(ids.changes), Number(tokens.changes)) >= mostForgotten;
}

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
