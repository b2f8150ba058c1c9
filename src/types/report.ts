import type { AnyHookgateError, ErrorCode } from "../errors.js";
import type { Caller } from "./delivery.js";
import type { Selection, TaskError } from "./engine.js";

/** What every report has. */
interface Report {
  /** The receiver's `name`, or the name of a stand-alone guard. */
  readonly receiver: string;
  /** Also in the answer, as `X-Request-Id`. */
  readonly requestId: string;
}

/** An event, as reports name it. */
interface ReportedEvent {
  /** The sender's id, or the derived one. */
  readonly id: string;
  /** The event's type. */
  readonly type: string;
}

/** Told when a delivery passed every check: before its handlers run, or when the inbox has stored it. */
export interface AcceptedReport extends Report {
  /** The sender's address; undefined if it cannot be known. */
  readonly address: string | undefined;
  /** Who the delivery proved to be. */
  readonly caller: Caller;
  /** The secret or key that verified the body's signature, where the receiver's source has one. */
  readonly signedBy: string | undefined;
  /** The event that was accepted. */
  readonly event: ReportedEvent;
}

/** Told when a delivery is turned away, or would have been by a list in shadow mode. */
export interface RefusedReport extends Report {
  /** Code of the refusal; see the error reference. */
  readonly code: ErrorCode;
  /** Status of the answer. */
  readonly status: number;
  /** Why, in words for the operator; no key, token or body in it. */
  readonly reason: string;
  /** The sender's address; undefined if it cannot be known. */
  readonly address: string | undefined;
  /** The request's method. */
  readonly method: string;
  /** False: an allowlist in shadow mode said no, and the delivery passed. */
  readonly enforced: boolean;
  /** The error of this code; `cause` and, for schema violations, `issues` say more. Made when asked for. */
  readonly error: AnyHookgateError;
}

/** An event that no handler is registered for. */
export interface IgnoredReport extends Report {
  /** The event that was ignored. */
  readonly event: ReportedEvent;
  /** Whether an inbox keeps it anyway, without tasks. */
  readonly stored: boolean;
}

/** One run of a handler, as reports tell of it. */
export interface HandlerRun {
  /** Id of the request that brought the event. */
  readonly requestId: string;
  /** The event that was handled. */
  readonly event: ReportedEvent;
  /** Name of the handler. */
  readonly handler: string;
  /** 1 for the first run since acceptance or the last replay. */
  readonly attempt: number;
  /** How long the run took, in milliseconds. */
  readonly durationMs: number;
  /** The store's own id of the event, such as `rec_42`; only with an inbox. */
  readonly recordId?: string;
}

/** Told when a handler is done with an event; with an inbox, when the store has it. */
export interface HandledReport extends Report, HandlerRun {}

/** Told when a handler threw, rejected or ran out of time; with an inbox, of every failed attempt that the store has. */
export interface FailedReport extends HandledReport {
  /** `ERR_EVENT_INVALID`, with an inbox alone: the stored data breaks the schema as it is now. */
  readonly code: "ERR_HANDLER_FAILED" | "ERR_HANDLER_TIMEOUT" | "ERR_EVENT_INVALID";
  /** `cause` is what the handler threw. */
  readonly error: AnyHookgateError;
}

/** A task, as reports tell of it. */
export interface ReportedTask {
  /** The store's own id of the event, such as `rec_42`. */
  readonly recordId: string;
  /** The event of the task. */
  readonly event: ReportedEvent;
  /** Name of the handler. */
  readonly handler: string;
  /** The attempt that it is about; 0 for a dead letter that never ran. */
  readonly attempt: number;
}

/** Told when a worker has claimed a task, before its handler runs. */
export interface ClaimedReport extends ReportedTask {
  /** The receiver's `name`. */
  readonly receiver: string;
}

/** Told when a failed task is to be tried again. */
export interface RetriedReport extends ClaimedReport {
  /** Milliseconds until the next attempt. */
  readonly delayMs: number;
  /** Why the attempt failed. */
  readonly error: TaskError;
}

/** Told when a task has become a dead letter. */
export interface DeadReport extends ClaimedReport {
  /** Why the task is dead: the error of its last attempt, or data that breaks its schema. */
  readonly error: TaskError;
}

/** Told when an operator had tasks replayed by `receiver.inbox.replay`. */
export interface ReplayedReport {
  /** The receiver's `name`. */
  readonly receiver: string;
  /** The events that were selected. */
  readonly selection: Selection;
  /** Undefined: those of all handlers. */
  readonly handlers: readonly string[] | undefined;
  /** Tasks that wait again. */
  readonly count: number;
}

/** The inbox's store stopped taking deliveries: reported once, until it takes them again. Meanwhile they are answered 503. */
export interface StoreFailedReport {
  /** The receiver's `name`. */
  readonly receiver: string;
  /** What the engine rejected with; undefined if it did not answer. */
  readonly error: unknown;
}

/** The inbox's store takes deliveries again. */
export interface StoreRecoveredReport {
  /** The receiver's `name`. */
  readonly receiver: string;
  /** Milliseconds since the failure was reported. */
  readonly downMs: number;
}

/** Functions told what happens. What they throw is logged and goes no further; nothing waits for them. */
export interface Hooks {
  /** A delivery has passed every check. */
  readonly accepted?: ((report: AcceptedReport) => void) | undefined;
  /** A delivery was refused, or would have been by a list in shadow mode. */
  readonly refused?: ((report: RefusedReport) => void) | undefined;
  /** An event came that no handler is registered for. */
  readonly ignored?: ((report: IgnoredReport) => void) | undefined;
  /** A handler is done with an event. */
  readonly handled?: ((report: HandledReport) => void) | undefined;
  /** A handler has failed or ran out of time. */
  readonly failed?: ((report: FailedReport) => void) | undefined;
  /** A worker has claimed a task; its handler is about to run. Only with an inbox. */
  readonly claimed?: ((report: ClaimedReport) => void) | undefined;
  /** A failed task will be tried again. Only with an inbox. */
  readonly retried?: ((report: RetriedReport) => void) | undefined;
  /** A task has become a dead letter. Only with an inbox. */
  readonly dead?: ((report: DeadReport) => void) | undefined;
  /** An operator has replayed tasks with `receiver.inbox.replay`. Only with an inbox. */
  readonly replayed?: ((report: ReplayedReport) => void) | undefined;
  /** The store has stopped taking deliveries. Only with an inbox. */
  readonly storeFailed?: ((report: StoreFailedReport) => void) | undefined;
  /** The store takes deliveries again. Only with an inbox. */
  readonly storeRecovered?: ((report: StoreRecoveredReport) => void) | undefined;
}

/** The report that the hook of this name is told: `ReportOf<"refused">`. */
export type ReportOf<Hook extends keyof Hooks> = Parameters<NonNullable<Hooks[Hook]>>[0];

/** A pino-compatible logger: an object of details first, a sentence second. */
export interface Logger {
  /** Details of normal operation. */
  debug(details: object, message: string): void;
  /** Normal operation. */
  info(details: object, message: string): void;
  /** What an operator should look at. */
  warn(details: object, message: string): void;
  /** What an operator must act on. */
  error(details: object, message: string): void;
  /** pino's way to say that a level is switched off; asked once, so that its lines need not be put together. */
  isLevelEnabled?(level: string): boolean;
}

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
