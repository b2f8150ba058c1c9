import type { MaybePromise } from "../contracts/credential.js";
import type { HandlerContext } from "../contracts/event.js";
import { HandlerTimeoutError } from "../errors.js";
import type { Clock } from "../lib/clock.js";
import { printable } from "../lib/printable.js";
import type { RegisteredHandler } from "./handlers.js";

/** What all handlers of one event are given alike. */
export type SharedContext = Pick<HandlerContext, "caller" | "delivery" | "attempt" | "logger">;

/** One event and those who are to handle it. */
export interface Dispatch {
  readonly id: string;
  readonly type: string;
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
  readonly context: SharedContext;
  readonly clock: Clock;
  /** Time limit in milliseconds of handlers without one of their own. */
  readonly defaultTimeoutMs: number;
  /** Told when a handler settles behind its deadline, after its result was given. What it throws is dropped. */
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

/** How a handler ended, or that it had not at its deadline. */
export type HandlerResult =
  | Done
  | Failed
  | (Ended & { readonly outcome: "timed-out"; readonly error: HandlerTimeoutError });

/** How a handler ended behind its deadline. */
export type LateResult = Done | Failed;

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
  try {
    const data = isFirst ? event.firstData : event.nextData();
    // Not "any thenable": data may be an object with a member `then`, while nextData's promise is our own.
    if (data instanceof Promise) return run.watch(data.then((value) => run.call(value)));
    const returned = run.call(data);
    return isThenable(returned) ? run.watch(returned) : run.end({ outcome: "done" });
  } catch (error) {
    return run.end({ outcome: "failed", error });
  }
}

/** Throws what a getter or Proxy throws: the caller counts that as the handler's failure. */
function isThenable(value: unknown): boolean {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return false;
  return typeof (value as { then?: unknown }).then === "function";
}

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

/** One run of one handler. */
class Run {
  readonly #handler: RegisteredHandler;
  readonly #event: Dispatch;
  readonly #timeoutMs: number;
  readonly #startedMs: number;
  #called = false;
  #controller: AbortController | undefined;
  #timeout: HandlerTimeoutError | undefined;

  constructor(handler: RegisteredHandler, event: Dispatch) {
    this.#handler = handler;
    this.#event = event;
    this.#timeoutMs = handler.timeoutMs ?? event.defaultTimeoutMs;
    this.#startedMs = event.clock.now();
  }

  /** Calls the handler, unless the data came behind the deadline. */
  call(data: unknown): unknown {
    if (this.#timeout !== undefined) return undefined;
    this.#called = true;
    const { id, type } = this.#event;
    const { handler } = this.#handler;
    return handler({ id, type, data }, new RunContext(this, this.#event.context));
  }

  /** When its time is up, in milliseconds since the epoch. */
  get deadlineMs(): number {
    return this.#startedMs + this.#timeoutMs;
  }

  /** Most handlers never ask for it. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#timeout !== undefined) this.#controller.abort(this.#timeout);
    }
    return this.#controller.signal;
  }

  /** Gives the place back and makes the result. */
  end(ending: Ending): HandlerResult {
    this.#handler.load.running--;
    return this.#ended(ending);
  }

  /** The result when `returned` settles, or at the deadline. */
  watch(returned: unknown): Promise<HandlerResult> {
    return new Promise((settle) => {
      const cancel = this.#event.clock.after(this.#remainingMs(), () => settle(this.#expire()));
      const settled = (ending: Ending): void => {
        if (this.#timeout !== undefined) {
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
    this.#timeout = error;
    this.#handler.load.running--;
    this.#controller?.abort(error);
    return { name, outcome: "timed-out", durationMs: this.#durationMs(), error };
  }

  /** Silent where the handler was not called, and where it gave up with the reason of its signal, as it should. */
  #reportLate(ending: Ending): void {
    if (!this.#called || (ending.outcome === "failed" && ending.error === this.#timeout)) return;
    try {
      this.#event.onLate?.(this.#ended(ending));
    } catch {
      // The delivery was answered long ago: there is no one left to tell.
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
    return Math.max(0, this.#event.clock.now() - this.#startedMs);
  }
}
