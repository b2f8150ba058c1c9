import { HandlerFailedError, Refusal, StoppedError } from "../errors.js";
import type { RegisteredHandler } from "../events/handlers.js";
import { boundedDelay, defaultRetry } from "../events/retry-policy.js";
import { type HandlerResult, type LateResult, Run, type RunSubject } from "../events/run-handlers.js";
import { invalidDataError } from "../events/schemas.js";
import type { Clock } from "../lib/clock.js";
import { errorFrom, isInstance, taskErrorOf } from "../lib/kept-error.js";
import { printable } from "../lib/printable.js";
import { isPromise } from "../lib/promises.js";
import { LeaseLostError, NonRetriableError, RetryAfterError } from "../lib/task-errors.js";
import type { Delivery } from "../types/delivery.js";
import type { Lease, SettledReport, StoredDelivery, Task, Verdict } from "../types/engine.js";
import type { HandlerRun, InboxReporter, NextAttempt, ReportedTask } from "../types/report.js";
import type { InboxSettings } from "./options.js";

/** Reads the data of a stored event with the current schema; a Refusal if it breaks the schema. */
export type ReadData = (
  task: Pick<Task, "event" | "delivery" | "position">,
) => { readonly value: unknown } | Refusal | Promise<{ readonly value: unknown } | Refusal>;

/** What a worker needs. */
export interface WorkerParts {
  readonly settings: Pick<InboxSettings, "maxAttempts" | "retry">;
  readonly handlers: ReadonlyMap<string, RegisteredHandler>;
  readonly defaultTimeoutMs: number;
  readonly readData: ReadData;
  readonly clock: Clock;
  readonly reporter: InboxReporter;
  /** From 0 up to 1; the seam for tests. */
  readonly random: () => number;
}

/** A run whose verdict is not stored yet. */
interface OpenRun {
  readonly requestId: string;
  result: HandlerResult | undefined;
}

/** Runs claimed tasks, and reports their outcome once the store has it. */
export class Worker<Tx> {
  readonly #parts: WorkerParts;
  readonly #running = new Set<Run>();
  readonly #open = new Map<string, OpenRun>();
  #closed = false;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
  }

  /** Runs one task to its verdict; for `InboxEngine.consume`. Never rejects. */
  async run(task: Task, lease: Lease<Tx>): Promise<Verdict> {
    const handler = this.#parts.handlers.get(task.handler);
    if (handler === undefined || this.#closed) return { outcome: "release" };
    this.#parts.reporter.claimed(reported(task));
    const open: OpenRun = { requestId: task.delivery.requestId, result: undefined };
    this.#open.set(keyOf(task), open);
    let data: unknown;
    const seen = (value: unknown): unknown => {
      data = value;
      return value;
    };
    handler.load.running++;
    const run = new Run(handler, this.#subject(task, lease));
    this.#running.add(run);
    lease.onLost(() => run.abort(new LeaseLostError()));
    const result = await this.#start(run, task, seen);
    this.#running.delete(run);
    open.result = result;
    if (result.outcome === "aborted" && this.#closed) return { outcome: "release" };
    return verdictOf(result, { task, data, handler, ...this.#parts });
  }

  /** Reports a verdict that was stored or refused; for `InboxEngine.consume`. */
  settled(report: SettledReport): void {
    const key = keyOf(report);
    const open = this.#open.get(key);
    this.#open.delete(key);
    const { reporter } = this.#parts;
    const { verdict } = report;
    const task = reported(report);
    if (verdict.outcome === "release") return;
    if (!report.kept) {
      reporter.note(
        "warn",
        `the lease on a task was lost while handler "${printable(task.handler)}" had it`,
        task,
      );
      return;
    }
    const ran = open?.result !== undefined;
    if (open?.result !== undefined) this.#reportRun(task, open.requestId, open.result, verdict);
    if (verdict.outcome === "retry") reporter.retried(task, verdict.delayMs, verdict.error);
    else if (verdict.outcome === "dead") reporter.dead(task, verdict.error, ran);
  }

  /** Aborts every run, so that their tasks are released; no further one is run. */
  release(): void {
    this.#closed = true;
    for (const run of this.#running) run.abort(new StoppedError("the receiver is being closed"));
  }

  /** Runs in progress. */
  get running(): number {
    return this.#running.size;
  }

  #start(run: Run, task: Task, seen: (value: unknown) => unknown): HandlerResult | Promise<HandlerResult> {
    let data: ReturnType<ReadData>;
    try {
      data = this.#parts.readData(task);
    } catch (error) {
      return run.end({ outcome: "failed", error });
    }
    if (isPromise(data)) return run.start(data.then((settled) => seen(checkedValue(settled))));
    if (data instanceof Refusal) return run.end({ outcome: "failed", error: new InvalidData(data) });
    return run.start(seen(data.value));
  }

  #subject(task: Task, lease: Lease<Tx>): RunSubject {
    const { clock, reporter, defaultTimeoutMs } = this.#parts;
    const { delivery, attempt } = task;
    return {
      id: task.event.id,
      type: task.event.type,
      context: {
        caller: delivery.caller,
        delivery: deliveryOf(delivery),
        attempt,
        logger: reporter.logger,
        // The context's type has the engine's Tx, which is opaque here.
        complete: (write) => lease.complete(write as Parameters<Lease<Tx>["complete"]>[0]),
      },
      clock,
      defaultTimeoutMs,
      onLate: (late) => this.#reportLate(task, late),
    };
  }

  #reportLate(task: Task, { durationMs, ...late }: LateResult): void {
    const message = `handler "${printable(task.handler)}" finished after its run had ended (${late.outcome})`;
    const error = late.outcome === "failed" ? { err: late.error } : {};
    this.#parts.reporter.note("warn", message, { ...reported(task), durationMs, ...error });
  }

  #reportRun(task: ReportedTask, requestId: string, result: HandlerResult, verdict: Verdict): void {
    const { reporter } = this.#parts;
    const { durationMs } = result;
    const { recordId, event, handler, attempt } = task;
    const run: HandlerRun = { requestId, event, handler, attempt, durationMs, recordId };
    if (verdict.outcome === "done") {
      reporter.handled(run);
      if (result.outcome === "done") return;
      const message = `handler "${printable(handler)}" failed after its task was completed, which stays completed`;
      reporter.note("warn", message, { ...task, err: result.error });
      return;
    }
    const next = this.#nextAttempt(handler, verdict);
    if (result.outcome === "timed-out") reporter.failed(run, "ERR_HANDLER_TIMEOUT", result.error, next);
    else if (result.outcome !== "done") this.#reportFailure(run, result.error, next);
    // A run that is done and retried did not wait for its completion, which failed.
    else this.#reportFailure(run, "error" in verdict ? errorFrom(verdict.error) : undefined, next);
  }

  #nextAttempt(handler: string, verdict: Verdict): NextAttempt {
    const { handlers, settings } = this.#parts;
    return {
      maxAttempts: handlers.get(handler)?.maxAttempts ?? settings.maxAttempts,
      delayMs: verdict.outcome === "retry" ? verdict.delayMs : undefined,
    };
  }

  #reportFailure(run: HandlerRun, error: unknown, next: NextAttempt): void {
    const { reporter } = this.#parts;
    if (isInstance(error, InvalidData)) {
      reporter.failed(run, "ERR_EVENT_INVALID", error.refusal.toError(), next);
      return;
    }
    const message = `handler "${printable(run.handler)}" failed`;
    reporter.failed(run, "ERR_HANDLER_FAILED", new HandlerFailedError(message, { cause: error }), next);
  }
}

/** Throws InvalidData, for a run to fail with. */
function checkedValue(data: { readonly value: unknown } | Refusal): unknown {
  if (data instanceof Refusal) throw new InvalidData(data);
  return data.value;
}

function keyOf({ recordId, handler }: { readonly recordId: string; readonly handler: string }): string {
  return `${recordId} ${handler}`;
}

function reported({ recordId, event, handler, attempt }: ReportedTask): ReportedTask {
  return { recordId, event: { id: event.id, type: event.type }, handler, attempt };
}

function deliveryOf(stored: StoredDelivery): Delivery {
  const { requestId, method, url, address, rawBody } = stored;
  return {
    requestId,
    method,
    url,
    headers: stored.headers as Delivery["headers"],
    address,
    receivedAt: new Date(stored.receivedAtMs),
    rawBody,
  };
}

/** Fails a run whose stored data breaks the schema. */
export class InvalidData extends Error {
  /** ERR_EVENT_INVALID, or why the bytes could not be read. */
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.reason);
    this.name = "InvalidData";
    this.refusal = refusal;
  }
}

/** What a verdict depends on, other than the result. */
export interface VerdictParts {
  readonly task: Task;
  /** The event's data; undefined if it could not be read. */
  readonly data: unknown;
  readonly handler: RegisteredHandler;
  readonly settings: Pick<InboxSettings, "maxAttempts" | "retry">;
  readonly reporter: Pick<InboxReporter, "note" | "keepStacks">;
  readonly random: () => number;
}

const done: Verdict = { outcome: "done" };

/** The verdict on a task by the result of its run. Never throws, whatever was thrown. */
function verdictOf(result: HandlerResult, parts: VerdictParts): Verdict {
  if (result.outcome === "done") return done;
  const thrown: unknown = result.error;
  if (isInstance(thrown, InvalidData)) return { outcome: "dead", error: invalidDataError(thrown.refusal) };
  const { task, handler, settings, reporter } = parts;
  const error = taskErrorOf(thrown, reporter.keepStacks);
  if (
    isInstance(thrown, NonRetriableError) ||
    task.attempt >= (handler.maxAttempts ?? settings.maxAttempts)
  ) {
    return { outcome: "dead", error };
  }
  const delayMs = requestedDelay(thrown) ?? retryDelay(thrown, parts);
  return delayMs === undefined ? { outcome: "dead", error } : { outcome: "retry", delayMs, error };
}

/** The delay of a RetryAfterError; undefined if its member was overwritten with something else. */
function requestedDelay(thrown: unknown): number | undefined {
  try {
    if (!(thrown instanceof RetryAfterError)) return undefined;
    const { delayMs } = thrown;
    return typeof delayMs === "number" && delayMs >= 0 ? boundedDelay(delayMs) : undefined;
  } catch {
    return undefined;
  }
}

function retryDelay(error: unknown, { task, data, handler, settings, reporter, random }: VerdictParts) {
  const { id, type } = task.event;
  const failure = { attempt: task.attempt, error, event: { id, type, data } };
  const chance = random();
  try {
    return (handler.retry ?? settings.retry).delayMs(failure, chance);
  } catch (fault) {
    const message = `the retry function for handler "${printable(handler.name)}" failed; the default back-off applies`;
    reporter.note("error", message, { err: fault });
    return defaultRetry.delayMs(failure, chance);
  }
}
