import { isInstance, taskErrorOf } from "../../lib/kept-error.js";
import { LeaseLostError } from "../../lib/task-errors.js";
import type { Lease, SettledReport, Verdict } from "../../types/engine.js";
import type { ClaimedTask, EndedRun, TaskQueue } from "./task-queue.js";

/** Opens the `tx` of `complete`; `writes` is read when the user's function has ended. */
export type OpenTx<Tx, Write> = () => { readonly tx: Tx; readonly writes: readonly Write[] };

/** The delay after a run that rejects, or whose completion failed after it. */
const afterFaultMs = 1_000;

/** What a lease needs. */
export interface LeaseParts<Tx, Write> {
  readonly queue: Pick<TaskQueue<Write>, "complete">;
  /** Undefined without atomic effects. */
  readonly openTx: OpenTx<Tx, Write> | undefined;
  /** Stores a verdict in a batch. */
  settle(run: EndedRun): Promise<boolean>;
}

/** The lease on one claimed task: refuses every step after the loss of the claim or the end of the run. */
export class ClaimedLease<Tx, Write> implements Lease<Tx> {
  readonly task: ClaimedTask;
  /** The completion is stored: the verdict of the run is ignored. */
  completed = false;
  /** The completion in flight. */
  completing: Promise<void> | undefined;
  lost = false;
  ended = false;
  #endPause: (() => void) | undefined;
  readonly #parts: LeaseParts<Tx, Write>;
  #listeners: (() => void)[] | undefined;

  constructor(task: ClaimedTask, parts: LeaseParts<Tx, Write>) {
    this.task = task;
    this.#parts = parts;
  }

  onLost(listener: () => void): void {
    if (this.lost) {
      callQuietly(listener);
      return;
    }
    this.#listeners ??= [];
    this.#listeners.push(listener);
  }

  complete(write?: (tx: Tx) => void | Promise<void>): Promise<void> {
    if (this.completed || this.completing !== undefined) {
      return Promise.reject(new TypeError("complete was called before; a task is completed once"));
    }
    if (this.lost || this.ended) return Promise.reject(new LeaseLostError());
    const completing = this.#complete(write);
    this.completing = completing;
    // A handler that does not await it gets another attempt, and no unhandled rejection.
    completing.catch(() => {
      // During the run it may be called again; after the run its failure decides on the verdict.
      if (!this.ended) this.completing = undefined;
    });
    return completing;
  }

  /** Calls the listeners, once. */
  markLost(): void {
    if (this.lost) return;
    this.lost = true;
    const listeners = this.#listeners;
    this.#listeners = undefined;
    for (const listener of listeners ?? []) callQuietly(listener);
    this.endPause();
  }

  /** The pause between two tries to store a verdict; the loss of the lease ends it. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms).unref();
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  endPause(): void {
    this.#endPause?.();
  }

  async #complete(write: ((tx: Tx) => void | Promise<void>) | undefined): Promise<void> {
    const writes = write === undefined ? [] : await this.#writesOf(write);
    if (this.lost) throw new LeaseLostError();
    const kept =
      writes.length === 0
        ? await this.#parts.settle({ task: this.task, verdict: { outcome: "done" } })
        : await this.#parts.queue.complete(this.task, writes);
    if (!kept) {
      this.markLost();
      throw new LeaseLostError();
    }
    this.completed = true;
  }

  async #writesOf(write: (tx: Tx) => void | Promise<void>): Promise<readonly Write[]> {
    const { openTx } = this.#parts;
    if (openTx === undefined) {
      throw new TypeError(
        "this engine takes no writes with a completion: call complete() without a function",
      );
    }
    const { tx, writes } = openTx();
    await write(tx);
    return writes;
  }
}

/** Calls a callback of others: its error must not break our loop. */
export function callQuietly(call: () => void): void {
  try {
    call();
  } catch {
    // Not ours.
  }
}

/** The verdict on a run that rejected although it must not. */
export function retryAfterFault(error: unknown, keepStack: boolean | undefined): Verdict {
  return { outcome: "retry", delayMs: afterFaultMs, error: taskErrorOf(error, keepStack) };
}

/**
 * The verdict of a run with a completion in flight. If the run ended without awaiting it and it fails, the task is not done: its
 * writes are missing.
 */
export async function verdictAfterCompletion(
  lease: { readonly completing: Promise<void> | undefined },
  given: Verdict,
  keepStack: boolean | undefined,
): Promise<Verdict> {
  try {
    await lease.completing;
    return given;
  } catch (error) {
    return given.outcome === "done" && !isInstance(error, LeaseLostError)
      ? retryAfterFault(error, keepStack)
      : given;
  }
}

export function toReport(task: ClaimedTask, verdict: Verdict, kept: boolean): SettledReport {
  const { recordId, handler, attempt, event } = task;
  return { recordId, handler, attempt, event, verdict, kept };
}
