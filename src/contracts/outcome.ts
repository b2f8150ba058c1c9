import type { Refusal } from "../errors.js";

/** What became of a delivery; the http room turns it into an answer. */
export type Outcome =
  /** Every handler of the event is done. */
  | { readonly status: "handled"; readonly id: string }
  /** The inbox has stored the event. */
  | { readonly status: "accepted"; readonly id: string }
  /** The inbox had the event. */
  | { readonly status: "duplicate"; readonly id: string }
  /** No handler wants this type of event. `stored`: an inbox keeps it nevertheless. */
  | { readonly status: "ignored"; readonly id: string; readonly stored: boolean }
  /** An OPTIONS request. */
  | { readonly status: "options" }
  /** A check said no. */
  | { readonly status: "refused"; readonly refusal: Refusal }
  /** A handler failed or ran out of time. */
  | { readonly status: "failed"; readonly refusal: Refusal };
