import { isBusy } from "./driver.js";
import type { EndFlag } from "./end-flag.js";
import type { Reply, Request, Times } from "./protocol.js";
import type { Store } from "./store.js";

/** Milliseconds between two tries; the last one repeats. Those of SQLite's own busy handler, which nothing can interrupt. */
const delaysMs = [1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100];

export interface Patience {
  /** Milliseconds to wait for another process's transaction. */
  readonly busyTimeoutMs: number;
  readonly end: EndFlag;
}

/** Yields the milliseconds to wait before each further try; `attempt` returns true where a lock was in the way. */
function* whileBusy(attempt: () => boolean, { busyTimeoutMs, end }: Patience): Generator<number, void> {
  const giveUpAtMs = performance.now() + busyTimeoutMs;
  for (let tries = 0; attempt(); tries++) {
    const leftMs = giveUpAtMs - performance.now();
    if (leftMs <= 0 || end.raised) return;
    yield Math.min(delaysMs[Math.min(tries, delaysMs.length - 1)] ?? 0, leftMs);
  }
}

/** Opens a store; the reply is the store's clock. Yields the milliseconds to wait before each further try. */
export function* openPatiently(store: Store, patience: Patience): Generator<number, Reply> {
  let reply: Reply = { ok: true, value: 0 };
  yield* whileBusy(() => {
    try {
      reply = { ok: true, value: store.open() };
    } catch (error) {
      reply = { ok: false, error };
    }
    return metLock(reply);
  }, patience);
  return reply;
}

/** Carries out a group of requests; those that met a lock are tried again together. Yields as `openPatiently` does. */
export function* handlePatiently(
  store: Store,
  requests: readonly Request[],
  times: Times,
  patience: Patience,
): Generator<number, readonly Reply[]> {
  const replies = new Map<Request, Reply>();
  let left = requests;
  yield* whileBusy(() => {
    const given = store.handle(left, times);
    for (const [index, request] of left.entries()) replies.set(request, given[index] as Reply);
    left = left.filter((_, index) => metLock(given[index] as Reply));
    return left.length > 0;
  }, patience);
  return requests.map((request) => replies.get(request) as Reply);
}

/** Takes the steps of a generator on a thread that may be blocked. */
export function waitThrough<T>(steps: Generator<number, T>, end: EndFlag): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    end.wait(step.value);
  }
}

/** Takes the steps of a generator; the event loop goes on between them. */
export async function pauseThrough<T>(steps: Generator<number, T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await new Promise((resolve) => setTimeout(resolve, step.value));
  }
}

function metLock(reply: Reply): boolean {
  return !reply.ok && isBusy(reply.error);
}
