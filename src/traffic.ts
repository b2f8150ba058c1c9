import { Refusal } from "./errors.js";

/**
 * Counts the deliveries under way. A place is held from the complete body to the outcome; bodies that are being read
 * have a bound of their own, of the same size, so that slow senders cannot take the places of those who are ready.
 */
export class Traffic {
  readonly #max: number;
  #reading = 0;
  #running = 0;
  #stopped = false;
  readonly #waiting: (() => void)[] = [];

  constructor(maxInProgress: number) {
    this.#max = maxInProgress;
  }

  /** Why no further delivery may enter: ERR_STOPPED, ERR_OVERLOADED; undefined where it may. */
  refuse(): Refusal | undefined {
    if (this.#stopped) return new Refusal("ERR_STOPPED", "the receiver was stopped");
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

  /** Lets nobody in from now on; resolves when nobody is left. */
  stop(): Promise<void> {
    this.#stopped = true;
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
    if (!this.#stopped || this.#reading > 0 || this.#running > 0) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
