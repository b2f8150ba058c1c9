import type { MaybePromise } from "../types/credential.js";
import type { RegisteredHandler } from "./handler-options.js";
import { type HandlerResult, Run, type RunSubject } from "./run-handlers.js";

/** One event and those who are to handle it. */
export interface Dispatch extends RunSubject {
  /** What `handlersFor(type)` gave. */
  readonly handlers: readonly RegisteredHandler[];
  /** The data for the first handler, validated. */
  readonly firstData: unknown;
  /**
   * Data of their own for every further handler, validated, so that no handler sees another's changes (ATTACKS
   * G07). Where it throws or rejects, that handler is not called and counts as failed. Asked in the handlers' order;
   * a handler whose data comes later starts later.
   */
  nextData(): unknown;
}

/** What came of an event. */
export interface DispatchResult {
  /** The name of a handler that was at its `concurrency`; then none was started and `results` is empty. */
  readonly overloaded: string | undefined;
  /** In the order of the handlers. */
  readonly results: readonly HandlerResult[];
}

/**
 * Runs all handlers of an event at once, each within its time limit. A promise only where a handler returns one (or
 * `nextData` does); never rejects and never throws. At its deadline a run counts as timed out and gives its place
 * under `concurrency` back, although the code behind it may still run: nothing can stop it but its `signal`.
 */
export function dispatch(event: Dispatch): MaybePromise<DispatchResult> {
  const { handlers } = event;
  const full = handlers.find(({ load, concurrency }) => load.running >= concurrency);
  if (full !== undefined) return { overloaded: full.name, results: [] };
  // All places are taken before the first handler starts: a handler may cause another dispatch while it does.
  for (const { load } of handlers) load.running++;
  const results = handlers.map((handler, index) => start(handler, index === 0, event));
  return results.every(isSettled)
    ? { overloaded: undefined, results }
    : Promise.all(results).then((settled) => ({ overloaded: undefined, results: settled }));
}

function isSettled(result: MaybePromise<HandlerResult>): result is HandlerResult {
  return !(result instanceof Promise);
}

function start(handler: RegisteredHandler, isFirst: boolean, event: Dispatch): MaybePromise<HandlerResult> {
  const run = new Run(handler, event);
  if (isFirst) return run.start(event.firstData);
  let data: unknown;
  try {
    data = event.nextData();
  } catch (error) {
    return run.end({ outcome: "failed", error });
  }
  return run.start(data);
}
