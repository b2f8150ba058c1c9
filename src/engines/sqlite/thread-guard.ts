/** States of a store's thread, in memory that it shares with the thread that started it. */
const idle = 0;
const working = 1;
const stopped = 2;

/** Milliseconds that the end of the process waits for the group that is under way. */
const longestWaitMs = 10_000;

/**
 * Keeps a thread from being ended in the middle of its work. When a process exits, Node.js ends its threads wherever they
 * are, and the driver for Node.js 20 then calls into JavaScript that no longer runs: it throws where nothing catches,
 * and the process aborts with exit code 134.
 */
export class ThreadGuard {
  readonly memory: SharedArrayBuffer;
  readonly #cells: Int32Array;

  /** With the memory of another guard: the same one, on the other thread. */
  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#cells = new Int32Array(memory);
  }

  /** On the thread: does a piece of work, unless the process is ending: then it does not return. */
  work<Result>(work: () => Result): Result {
    if (Atomics.compareExchange(this.#cells, 0, idle, working) === stopped)
      Atomics.wait(this.#cells, 0, stopped);
    try {
      return work();
    } finally {
      Atomics.store(this.#cells, 0, idle);
      Atomics.notify(this.#cells, 0);
    }
  }

  /** Where the thread was started: resolves nothing, blocks until the work under way is done; no other begins. */
  stop(): void {
    const giveUpAtMs = performance.now() + longestWaitMs;
    while (Atomics.compareExchange(this.#cells, 0, idle, stopped) === working) {
      const leftMs = giveUpAtMs - performance.now();
      if (leftMs <= 0) return;
      Atomics.wait(this.#cells, 0, working, leftMs);
    }
  }
}

/** The guards of the threads that run. One listener for all: eleven would be reported as a leak. */
const guards = new Set<ThreadGuard>();

function stopAll(): void {
  for (const guard of guards) guard.stop();
}

/** Stops the thread before the process exits. Returns what ends that. */
export function stopAtExit(guard: ThreadGuard): () => void {
  if (guards.size === 0) process.on("exit", stopAll);
  guards.add(guard);
  return () => {
    guards.delete(guard);
    if (guards.size === 0) process.off("exit", stopAll);
  };
}
