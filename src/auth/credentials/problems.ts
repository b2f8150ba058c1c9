import { OptionError } from "../../lib/options.js";

/**
 * Gathers the mistakes of one definition, so that they are fixed in one go. Only TypeErrors are gathered: anything
 * else is not a mistake of the person who configures.
 */
export class Problems {
  readonly #messages: string[] = [];
  #option: string | undefined;

  /** Runs `check`; what it throws becomes a problem, and the result undefined. */
  attempt<T>(check: () => T): T | undefined {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      this.add(error.message, error instanceof OptionError ? error.option : undefined);
      return undefined;
    }
  }

  /** `option`: the one that it is about. */
  add(message: string, option?: string): void {
    this.#messages.push(message);
    this.#option ??= option;
  }

  /** Throws one OptionError that names every problem and has the first one's option, or returns where there is none. */
  throwIfAny(): void {
    const [first] = this.#messages;
    if (first === undefined) return;
    const message =
      this.#messages.length === 1
        ? first
        : `${this.#messages.length} mistakes:\n${this.#messages.map((m) => `  - ${m}`).join("\n")}`;
    throw OptionError.of(this.#option ?? "credentials", message);
  }
}
