import type { ConsumerStats, HandlerStats, InboxStats, TaskCounts } from "../../types/engine.js";
import type { Connection } from "./connection.js";
import type { Times } from "./protocol.js";
import { state } from "./schema.js";
import { fromStored, toStored } from "./text.js";

/** Counts what waits, is blocked, runs and is dead, in indexes: what is done is not touched. */
export function readStats(connection: Connection, receiver: string | undefined, times: Times): InboxStats {
  const rows = connection
    .statement(
      "SELECT h.handler, h.name, h.hold, h.ordered, r.name AS receiver FROM hookgate_handlers h JOIN hookgate_receivers r ON r.receiver = h.receiver WHERE ?1 IS NULL OR r.name = ?1 ORDER BY r.name, h.handler",
    )
    .all(nameOf(receiver)) as HandlerRow[];
  const ageOf = ({ due }: Counted): number | undefined =>
    due === null ? undefined : Math.max(0, Math.round(times.storeMs - due));
  const handlers = rows.map(({ handler, hold, ordered, ...row }): HandlerStats => {
    const waiting = {
      count: countOf(connection, handler, state.waiting),
      due: nextDueOf(connection, handler),
    };
    const blocked = blockedOf(connection, handler);
    const held = hold === 1 && blocked.count > 0 ? heldOf(connection, handler) : none;
    return {
      receiver: fromStored(row.receiver),
      handler: fromStored(row.name),
      ordered: ordered === 1,
      waiting: waiting.count,
      blocked: blocked.count,
      held: held.count,
      running: countOf(connection, handler, state.running),
      dead: countOf(connection, handler, state.dead),
      holding: held.count > 0 ? holdingOf(connection, handler) : 0,
      // What is due later is not late.
      oldestWaitingMs: waiting.due !== null && waiting.due <= times.storeMs ? ageOf(waiting) : undefined,
      oldestBlockedMs: ageOf(blocked),
      oldestHeldMs: ageOf(held),
    };
  });
  return {
    ...totalOf(handlers),
    throughput: throughput(connection, times),
    handlers,
    consumers: consumersOf(connection, receiver, times),
  };
}

interface HandlerRow {
  readonly handler: number;
  readonly name: string;
  readonly hold: number;
  readonly ordered: number;
  readonly receiver: string;
}

/** How many, and when the first of them was due. */
interface Counted {
  readonly count: number;
  readonly due: number | null;
}

const none: Counted = { count: 0, due: null };

function countOf(connection: Connection, handler: number, inState: number): number {
  const row = connection
    .statement(
      "SELECT count(*) AS count FROM hookgate_tasks INDEXED BY hookgate_tasks_by_state WHERE handler = ? AND state = ?",
    )
    .get(handler, inState) as { readonly count: number };
  return row.count;
}

function nextDueOf(connection: Connection, handler: number): number | null {
  const row = connection
    .statement(
      "SELECT due FROM hookgate_tasks INDEXED BY hookgate_tasks_waiting WHERE state = 0 AND handler = ? ORDER BY due LIMIT 1",
    )
    .get(handler) as { readonly due: number } | undefined;
  return row?.due ?? null;
}

function blockedOf(connection: Connection, handler: number): Counted {
  return connection
    .statement(
      "SELECT count(*) AS count, min(due) AS due FROM hookgate_tasks INDEXED BY hookgate_tasks_blocked WHERE state = 1 AND handler = ?",
    )
    .get(handler) as Counted;
}

const deadOfHandler =
  "FROM hookgate_tasks d INDEXED BY hookgate_tasks_dead_by_key WHERE d.handler = ?1 AND d.order_key IS NOT NULL AND d.state = 4";
const behindDead = "b.handler = ?1 AND b.order_key = d.order_key AND b.state = 1 AND b.event > d.event";

/** Blocked tasks of a handler behind the first dead letter of their key. */
function heldOf(connection: Connection, handler: number): Counted {
  return connection
    .statement(
      `SELECT count(*) AS count, min(b.due) AS due FROM (SELECT d.order_key, min(d.event) AS event ${deadOfHandler} GROUP BY d.order_key) d ` +
        `CROSS JOIN hookgate_tasks b INDEXED BY hookgate_tasks_blocked ON ${behindDead}`,
    )
    .get(handler) as Counted;
}

/** Dead letters of a handler with a blocked task behind them. */
function holdingOf(connection: Connection, handler: number): number {
  const row = connection
    .statement(
      `SELECT count(*) AS count ${deadOfHandler} AND EXISTS (SELECT 1 FROM hookgate_tasks b INDEXED BY hookgate_tasks_blocked WHERE ${behindDead})`,
    )
    .get(handler) as { readonly count: number };
  return row.count;
}

function totalOf(handlers: readonly HandlerStats[]): TaskCounts {
  const sum = (member: "waiting" | "blocked" | "held" | "running" | "dead" | "holding"): number =>
    handlers.reduce((total, handler) => total + handler[member], 0);
  const oldest = (member: "oldestWaitingMs" | "oldestBlockedMs" | "oldestHeldMs"): number | undefined => {
    const ages = handlers.map((handler) => handler[member]).filter((age) => age !== undefined);
    return ages.length === 0 ? undefined : ages.reduce((a, b) => Math.max(a, b));
  };
  return {
    waiting: sum("waiting"),
    blocked: sum("blocked"),
    held: sum("held"),
    running: sum("running"),
    dead: sum("dead"),
    holding: sum("holding"),
    oldestWaitingMs: oldest("oldestWaitingMs"),
    oldestBlockedMs: oldest("oldestBlockedMs"),
    oldestHeldMs: oldest("oldestHeldMs"),
  };
}

function consumersOf(
  connection: Connection,
  receiver: string | undefined,
  times: Times,
): readonly ConsumerStats[] {
  const rows = connection
    .statement(
      "SELECT c.consumer, r.name AS receiver, c.lease_ms, c.beat_ms, " +
        "(SELECT count(*) FROM hookgate_tasks t WHERE t.state = 2 AND t.consumer = c.consumer) AS running " +
        "FROM hookgate_consumers c JOIN hookgate_receivers r ON r.receiver = c.receiver WHERE ?1 IS NULL OR r.name = ?1 ORDER BY r.name, c.consumer",
    )
    .all(nameOf(receiver)) as {
    readonly consumer: number;
    readonly receiver: string;
    readonly lease_ms: number;
    /** Null where a process of an older version gave the sign of life. */
    readonly beat_ms: number | null;
    readonly running: number;
  }[];
  return rows.map((row) => ({
    consumer: `con_${row.consumer.toString(36)}`,
    receiver: fromStored(row.receiver),
    heartbeatAgeMs: row.beat_ms === null ? undefined : Math.max(0, Math.round(times.storeMs - row.beat_ms)),
    leaseMs: row.lease_ms,
    running: row.running,
  }));
}

function nameOf(receiver: string | undefined): string | null {
  return receiver === undefined ? null : toStored(receiver);
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
