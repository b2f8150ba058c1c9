import type { TaskState } from "../../contracts/engine.js";
import { DueQueue } from "./due-queue.js";
import type { StoredTask } from "./model.js";

/** Tasks under one order key. */
interface Lane {
  /** Those that wait or run, and dead letters that may hold them; oldest first. */
  readonly tasks: StoredTask[];
  /** The one that may be claimed or runs. */
  active: StoredTask | undefined;
}

/** The tasks of one handler of one receiver: how many there are of each state, and which may be claimed. */
export class HandlerTasks {
  readonly receiver: string;
  readonly handler: string;
  waiting = 0;
  running = 0;
  dead = 0;
  /** What a dead letter does to those behind it; as the last consumer said. */
  deadHead: "skip" | "hold" | undefined;
  readonly #queue = new DueQueue();
  readonly #lanes = new Map<string, Lane>();

  constructor(receiver: string, handler: string) {
    this.receiver = receiver;
    this.handler = handler;
  }

  /** Enters a task that is new, or that was at rest; it waits, or is dead from the start. */
  enter(task: StoredTask, nowMs: number): void {
    this.#count(task.state, 1);
    if (task.orderKey === undefined) {
      if (task.state === "waiting") this.#enqueue(task, nowMs);
      return;
    }
    const lane = this.#lanes.get(task.orderKey);
    if (lane === undefined) this.#lanes.set(task.orderKey, { tasks: [task], active: undefined });
    else {
      const behind = lane.tasks.findLastIndex(({ event }) => event.number < task.event.number);
      lane.tasks.splice(behind + 1, 0, task);
    }
    this.#promote(task.orderKey, nowMs);
  }

  /** Takes out the next task that is due. It is still counted as waiting. */
  takeDue(nowMs: number): StoredTask | undefined {
    return this.#queue.takeDue(nowMs);
  }

  /** When the next task is due; undefined where none waits but behind others. */
  nextDueMs(): number | undefined {
    return this.#queue.first()?.dueMs;
  }

  run(task: StoredTask): void {
    this.#change(task, "running");
  }

  /** Puts a task back that ran: it keeps its place before those of its order key. */
  putBack(task: StoredTask, dueMs: number): void {
    this.#change(task, "waiting");
    task.dueMs = dueMs;
    task.queued = true;
    this.#queue.add(task);
  }

  /** Brings a task to rest and lets the next of its order key come up. */
  rest(task: StoredTask, state: "done" | "dead" | "dropped", nowMs: number): void {
    this.#change(task, state);
    task.queued = false;
    if (task.orderKey === undefined) return;
    const lane = this.#lanes.get(task.orderKey);
    if (lane?.active === task) lane.active = undefined;
    if (state !== "dead" || this.deadHead !== "hold") this.#leave(task, task.orderKey);
    this.#promote(task.orderKey, nowMs);
  }

  /** Lets a task at rest wait again, with all its attempts; it stands before those of its order key that came later. */
  replay(task: StoredTask, nowMs: number): void {
    this.#count(task.state, -1);
    if (task.orderKey !== undefined) this.#leave(task, task.orderKey);
    task.state = "waiting";
    task.attempts = 0;
    task.dueMs = nowMs;
    this.enter(task, nowMs);
  }

  /** Takes out a task at rest that is deleted. */
  forget(task: StoredTask, nowMs: number): void {
    this.#count(task.state, -1);
    if (task.orderKey === undefined) return;
    this.#leave(task, task.orderKey);
    this.#promote(task.orderKey, nowMs);
  }

  /** Lets tasks come up that a policy held back. */
  setDeadHead(deadHead: "skip" | "hold", nowMs: number): void {
    if (this.deadHead === deadHead) return;
    this.deadHead = deadHead;
    for (const key of [...this.#lanes.keys()]) this.#promote(key, nowMs);
  }

  #enqueue(task: StoredTask, nowMs: number): void {
    task.dueMs = Math.max(task.dueMs, nowMs);
    task.queued = true;
    this.#queue.add(task);
  }

  #promote(key: string, nowMs: number): void {
    const lane = this.#lanes.get(key);
    if (lane === undefined || lane.active !== undefined) return;
    const next = lane.tasks.find(({ state }) => state === "waiting" || this.deadHead === "hold");
    if (next?.state !== "waiting") return;
    lane.active = next;
    this.#enqueue(next, nowMs);
  }

  #leave(task: StoredTask, key: string): void {
    const lane = this.#lanes.get(key);
    const at = lane?.tasks.indexOf(task) ?? -1;
    if (lane === undefined || at < 0) return;
    lane.tasks.splice(at, 1);
    if (lane.tasks.length === 0) this.#lanes.delete(key);
  }

  #change(task: StoredTask, state: TaskState): void {
    this.#count(task.state, -1);
    task.state = state;
    this.#count(state, 1);
  }

  #count(state: TaskState, by: number): void {
    if (state === "waiting") this.waiting += by;
    else if (state === "running") this.running += by;
    else if (state === "dead") this.dead += by;
  }
}
