import type { SettledReport, Task, Verdict } from "../../types/engine.js";

/** A task as a store hands it out, with what later steps must show. */
export interface ClaimedTask extends Task {
  /** The fencing token: unlike any other claim of the same task. */
  readonly fence: number;
  /** False: no other task waits for the end of this one. Left out: one may (an ordering key), and is claimed for then. */
  readonly ordered?: boolean | undefined;
}

/** The result of a claim. */
export interface Claims {
  readonly tasks: readonly ClaimedTask[];
  /** Tasks that were out of attempts when they came up, and are dead letters now. */
  readonly dead: readonly SettledReport[];
  /** Milliseconds until the next task of these handlers falls due; undefined if none is known. */
  readonly nextDueMs: number | undefined;
}

/** A run that has ended. */
export interface EndedRun {
  readonly task: ClaimedTask;
  readonly verdict: Verdict;
}

/** The tasks of one receiver in a store, for one consumer. Every method may reject; the claim loop then tries again. */
export interface TaskQueue<Write> {
  /** Claims due tasks, at most `limit` of each handler, and counts their attempts. */
  claim(wants: readonly { readonly handler: string; readonly limit: number }[]): Promise<Claims>;
  /**
   * Stores verdicts, in one commit where the store can; one answer each, in their order. False: the claim is no longer ours,
   * and nothing was changed. The runs are grouped before; a store does not wait for more.
   */
  settle(runs: readonly EndedRun[]): Promise<readonly boolean[]>;
  /** Completes a task with the user's writes in one commit. False: the claim is no longer ours, and nothing was committed. */
  complete(task: ClaimedTask, writes: readonly Write[]): Promise<boolean>;
  /**
   * The heartbeat of this consumer; takes back what consumers without one have claimed. False: this consumer's own
   * claims were taken by another.
   */
  heartbeat(): Promise<boolean>;
  /** Calls `listener` when tasks may have become due. Returns the function that ends it. */
  onWork(listener: () => void): () => void;
  /** Ends this consumer: nothing of it is claimed any more. */
  leave(): Promise<void>;
}
