import type { Change, PurgeOptions, Selection, TaskState } from "../../contracts/engine.js";
import { eventNumberOf, type StoredEvent } from "./model.js";
import { matches, stateOf } from "./records.js";
import type { MemoryStore } from "./store.js";

const changeable: Readonly<Record<Change["action"], readonly TaskState[]>> = {
  replay: ["done", "dead", "dropped"],
  drop: ["waiting", "dead"],
};

/** Replays or drops tasks of the events selected; returns the number of tasks. */
export function changeTasks(store: MemoryStore, selection: Selection, change: Change): number {
  let count = 0;
  const receivers = new Set<string>();
  for (const event of selected(store, selection)) {
    const changed = changeEvent(store, event, change);
    count += changed;
    if (changed > 0) receivers.add(event.receiver);
  }
  if (change.dryRun !== true) for (const receiver of receivers) store.ring(receiver);
  return count;
}

/** Deletes events, oldest first; returns their number. */
export function purgeEvents(store: MemoryStore, options: PurgeOptions): number {
  const { receiver, state, beforeMs, keep = 0, limit } = options;
  const found = [...store.events.values()].filter((event) => {
    const of = stateOf(event);
    return matches(event, { receiver }) && (of === state || (of === "ignored" && state === "done"));
  });
  const deleted = found
    .slice(0, Math.max(0, found.length - keep))
    .filter((event) => matches(event, { beforeMs }))
    .slice(0, limit);
  for (const event of deleted) {
    for (const task of event.tasks) store.handlerOf(task).forget(task, store.nowMs());
    store.events.delete(event.number);
  }
  store.remembered.tidy(store.nowMs(), store.wallMs());
  return deleted.length;
}

function selected(store: MemoryStore, selection: Selection): readonly StoredEvent[] {
  if ("filter" in selection)
    return [...store.events.values()].filter((event) => matches(event, selection.filter));
  const numbers = new Set(selection.recordIds.map((recordId) => eventNumberOf(recordId) ?? 0));
  return [...numbers]
    .sort((a, b) => a - b)
    .map((number) => store.events.get(number))
    .filter((event) => event !== undefined);
}

function changeEvent(store: MemoryStore, event: StoredEvent, change: Change): number {
  const { action, handlers, dryRun = false } = change;
  const tasks = event.tasks.filter(
    ({ handler, state }) => changeable[action].includes(state) && (handlers?.includes(handler) ?? true),
  );
  const missing =
    action === "replay"
      ? [...new Set(handlers)].filter((name) => !event.tasks.some(({ handler }) => handler === name))
      : [];
  const names = [...tasks.map(({ handler }) => handler), ...missing];
  if (dryRun || names.length === 0) return names.length;
  for (const task of tasks) {
    if (action === "replay") store.handlerOf(task).replay(task, store.nowMs());
    else store.handlerOf(task).rest(task, "dropped", store.nowMs());
  }
  for (const handler of missing) store.addTask(event, { handler });
  if (action === "replay") event.replays.push({ atMs: store.wallMs(), handlers: names });
  return names.length;
}
