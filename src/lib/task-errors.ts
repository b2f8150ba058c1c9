/** What a handler throws to say what becomes of its task. */

/**
 * Thrown by a handler that wants a later attempt at a time of its own choice. The attempt counts; a task out of
 * attempts becomes a dead letter nevertheless.
 *
 * @example
 * if (response.status === 429) throw new RetryLater({ delayMs: 60_000 });
 */
export class RetryLater extends Error {
  /** Milliseconds until the next attempt, 0 or more. */
  readonly delayMs: number;

  constructor(options: {
    readonly delayMs: number;
    readonly message?: string | undefined;
    readonly cause?: unknown;
  }) {
    const { delayMs, message = `again in ${options.delayMs} ms`, cause } = options;
    super(message, cause === undefined ? undefined : { cause });
    if (!Number.isFinite(delayMs) || delayMs < 0) {
      throw new TypeError(`RetryLater's delayMs must be a number of milliseconds, 0 or more, not ${delayMs}`);
    }
    this.name = "RetryLater";
    this.delayMs = delayMs;
  }
}

/** Thrown by a handler whose task is not to be tried again: it becomes a dead letter at once. */
export class DoNotRetry extends Error {
  constructor(message = "not to be tried again", options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = "DoNotRetry";
  }
}

/** What `context.complete` rejects with where another worker has the task by now; nothing was committed. */
export class LeaseLostError extends Error {
  readonly code = "ERR_LEASE_LOST";

  constructor(message = "the lease on this task was lost: it is another worker's by now") {
    super(message);
    this.name = "LeaseLostError";
  }
}
