import { type Clock, timeOf } from "../lib/clock.js";

interface Bucket<Item> {
  readonly startedMs: number;
  readonly items: Item[];
  live: number;
  cancel(): void;
}

/**
 * Time limits of many things that all have the same, with one timer for all that begin within a twentieth of it: a
 * timer for each would cost more than the rest of its way into the store. An item's time is up after the limit or up
 * to a twentieth sooner.
 */
export class Timeouts<Item> {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #expire: (items: readonly Item[]) => void;
  #open: Bucket<Item> | undefined;

  /** `expire` is told the items of a bucket whose time is up, those that have ended, too. */
  constructor(clock: Clock, limitMs: number, expire: (items: readonly Item[]) => void) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#expire = expire;
  }

  /** Begins an item's time. Returns what `end` takes. */
  add(item: Item): unknown {
    const nowMs = timeOf(this.#clock);
    let bucket = this.#open;
    // Written so that a clock that was set begins a new bucket.
    if (bucket === undefined || !(Math.abs(nowMs - bucket.startedMs) < this.#limitMs / 20)) {
      bucket = this.#begin(nowMs);
    }
    bucket.items.push(item);
    bucket.live++;
    return bucket;
  }

  /** Ends an item's time. */
  end(of: unknown): void {
    const bucket = of as Bucket<Item>;
    bucket.live--;
    if (bucket.live > 0) return;
    bucket.cancel();
    if (this.#open === bucket) this.#open = undefined;
  }

  #begin(startedMs: number): Bucket<Item> {
    const items: Item[] = [];
    const cancel = this.#clock.after(this.#limitMs, () => {
      if (this.#open === bucket) this.#open = undefined;
      this.#expire(items);
    });
    const bucket: Bucket<Item> = { startedMs, items, live: 0, cancel };
    this.#open = bucket;
    return bucket;
  }
}
