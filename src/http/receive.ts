import type { IncomingMessage } from "node:http";
import type { MaybePromise } from "../contracts/credential.js";
import type { Outcome } from "../contracts/outcome.js";
import { type Challenge, createAnswers, newRequestId } from "./answers.js";
import type { Middleware } from "./guard.js";

/** Where deliveries go. `deliver` must not throw or reject. */
export interface Deliverer {
  deliver(req: IncomingMessage, requestId: string): MaybePromise<Outcome>;
}

/** Middleware that hands every request to `way` and answers with what became of it. Never calls `next`. */
export function createReceive(way: Deliverer, challenge: Challenge): Middleware {
  const answers = createAnswers(challenge);
  return function receive(req, res) {
    const requestId = newRequestId();
    const outcome = way.deliver(req, requestId);
    if (outcome instanceof Promise) void outcome.then((settled) => answers.send(res, settled, requestId));
    else answers.send(res, outcome, requestId);
  };
}
