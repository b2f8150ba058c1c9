import type { HandlerPolicy } from "../../types/engine.js";
import type { Claims } from "./task-source.js";

/** The places of one handler: its runs in progress, and verdicts that the store would not take. */
export interface Slot {
  readonly handler: string;
  readonly concurrency: number;
  taken: number;
  /** More of its tasks may be due than were claimed. */
  hungry: boolean;
  /** Asked for by the claim under way. */
  asked: number;
  /** Got by it. */
  got: number;
}

/** The places of a consumer's handlers, and what to claim for them. */
export class Places {
  readonly #slots: ReadonlyMap<string, Slot>;

  constructor(handlers: ReadonlyMap<string, HandlerPolicy>) {
    this.#slots = new Map(
      [...handlers].map(([handler, { concurrency }]) => [
        handler,
        { handler, concurrency, taken: 0, hungry: true, asked: 0, got: 0 },
      ]),
    );
  }

  of(handler: string): Slot | undefined {
    return this.#slots.get(handler);
  }

  /** What a claim asks for: the free places of each handler that has any. */
  wants(): { readonly handler: string; readonly limit: number }[] {
    const wants: { readonly handler: string; readonly limit: number }[] = [];
    for (const slot of this.#slots.values()) {
      slot.asked = Math.max(0, slot.concurrency - slot.taken);
      slot.got = 0;
      // What is due for it meanwhile is not claimed: its next free place asks.
      if (slot.asked === 0) slot.hungry = true;
      else wants.push({ handler: slot.handler, limit: slot.asked });
    }
    return wants;
  }

  /** After a claim: who got all that was asked for may have more. */
  note(): void {
    for (const slot of this.#slots.values()) {
      if (slot.asked > 0) slot.hungry = slot.got >= slot.asked;
    }
  }

  /** A place is free for which there may be a task. */
  hasHungry(): boolean {
    for (const slot of this.#slots.values()) {
      if (slot.hungry && slot.taken < slot.concurrency) return true;
    }
    return false;
  }
}

/** Whether a claim says that more is due than it brought. */
export function hasMore(claims: Claims): boolean {
  return (
    claims.nextDueMs !== undefined && claims.nextDueMs <= 0 && claims.tasks.length + claims.dead.length > 0
  );
}
