import type { Clock } from "./clock.js";

const windowMs = 60_000;
const mostCounters = 200;
/** Of each kind, before the others of its minute are counted. */
const passing = 10;
const mostLines = 100;
/** What is left of a minute's lines after a flood is for what is new. */
const mostCountLines = 50;

interface Counter<Kind> {
  /** Undefined: the kinds beyond the last counter. */
  readonly kind: Kind | undefined;
  passed: number;
  more: number;
}

/**
 * Bounds the lines of a minute, whatever repeats: the first ten of each kind pass, 100 in all; the others are told as a
 * number at its end. Beyond 200 kinds all share one counter.
 */
export class MinuteCounts<Kind> {
  readonly #clock: Clock;
  readonly #tell: (kind: Kind | undefined, more: number) => void;
  #counters = new Map<string, Counter<Kind>>();
  #others: Counter<Kind> = { kind: undefined, passed: 0, more: 0 };
  #lines = 0;
  #running = false;

  /** `tell`: writes how many more there were of a kind; of the kinds without a counter where that is undefined. */
  constructor(clock: Clock, tell: (kind: Kind | undefined, more: number) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** Whether one of a kind is to be written; it is counted where not. `make` gives the kind when it is the first. */
  passes(key: string, make: () => Kind): boolean {
    this.#begin();
    const counter = this.#counterOf(key, make);
    if (counter.passed >= passing || this.#lines >= mostLines) {
      counter.more++;
      return false;
    }
    counter.passed++;
    this.#lines++;
    return true;
  }

  #counterOf(key: string, make: () => Kind): Counter<Kind> {
    const known = this.#counters.get(key);
    if (known !== undefined) return known;
    if (this.#counters.size >= mostCounters) return this.#others;
    const counter = { kind: make(), passed: 0, more: 0 };
    this.#counters.set(key, counter);
    return counter;
  }

  #begin(): void {
    if (this.#running) return;
    this.#running = true;
    this.#clock.after(windowMs, () => this.#end());
  }

  #end(): void {
    const counted = [...this.#counters.values()]
      .filter(({ more }) => more > 0)
      .sort((a, b) => b.more - a.more);
    const told = counted.slice(0, mostCountLines - 1);
    const rest = [this.#others, ...counted.slice(mostCountLines - 1)].reduce(
      (sum, { more }) => sum + more,
      0,
    );
    this.#counters = new Map();
    this.#others = { kind: undefined, passed: 0, more: 0 };
    this.#running = false;
    this.#lines = told.length + (rest > 0 ? 1 : 0);
    // These lines belong to the minute that begins with them.
    if (this.#lines > 0) this.#begin();
    for (const { kind, more } of told) this.#tell(kind, more);
    if (rest > 0) this.#tell(undefined, rest);
  }
}
