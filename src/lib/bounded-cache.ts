/**
 * A map that forgets: it holds at most `capacity` entries, and of what was not asked for lately the oldest go first. Two
 * generations instead of a list per entry: an entry that is asked for moves to the young one, and when that is half
 * of the capacity the old one is dropped whole.
 */
export class BoundedCache<Value> {
  readonly #half: number;
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();

  /** @param capacity Most entries held, 2 or more. */
  constructor(capacity: number) {
    this.#half = Math.max(1, Math.floor(capacity / 2));
  }

  /** The value under a key, undefined where there is none any more. */
  get(key: string): Value | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) {
      this.#old.delete(key);
      this.set(key, old);
    }
    return old;
  }

  /** Puts a value under a key; it may push others out. */
  set(key: string, value: Value): void {
    if (this.#young.size >= this.#half && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  /** Takes a key out. */
  delete(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  /** How many entries are held. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }
}
