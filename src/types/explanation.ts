import type { ErrorCode } from "../errors.js";

/** A request as it came, or as one imagines it. */
export interface ExplainRequest {
  /** Default: POST. */
  readonly method?: string | undefined;
  /** Path and query. Default: "/". */
  readonly url?: string | undefined;
  /** Headers by name. Default: none. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined;
  /** The address that the connection comes from, as `socket.remoteAddress` has it. */
  readonly remoteAddress?: string | undefined;
  /** Text or bytes as they are; anything else as JSON. */
  readonly body?: unknown;
}

/** The checks of a delivery, in the order in which they are asked. */
export type CheckName =
  | "method"
  | "address"
  | "handshake"
  | "headers"
  | "content type"
  | "capacity"
  | "credential"
  | "owner allowlist"
  | "capacity to read"
  | "body"
  | "capacity to handle"
  | "body hash"
  | "signature"
  | "parse"
  | "challenge"
  | "events"
  | "handlers"
  | "schema";

/** One step of the decision: one check. */
export interface ExplainedStep {
  /** Name of the check. */
  readonly step: CheckName;
  /**
   * `warned`: a list in shadow mode said no, or the data will be kept as a dead letter. `skipped`: an earlier check had
   * decided, there is nothing to check, or the check depends on what else is in progress.
   */
  readonly result: "passed" | "warned" | "refused" | "answered" | "skipped";
  /** What was found, for the operator. No key, token or body in it. */
  readonly detail: string;
}

/** What would become of a request, and why. */
export interface Explanation {
  /**
   * The status that the sender would get if the handlers, or the inbox, do their part. Load and earlier failures of the
   * sender are not looked at: a live request may be answered 503 or 429 instead, as its steps say.
   */
  readonly status: number;
  /** Undefined where the delivery would be accepted. */
  readonly code: ErrorCode | undefined;
  /** Every check, in the order in which they run. */
  readonly steps: readonly ExplainedStep[];
}
