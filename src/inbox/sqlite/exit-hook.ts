/** What must have ended before the process does. */
export interface Ending {
  /** Tells it to end. */
  begin(): void;
  /** Blocks until it has ended. */
  wait(): void;
}

/** One listener of `process`, however many things must end: eleven of one event are taken for a leak. */
class ExitHook {
  readonly #endings = new Set<Ending>();
  readonly #exit = (): void => {
    for (const ending of this.#endings) ending.begin();
    for (const ending of this.#endings) ending.wait();
  };

  /** Returns the function that takes it back. */
  add(ending: Ending): () => void {
    if (this.#endings.size === 0) process.on("exit", this.#exit);
    this.#endings.add(ending);
    return () => {
      this.#endings.delete(ending);
      if (this.#endings.size === 0) process.off("exit", this.#exit);
    };
  }
}

/** The process has one end, hence one of these. */
export const exitHook = new ExitHook();
