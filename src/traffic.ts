import { Refusal } from "./errors.js";

/**
 * Counts the deliveries under way. A place is held from the complete body to the outcome; bodies that are being read
 * have a bound of their own, of the same size, so that slow senders cannot take the places of those who are ready.
 */
export class Traffic {
  readonly #max: number;
  #reading = 0;
  #running = 0;
  #closed: string | undefined;
  #stopping = false;
  readonly #waiting: (() => void)[] = [];

  /** `closed`: why nobody may enter yet, until `open` is called; left out: everybody may at once. */
  constructor(maxInProgress: number, closed?: string) {
    this.#max = maxInProgress;
    this.#closed = closed;
  }

  /** Lets deliveries in, unless `stop` was called. */
  open(): void {
    if (!this.#stopping) this.#closed = undefined;
  }

  /** Why no further delivery may enter: ERR_STOPPED, ERR_OVERLOADED; undefined where it may. */
  refuse(): Refusal | undefined {
    if (this.#closed !== undefined) return new Refusal("ERR_STOPPED", this.#closed);
    if (this.#reading >= this.#max) return this.#full("bodies are being read", this.#reading);
    return this.#refuseRun();
  }

  /** Takes a place among those whose bodies are read, or says why not. */
  startReading(): Refusal | undefined {
    const refusal = this.refuse();
    if (refusal === undefined) this.#reading++;
    return refusal;
  }

  /** Gives that place back without handling. */
  stopReading(): void {
    this.#reading--;
    this.#wake();
  }

  /** Changes that place for one among those that are handled, or gives it back and says why. Others came in meanwhile. */
  startRunning(): Refusal | undefined {
    const refusal = this.#refuseRun();
    if (refusal === undefined) {
      this.#running++;
      this.#reading--;
    } else this.stopReading();
    return refusal;
  }

  /** Gives the place of a delivery that was handled back. */
  stopRunning(): void {
    this.#running--;
    this.#wake();
  }

  /** How many deliveries are under way. */
  get underWay(): number {
    return this.#reading + this.#running;
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

  #refuseRun(): Refusal | undefined {
    return this.#running >= this.#max ? this.#full("deliveries are in progress", this.#running) : undefined;
  }

  #full(what: string, count: number): Refusal {
    return new Refusal("ERR_OVERLOADED", `${count} ${what}; maxInProgress is ${this.#max}`);
  }

  #wake(): void {
    if (!this.#stopping || this.#reading > 0 || this.#running > 0) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
