import type { IncomingMessage } from "node:http";
import type { KnownDelivery, Outcome } from "../types/outcome.js";
import type { Source } from "../types/source.js";
import type { Middleware } from "./guard.js";
import { partialMethods } from "./mount.js";
import { type Challenge, createAnswers, newRequestId } from "./responses.js";

/** Who waits for the outcome of a delivery. */
export interface Awaiting {
  readonly requestId: string;
  /** Calls the listener where the sender leaves before it has its answer; returns the function that ends that. */
  onGone(listener: () => void): () => void;
  /** Told the outcome once, and what is known of the delivery by then. */
  settle(outcome: Outcome, known: KnownDelivery): void;
}

/** Where deliveries go. `deliver` must not throw. */
export interface Deliverer {
  deliver(req: IncomingMessage, awaiting: Awaiting): void;
}

/**
 * Middleware that hands every request to `way` and answers with what became of it. Never calls `next`. On the first
 * request `onFault` is told where it was mounted in a way that cannot be meant.
 */
export function createReceive(
  way: Deliverer,
  challenge: Challenge,
  onFault: (message: string) => void,
  ofSource?: Source["answer"],
): Middleware {
  const answers = createAnswers(challenge, ofSource, onFault);
  let mountKnown = false;
  return function receive(req, res) {
    if (!mountKnown) {
      mountKnown = true;
      const fault = mountFault(req);
      if (fault !== undefined) onFault(fault);
    }
    const requestId = newRequestId();
    way.deliver(req, {
      requestId,
      // Not the request: its "close" comes as soon as its body is read.
      onGone(listener) {
        res.once("close", listener);
        return () => res.off("close", listener);
      },
      settle: (outcome, known) => answers.send(res, outcome, requestId, known),
    });
  };
}

/** Express leaves the route that matched on the request. */
function mountFault(req: IncomingMessage): string | undefined {
  const methods = partialMethods(Reflect.get(req, "route"));
  if (methods === undefined) return undefined;
  return (
    `the receiver is mounted for ${methods.join(", ")} only, so that Express answers other methods with its own 404; ` +
    "mount it with app.all: HEAD, OPTIONS and 405 are the receiver's to answer"
  );
}
