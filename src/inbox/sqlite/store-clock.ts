/**
 * The clock that due times follow: it starts at the later of the machine's clock and the store's last reading, goes on by
 * the monotonic clock, and never back. A machine whose clock is set while it runs expires and delays nothing (ATTACKS H15).
 */
export class StoreClock {
  readonly #monotonicMs: () => number;
  #offsetMs: number;

  constructor(startMs: number, monotonicMs: () => number = () => performance.now()) {
    this.#monotonicMs = monotonicMs;
    this.#offsetMs = startMs - monotonicMs();
  }

  /** Milliseconds; at the start those since the epoch. */
  now(): number {
    return this.#monotonicMs() + this.#offsetMs;
  }

  /** Follows another process that is ahead. */
  follow(readingMs: number): void {
    this.#offsetMs = Math.max(this.#offsetMs, readingMs - this.#monotonicMs());
  }
}
