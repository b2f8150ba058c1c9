import type { HandlerStats, InboxStats } from "../../contracts/engine.js";
import type { Connection } from "./connection.js";
import type { Times } from "./protocol.js";
import { fromStored, toStored } from "./text.js";

/** Counts what waits, runs and is dead, by the partial indexes: what is done is not touched. */
export function readStats(connection: Connection, receiver: string | undefined, times: Times): InboxStats {
  const waiting = countBy(connection, "state = 0");
  for (const [handler, count] of countBy(
    connection,
    "order_key IS NOT NULL AND state <> 3 AND state <> 5 AND state = 1",
  )) {
    waiting.set(handler, (waiting.get(handler) ?? 0) + count);
  }
  const running = countBy(connection, "state = 2");
  const dead = countBy(connection, "state = 4");
  const rows = connection
    .statement(
      "SELECT h.handler, h.name, r.name AS receiver FROM hookgate_handlers h JOIN hookgate_receivers r ON r.receiver = h.receiver WHERE ?1 IS NULL OR r.name = ?1 ORDER BY r.name, h.handler",
    )
    .all(receiver === undefined ? null : toStored(receiver)) as {
    readonly handler: number;
    readonly name: string;
    readonly receiver: string;
  }[];
  const handlers = rows.map((row) => ({
    receiver: fromStored(row.receiver),
    handler: fromStored(row.name),
    waiting: waiting.get(row.handler) ?? 0,
    running: running.get(row.handler) ?? 0,
    dead: dead.get(row.handler) ?? 0,
  }));
  return {
    waiting: sum(handlers, "waiting"),
    running: sum(handlers, "running"),
    dead: sum(handlers, "dead"),
    oldestWaitingMs: oldest(
      connection,
      rows.map(({ handler }) => handler),
      times,
    ),
    throughput: throughput(connection, times),
    handlers,
  };
}

function countBy(connection: Connection, condition: string): Map<number, number> {
  const rows = connection
    .statement(`SELECT handler, count(*) AS count FROM hookgate_tasks WHERE ${condition} GROUP BY handler`)
    .all() as { readonly handler: number; readonly count: number }[];
  return new Map(rows.map(({ handler, count }) => [handler, count]));
}

function sum(handlers: readonly HandlerStats[], member: "waiting" | "running" | "dead"): number {
  return handlers.reduce((total, handler) => total + handler[member], 0);
}

function oldest(connection: Connection, handlers: readonly number[], times: Times): number | undefined {
  let due: number | undefined;
  for (const handler of handlers) {
    const row = connection
      .statement("SELECT due FROM hookgate_tasks WHERE state = 0 AND handler = ? ORDER BY due LIMIT 1")
      .get(handler) as { readonly due: number } | undefined;
    if (row !== undefined && row.due <= times.storeMs) due = Math.min(due ?? row.due, row.due);
  }
  return due === undefined ? undefined : Math.round(times.storeMs - due);
}

const minuteMs = 60_000;

function throughput(connection: Connection, times: Times): InboxStats["throughput"] {
  const minute = Math.floor(times.wallMs / minuteMs);
  const row = connection
    .statement(
      "SELECT coalesce(sum(accepted), 0) AS accepted, coalesce(sum(handled), 0) AS handled, coalesce(sum(failed), 0) AS failed, coalesce(sum(dead), 0) AS dead FROM hookgate_minutes WHERE minute >= ?",
    )
    .get(minute - 1) as Omit<InboxStats["throughput"], "spanMs">;
  const { accepted, handled, failed, dead } = row;
  return { spanMs: minuteMs + Math.round(times.wallMs - minute * minuteMs), accepted, handled, failed, dead };
}
