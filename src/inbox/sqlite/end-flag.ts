const raisedCell = 0;
const threadCell = 1;

/** What a thread has come to. */
const entered = 1;
const left = 2;

/**
 * Tells a store, also one on another thread, that its time is up: it begins nothing more. In shared memory, because a
 * thread that waits for a lock or a disk reads no messages.
 */
export class EndFlag {
  readonly memory: SharedArrayBuffer;
  readonly #cells: Int32Array;

  /** With the memory of another flag: the same flag, on this thread. */
  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#cells = new Int32Array(memory);
  }

  get raised(): boolean {
    return Atomics.load(this.#cells, raisedCell) !== 0;
  }

  raise(): void {
    this.#set(raisedCell, 1);
  }

  /** Blocks this thread for so many milliseconds, or until the flag is raised. */
  wait(ms: number): void {
    Atomics.wait(this.#cells, raisedCell, 0, ms);
  }

  /** On the thread, before it loads the driver. False: it must not. */
  enter(): boolean {
    this.#set(threadCell, entered);
    return !this.raised;
  }

  /** On the thread: its store is closed. */
  leave(): void {
    this.#set(threadCell, left);
  }

  /** Blocks this thread until the other one has left, for at most so many milliseconds; not at all where it has not entered. */
  waitUntilLeft(ms: number): void {
    Atomics.wait(this.#cells, threadCell, entered, ms);
  }

  #set(cell: number, value: number): void {
    Atomics.store(this.#cells, cell, value);
    Atomics.notify(this.#cells, cell);
  }
}
