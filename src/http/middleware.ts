import type { IncomingMessage, ServerResponse } from "node:http";
import { partialMethods } from "./mount.js";

/** Middleware in the shape that Express, connect and friends share. */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

/**
 * Middleware that hands every request to `receive`, which answers it, and never calls `next`. On the first request `onFault`
 * is told where it was mounted in a way that cannot be meant.
 */
export function createReceive(
  receive: (req: IncomingMessage, res: ServerResponse) => void,
  onFault: (message: string) => void,
): Middleware {
  let mountKnown = false;
  return function receiver(req, res) {
    if (!mountKnown) {
      mountKnown = true;
      const fault = mountFault(req);
      if (fault !== undefined) onFault(fault);
    }
    receive(req, res);
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
