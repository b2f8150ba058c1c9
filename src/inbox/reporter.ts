import type { AnyHookgateError } from "../errors.js";
import type { TaskError } from "../types/engine.js";
import type { Logger } from "../types/logger.js";
import type { FailedReport, HandlerRun, ReplayedReport, ReportedTask } from "../types/report.js";

/** What becomes of a task after a failed attempt. */
export interface NextAttempt {
  readonly maxAttempts: number;
  /** Milliseconds until the next attempt; undefined: the task is a dead letter. */
  readonly delayMs: number | undefined;
}

/** Who an inbox tells what happens: hooks, channels and the log. None of it throws. */
export interface InboxReporter {
  readonly logger: Logger;
  /** Whether kept errors have their stack. */
  readonly keepStacks: boolean;
  handled(run: HandlerRun): void;
  /** `next`: with an inbox, what becomes of the task. */
  failed(run: HandlerRun, code: FailedReport["code"], error: AnyHookgateError, next?: NextAttempt): void;
  claimed(task: ReportedTask): void;
  retried(task: ReportedTask, delayMs: number, error: TaskError): void;
  /** `ran`: a failed attempt of it was told just before. */
  dead(task: ReportedTask, error: TaskError, ran?: boolean): void;
  replayed(report: Omit<ReplayedReport, "receiver">): void;
  /** `error`: undefined where the store does not answer. */
  storeFailed(error: unknown): void;
  storeRecovered(downMs: number): void;
  note(level: "warn" | "error", message: string, details: object): void;
}
