import { printable } from "../lib/printable.js";
import type { InboxEngine, InboxStats } from "../types/engine.js";
import type { InboxObserver } from "./observer.js";

/** What a watch looks at, and whom it tells. */
export interface HeldWatchParts {
  readonly engine: Pick<InboxEngine, "stats">;
  readonly receiver: string;
  readonly observer: Pick<InboxObserver, "note">;
}

/**
 * Tells the operator of tasks that stay behind a dead letter (`deadHead: "hold"`): once when a handler's first task is held,
 * and again when that comes back after an end.
 */
export class HeldWatch {
  readonly #parts: HeldWatchParts;
  #held: ReadonlyMap<string, string> = new Map();

  constructor(parts: HeldWatchParts) {
    this.#parts = parts;
  }

  /** Asks the store. Rejects with what it says. */
  async look(): Promise<void> {
    const { engine, receiver } = this.#parts;
    this.take(await engine.stats({ receiver }));
  }

  /** Takes what the store said. */
  take({ handlers }: Pick<InboxStats, "handlers">): void {
    const held = new Map<string, string>();
    for (const { handler, held: tasks, holding, oldestHeldMs } of handlers) {
      if (tasks === 0) continue;
      const oldest = oldestHeldMs === undefined ? "" : `, the oldest for ${minutes(oldestHeldMs)}`;
      const finding = `${counted(tasks, "task")} of the handler "${printable(handler)}" held behind ${counted(holding, "dead letter")} (deadHead: "hold")${oldest}; replay, drop or purge the dead letters: retention keeps them`;
      held.set(handler, finding);
      if (this.#held.has(handler)) continue;
      this.#parts.observer.note("warn", finding, { handler, held: tasks, holding });
    }
    this.#held = held;
  }

  /** What was held at the last look, one line for each handler. */
  findings(): readonly string[] {
    return [...this.#held.values()];
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function minutes(ms: number): string {
  return counted(Math.round(ms / 60_000), "minute");
}
