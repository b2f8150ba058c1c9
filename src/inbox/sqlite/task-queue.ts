import { randomBytes } from "node:crypto";
import type { ConsumeOptions } from "../../types/engine.js";
import type { ClaimedTask, Claims, EndedRun, TaskQueue } from "../polling/task-queue.js";
import type { StoreClock } from "./clocks.js";
import type { ClaimName, Pulse } from "./protocol.js";
import { eventNumber } from "./query-context.js";
import type { StoreClient } from "./store-client.js";
import type { RecordedStatement } from "./user-writes.js";

/** What a consumer needs of its engine. */
export interface TaskQueueParts {
  readonly client: StoreClient;
  readonly clock: StoreClock;
  /** Signals that tasks may have become due. */
  readonly work: WorkSignal;
}

/** Signals work to every consumer of an engine. */
export class WorkSignal {
  readonly #listeners = new Set<() => void>();

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  notify(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** The tasks of a file, for one consumer. */
export class SqliteTaskQueue implements TaskQueue<RecordedStatement> {
  readonly #parts: TaskQueueParts;
  readonly #options: Pick<ConsumeOptions<never>, "receiver" | "handlers" | "leaseMs">;
  /** 48 random bits: no other consumer has the same. */
  readonly #consumer = randomBytes(6).readUIntBE(0, 6) + 1;
  /** The last heartbeat of each other consumer, and for how long it has not changed while we watched. */
  readonly #seen = new Map<number, { readonly beat: number; silentMs: number }>();
  readonly #monotonicMs: () => number;
  #lookedAtMs: number;
  #joined = false;
  /** Handlers whose policy is still to be applied to stored tasks, and after which key to go on. */
  readonly #toAlign: { readonly handler: string; after: string | null }[];

  constructor(
    parts: TaskQueueParts,
    options: Pick<ConsumeOptions<never>, "receiver" | "handlers" | "leaseMs">,
    monotonicMs: () => number = () => performance.now(),
  ) {
    this.#parts = parts;
    this.#options = options;
    this.#monotonicMs = monotonicMs;
    this.#lookedAtMs = monotonicMs();
    this.#toAlign = [...options.handlers.keys()].map((handler) => ({ handler, after: null }));
  }

  async claim(wants: readonly { readonly handler: string; readonly limit: number }[]): Promise<Claims> {
    const { handlers, receiver } = this.#options;
    return this.#parts.client.ask({
      op: "claim",
      consumer: this.#consumer,
      receiver,
      wants: wants.map((want) => ({ ...want, maxAttempts: handlers.get(want.handler)?.maxAttempts ?? 1 })),
    });
  }

  async settle(runs: readonly EndedRun[]): Promise<readonly boolean[]> {
    const ended = runs.map(({ task, verdict }) => ({ claim: this.#name(task), verdict }));
    return this.#parts.client.ask({ op: "settle", runs: ended });
  }

  async complete(task: ClaimedTask, statements: readonly RecordedStatement[]): Promise<boolean> {
    return this.#parts.client.ask({ op: "complete", claim: this.#name(task), statements });
  }

  async heartbeat(): Promise<boolean> {
    const { client, clock, work } = this.#parts;
    const first = !this.#joined;
    if (first) await this.#join();
    const pulse = await client.ask({ op: "heartbeat", consumer: this.#consumer });
    clock.follow(pulse.clockMs);
    if ((await this.#expireSilent(pulse)) > 0) work.notify();
    await this.#align();
    if (pulse.alive) return true;
    // Its leases expired: what it has is lost, what it claims from now on is not.
    await this.#join();
    return first;
  }

  onWork(listener: () => void): () => void {
    return this.#parts.work.subscribe(listener);
  }

  async leave(): Promise<void> {
    await this.#parts.client.ask({ op: "leave", consumer: this.#consumer });
    this.#parts.work.notify();
  }

  async #join(): Promise<void> {
    const { handlers, receiver, leaseMs } = this.#options;
    await this.#parts.client.ask({
      op: "join",
      consumer: this.#consumer,
      receiver,
      leaseMs,
      // One that comes back must not undo what others have set since.
      handlers: this.#joined
        ? []
        : [...handlers].map(([name, { onDeadLetter, ordered = false }]) => ({
            ...{ name, ordered },
            hold: onDeadLetter === "block",
          })),
    });
    this.#joined = true;
  }

  /** Applies changed policies, for no longer than a heartbeat may be late. */
  async #align(): Promise<void> {
    const { client, work } = this.#parts;
    const { receiver, leaseMs } = this.#options;
    const until = performance.now() + leaseMs / 20;
    for (let next = this.#toAlign[0]; next !== undefined; next = this.#toAlign[0]) {
      next.after = await client.ask({ op: "align", receiver, ...next });
      work.notify();
      if (next.after === null) this.#toAlign.shift();
      if (performance.now() >= until) return;
    }
  }

  /** Expires consumers whose heartbeat has not changed for their lease, by our own monotonic clock. */
  async #expireSilent({ others }: Pulse): Promise<number> {
    const now = this.#monotonicMs();
    const gapMs = now - this.#lookedAtMs;
    this.#lookedAtMs = now;
    let taken = 0;
    const present = new Set(others.map(({ consumer }) => consumer));
    for (const known of this.#seen.keys()) if (!present.has(known)) this.#seen.delete(known);
    for (const { consumer, beat, leaseMs } of others) {
      const seen = this.#seen.get(consumer);
      if (seen?.beat !== beat) {
        this.#seen.set(consumer, { beat, silentMs: 0 });
        continue;
      }
      const lease = leaseMs > 0 ? leaseMs : this.#options.leaseMs;
      seen.silentMs += this.#watchedMs(gapMs, lease);
      if (seen.silentMs < lease) continue;
      taken += await this.#parts.client.ask({ op: "expire", consumer, beat });
      this.#seen.delete(consumer);
    }
    return taken;
  }

  /**
   * How much of the time since the last check counts. A process that was suspended watched nobody, and the others may have been
   * suspended with it: at most half a lease counts, so that the other half is watched before anybody loses a task. If every
   * check is late, such as on a slow disk, three are enough.
   */
  #watchedMs(gapMs: number, leaseMs: number): number {
    const { leaseMs: ours } = this.#options;
    return gapMs <= ours / 2 ? gapMs : Math.min(ours, leaseMs) / 2;
  }

  #name(task: ClaimedTask): ClaimName {
    const { handler, fence } = task;
    return { event: eventNumber(task.recordId) ?? 0, handler, receiver: this.#options.receiver, fence };
  }
}
