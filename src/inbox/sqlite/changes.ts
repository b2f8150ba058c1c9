import { changeableStates } from "../../lib/task-changes.js";
import type { Change, EventFilter, ReplayTask, TaskState } from "../../types/engine.js";
import type { StoreParts } from "./accept.js";
import { conditionOf, eventNumber, scopesOf } from "./filter.js";
import type { HandlerRow } from "./names.js";
import { noteAttempt, promote } from "./order.js";
import type { ChangeRequest, Times } from "./protocol.js";
import { state } from "./schema.js";
import { taskStateOf } from "./task-state.js";
import { fromStored, toStored } from "./text.js";

interface EventRow {
  readonly event: number;
  readonly receiver: number;
  /** The receiver's name. */
  readonly name: string;
}

interface TaskRow {
  readonly handler: number;
  readonly state: number;
  readonly due: number;
  readonly attempts: number;
  readonly started_ms: number | null;
  readonly duration_ms: number | null;
  readonly order_key: string | null;
}

/** Retries, replays and drops tasks. */
export class Changes {
  readonly #parts: StoreParts;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  /** Changes some events; resolves with the number of tasks. */
  change({ events, filter, change }: ChangeRequest, times: Times): number {
    const { connection } = this.#parts;
    if (change.dryRun !== true) connection.begin();
    const given = tasksByEvent(change.tasks);
    let changed = 0;
    for (const row of this.#events(events, filter)) {
      changed += this.#changeEvent(row, change, given.get(row.event) ?? [], times);
    }
    return changed;
  }

  /** Those that are there, and match the filter by now. */
  #events(events: readonly number[], filter: EventFilter): readonly EventRow[] {
    const { connection } = this.#parts;
    const condition = conditionOf(filter, scopesOf(connection, filter));
    const select = connection.statement(
      "SELECT e.event, s.receiver, r.name FROM hookgate_events e CROSS JOIN hookgate_scopes s ON s.scope = e.scope " +
        `CROSS JOIN hookgate_receivers r ON r.receiver = s.receiver WHERE e.event = ? AND ${condition.sql}`,
    );
    return events.flatMap((event) => select.all(event, ...condition.values) as EventRow[]);
  }

  #changeEvent(row: EventRow, change: Change, given: readonly ReplayTask[], times: Times): number {
    const { connection, names } = this.#parts;
    const { event } = row;
    const tasks = connection
      .statement(
        "SELECT handler, state, due, attempts, started_ms, duration_ms, order_key FROM hookgate_tasks WHERE event = ?",
      )
      .all(event) as TaskRow[];
    const changed: string[] = [];
    const had = new Set<string>();
    for (const task of tasks) {
      const handler = names.handlerOf(task.handler);
      had.add(handler.name);
      if (change.handlers?.includes(handler.name) === false || !isTaken(task, change, times)) continue;
      changed.push(handler.name);
      if (change.dryRun === true) continue;
      if (change.action === "retry") this.#retry(event, task, times);
      else if (change.action === "drop") this.#drop(event, task, handler, times);
      else {
        const key = task.order_key ?? keyOf(given.find(({ handler: name }) => name === handler.name));
        this.#replay(event, { ...task, order_key: key }, handler, times);
      }
    }
    if (change.action !== "replay") return changed.length;
    for (const task of given) {
      if (had.has(task.handler)) continue;
      had.add(task.handler);
      changed.push(task.handler);
      if (change.dryRun !== true) this.#add(row, task, times);
    }
    if (changed.length > 0 && change.dryRun !== true) this.#noteReplay(event, changed, times);
    return changed.length;
  }

  #retry(event: number, task: TaskRow, times: Times): void {
    this.#parts.connection
      .statement("UPDATE hookgate_tasks SET due = ? WHERE event = ? AND handler = ?")
      .run(Math.floor(times.storeMs), event, task.handler);
  }

  #replay(event: number, task: TaskRow, handler: HandlerRow, times: Times): void {
    const { connection, names, tally } = this.#parts;
    if (task.state === state.done && task.started_ms !== null) {
      const run = { event, handler: task.handler, attempts: task.attempts, started_ms: task.started_ms };
      noteAttempt(connection, run, { durationMs: task.duration_ms, outcome: "done", error: null });
    }
    const next = task.order_key === null ? state.waiting : state.blocked;
    if (task.order_key !== null) names.noteOrdered(handler);
    connection
      .statement(
        "UPDATE hookgate_tasks SET state = ?, due = ?, attempts = 0, fence = fence + 1, order_key = ? WHERE event = ? AND handler = ?",
      )
      .run(next, Math.floor(times.storeMs), task.order_key, event, task.handler);
    tally.addBacklog(handler.receiver, 1);
    promote(connection, handler, task.order_key, times.storeMs);
  }

  #add({ event, name }: EventRow, task: ReplayTask, times: Times): void {
    const { connection, names, tally } = this.#parts;
    const handler = names.handler(fromStored(name), task.handler, task.deadHead === "hold");
    const key = keyOf(task);
    if (key !== null) names.noteOrdered(handler);
    connection
      .statement("INSERT INTO hookgate_tasks(event, handler, state, due, order_key) VALUES (?, ?, ?, ?, ?)")
      .run(
        event,
        handler.handler,
        key === null ? state.waiting : state.blocked,
        Math.floor(times.storeMs),
        key,
      );
    connection.statement("UPDATE hookgate_events SET tasks = 1 WHERE event = ? AND tasks <= 0").run(event);
    tally.addBacklog(handler.receiver, 1);
    promote(connection, handler, key, times.storeMs);
  }

  #drop(event: number, task: TaskRow, handler: HandlerRow, times: Times): void {
    const { connection, tally } = this.#parts;
    connection
      .statement("UPDATE hookgate_tasks SET state = 5 WHERE event = ? AND handler = ?")
      .run(event, task.handler);
    if (task.state !== state.dead) tally.addBacklog(handler.receiver, -1);
    promote(connection, handler, task.order_key, times.storeMs);
  }

  #noteReplay(event: number, handlers: readonly string[], times: Times): void {
    this.#parts.connection
      .statement("INSERT INTO hookgate_replays(event, at_ms, handlers) VALUES (?, ?, ?)")
      .run(event, Math.floor(times.wallMs), JSON.stringify(handlers));
  }
}

function isTaken(task: TaskRow, { action, states }: Change, times: Times): boolean {
  const found = taskStateOf(task);
  const taken: readonly TaskState[] = changeableStates[action];
  if (!states.includes(found) || !taken.includes(found)) return false;
  // What is due already cannot be due any sooner.
  return action !== "retry" || task.due > times.storeMs;
}

function tasksByEvent(tasks: readonly ReplayTask[] = []): ReadonlyMap<number, readonly ReplayTask[]> {
  const byEvent = new Map<number, ReplayTask[]>();
  for (const task of tasks) {
    const event = eventNumber(task.recordId);
    if (event === undefined) continue;
    const others = byEvent.get(event);
    if (others === undefined) byEvent.set(event, [task]);
    else others.push(task);
  }
  return byEvent;
}

function keyOf(task: ReplayTask | undefined): string | null {
  return task?.orderKey === undefined ? null : toStored(task.orderKey);
}
