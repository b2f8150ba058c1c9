import { type Duration, millisecondsOf } from "./duration.js";
import { describe, OptionError } from "./options.js";

/** What a handler throws to say what becomes of its task. */

/**
 * Thrown by a handler that wants a later attempt at a time of its own choice. The attempt counts: a task that is out of
 * attempts becomes a dead letter all the same.
 *
 * @example
 * if (response.status === 429) throw new RetryAfterError("rate limited", "5m");
 */
export class RetryAfterError extends Error {
  /** Milliseconds until the next attempt. */
  readonly delayMs: number;

  /** `delay`: time until the next attempt, at least "0ms". Throws an OptionError for what is no duration. */
  constructor(message: string, delay: Duration, options?: ErrorOptions) {
    super(message, options);
    const delayMs = millisecondsOf(delay);
    if (delayMs === undefined) {
      throw new OptionError(
        "RetryAfterError's delay",
        ` must be a duration such as "5m", not ${describe(delay)}`,
      );
    }
    this.name = "RetryAfterError";
    this.delayMs = delayMs;
  }
}

/** Thrown by a handler whose task must not be tried again: it becomes a dead letter immediately. */
export class NonRetriableError extends Error {
  constructor(message = "not to be tried again", options?: ErrorOptions) {
    super(message, options);
    this.name = "NonRetriableError";
  }
}

/** What `context.complete` rejects with where another worker has the task by now; nothing was committed. */
export class LeaseLostError extends Error {
  /** Tells it apart from other errors. */
  readonly code = "ERR_LEASE_LOST";

  constructor(message = "the lease on this task was lost: it is another worker's by now") {
    super(message);
    this.name = "LeaseLostError";
  }
}
