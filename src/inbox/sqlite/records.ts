import { Buffer } from "node:buffer";
import { parseJson } from "../../lib/json.js";
import type {
  AttemptRecord,
  ConsumerStats,
  EventRecord,
  EventState,
  HandlerStats,
  InboxStats,
  ReplayRecord,
  StoredDelivery,
  TaskCounts,
  TaskError,
  TaskRecord,
  TaskState,
} from "../../types/engine.js";
import type { Connection } from "./connection.js";
import { blockerOf } from "./order.js";
import type { Times } from "./protocol.js";
import { eventNumber, fromStored, recordIdOf, toStored } from "./query-context.js";
import { taskStateOf, taskStates } from "./schema.js";
import * as sql from "./statements.js";

interface EventRow {
  readonly event: number;
  readonly delivery: number;
  readonly position: number;
  readonly id: string;
  readonly type: string;
  readonly accepted_ms: number;
  readonly receiver: string;
  readonly source: string;
  readonly tenant: string;
  readonly service: string;
}

interface TaskRow extends sql.TaskRow {
  readonly name: string;
  readonly hold: number;
  readonly error: string | null;
}

/** Reads events for operators. */
export class RecordQueries {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Events by their numbers, in that order, without those that are gone. */
  records(events: readonly number[], times: Times): readonly EventRecord[] {
    return events.flatMap((event) => {
      const row = this.#row(event);
      return row === undefined ? [] : [toRecord(row, this.#tasks(event, times))];
    });
  }

  get(recordId: string, times: Times): EventRecord | undefined {
    const number = eventNumber(recordId);
    if (number === undefined) return undefined;
    const row = this.#row(number);
    if (row === undefined) return undefined;
    const delivery = this.#delivery(row.delivery);
    const replays = this.#replays(number);
    return { ...toRecord(row, this.#tasks(number, times, true)), delivery, replays };
  }

  #row(event: number): EventRow | undefined {
    return this.#connection.statement(sql.records.event).get(event) as EventRow | undefined;
  }

  #tasks(event: number, times: Times, withHistory = false): readonly TaskRecord[] {
    const rows = this.#connection.statement(sql.records.tasks).all(event) as TaskRow[];
    return rows.map((row) => ({
      handler: fromStored(row.name),
      state: taskStateOf(row),
      attempts: row.attempts,
      // From the store's clock to the machine's.
      dueAtMs:
        row.state === taskStates.waiting ? Math.round(row.due - times.storeMs + times.wallMs) : undefined,
      orderingKey: row.order_key === null ? undefined : fromStored(row.order_key),
      lastError: parseError(row.error),
      ...(withHistory ? { blockedBy: this.#blocker(event, row), history: this.#history(event, row) } : {}),
    }));
  }

  #blocker(event: number, { handler, hold, state, order_key: key }: TaskRow): string | undefined {
    if (state !== taskStates.blocked || key === null) return undefined;
    const blocker = blockerOf(this.#connection, { handler, hold: hold === 1 }, { event, key });
    return blocker === undefined ? undefined : recordIdOf(blocker);
  }

  #history(event: number, task: TaskRow): readonly AttemptRecord[] {
    const rows = this.#connection.statement(sql.records.attempts).all(event, task.handler) as {
      readonly attempt: number;
      readonly started_ms: number;
      readonly duration_ms: number | null;
      readonly outcome: AttemptRecord["outcome"];
      readonly error: string | null;
    }[];
    const ended = rows.map((row) => ({
      attempt: row.attempt,
      startedAtMs: row.started_ms,
      durationMs: row.duration_ms ?? undefined,
      outcome: row.outcome,
      error: parseError(row.error),
    }));
    if (task.state !== taskStates.done || task.started_ms === null) return ended;
    const { attempts, started_ms, duration_ms } = task;
    const done = { attempt: attempts, startedAtMs: started_ms, durationMs: duration_ms ?? undefined };
    return [...ended, { ...done, outcome: "done" as const, error: undefined }].slice(-100);
  }

  #delivery(delivery: number): StoredDelivery | undefined {
    const row = this.#connection.statement(sql.records.delivery).get(delivery) as
      | { readonly received_ms: number; readonly head: string; readonly body: Uint8Array }
      | undefined;
    if (row === undefined) return undefined;
    const head = parseJson(row.head) as Omit<StoredDelivery, "receivedAtMs" | "rawBody">;
    return {
      ...head,
      address: head.address ?? undefined,
      receivedAtMs: row.received_ms,
      rawBody: Buffer.from(row.body),
    };
  }

  #replays(event: number): readonly ReplayRecord[] {
    const rows = this.#connection.statement(sql.records.replays).all(event) as {
      readonly at_ms: number;
      readonly handlers: string;
    }[];
    return rows.map((row) => ({ atMs: row.at_ms, handlers: parseJson(row.handlers) as string[] }));
  }
}

function toRecord(row: EventRow, tasks: readonly TaskRecord[]): EventRecord {
  return {
    recordId: recordIdOf(row.event),
    receiver: fromStored(row.receiver),
    source: fromStored(row.source),
    tenant: fromStored(row.tenant),
    service: fromStored(row.service),
    id: fromStored(row.id),
    type: fromStored(row.type),
    state: stateOf(tasks),
    acceptedAtMs: row.accepted_ms,
    position: row.position,
    tasks,
  };
}

const openStates: readonly TaskState[] = ["waiting", "retrying", "blocked", "running"];

function stateOf(tasks: readonly TaskRecord[]): EventState {
  if (tasks.length === 0) return "ignored";
  if (tasks.some(({ state }) => openStates.includes(state))) return "pending";
  return tasks.some(({ state }) => state === "dead") ? "dead" : "done";
}

function parseError(text: string | null): TaskError | undefined {
  return text === null ? undefined : (parseJson(text) as TaskError);
}

/** Counts waiting, blocked, running and dead tasks, in indexes: tasks that are done are not read. */
export function readStats(connection: Connection, receiver: string | undefined, times: Times): InboxStats {
  const rows = connection.statement(sql.stats.handlers).all(nameOf(receiver)) as HandlerRow[];
  const ageOf = ({ due }: Counted): number | undefined =>
    due === null ? undefined : Math.max(0, Math.round(times.storeMs - due));
  const handlers = rows.map(({ handler, hold, ordered, ...row }): HandlerStats => {
    const waiting = {
      count: countOf(connection, handler, taskStates.waiting),
      due: nextDueOf(connection, handler),
    };
    const blocked = blockedOf(connection, handler);
    const byDead = hold === 1 && blocked.count > 0 ? blockedByDeadOf(connection, handler) : none;
    return {
      receiver: fromStored(row.receiver),
      handler: fromStored(row.name),
      ordered: ordered === 1,
      waiting: waiting.count,
      blocked: blocked.count,
      blockedByDead: byDead.count,
      running: countOf(connection, handler, taskStates.running),
      dead: countOf(connection, handler, taskStates.dead),
      blockingDead: byDead.count > 0 ? blockingDeadOf(connection, handler) : 0,
      // A task that is due later is not late.
      oldestWaitingMs: waiting.due !== null && waiting.due <= times.storeMs ? ageOf(waiting) : undefined,
      oldestBlockedMs: ageOf(blocked),
      oldestBlockedByDeadMs: ageOf(byDead),
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

/** A number of tasks, and when the first of them was due. */
interface Counted {
  readonly count: number;
  readonly due: number | null;
}

const none: Counted = { count: 0, due: null };

function countOf(connection: Connection, handler: number, inState: number): number {
  const row = connection.statement(sql.stats.inState).get(handler, inState) as { readonly count: number };
  return row.count;
}

function nextDueOf(connection: Connection, handler: number): number | null {
  const row = connection.statement(sql.tasks.nextDue).get(handler) as { readonly due: number } | undefined;
  return row?.due ?? null;
}

function blockedOf(connection: Connection, handler: number): Counted {
  return connection.statement(sql.stats.blocked).get(handler) as Counted;
}

/** Blocked tasks of a handler that come after the first dead letter of their key. */
function blockedByDeadOf(connection: Connection, handler: number): Counted {
  return connection.statement(sql.stats.blockedByDead).get(handler) as Counted;
}

/** Dead letters of a handler with a blocked task after them. */
function blockingDeadOf(connection: Connection, handler: number): number {
  const row = connection.statement(sql.stats.blockingDead).get(handler) as { readonly count: number };
  return row.count;
}

function totalOf(handlers: readonly HandlerStats[]): TaskCounts {
  const sum = (
    member: "waiting" | "blocked" | "blockedByDead" | "running" | "dead" | "blockingDead",
  ): number => handlers.reduce((total, handler) => total + handler[member], 0);
  const oldest = (
    member: "oldestWaitingMs" | "oldestBlockedMs" | "oldestBlockedByDeadMs",
  ): number | undefined => {
    const ages = handlers.map((handler) => handler[member]).filter((age) => age !== undefined);
    return ages.length === 0 ? undefined : ages.reduce((a, b) => Math.max(a, b));
  };
  return {
    waiting: sum("waiting"),
    blocked: sum("blocked"),
    blockedByDead: sum("blockedByDead"),
    running: sum("running"),
    dead: sum("dead"),
    blockingDead: sum("blockingDead"),
    oldestWaitingMs: oldest("oldestWaitingMs"),
    oldestBlockedMs: oldest("oldestBlockedMs"),
    oldestBlockedByDeadMs: oldest("oldestBlockedByDeadMs"),
  };
}

function consumersOf(
  connection: Connection,
  receiver: string | undefined,
  times: Times,
): readonly ConsumerStats[] {
  const rows = connection.statement(sql.stats.consumers).all(nameOf(receiver)) as {
    readonly consumer: number;
    readonly receiver: string;
    readonly lease_ms: number;
    /** Null if a process of an older version sent the heartbeat. */
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
  const row = connection.statement(sql.stats.throughput).get(minute - 1) as Omit<
    InboxStats["throughput"],
    "spanMs"
  >;
  const { accepted, handled, failed, dead } = row;
  return { spanMs: minuteMs + Math.round(times.wallMs - minute * minuteMs), accepted, handled, failed, dead };
}
