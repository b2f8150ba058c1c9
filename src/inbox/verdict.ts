import type { Refusal } from "../errors.js";
import type { RegisteredHandler } from "../events/handler-options.js";
import { boundedDelay, defaultRetry } from "../events/retry-policy.js";
import type { HandlerResult } from "../events/run-handlers.js";
import { isInstance, taskErrorOf } from "../lib/kept-error.js";
import { printable } from "../lib/printable.js";
import { DoNotRetry, RetryLater } from "../lib/task-errors.js";
import type { Task, Verdict } from "../types/engine.js";
import type { InboxObserver } from "./observer.js";
import type { InboxSettings } from "./options.js";
import { invalidDataError } from "./task-error.js";

/** What a run fails with whose stored data breaks the schema. */
export class InvalidData extends Error {
  /** ERR_EVENT_INVALID, or what else kept the bytes from being read. */
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.reason);
    this.name = "InvalidData";
    this.refusal = refusal;
  }
}

/** What a verdict depends on beside the result. */
export interface VerdictParts {
  readonly task: Task;
  /** The event's data; undefined where it could not be read. */
  readonly data: unknown;
  readonly handler: RegisteredHandler;
  readonly settings: Pick<InboxSettings, "maxAttempts" | "retry">;
  readonly observer: Pick<InboxObserver, "note" | "keepStacks">;
  readonly random: () => number;
}

const done: Verdict = { outcome: "done" };

/** What becomes of a task whose run ended so. Never throws, whatever was thrown. */
export function verdictOf(result: HandlerResult, parts: VerdictParts): Verdict {
  if (result.outcome === "done") return done;
  const thrown: unknown = result.error;
  if (isInstance(thrown, InvalidData)) return { outcome: "dead", error: invalidDataError(thrown.refusal) };
  const { task, handler, settings, observer } = parts;
  const error = taskErrorOf(thrown, observer.keepStacks);
  if (isInstance(thrown, DoNotRetry) || task.attempt >= (handler.maxAttempts ?? settings.maxAttempts)) {
    return { outcome: "dead", error };
  }
  const delayMs = delayWanted(thrown) ?? delayOf(thrown, parts);
  return delayMs === undefined ? { outcome: "dead", error } : { outcome: "retry", delayMs, error };
}

/** The delay of a RetryLater, unless it became something else since it was made. */
function delayWanted(thrown: unknown): number | undefined {
  try {
    if (!(thrown instanceof RetryLater)) return undefined;
    const { delayMs } = thrown;
    return typeof delayMs === "number" && delayMs >= 0 ? boundedDelay(delayMs) : undefined;
  } catch {
    return undefined;
  }
}

function delayOf(error: unknown, { task, data, handler, settings, observer, random }: VerdictParts) {
  const { id, type } = task.event;
  const failure = { attempt: task.attempt, error, event: { id, type, data } };
  const chance = random();
  try {
    return (handler.retry ?? settings.retry).delayMs(failure, chance);
  } catch (fault) {
    const message = `the retry function for handler "${printable(handler.name)}" failed; the default back-off applies`;
    observer.note("error", message, { err: fault });
    return defaultRetry.delayMs(failure, chance);
  }
}
