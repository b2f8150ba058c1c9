/**
 * Gathers the mistakes of one definition, so that they are fixed in one go. Only TypeErrors are gathered: anything
 * else is not a mistake of the person who configures.
 */
export class Problems {
  readonly #messages: string[] = [];

  /** Runs `check`; what it throws becomes a problem, and the result undefined. */
  attempt<T>(check: () => T): T | undefined {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      this.add(error.message);
      return undefined;
    }
  }

  add(message: string): void {
    this.#messages.push(message);
  }

  /** Throws one TypeError that names every problem, or returns where there is none. */
  throwIfAny(): void {
    const [first] = this.#messages;
    if (first === undefined) return;
    if (this.#messages.length === 1) throw new TypeError(first);
    throw new TypeError(
      `${this.#messages.length} mistakes:\n${this.#messages.map((m) => `  - ${m}`).join("\n")}`,
    );
  }
}
