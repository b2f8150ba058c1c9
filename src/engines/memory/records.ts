import type {
  EventFilter,
  EventRecord,
  EventState,
  InboxQuery,
  InboxStats,
  Page,
  TaskRecord,
} from "../../contracts/engine.js";
import { cloneOf, copyOf, eventNumberOf, recordIdOf, type StoredEvent, type StoredTask } from "./model.js";
import type { MemoryStore } from "./store.js";

const defaultLimit = 50;

/** One page of events that a query finds. */
export function listEvents(store: MemoryStore, query: InboxQuery): Page<EventRecord> {
  const { oldestFirst = false, limit = defaultLimit, cursor } = query;
  const from = cursorOf(cursor);
  const events = [...store.events.values()];
  if (!oldestFirst) events.reverse();
  const items: EventRecord[] = [];
  let last: number | undefined;
  for (const event of events) {
    if (from !== undefined && (oldestFirst ? event.number <= from : event.number >= from)) continue;
    if (!matches(event, query)) continue;
    if (items.length === limit) return { items, next: String(last) };
    items.push(recordOf(store, event, false));
    last = event.number;
  }
  return { items, next: undefined };
}

/** One event with all that is known of it. */
export function getEvent(store: MemoryStore, recordId: string): EventRecord | undefined {
  const event = store.events.get(eventNumberOf(recordId) ?? 0);
  if (event === undefined) return undefined;
  return {
    ...recordOf(store, event, true),
    delivery: copyOf(event.delivery),
    replays: cloneOf(event.replays),
  };
}

/** Whether all of a filter holds of an event. */
export function matches(event: StoredEvent, filter: EventFilter): boolean {
  const { state, handler, idContains, fromMs, beforeMs } = filter;
  return (
    isSame(filter.receiver, event.receiver) &&
    isSame(filter.type, event.type) &&
    isSame(filter.source, event.source) &&
    isSame(filter.tenant, event.tenant) &&
    isSame(filter.service, event.service) &&
    (handler === undefined || event.tasks.some((task) => task.handler === handler)) &&
    (idContains === undefined || event.id.includes(idContains)) &&
    (fromMs === undefined || event.acceptedAtMs >= fromMs) &&
    (beforeMs === undefined || event.acceptedAtMs < beforeMs) &&
    (state === undefined || stateOf(event) === state)
  );
}

/** What an event's tasks make of it. */
export function stateOf({ tasks }: StoredEvent): EventState {
  if (tasks.length === 0) return "ignored";
  if (tasks.some(({ state }) => state === "waiting" || state === "running")) return "pending";
  return tasks.some(({ state }) => state === "dead") ? "dead" : "done";
}

export function readStats(store: MemoryStore, receiver: string | undefined): InboxStats {
  const handlers = store.handlers(receiver);
  const due = Math.min(...handlers.map((handler) => handler.nextDueMs() ?? Number.POSITIVE_INFINITY));
  const sum = (member: "waiting" | "running" | "dead"): number =>
    handlers.reduce((total, handler) => total + handler[member], 0);
  const waitedMs = store.nowMs() - due;
  return {
    waiting: sum("waiting"),
    running: sum("running"),
    dead: sum("dead"),
    oldestWaitingMs: waitedMs >= 0 ? Math.round(waitedMs) : undefined,
    throughput: store.tally.read(),
    handlers: handlers.map(({ receiver: of, handler, waiting, running, dead }) => ({
      receiver: of,
      handler,
      waiting,
      running,
      dead,
    })),
  };
}

function isSame(wanted: string | undefined, found: string): boolean {
  return wanted === undefined || wanted === found;
}

function cursorOf(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  if (!/^[1-9]\d{0,15}$/.test(cursor)) throw new TypeError("cursor must be the next of a page before");
  return Number(cursor);
}

function recordOf(store: MemoryStore, event: StoredEvent, withHistory: boolean): EventRecord {
  const { receiver, source, tenant, service, id, type, acceptedAtMs } = event;
  return {
    recordId: recordIdOf(event),
    receiver,
    source,
    tenant,
    service,
    id,
    type,
    state: stateOf(event),
    acceptedAtMs,
    tasks: event.tasks.map((task) => taskRecordOf(store, task, withHistory)),
  };
}

function taskRecordOf(store: MemoryStore, task: StoredTask, withHistory: boolean): TaskRecord {
  const { handler, state, attempts, orderKey, error, history } = task;
  return {
    handler,
    state,
    attempts,
    // From the clock of due times to that of dates.
    dueAtMs: task.queued ? Math.round(task.dueMs - store.nowMs() + store.wallMs()) : undefined,
    orderKey,
    lastError: cloneOf(error),
    ...(withHistory ? { history: cloneOf(history) } : {}),
  };
}
