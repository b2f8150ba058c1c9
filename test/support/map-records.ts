/** What operators see and do with the events of `MapEngine`. */
import type * as Inbox from "hookgate/engine";

type Own<Type> = { -readonly [Name in keyof Type]: Type[Name] };
export type MapTask = Own<Required<Omit<Inbox.TaskRecord, "blockedBy">>> & {
  fence: number;
  startedAtMs: number;
};
export type MapEvent = Own<Required<Omit<Inbox.EventRecord, "tasks" | "state">>> & { tasks: MapTask[] };
export type MapEvents = ReadonlyMap<string, MapEvent>;

const takes: Readonly<Record<Inbox.Change["action"], readonly string[]>> = {
  retry: ["waiting", "retrying"],
  replay: ["done", "dead", "dropped"],
  drop: ["waiting", "retrying", "dead"],
};
const waits = ({ state }: MapTask): boolean => state === "waiting" || state === "retrying";
export const isOpen = (task: MapTask): boolean => waits(task) || task.state === "running";

export function toTask({ handler, dead: lastError }: Omit<Inbox.NewTask, "orderingKey">): MapTask {
  const none = { orderingKey: undefined, attempts: 0, fence: 0, startedAtMs: 0, history: [], lastError };
  if (lastError !== undefined) return { ...none, handler, state: "dead", dueAtMs: undefined };
  return { ...none, handler, state: "waiting", dueAtMs: Date.now() };
}

function stateOf({ tasks }: MapEvent): Inbox.EventState {
  if (tasks.some(isOpen)) return "pending";
  if (tasks.some(({ state }) => state === "dead")) return "dead";
  return tasks.length === 0 ? "ignored" : "done";
}

export function find(events: MapEvents, filter: Inbox.EventFilter): MapEvent[] {
  const { handler, fromMs = 0, beforeMs = Number.POSITIVE_INFINITY } = filter;
  return [...events.values()]
    .filter((it) => filter.receiver === undefined || it.receiver === filter.receiver)
    .filter((it) => filter.type === undefined || it.type === filter.type)
    .filter((it) => filter.state === undefined || stateOf(it) === filter.state)
    .filter(({ acceptedAtMs }) => acceptedAtMs >= fromMs && acceptedAtMs < beforeMs)
    .filter(({ tasks }) => handler === undefined || tasks.some((task) => task.handler === handler));
}

export function list(events: MapEvents, query: Inbox.InboxQuery): Inbox.Page<Inbox.EventRecord> {
  const { oldestFirst = false, limit = 50, cursor } = query;
  const found = oldestFirst ? find(events, query) : find(events, query).reverse();
  const rest = found.slice(found.findIndex(({ recordId }) => recordId === cursor) + 1);
  const items = rest
    .slice(0, limit)
    .map(get)
    .map(({ delivery: _delivery, replays: _replays, ...event }) => {
      return { ...event, tasks: event.tasks.map(({ history: _history, ...task }) => task) };
    });
  return { items, next: rest.length > limit ? items.at(-1)?.recordId : undefined };
}

export function get(event: MapEvent): Inbox.EventRecord {
  return { ...event, state: stateOf(event), tasks: event.tasks.map((task) => ({ ...task })) };
}

export function change(events: MapEvents, selection: Inbox.Selection, given: Inbox.Change): Inbox.Changed {
  const { limit = 100, after = "rec_0" } = given;
  const all = "filter" in selection ? find(events, selection.filter) : find(events, selection);
  const wanted = all
    .filter(({ recordId }) => !("recordIds" in selection) || selection.recordIds.includes(recordId))
    .filter(({ recordId }) => Number(recordId.slice(4)) > Number(after.slice(4)));
  const step = wanted.slice(0, limit);
  const changed = step.reduce((count, event) => count + changeOne(event, given), 0);
  return { changed, next: wanted.length > limit ? step.at(-1)?.recordId : undefined };
}

function changeOne(event: MapEvent, { action, states, handlers, tasks = [], dryRun }: Inbox.Change): number {
  const found = event.tasks
    .filter(({ state }) => states.includes(state) && takes[action].includes(state))
    .filter(({ handler }) => handlers?.includes(handler) ?? true);
  const absent = tasks
    .filter(({ recordId }) => recordId === event.recordId && action === "replay")
    .filter(({ handler }) => !event.tasks.some((task) => task.handler === handler));
  const names = [...found, ...absent].map(({ handler }) => handler);
  if (dryRun === true || names.length === 0) return names.length;
  for (const task of found) {
    if (action === "retry") task.dueAtMs = Date.now();
    else if (action === "replay") Object.assign(task, { state: "waiting", attempts: 0, dueAtMs: Date.now() });
    else Object.assign(task, { state: "dropped", dueAtMs: undefined });
  }
  event.tasks.push(...absent.map(({ handler }) => toTask({ handler })));
  if (action === "replay") event.replays = [...event.replays, { atMs: Date.now(), handlers: names }];
  return names.length;
}

function counts(tasks: readonly MapTask[]): Inbox.TaskCounts {
  const nowMs = Date.now();
  const waiting = tasks.filter(waits);
  const due = waiting.map(({ dueAtMs }) => dueAtMs ?? nowMs).filter((dueAtMs) => dueAtMs <= nowMs);
  return {
    waiting: waiting.length,
    running: tasks.filter(({ state }) => state === "running").length,
    dead: tasks.filter(({ state }) => state === "dead").length,
    oldestWaitingMs: due.length === 0 ? undefined : nowMs - Math.min(...due),
    ...{
      blocked: 0,
      blockedByDead: 0,
      blockingDead: 0,
      oldestBlockedMs: undefined,
      oldestBlockedByDeadMs: undefined,
    },
  };
}

export function stats(events: MapEvents, receiver: string | undefined): Omit<Inbox.InboxStats, "throughput"> {
  const found = find(events, { receiver });
  const byHandler = new Map<string, { of: string; tasks: MapTask[] }>();
  for (const event of found) {
    for (const task of event.tasks) {
      const key = JSON.stringify([event.receiver, task.handler]);
      const entry = byHandler.get(key) ?? { of: event.receiver, tasks: [] };
      byHandler.set(key, entry);
      entry.tasks.push(task);
    }
  }
  const handlers = [...byHandler.values()].map(({ of, tasks }) => {
    return { ...counts(tasks), receiver: of, handler: tasks[0]?.handler ?? "", ordered: false };
  });
  return { ...counts(found.flatMap(({ tasks }) => tasks)), handlers, consumers: [] };
}

export function purgeable(events: MapEvents, options: Inbox.PurgeOptions): readonly MapEvent[] {
  const { receiver, state, beforeMs = Number.POSITIVE_INFINITY, keep = 0, limit } = options;
  const states: readonly string[] = state === "done" ? ["done", "ignored"] : ["dead"];
  const found = find(events, { receiver }).filter((event) => states.includes(stateOf(event)));
  const older = found.slice(0, Math.max(0, found.length - keep));
  return older.filter(({ acceptedAtMs }) => acceptedAtMs < beforeMs).slice(0, limit);
}
