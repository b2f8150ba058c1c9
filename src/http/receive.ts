import type { IncomingMessage } from "node:http";
import type { Outcome } from "../contracts/outcome.js";
import { type Challenge, createAnswers, newRequestId } from "./answers.js";
import type { Middleware } from "./guard.js";

/** Where deliveries go. `deliver` must not throw, and tells `settle` the outcome once. */
export interface Deliverer {
  deliver(req: IncomingMessage, requestId: string, settle: (outcome: Outcome) => void): void;
}

/** Middleware that hands every request to `way` and answers with what became of it. Never calls `next`. */
export function createReceive(way: Deliverer, challenge: Challenge): Middleware {
  const answers = createAnswers(challenge);
  return function receive(req, res) {
    const requestId = newRequestId();
    way.deliver(req, requestId, (outcome) => answers.send(res, outcome, requestId));
  };
}
