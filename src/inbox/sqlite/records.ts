import { Buffer } from "node:buffer";
import { parseJson } from "../../lib/json.js";
import type {
  AttemptRecord,
  EventRecord,
  EventState,
  ReplayRecord,
  StoredDelivery,
  TaskError,
  TaskRecord,
  TaskState,
} from "../../types/engine.js";
import type { Connection } from "./connection.js";
import { eventNumber } from "./filter.js";
import { blockerOf } from "./order.js";
import type { Times } from "./protocol.js";
import { taskStateOf } from "./task-state.js";
import { fromStored } from "./text.js";

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

interface TaskRow {
  readonly handler: number;
  readonly name: string;
  readonly hold: number;
  readonly state: number;
  readonly due: number;
  readonly attempts: number;
  readonly started_ms: number | null;
  readonly duration_ms: number | null;
  readonly order_key: string | null;
  readonly error: string | null;
}

const oneEvent =
  "SELECT e.event, e.delivery, e.position, e.id, e.type, e.accepted_ms, r.name AS receiver, s.source, s.tenant, s.service " +
  "FROM hookgate_events e JOIN hookgate_scopes s ON s.scope = e.scope JOIN hookgate_receivers r ON r.receiver = s.receiver " +
  "WHERE e.event = ? AND e.delivery <> 0";

/** Reads events for those who look at them. */
export class Records {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Events by their numbers, in that order; those that are gone are left out. */
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
    return this.#connection.statement(oneEvent).get(event) as EventRow | undefined;
  }

  #tasks(event: number, times: Times, withHistory = false): readonly TaskRecord[] {
    const rows = this.#connection
      .statement(
        "SELECT t.handler, h.name, h.hold, t.state, t.due, t.attempts, t.started_ms, t.duration_ms, t.order_key, t.error FROM hookgate_tasks t JOIN hookgate_handlers h ON h.handler = t.handler WHERE t.event = ? ORDER BY t.handler",
      )
      .all(event) as TaskRow[];
    return rows.map((row) => ({
      handler: fromStored(row.name),
      state: taskStateOf(row),
      attempts: row.attempts,
      // From the store's clock to the machine's.
      dueAtMs: row.state === 0 ? Math.round(row.due - times.storeMs + times.wallMs) : undefined,
      orderKey: row.order_key === null ? undefined : fromStored(row.order_key),
      lastError: parseError(row.error),
      ...(withHistory ? { blockedBy: this.#blocker(event, row), history: this.#history(event, row) } : {}),
    }));
  }

  #blocker(event: number, { handler, hold, state, order_key: key }: TaskRow): string | undefined {
    if (state !== 1 || key === null) return undefined;
    const blocker = blockerOf(this.#connection, { handler, hold: hold === 1 }, { event, key });
    return blocker === undefined ? undefined : `rec_${blocker}`;
  }

  #history(event: number, task: TaskRow): readonly AttemptRecord[] {
    const rows = this.#connection
      .statement(
        "SELECT attempt, started_ms, duration_ms, outcome, error FROM hookgate_attempts WHERE event = ? AND handler = ? ORDER BY number",
      )
      .all(event, task.handler) as {
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
    if (task.state !== 3 || task.started_ms === null) return ended;
    const { attempts, started_ms, duration_ms } = task;
    const done = { attempt: attempts, startedAtMs: started_ms, durationMs: duration_ms ?? undefined };
    return [...ended, { ...done, outcome: "done" as const, error: undefined }].slice(-100);
  }

  #delivery(delivery: number): StoredDelivery | undefined {
    const row = this.#connection
      .statement("SELECT received_ms, head, body FROM hookgate_deliveries WHERE delivery = ?")
      .get(delivery) as
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
    const rows = this.#connection
      .statement("SELECT at_ms, handlers FROM hookgate_replays WHERE event = ? ORDER BY rowid")
      .all(event) as { readonly at_ms: number; readonly handlers: string }[];
    return rows.map((row) => ({ atMs: row.at_ms, handlers: parseJson(row.handlers) as string[] }));
  }
}

function toRecord(row: EventRow, tasks: readonly TaskRecord[]): EventRecord {
  return {
    recordId: `rec_${row.event}`,
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
