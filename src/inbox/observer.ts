import type { TaskError } from "../contracts/engine.js";
import type { Logger } from "../contracts/logger.js";
import type { FailedReport, HandlerRun, ReplayedReport, ReportedTask } from "../contracts/report.js";
import type { AnyHookgateError } from "../errors.js";

/** Who an inbox tells what happens: hooks, channels and the log. None of it throws. */
export interface InboxObserver {
  readonly logger: Logger;
  handled(run: HandlerRun): void;
  failed(run: HandlerRun, code: FailedReport["code"], error: AnyHookgateError): void;
  claimed(task: ReportedTask): void;
  retried(task: ReportedTask, delayMs: number, error: TaskError): void;
  dead(task: ReportedTask, error: TaskError): void;
  replayed(report: Omit<ReplayedReport, "receiver">): void;
  note(level: "warn" | "error", message: string, details: object): void;
}
