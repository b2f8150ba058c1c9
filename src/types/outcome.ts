import type { Refusal } from "../errors.js";
import type { SourceAnswer } from "./source.js";

/** What became of a delivery; the http room turns it into an answer. `ids`: of its events, in their order. */
export type Outcome =
  /** Every handler of the events is done. */
  | { readonly status: "handled"; readonly ids: readonly string[] }
  /** The inbox has stored the events. */
  | { readonly status: "accepted"; readonly ids: readonly string[] }
  /** The inbox had the events. */
  | { readonly status: "duplicate"; readonly ids: readonly string[] }
  /** No handler wants events of these types. `stored`: an inbox keeps them nevertheless. */
  | { readonly status: "ignored"; readonly ids: readonly string[]; readonly stored: boolean }
  /** An OPTIONS request. */
  | { readonly status: "options" }
  /** The source's own answer to what is no delivery. */
  | { readonly status: "handshake"; readonly answer: SourceAnswer }
  /** A check said no. */
  | { readonly status: "refused"; readonly refusal: Refusal }
  /** A handler failed or ran out of time. */
  | { readonly status: "failed"; readonly refusal: Refusal };
