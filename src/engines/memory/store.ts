import type { Acceptance, NewDelivery, NewEvent, NewTask } from "../../contracts/engine.js";
import { HandlerTasks } from "./handler-tasks.js";
import { cloneOf, copyOf, recordIdOf, type StoredEvent, type StoredTask } from "./model.js";
import { keyOf, Remembered } from "./remembered.js";
import { Tally } from "./tally.js";

/** What is accepted, in the memory of the process. Every method is one commit: JavaScript runs it to its end. */
export class MemoryStore {
  /** In the order of acceptance. */
  readonly events = new Map<number, StoredEvent>();
  readonly remembered = new Remembered();
  readonly tally: Tally;
  /** The clock of dates. */
  readonly wallMs: () => number;
  /** The clock of due times: nobody sets it, unless a test gives its own. */
  readonly nowMs: () => number;
  readonly #handlers = new Map<string, Map<string, HandlerTasks>>();
  readonly #listeners = new Map<string, Set<() => void>>();
  #lastEvent = 0;

  constructor(now: (() => number) | undefined) {
    this.wallMs = now ?? Date.now;
    const startedAt = Date.now() - performance.now();
    this.nowMs = now ?? (() => startedAt + performance.now());
    this.tally = new Tally(this.wallMs);
  }

  accept(deliveries: readonly NewDelivery[]): readonly Acceptance[] {
    return deliveries.map((delivery) => this.#acceptOne(delivery));
  }

  /** The tasks of a handler; entered where they are asked for the first time. */
  handler(receiver: string, name: string): HandlerTasks {
    const ofReceiver = this.#handlers.get(receiver) ?? new Map<string, HandlerTasks>();
    this.#handlers.set(receiver, ofReceiver);
    const handler = ofReceiver.get(name) ?? new HandlerTasks(receiver, name);
    ofReceiver.set(name, handler);
    return handler;
  }

  handlerOf(task: StoredTask): HandlerTasks {
    return this.handler(task.event.receiver, task.handler);
  }

  /** All handlers, or those of one receiver. */
  handlers(receiver: string | undefined): readonly HandlerTasks[] {
    const all = receiver === undefined ? [...this.#handlers.values()] : [this.#handlers.get(receiver)];
    return all.flatMap((handlers) => [...(handlers?.values() ?? [])]);
  }

  /** Makes a task that waits, or is dead from the start. */
  addTask(event: StoredEvent, { handler, orderKey, dead }: NewTask): void {
    const task: StoredTask = {
      event,
      handler,
      orderKey,
      state: dead === undefined ? "waiting" : "dead",
      queued: false,
      dueMs: this.nowMs(),
      attempts: 0,
      fence: 0,
      consumer: undefined,
      startedAtMs: 0,
      error: dead === undefined ? undefined : cloneOf(dead),
      history: [],
    };
    event.tasks.push(task);
    if (dead !== undefined) this.tally.count("dead");
    this.handler(event.receiver, handler).enter(task, this.nowMs());
  }

  onWork(receiver: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(receiver) ?? new Set();
    this.#listeners.set(receiver, listeners);
    // One listener may be given twice: each is ended on its own.
    const own = (): void => listener();
    listeners.add(own);
    return () => listeners.delete(own);
  }

  /** Tells the consumers of a receiver that tasks may have become due. */
  ring(receiver: string): void {
    for (const listener of this.#listeners.get(receiver) ?? []) listener();
  }

  #acceptOne(delivery: NewDelivery): Acceptance {
    const { tokenUse, receiver, maxBacklog } = delivery;
    if (tokenUse !== undefined && this.remembered.wasUsed(tokenUse)) return { status: "replayed" };
    const fresh = this.#freshEvents(delivery);
    if ("status" in fresh) {
      if (tokenUse !== undefined && fresh.status === "duplicate") this.remembered.use(tokenUse);
      return fresh;
    }
    const open = fresh.events.reduce((count, { event }) => count + openTasks(event), 0);
    const backlog = this.#backlog(receiver);
    if (open > 0 && backlog + open > maxBacklog) return { status: "full", backlog };
    if (tokenUse !== undefined) this.remembered.use(tokenUse);
    const recordIds = this.#add(delivery, fresh.events);
    this.ring(receiver);
    return { status: "stored", recordIds, positions: fresh.events.map(({ position }) => position) };
  }

  /** The events that are not there yet; or what is to be said of a delivery that brings none. */
  #freshEvents(
    delivery: NewDelivery,
  ): { readonly events: readonly Positioned[] } | Extract<Acceptance, { status: "duplicate" | "conflict" }> {
    const nowMs = this.nowMs();
    const fresh: Positioned[] = [];
    const seen = new Map<string, string>();
    let bodyDiffers = false;
    for (const [position, event] of delivery.events.entries()) {
      const key = keyOf(delivery, event.id);
      const digest = seen.get(key) ?? this.remembered.digestOf(key, nowMs);
      if (digest === undefined) {
        seen.set(key, event.digest);
        fresh.push({ position, event, key });
      } else if (digest !== event.digest) {
        if (event.sameEvent === "id-and-body") return { status: "conflict", id: event.id };
        bodyDiffers = true;
      }
    }
    return fresh.length === 0 ? { status: "duplicate", bodyDiffers } : { events: fresh };
  }

  #backlog(receiver: string): number {
    let backlog = 0;
    for (const { waiting, running } of this.#handlers.get(receiver)?.values() ?? []) {
      backlog += waiting + running;
    }
    return backlog;
  }

  #add(given: NewDelivery, fresh: readonly Positioned[]): readonly string[] {
    const { receiver, source, tenant, service, rememberMs } = given;
    const delivery = copyOf(given);
    return fresh.map(({ position, event: { id, type, digest, tasks }, key }) => {
      this.#lastEvent += 1;
      const event: StoredEvent = {
        number: this.#lastEvent,
        receiver,
        source,
        tenant,
        service,
        id,
        type,
        position,
        acceptedAtMs: this.wallMs(),
        delivery,
        tasks: [],
        replays: [],
      };
      this.events.set(event.number, event);
      this.remembered.add(key, digest, this.nowMs() + rememberMs);
      this.tally.count("accepted");
      for (const task of tasks) this.addTask(event, task);
      return recordIdOf(event);
    });
  }
}

interface Positioned {
  readonly position: number;
  readonly event: NewEvent;
  readonly key: string;
}

function openTasks({ tasks }: NewEvent): number {
  return tasks.reduce((count, { dead }) => count + (dead === undefined ? 1 : 0), 0);
}
