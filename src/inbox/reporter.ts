import type { AnyHookgateError } from "../errors.js";
import type { TaskError } from "../types/engine.js";
import type { FailedReport, HandlerRun, Logger, ReplayedReport, ReportedTask } from "../types/report.js";

/** What happens to a task after a failed attempt. */
export interface NextAttempt {
  readonly maxAttempts: number;
  /** Milliseconds until the next attempt; undefined: the task is a dead letter. */
  readonly delayMs: number | undefined;
}

/** Where an inbox reports what happens: hooks, channels and the log. No method throws. */
export interface InboxReporter {
  readonly logger: Logger;
  /** Stored errors have their stack. */
  readonly keepStacks: boolean;
  handled(run: HandlerRun): void;
  /** `next`: with an inbox, what happens to the task. */
  failed(run: HandlerRun, code: FailedReport["code"], error: AnyHookgateError, next?: NextAttempt): void;
  claimed(task: ReportedTask): void;
  retried(task: ReportedTask, delayMs: number, error: TaskError): void;
  /** `ran`: a failed attempt was reported just before. */
  dead(task: ReportedTask, error: TaskError, ran?: boolean): void;
  replayed(report: Omit<ReplayedReport, "receiver">): void;
  /** `error`: undefined if the store does not answer. */
  storeFailed(error: unknown): void;
  storeRecovered(downMs: number): void;
  note(level: "warn" | "error", message: string, details: object): void;
}
