import type { Change, Selection } from "../../contracts/engine.js";
import type { StoreParts } from "./accept.js";
import { conditionOf, eventNumber, eventTables } from "./filter.js";
import type { HandlerRow } from "./names.js";
import { noteAttempt, promote } from "./order.js";
import type { Changed, Times } from "./protocol.js";
import { state } from "./schema.js";

/** Events of one transaction: a change of a million events must not hold up those that come in. */
const perStep = 200;

interface TaskRow {
  readonly handler: number;
  readonly state: number;
  readonly attempts: number;
  readonly started_ms: number | null;
  readonly duration_ms: number | null;
  readonly order_key: string | null;
}

const changeable: Readonly<Record<Change["action"], readonly number[]>> = {
  replay: [state.done, state.dead, state.dropped],
  drop: [state.waiting, state.blocked, state.dead],
};

/** Replays and drops tasks, step by step. */
export class Changes {
  readonly #parts: StoreParts;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  /** The next step of a change, behind the event `after`. */
  step(selection: Selection, change: Change, after: number, times: Times): Changed {
    const { connection } = this.#parts;
    if (change.dryRun !== true) connection.begin();
    const events = this.#events(selection, after);
    let count = 0;
    for (const { event, receiver } of events) count += this.#changeEvent(event, receiver, change, times);
    const last = events.at(-1);
    return { count, next: events.length < perStep ? undefined : last?.event };
  }

  #events(
    selection: Selection,
    after: number,
  ): readonly { readonly event: number; readonly receiver: number }[] {
    const { connection } = this.#parts;
    const select = `SELECT e.event, s.receiver FROM ${eventTables} WHERE`;
    if ("filter" in selection) {
      const condition = conditionOf(selection.filter);
      return connection
        .statement(`${select} ${condition.sql} AND e.event > ? ORDER BY e.event LIMIT ?`)
        .all(...condition.values, after, perStep) as { event: number; receiver: number }[];
    }
    const numbers = [...new Set(selection.recordIds.map(eventNumber))]
      .filter((number) => number !== undefined)
      .filter((number) => number > after)
      .sort((a, b) => a - b)
      .slice(0, perStep);
    return connection
      .statement(`${select} e.delivery <> 0 AND e.event IN (SELECT value FROM json_each(?)) ORDER BY e.event`)
      .all(JSON.stringify(numbers)) as { event: number; receiver: number }[];
  }

  #changeEvent(event: number, receiver: number, change: Change, times: Times): number {
    const { connection, names } = this.#parts;
    const tasks = connection
      .statement(
        "SELECT handler, state, attempts, started_ms, duration_ms, order_key FROM hookgate_tasks WHERE event = ?",
      )
      .all(event) as TaskRow[];
    const wanted = change.handlers
      ?.map((name) => names.knownHandler(receiver, name))
      .filter((row) => row !== undefined);
    const changed: string[] = [];
    for (const task of tasks) {
      if (wanted !== undefined && !wanted.some(({ handler }) => handler === task.handler)) continue;
      if (!changeable[change.action].includes(task.state)) continue;
      const handler = names.handlerOf(task.handler);
      changed.push(handler.name);
      if (change.dryRun === true) continue;
      if (change.action === "replay") this.#replay(event, task, handler, times);
      else this.#drop(event, task, handler, times);
    }
    if (change.action === "replay") {
      for (const handler of wanted ?? []) {
        if (tasks.some((task) => task.handler === handler.handler)) continue;
        changed.push(handler.name);
        if (change.dryRun !== true) this.#add(event, handler, times);
      }
      if (changed.length > 0 && change.dryRun !== true) this.#noteReplay(event, changed, times);
    }
    return changed.length;
  }

  #replay(event: number, task: TaskRow, handler: HandlerRow, times: Times): void {
    const { connection, tally } = this.#parts;
    if (task.state === state.done && task.started_ms !== null) {
      const run = { event, handler: task.handler, attempts: task.attempts, started_ms: task.started_ms };
      noteAttempt(connection, run, { durationMs: task.duration_ms, outcome: "done", error: null });
    }
    const next = task.order_key === null ? state.waiting : state.blocked;
    connection
      .statement(
        "UPDATE hookgate_tasks SET state = ?, due = ?, attempts = 0, fence = fence + 1 WHERE event = ? AND handler = ?",
      )
      .run(next, Math.floor(times.storeMs), event, task.handler);
    tally.addBacklog(handler.receiver, 1);
    promote(connection, handler, task.order_key, times.storeMs);
  }

  #add(event: number, handler: HandlerRow, times: Times): void {
    const { connection, tally } = this.#parts;
    connection
      .statement("INSERT INTO hookgate_tasks(event, handler, state, due) VALUES (?, ?, 0, ?)")
      .run(event, handler.handler, Math.floor(times.storeMs));
    tally.addBacklog(handler.receiver, 1);
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
