import { changeableStates } from "../../lib/task-changes.js";
import type { Change, EventFilter, ReplayTask, TaskState } from "../../types/engine.js";
import type { Connection } from "./connection.js";
import { blocksOthers, promote, recordAttempt } from "./order.js";
import type { ChangeRequest, Purged, Times } from "./protocol.js";
import { eventNumber, fromStored, type HandlerRow, type QueryContext, toStored } from "./query-context.js";
import { taskStateOf, taskStates } from "./schema.js";
import { conditionOf, scopesOf } from "./search.js";
import * as sql from "./statements.js";

interface EventRow {
  readonly event: number;
  readonly receiver: number;
  readonly name: string;
}

/** Retries, replays and drops tasks. */
export class ChangeQueries {
  readonly #parts: QueryContext;

  constructor(parts: QueryContext) {
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

  /** Those that exist and still match the filter. */
  #events(events: readonly number[], filter: EventFilter): readonly EventRow[] {
    const { connection } = this.#parts;
    const condition = conditionOf(filter, scopesOf(connection, filter));
    const select = connection.statement(sql.search.matching(condition.sql));
    return events.flatMap((event) => select.all(event, ...condition.values) as EventRow[]);
  }

  #changeEvent(row: EventRow, change: Change, given: readonly ReplayTask[], times: Times): number {
    const { connection, ids } = this.#parts;
    const { event } = row;
    const tasks = connection.statement(sql.tasks.ofEvent).all(event) as sql.TaskRow[];
    const changed: string[] = [];
    const had = new Set<string>();
    for (const task of tasks) {
      const handler = ids.handlerByNumber(task.handler);
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

  #retry(event: number, task: sql.TaskRow, times: Times): void {
    this.#parts.connection.statement(sql.tasks.setDue).run(Math.floor(times.storeMs), event, task.handler);
  }

  #replay(event: number, task: sql.TaskRow, handler: HandlerRow, times: Times): void {
    const { connection, ids, counters } = this.#parts;
    if (task.state === taskStates.done && task.started_ms !== null) {
      const run = { event, handler: task.handler, attempts: task.attempts, started_ms: task.started_ms };
      recordAttempt(connection, run, { durationMs: task.duration_ms, outcome: "done", error: null });
    }
    const next = task.order_key === null ? taskStates.waiting : taskStates.blocked;
    if (task.order_key !== null) ids.markOrdered(handler);
    connection
      .statement(sql.tasks.restart)
      .run(next, Math.floor(times.storeMs), task.order_key, event, task.handler);
    counters.addBacklog(handler.receiver, 1);
    promote(connection, handler, task.order_key, times.storeMs);
  }

  #add({ event, name }: EventRow, task: ReplayTask, times: Times): void {
    const { connection, ids, counters } = this.#parts;
    const handler = ids.handler(fromStored(name), task.handler, task.onDeadLetter === "block");
    const key = keyOf(task);
    if (key !== null) ids.markOrdered(handler);
    connection
      .statement(sql.tasks.add)
      .run(
        event,
        handler.handler,
        key === null ? taskStates.waiting : taskStates.blocked,
        Math.floor(times.storeMs),
        key,
        null,
      );
    connection.statement(sql.events.noteTasks).run(event);
    counters.addBacklog(handler.receiver, 1);
    promote(connection, handler, key, times.storeMs);
  }

  #drop(event: number, task: sql.TaskRow, handler: HandlerRow, times: Times): void {
    const { connection, counters } = this.#parts;
    connection.statement(sql.tasks.drop).run(event, task.handler);
    if (task.state !== taskStates.dead) counters.addBacklog(handler.receiver, -1);
    promote(connection, handler, task.order_key, times.storeMs);
  }

  #noteReplay(event: number, handlers: readonly string[], times: Times): void {
    this.#parts.connection
      .statement(sql.events.addReplay)
      .run(event, Math.floor(times.wallMs), JSON.stringify(handlers));
  }
}

function isTaken(task: sql.TaskRow, { action, states }: Change, times: Times): boolean {
  const found = taskStateOf(task);
  const taken: readonly TaskState[] = changeableStates[action];
  if (!states.includes(found) || !taken.includes(found)) return false;
  // A task that is due already cannot become due sooner.
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
  return task?.orderingKey === undefined ? null : toStored(task.orderingKey);
}

/** Milliseconds that a step may block the only writer; the event in progress at their end is still deleted. */
const sliceMs = 10;
/** Expired ids and tokens that are deleted in one step. */
const maxForgotten = 1_000;

/**
 * Deletes events with all that belongs to them, as many as the time of a step allows. Skips those that have an open task by now,
 * and with `keepBlocking` those that block others by now. While an id is remembered its row stays, without the delivery.
 */
export function purgeEvents(
  parts: QueryContext,
  { events, keepBlocking }: { readonly events: readonly number[]; readonly keepBlocking: boolean },
  times: Times,
): Purged {
  const began = performance.now();
  const { connection } = parts;
  connection.begin();
  connection.statement(sql.meta.keepLastEvent).run();
  let purged = 0;
  let seen = 0;
  for (const event of events) {
    if (purgeOne(parts, event, keepBlocking, times)) purged++;
    seen++;
    if (performance.now() - began > sliceMs) break;
  }
  return { purged, seen, forgetsMore: forget(connection, times) };
}

/** A clock that was set back must not make a used token good again. */
const tokenGraceMs = 2 * 3_600_000;

/** Deletes expired ids and tokens; true: there may be more. */
function forget(connection: Connection, times: Times): boolean {
  const ids = connection.statement(sql.purging.removeIds).run(Math.floor(times.storeMs), maxForgotten);
  const tokens = connection
    .statement(sql.purging.removeTokens)
    .run(Math.floor(times.wallMs) - tokenGraceMs, maxForgotten);
  connection.statement(sql.purging.removeSpans).run();
  return Math.max(Number(ids.changes), Number(tokens.changes)) >= maxForgotten;
}

function purgeOne(
  { connection, ids }: QueryContext,
  event: number,
  keepBlocking: boolean,
  times: Times,
): boolean {
  const open = connection.statement(sql.purging.openTask).get(event);
  const row = connection.statement(sql.purging.event).get(event) as
    | { readonly delivery: number; readonly remembered: number; readonly remember_until: number }
    | undefined;
  if (open !== undefined || row === undefined) return false;
  const dead = deadWithKey(connection, event).map(({ handler, key }) => ({
    handler: ids.handlerByNumber(handler),
    key,
  }));
  if (keepBlocking && dead.some(({ handler, key }) => blocksOthers(connection, handler, { event, key }))) {
    return false;
  }
  for (const statement of [sql.purging.removeTasks, sql.purging.removeAttempts, sql.purging.removeReplays]) {
    connection.statement(statement).run(event);
  }
  if (row.remembered === 1 && row.remember_until > times.storeMs) {
    connection.statement(sql.purging.empty).run(event);
  } else connection.statement(sql.purging.removeEvent).run(event);
  connection.statement(sql.purging.removeDelivery).run(row.delivery);
  // It no longer blocks others.
  for (const { handler, key } of dead) promote(connection, handler, key, times.storeMs);
  return true;
}

function deadWithKey(
  connection: Connection,
  event: number,
): readonly { readonly handler: number; readonly key: string }[] {
  return connection.statement(sql.purging.deadWithKey).all(event) as {
    readonly handler: number;
    readonly key: string;
  }[];
}
