import { Refusal } from "../errors.js";

/** Who sends a body that nothing vouches for yet. */
export interface Stranger {
  /** What counts as one address. */
  readonly network: string;
  /** The address for the operator, with a hint on proxies where none is declared. */
  describe(): string;
}

/**
 * Counts the deliveries in progress. A place is held from the complete body to the outcome; bodies that are being read
 * have a bound of their own, of the same size, so that slow senders cannot take the places of those who are ready.
 * Once more than half of the reading places are taken, one address without a credential gets at most a quarter of them.
 */
export class ConcurrencyLimiter {
  readonly #max: number;
  #reading = 0;
  #handling = 0;
  /** Reading places by the network of the stranger who holds them. */
  readonly #strangers = new Map<string, number>();
  #closed: string | undefined;
  #stopping = false;
  readonly #waiting: (() => void)[] = [];

  /** `closed`: why nobody may enter yet, until `open` is called; left out: everybody may at once. */
  constructor(maxConcurrent: number, closed?: string) {
    this.#max = maxConcurrent;
    this.#closed = closed;
  }

  /** Whether a delivery was refused because `open` had not been called. */
  refusedBeforeOpen = false;

  /** Lets deliveries in, unless `stop` was called. */
  open(): void {
    if (!this.#stopping) this.#closed = undefined;
  }

  /** Why no further delivery may enter: ERR_STOPPED, ERR_OVERLOADED; undefined where it may. */
  refuse(): Refusal | undefined {
    if (this.#closed !== undefined) {
      this.refusedBeforeOpen ||= !this.#stopping;
      return new Refusal("ERR_STOPPED", this.#closed, undefined, this.#stopping ? "closed" : "not-started");
    }
    if (this.#reading >= this.#max) return this.#full("bodies are being read", this.#reading, "reading");
    return this.#refuseHandling();
  }

  /** Takes a place among those whose bodies are read, or says why not. `stranger`: left out after a credential. */
  startReading(stranger?: Stranger): Refusal | undefined {
    const refusal = this.refuse();
    if (refusal !== undefined) return refusal;
    if (stranger !== undefined) {
      const held = this.#strangers.get(stranger.network) ?? 0;
      if (this.#reading > this.#max / 2 && held >= Math.max(1, Math.floor(this.#max / 4))) {
        return new Refusal(
          "ERR_OVERLOADED",
          `${stranger.describe()} already has ${held} of the ${this.#reading} bodies being read, and maxConcurrent is ` +
            `${this.#max}: above half of that, one address may have at most a quarter`,
          undefined,
          "one-address",
        );
      }
      this.#strangers.set(stranger.network, held + 1);
    }
    this.#reading++;
    return undefined;
  }

  /** Gives that place back without handling. `stranger`: as given to `startReading`. */
  stopReading(stranger?: Stranger): void {
    this.#endReading(stranger);
    this.#wake();
  }

  /** Changes that place for one among those that are handled, or gives it back and says why. Others came in meanwhile. */
  startHandling(stranger?: Stranger): Refusal | undefined {
    const refusal = this.#refuseHandling();
    if (refusal === undefined) {
      this.#handling++;
      this.#endReading(stranger);
    } else this.stopReading(stranger);
    return refusal;
  }

  #endReading(stranger: Stranger | undefined): void {
    this.#reading--;
    if (stranger === undefined) return;
    const held = this.#strangers.get(stranger.network) ?? 1;
    if (held === 1) this.#strangers.delete(stranger.network);
    else this.#strangers.set(stranger.network, held - 1);
  }

  /** Gives the place of a delivery that was handled back. */
  stopHandling(): void {
    this.#handling--;
    this.#wake();
  }

  /** How many deliveries are in progress. */
  get inProgress(): number {
    return this.#reading + this.#handling;
  }

  /** Lets nobody in from now on; resolves when nobody is left. */
  stop(): Promise<void> {
    this.#stopping = true;
    this.#closed = "the receiver was closed";
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#wake();
    });
  }

  #refuseHandling(): Refusal | undefined {
    return this.#handling >= this.#max
      ? this.#full("deliveries are in progress", this.#handling, "running")
      : undefined;
  }

  #full(what: string, count: number, fault: string): Refusal {
    return new Refusal("ERR_OVERLOADED", `${count} ${what}; maxConcurrent is ${this.#max}`, undefined, fault);
  }

  #wake(): void {
    if (!this.#stopping || this.#reading > 0 || this.#handling > 0) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
