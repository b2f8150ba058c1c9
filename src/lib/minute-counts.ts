import type { Clock } from "./clock.js";

const windowMs = 60_000;

/** Counts what repeats within a minute, by kind, so that it is told once and the others as a number. */
export class MinuteCounts {
  readonly #clock: Clock;
  readonly #counts = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts one more of a kind whose minute has begun; false where none has. */
  counted(kind: string): boolean {
    const count = this.#counts.get(kind);
    if (count === undefined) return false;
    this.#counts.set(kind, count + 1);
    return true;
  }

  /** Begins the minute of a kind; `conclude` is told how many more came, where any did. */
  open(kind: string, conclude: (more: number) => void): void {
    this.#counts.set(kind, 0);
    this.#clock.after(windowMs, () => {
      const more = this.#counts.get(kind) ?? 0;
      this.#counts.delete(kind);
      if (more > 0) conclude(more);
    });
  }
}
