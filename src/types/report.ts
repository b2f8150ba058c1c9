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

/** Told when a delivery passed every check: before its handlers run, or when the inbox has stored it. */
export interface AcceptedReport extends Report {
  readonly address: string | undefined;
  readonly caller: Caller;
  /** The secret or key that verified the body's signature, where the receiver's source has one. */
  readonly signedBy: string | undefined;
  readonly event: { readonly id: string; readonly type: string };
}

/** Told when a delivery is turned away, or would have been by a list in shadow mode. */
export interface RefusedReport extends Report {
  readonly code: ErrorCode;
  readonly status: number;
  /** Why, in words for the operator; no key, token or body in it. */
  readonly reason: string;
  readonly address: string | undefined;
  readonly method: string;
  /** False: an allowlist in shadow mode said no, and the delivery passed. */
  readonly enforced: boolean;
  /** The error of this code; `cause` and, for schema violations, `issues` say more. Made when asked for. */
  readonly error: AnyHookgateError;
}

/** An event that no handler is registered for. */
export interface IgnoredReport extends Report {
  readonly event: { readonly id: string; readonly type: string };
  /** Whether an inbox keeps it anyway, without tasks. */
  readonly stored: boolean;
}

/** One run of a handler, as reports tell of it. */
export interface HandlerRun {
  readonly requestId: string;
  readonly event: { readonly id: string; readonly type: string };
  readonly handler: string;
  readonly attempt: number;
  readonly durationMs: number;
  /** The store's name of the event; with an inbox alone. */
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
  /** The store's name of the event, such as `rec_42`. */
  readonly recordId: string;
  readonly event: { readonly id: string; readonly type: string };
  readonly handler: string;
  /** The attempt that it is about; 0 for a dead letter that never ran. */
  readonly attempt: number;
}

/** Told when a worker has claimed a task, before its handler runs. */
export interface ClaimedReport extends ReportedTask {
  readonly receiver: string;
}

/** Told when a failed task is to be tried again. */
export interface RetriedReport extends ClaimedReport {
  /** Milliseconds until the next attempt. */
  readonly delayMs: number;
  readonly error: TaskError;
}

/** Told when a task has become a dead letter. */
export interface DeadReport extends ClaimedReport {
  readonly error: TaskError;
}

/** Told when an operator had tasks replayed by `receiver.inbox.replay`. */
export interface ReplayedReport {
  readonly receiver: string;
  readonly selection: Selection;
  /** Undefined: those of all handlers. */
  readonly handlers: readonly string[] | undefined;
  /** Tasks that wait again. */
  readonly count: number;
}

/** The inbox's store stopped taking deliveries: reported once, until it takes them again. Meanwhile they are answered 503. */
export interface StoreFailedReport {
  readonly receiver: string;
  /** What the engine rejected with; undefined if it did not answer. */
  readonly error: unknown;
}

/** The inbox's store takes deliveries again. */
export interface StoreRecoveredReport {
  readonly receiver: string;
  /** Milliseconds since the failure was reported. */
  readonly downMs: number;
}

/** Functions told what happens. What they throw is logged and goes no further; nothing waits for them. */
export interface Hooks {
  readonly accepted?: ((report: AcceptedReport) => void) | undefined;
  readonly refused?: ((report: RefusedReport) => void) | undefined;
  readonly ignored?: ((report: IgnoredReport) => void) | undefined;
  readonly handled?: ((report: HandledReport) => void) | undefined;
  readonly failed?: ((report: FailedReport) => void) | undefined;
  /** With an inbox. */
  readonly claimed?: ((report: ClaimedReport) => void) | undefined;
  /** With an inbox. */
  readonly retried?: ((report: RetriedReport) => void) | undefined;
  /** With an inbox. */
  readonly dead?: ((report: DeadReport) => void) | undefined;
  /** With an inbox. */
  readonly replayed?: ((report: ReplayedReport) => void) | undefined;
  /** With an inbox. */
  readonly storeFailed?: ((report: StoreFailedReport) => void) | undefined;
  /** With an inbox. */
  readonly storeRecovered?: ((report: StoreRecoveredReport) => void) | undefined;
}

/** The report that the hook of this name is told: `ReportOf<"refused">`. */
export type ReportOf<Hook extends keyof Hooks> = Parameters<NonNullable<Hooks[Hook]>>[0];
