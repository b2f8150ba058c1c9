import { Refusal } from "../errors.js";

/** A sender without a credential. */
export interface AnonymousSender {
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
  /** Reading places held by senders without a credential, by network. */
  readonly #anonymousByNetwork = new Map<string, number>();
  #closedReason: string | undefined;
  #stopping = false;
  readonly #waiting: (() => void)[] = [];
  /** Whether a delivery came before `open` was called. */
  refusedBeforeOpen = false;

  /** `closed`: why no delivery may enter until `open` is called. Left out: deliveries may enter immediately. */
  constructor(maxConcurrent: number, closed?: string) {
    this.#max = maxConcurrent;
    this.#closedReason = closed;
  }

  /** Lets deliveries in, unless `stop` was called. */
  open(): void {
    if (!this.#stopping) this.#closedReason = undefined;
  }

  /** Why no further delivery may enter: ERR_STOPPED, ERR_OVERLOADED; undefined where it may. */
  refuse(): Refusal | undefined {
    if (this.#closedReason !== undefined) {
      this.refusedBeforeOpen ||= !this.#stopping;
      return new Refusal(
        "ERR_STOPPED",
        this.#closedReason,
        undefined,
        this.#stopping ? "closed" : "not-started",
      );
    }
    if (this.#reading >= this.#max)
      return this.#overloaded("bodies are being read", this.#reading, "reading");
    return this.#refuseHandling();
  }

  /** Takes a place for reading a body, or says why not. `anonymous`: the sender, if it had no credential. */
  startReading(anonymous?: AnonymousSender): Refusal | undefined {
    const refusal = this.refuse();
    if (refusal !== undefined) return refusal;
    if (anonymous !== undefined) {
      const held = this.#anonymousByNetwork.get(anonymous.network) ?? 0;
      if (this.#reading > this.#max / 2 && held >= Math.max(1, Math.floor(this.#max / 4))) {
        return new Refusal(
          "ERR_OVERLOADED",
          `${anonymous.describe()} already has ${held} of the ${this.#reading} bodies being read, and maxConcurrent is ` +
            `${this.#max}: above half of that, one address may have at most a quarter`,
          undefined,
          "one-address",
        );
      }
      this.#anonymousByNetwork.set(anonymous.network, held + 1);
    }
    this.#reading++;
    return undefined;
  }

  /** Gives that place back without handling. `anonymous`: as given to `startReading`. */
  stopReading(anonymous?: AnonymousSender): void {
    this.#endReading(anonymous);
    this.#wake();
  }

  /** Exchanges that place for one to be handled, or gives it back and says why: others may have come in meanwhile. */
  startHandling(anonymous?: AnonymousSender): Refusal | undefined {
    const refusal = this.#refuseHandling();
    if (refusal === undefined) {
      this.#handling++;
      this.#endReading(anonymous);
    } else this.stopReading(anonymous);
    return refusal;
  }

  #endReading(anonymous: AnonymousSender | undefined): void {
    this.#reading--;
    if (anonymous === undefined) return;
    const held = this.#anonymousByNetwork.get(anonymous.network) ?? 1;
    if (held === 1) this.#anonymousByNetwork.delete(anonymous.network);
    else this.#anonymousByNetwork.set(anonymous.network, held - 1);
  }

  /** Gives the place of a handled delivery back. */
  stopHandling(): void {
    this.#handling--;
    this.#wake();
  }

  /** How many deliveries are in progress. */
  get inProgress(): number {
    return this.#reading + this.#handling;
  }

  /** Lets no further delivery in; resolves when none is in progress. */
  stop(): Promise<void> {
    this.#stopping = true;
    this.#closedReason = "the receiver was closed";
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#wake();
    });
  }

  #refuseHandling(): Refusal | undefined {
    return this.#handling >= this.#max
      ? this.#overloaded("deliveries are in progress", this.#handling, "running")
      : undefined;
  }

  #overloaded(what: string, count: number, fault: string): Refusal {
    return new Refusal("ERR_OVERLOADED", `${count} ${what}; maxConcurrent is ${this.#max}`, undefined, fault);
  }

  #wake(): void {
    if (!this.#stopping || this.#reading > 0 || this.#handling > 0) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
