import type { ErrorCode } from "../errors.js";

/** A request as it came, or as one imagines it. */
export interface ExplainRequest {
  /** Default: POST. */
  readonly method?: string | undefined;
  /** Path and query. Default: "/". */
  readonly url?: string | undefined;
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined;
  /** The address that the connection comes from, as `socket.remoteAddress` has it. */
  readonly remoteAddress?: string | undefined;
  /** Text or bytes as they are; anything else as JSON. */
  readonly body?: unknown;
}

/** One step of the decision. */
export interface ExplainedStep {
  readonly step:
    | "method, address, headers, length"
    | "credential"
    | "allowlists of the caller"
    | "signature"
    | "body"
    | "handlers"
    | "schema";
  /** `warned`: a list in shadow mode said no. `skipped`: an earlier step had refused, or there was nothing to do. */
  readonly result: "passed" | "warned" | "refused" | "skipped";
  /** What was found, for the operator. No key, token or body in it. */
  readonly detail: string;
}

/** What would become of a request, and why. */
export interface Explanation {
  /** The status that the sender would get, provided that the handlers do their part. */
  readonly status: number;
  /** Undefined where the delivery would be accepted. */
  readonly code: ErrorCode | undefined;
  readonly steps: readonly ExplainedStep[];
}
