const raisedCell = 0;
const threadCell = 1;

/** States of a thread. */
const entered = 1;
const left = 2;

/**
 * Tells a store, on whatever thread, to begin nothing more. In shared memory, since a thread that waits for a lock or a disk
 * reads no messages.
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

  /** Blocks this thread for `ms`, or until the flag is raised. */
  wait(ms: number): void {
    Atomics.wait(this.#cells, raisedCell, 0, ms);
  }

  /** Called on the thread before it loads the driver. False: it must not. */
  enter(): boolean {
    this.#set(threadCell, entered);
    return !this.raised;
  }

  /** Called on the thread once its store is closed. */
  leave(): void {
    this.#set(threadCell, left);
  }

  /** Blocks this thread until the other one has left, for at most `ms`; returns immediately if it has not entered. */
  waitUntilLeft(ms: number): void {
    Atomics.wait(this.#cells, threadCell, entered, ms);
  }

  #set(cell: number, value: number): void {
    Atomics.store(this.#cells, cell, value);
    Atomics.notify(this.#cells, cell);
  }
}

/** Milliseconds between two tries, the last one repeated; as in SQLite's busy handler, which cannot be interrupted. */
const delaysMs = [1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100];

/** How long a lock of another process is waited for. */
export interface BusyRetry {
  /** Milliseconds to wait for another process's transaction. */
  readonly busyTimeoutMs: number;
  readonly end: EndFlag;
}

/** Yields the milliseconds to wait before each further try; `attempt` returns true if it met a lock again. */
export function* retryWhileBusy(
  attempt: () => boolean,
  { busyTimeoutMs, end }: BusyRetry,
): Generator<number, void> {
  const giveUpAtMs = performance.now() + busyTimeoutMs;
  for (let tries = 0; ; tries++) {
    const leftMs = giveUpAtMs - performance.now();
    if (leftMs <= 0 || end.raised) return;
    yield Math.min(delaysMs[Math.min(tries, delaysMs.length - 1)] ?? 0, leftMs);
    if (!attempt()) return;
  }
}

/** Runs a generator on a thread that may be blocked. */
export function runBlocking<T>(steps: Generator<number, T>, end: EndFlag): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    end.wait(step.value);
  }
}

/** Runs a generator; the event loop goes on during its waits. */
export async function runAsync<T>(steps: Generator<number, T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await new Promise((resolve) => setTimeout(resolve, step.value));
  }
}
