import { HandlerTimeoutError } from "../errors.js";
import { type Clock, timeOf } from "../lib/clock.js";
import { printable } from "../lib/printable.js";
import { isPromise } from "../lib/promises.js";
import type { MaybePromise } from "../types/credential.js";
import type { HandlerContext, InboxContext } from "../types/event.js";
import type { RegisteredHandler } from "./handlers.js";

/** What all handlers of one event are given alike; `complete` where they are run from an inbox. */
export interface SharedContext
  extends Pick<HandlerContext, "caller" | "delivery" | "attempt" | "logger">,
    Partial<Pick<InboxContext<never>, "complete">> {}

/** What a run is about. */
export interface RunSubject {
  readonly id: string;
  readonly type: string;
  readonly context: SharedContext;
  readonly clock: Clock;
  /** Time limit in milliseconds of handlers without one of their own. */
  readonly defaultTimeoutMs: number;
  /** Called when a handler finishes after its deadline. What it throws is dropped. */
  readonly onLate?: ((late: LateResult) => void) | undefined;
}

interface Ended {
  /** The handler's name. */
  readonly name: string;
  /** Whole milliseconds from the handler's start. */
  readonly durationMs: number;
}

/** A handler that failed; `error` is what it threw, which may be anything, `undefined` too. */
type Failed = Ended & { readonly outcome: "failed"; readonly error: unknown };
type Done = Ended & { readonly outcome: "done" };

/** How a handler ended, or that it had not at its deadline, or when the run was aborted. */
export type HandlerResult =
  | Done
  | Failed
  | (Ended & { readonly outcome: "timed-out"; readonly error: HandlerTimeoutError })
  | (Ended & { readonly outcome: "aborted"; readonly error: Error });

/** How a handler ended after its deadline. */
export type LateResult = Done | Failed;

type Ending = { readonly outcome: "done" } | { readonly outcome: "failed"; readonly error: unknown };

/**
 * What a handler gets. A class, because an object literal with a getter gives V8 a hidden class per object: they were
 * half of the cost of a delivery, most of it garbage that only a full collection could take away.
 */
class RunContext implements HandlerContext {
  readonly caller: HandlerContext["caller"];
  readonly delivery: HandlerContext["delivery"];
  readonly attempt: number;
  readonly logger: HandlerContext["logger"];
  readonly #run: Run;

  constructor(run: Run, shared: SharedContext) {
    this.caller = shared.caller;
    this.delivery = shared.delivery;
    this.attempt = shared.attempt;
    this.logger = shared.logger;
    this.#run = run;
  }

  get deadline(): Date {
    return new Date(this.#run.deadlineMs);
  }

  get signal(): AbortSignal {
    return this.#run.signal;
  }
}

class TaskContext extends RunContext implements InboxContext<never> {
  readonly complete: InboxContext<never>["complete"];

  constructor(run: Run, shared: SharedContext, complete: InboxContext<never>["complete"]) {
    super(run, shared);
    this.complete = complete;
  }
}

/** One run of one handler, which holds a place of the handler's `load` until it ends. */
export class Run {
  readonly #handler: RegisteredHandler;
  readonly #subject: RunSubject;
  readonly #timeoutMs: number;
  readonly #startedMs: number;
  #called = false;
  #controller: AbortController | undefined;
  /** Why the run is over while its code may still be running. */
  #over: Error | undefined;
  #cancel: (() => void) | undefined;
  #settle: ((result: HandlerResult) => void) | undefined;

  /** Its place in the handler's `load` must have been taken. */
  constructor(handler: RegisteredHandler, subject: RunSubject) {
    this.#handler = handler;
    this.#subject = subject;
    this.#timeoutMs = handler.timeoutMs ?? subject.defaultTimeoutMs;
    this.#startedMs = timeOf(subject.clock);
  }

  /**
   * Runs the handler within its time limit, when its data is there. A promise only where the handler returns one, or
   * `data` is one; never rejects and never throws.
   */
  start(data: unknown): MaybePromise<HandlerResult> {
    try {
      // Not "any thenable": data may be an object with a member `then`, while a promise is our own.
      if (data instanceof Promise) return this.#watch(data.then((value) => this.#call(value)));
      const returned = this.#call(data);
      // Asking may throw what a getter or Proxy throws: that counts as the handler's failure.
      return isPromise(returned) ? this.#watch(returned) : this.end({ outcome: "done" });
    } catch (error) {
      return this.end({ outcome: "failed", error });
    }
  }

  /** When its time is up, in milliseconds since the epoch. */
  get deadlineMs(): number {
    return this.#startedMs + this.#timeoutMs;
  }

  /** Most handlers never ask for it. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#over !== undefined) this.#controller.abort(this.#over);
    }
    return this.#controller.signal;
  }

  /** Gives the place back and makes the result. */
  end(ending: Ending): HandlerResult {
    if (this.#over !== undefined) return this.#aborted(this.#over);
    this.#handler.load.running--;
    return this.#ended(ending);
  }

  /** Ends the run immediately, whatever its code does, and aborts its signal with `reason`. */
  abort(reason: Error): void {
    if (this.#over !== undefined) return;
    this.#cancel?.();
    this.#close(reason);
    this.#settle?.(this.#aborted(reason));
  }

  /** Calls the handler, unless the data came after the deadline. */
  #call(data: unknown): unknown {
    if (this.#over !== undefined) return undefined;
    this.#called = true;
    const { id, type, context } = this.#subject;
    const { handler } = this.#handler;
    const given =
      context.complete === undefined
        ? new RunContext(this, context)
        : new TaskContext(this, context, context.complete);
    return handler({ id, type, data }, given);
  }

  /** The result when `returned` settles, or at the deadline. */
  #watch(returned: unknown): Promise<HandlerResult> {
    if (this.#over !== undefined) {
      // Nobody waits for it; nor must it come up as an unhandled rejection.
      new Promise((resolve) => resolve(returned)).catch(() => {});
      return Promise.resolve(this.#aborted(this.#over));
    }
    return new Promise((settle) => {
      const { clock } = this.#subject;
      const cancel = clock.after(this.#remainingMs(), () => settle(this.#expire()));
      this.#cancel = cancel;
      this.#settle = settle;
      const settled = (ending: Ending): void => {
        if (this.#over !== undefined) {
          this.#reportLate(ending);
          return;
        }
        cancel();
        settle(this.end(ending));
      };
      // A promise of our own takes thenables that throw, or settle twice, and overridden `then`s.
      new Promise((resolve) => resolve(returned)).then(
        () => settled({ outcome: "done" }),
        (error: unknown) => settled({ outcome: "failed", error }),
      );
    });
  }

  #expire(): HandlerResult {
    const name = this.#handler.name;
    const error = new HandlerTimeoutError(
      `handler "${printable(name)}" was still running after ${this.#timeoutMs} ms`,
    );
    this.#close(error);
    return { name, outcome: "timed-out", durationMs: this.#durationMs(), error };
  }

  #close(reason: Error): void {
    this.#over = reason;
    this.#handler.load.running--;
    this.#controller?.abort(reason);
  }

  #aborted(error: Error): HandlerResult {
    return { name: this.#handler.name, outcome: "aborted", durationMs: this.#durationMs(), error };
  }

  /** Silent where the handler was not called, and where it gave up with the reason of its signal, as it should. */
  #reportLate(ending: Ending): void {
    if (!this.#called || (ending.outcome === "failed" && ending.error === this.#over)) return;
    try {
      this.#subject.onLate?.(this.#ended(ending));
    } catch {
      // The delivery was answered long ago: nobody is waiting for it.
    }
  }

  #ended(ending: Ending): LateResult {
    return { name: this.#handler.name, ...ending, durationMs: this.#durationMs() };
  }

  /** Within bounds even where the clock was set while the handler ran (ATTACKS H15). */
  #remainingMs(): number {
    return Math.max(0, this.#timeoutMs - this.#durationMs());
  }

  #durationMs(): number {
    return Math.max(0, timeOf(this.#subject.clock) - this.#startedMs);
  }
}

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
 * Runs all handlers of an event concurrently, each within its time limit. A promise only where a handler returns one (or
 * `nextData` does); never rejects and never throws. At its deadline a run counts as timed out and gives its place
 * under `concurrency` back, although its code may still be running: only its `signal` can stop that.
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
