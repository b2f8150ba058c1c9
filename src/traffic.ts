import { Refusal } from "./errors.js";

/**
 * Counts the deliveries under way. A place is held from the complete body to the outcome; bodies that are being read
 * have a bound of their own, of the same size, so that slow senders cannot take the places of those who are ready.
 */
export class Traffic {
  readonly #max: number;
  #inside = 0;
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
    if (this.#running >= this.#max) return this.#full("deliveries are in progress", this.#running);
    return undefined;
  }

  /**
   * Reads a body, then handles it, each under its bound. What `read` refuses, and ERR_OVERLOADED where others came in
   * meanwhile, goes to nobody else: it is the result.
   */
  async pass<Body, Result>(
    read: () => Promise<Body | Refusal>,
    handle: (body: Body) => Promise<Result>,
  ): Promise<Result | Refusal> {
    const refusal = this.refuse();
    if (refusal !== undefined) return refusal;
    this.#inside++;
    try {
      const body = await this.#read(read);
      if (body instanceof Refusal) return body;
      if (this.#running >= this.#max) return this.#full("deliveries are in progress", this.#running);
      return await this.#run(() => handle(body));
    } finally {
      this.#inside--;
      this.#wake();
    }
  }

  /** Lets nobody in from now on; resolves when nobody is left. */
  stop(): Promise<void> {
    this.#stopped = true;
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#wake();
    });
  }

  async #read<Body>(read: () => Promise<Body>): Promise<Body> {
    this.#reading++;
    try {
      return await read();
    } finally {
      this.#reading--;
    }
  }

  async #run<Result>(handle: () => Promise<Result>): Promise<Result> {
    this.#running++;
    try {
      return await handle();
    } finally {
      this.#running--;
    }
  }

  #full(what: string, count: number): Refusal {
    return new Refusal("ERR_OVERLOADED", `${count} ${what}; maxInProgress is ${this.#max}`);
  }

  #wake(): void {
    if (!this.#stopped || this.#inside > 0) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
