import type { ConsumeOptions, SettledReport, TaskError, Verdict } from "../../contracts/engine.js";
import type { ClaimedTask, Claims, TaskSource } from "../task-source.js";
import type { Consumers } from "./consumers.js";
import type { HandlerTasks } from "./handler-tasks.js";
import { cloneOf, copyOf, noteAttempt, recordIdOf, type StoredTask } from "./model.js";
import type { MemoryStore } from "./store.js";
import { commit } from "./transaction.js";

/** What a task says that was claimed as often as it may be, and never came to an end. */
const outOfAttempts: TaskError = {
  name: "LeaseLostError",
  code: "ERR_LEASE_LOST",
  message: "the process that ran it ended or stalled in its last attempt",
};

type Write = () => unknown;
type Options = Pick<ConsumeOptions<never>, "receiver" | "handlers" | "leaseMs">;

/** What a claim shows is looked up again by its task: nothing else may have the task by then. */
interface Claim extends ClaimedTask {
  readonly stored: StoredTask;
}

/** One consumer of one receiver's tasks. */
export class MemoryTaskSource implements TaskSource<Write> {
  readonly #store: MemoryStore;
  readonly #consumers: Consumers;
  readonly #options: Options;
  readonly #consumer: number;
  readonly #nextFence: () => number;
  #left = false;

  constructor(store: MemoryStore, consumers: Consumers, options: Options, nextFence: () => number) {
    this.#store = store;
    this.#consumers = consumers;
    this.#options = options;
    this.#nextFence = nextFence;
    this.#consumer = consumers.join(options.receiver, options.leaseMs);
    for (const [name, { deadHead }] of options.handlers) {
      store.handler(options.receiver, name).setDeadHead(deadHead, store.nowMs());
    }
    store.ring(options.receiver);
  }

  async claim(wants: readonly { readonly handler: string; readonly limit: number }[]): Promise<Claims> {
    const tasks: ClaimedTask[] = [];
    const dead: SettledReport[] = [];
    let nextDueMs: number | undefined;
    const nowMs = this.#store.nowMs();
    const running = this.#consumers.running(this.#consumer);
    if (running === undefined || this.#left) return { tasks, dead, nextDueMs };
    for (const { handler: name, limit } of wants) {
      const handler = this.#store.handler(this.#options.receiver, name);
      const maxAttempts = this.#options.handlers.get(name)?.maxAttempts ?? Number.POSITIVE_INFINITY;
      for (let left = limit; left > 0; left--) {
        const task = handler.takeDue(nowMs);
        if (task === undefined) break;
        if (task.attempts >= maxAttempts) dead.push(this.#bury(task, handler));
        else tasks.push(this.#claimOne(task, handler, running));
      }
      const due = handler.nextDueMs();
      if (due !== undefined) nextDueMs = Math.min(nextDueMs ?? due, due);
    }
    return { tasks, dead, nextDueMs: nextDueMs === undefined ? undefined : Math.max(0, nextDueMs - nowMs) };
  }

  async settle(claim: ClaimedTask, verdict: Verdict): Promise<boolean> {
    const task = this.#held(claim);
    if (task === undefined) return false;
    const handler = this.#store.handlerOf(task);
    this.#end(task);
    if (verdict.outcome === "done") this.#done(task, handler);
    else if (verdict.outcome === "release") {
      task.attempts -= 1;
      handler.putBack(task, this.#store.nowMs());
    } else this.#fail(task, handler, verdict);
    if (verdict.outcome === "release" || task.orderKey !== undefined)
      this.#store.ring(this.#options.receiver);
    return true;
  }

  async complete(claim: ClaimedTask, writes: readonly Write[]): Promise<boolean> {
    const task = this.#held(claim);
    if (task === undefined) return false;
    commit(writes);
    this.#end(task);
    this.#done(task, this.#store.handlerOf(task));
    if (task.orderKey !== undefined) this.#store.ring(this.#options.receiver);
    return true;
  }

  async heartbeat(): Promise<boolean> {
    const { receiver, leaseMs } = this.#options;
    return this.#left || this.#consumers.heartbeat(this.#consumer, receiver, leaseMs);
  }

  onWork(listener: () => void): () => void {
    return this.#store.onWork(this.#options.receiver, listener);
  }

  async leave(): Promise<void> {
    this.#left = true;
    this.#consumers.leave(this.#consumer);
  }

  #claimOne(task: StoredTask, handler: HandlerTasks, running: Set<StoredTask>): Claim {
    task.attempts += 1;
    task.fence = this.#nextFence();
    task.consumer = this.#consumer;
    task.startedAtMs = this.#store.wallMs();
    handler.run(task);
    running.add(task);
    const { id, type, position, delivery } = task.event;
    return {
      recordId: recordIdOf(task.event),
      handler: task.handler,
      attempt: task.attempts,
      fence: task.fence,
      ordered: task.orderKey !== undefined,
      event: { id, type },
      position,
      delivery: copyOf(delivery),
      stored: task,
    };
  }

  /** The task of a claim that is still good. */
  #held(claim: ClaimedTask): StoredTask | undefined {
    const { stored, fence } = claim as Claim;
    return stored.state === "running" && stored.fence === fence ? stored : undefined;
  }

  #end(task: StoredTask): void {
    if (task.consumer !== undefined) this.#consumers.running(task.consumer)?.delete(task);
    task.consumer = undefined;
    task.fence = 0;
  }

  #done(task: StoredTask, handler: HandlerTasks): void {
    task.error = undefined;
    noteAttempt(task, { durationMs: this.#durationMs(task), outcome: "done", error: undefined });
    this.#store.tally.count("handled");
    handler.rest(task, "done", this.#store.nowMs());
  }

  #fail(
    task: StoredTask,
    handler: HandlerTasks,
    verdict: Extract<Verdict, { readonly error: TaskError }>,
  ): void {
    const nowMs = this.#store.nowMs();
    task.error = cloneOf(verdict.error);
    noteAttempt(task, { durationMs: this.#durationMs(task), outcome: "failed", error: task.error });
    this.#store.tally.count("failed");
    if (verdict.outcome === "retry") handler.putBack(task, nowMs + Math.max(0, verdict.delayMs));
    else {
      this.#store.tally.count("dead");
      handler.rest(task, "dead", nowMs);
    }
  }

  #durationMs(task: StoredTask): number {
    return Math.max(0, this.#store.wallMs() - task.startedAtMs);
  }

  #bury(task: StoredTask, handler: HandlerTasks): SettledReport {
    task.error = outOfAttempts;
    this.#store.tally.count("dead");
    handler.rest(task, "dead", this.#store.nowMs());
    return {
      recordId: recordIdOf(task.event),
      handler: task.handler,
      attempt: task.attempts,
      event: { id: task.event.id, type: task.event.type },
      verdict: { outcome: "dead", error: outOfAttempts },
      kept: true,
    };
  }
}
