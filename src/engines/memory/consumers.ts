import { noteAttempt, type StoredTask } from "./model.js";
import type { MemoryStore } from "./store.js";

interface Member {
  readonly leaseMs: number;
  readonly receiver: string;
  /** Counts its signs of life. */
  beat: number;
  /** When it gave the last, by performance.now(). */
  beatAt: number;
  /** Its last sign of life that each other has seen, and when it saw it first. */
  readonly seen: Map<number, { readonly beat: number; readonly at: number }>;
  readonly running: Set<StoredTask>;
}

/** Who runs tasks of a store, and what becomes of the tasks of one that gives no sign of life. */
export class Consumers {
  readonly #store: MemoryStore;
  readonly #members = new Map<number, Member>();
  #last = 0;

  constructor(store: MemoryStore) {
    this.#store = store;
  }

  join(receiver: string, leaseMs: number): number {
    this.#last += 1;
    this.#enter(this.#last, receiver, leaseMs);
    return this.#last;
  }

  /**
   * A sign of life; takes back what others have claimed whose last one has not changed for the length of their lease
   * under the eyes of this one. False: this one's own claims were taken back meanwhile.
   */
  heartbeat(consumer: number, receiver: string, leaseMs: number): boolean {
    const known = this.#members.get(consumer);
    const own = known ?? this.#enter(consumer, receiver, leaseMs);
    const now = performance.now();
    // One that slept itself has seen nothing: the others may have slept with it.
    if (now - own.beatAt > own.leaseMs / 2) own.seen.clear();
    own.beat += 1;
    own.beatAt = now;
    for (const [other, member] of this.#members) {
      if (other === consumer) continue;
      const seen = own.seen.get(other);
      if (seen?.beat !== member.beat) own.seen.set(other, { beat: member.beat, at: now });
      else if (now - seen.at >= member.leaseMs) this.leave(other);
    }
    return known !== undefined;
  }

  /** The tasks that a consumer runs; undefined where it has lost what it had, and gave no sign of life since. */
  running(consumer: number): Set<StoredTask> | undefined {
    return this.#members.get(consumer)?.running;
  }

  /** Ends a consumer, and takes back what it has claimed. */
  leave(consumer: number): void {
    const member = this.#members.get(consumer);
    if (member === undefined) return;
    this.#members.delete(consumer);
    for (const { seen } of this.#members.values()) seen.delete(consumer);
    for (const task of member.running) {
      noteAttempt(task, { durationMs: undefined, outcome: "lost", error: undefined });
      task.fence = 0;
      task.consumer = undefined;
      this.#store.handlerOf(task).putBack(task, this.#store.nowMs());
    }
    if (member.running.size > 0) this.#store.ring(member.receiver);
  }

  #enter(consumer: number, receiver: string, leaseMs: number): Member {
    const member: Member = {
      leaseMs,
      receiver,
      beat: 0,
      beatAt: performance.now(),
      seen: new Map(),
      running: new Set(),
    };
    this.#members.set(consumer, member);
    return member;
  }
}
