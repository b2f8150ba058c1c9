import type { IncomingMessage, ServerResponse } from "node:http";
import { OptionError } from "../lib/options.js";
import type { Caller } from "../types/delivery.js";

declare global {
  // biome-ignore lint/style/noNamespace: Express's own way to let others add to its Request.
  namespace Express {
    interface Request {
      /** Who sent this request; set by `requireAuth` and by a receiver once the credential has passed. */
      caller?: Caller;
      /** The body's bytes; set by a receiver once it has read them. */
      rawBody?: Buffer;
    }
  }
}

/** Middleware in the shape that Express, connect and friends share. */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

/**
 * Middleware that hands every request to `receive`, which answers it, and never calls `next`. If the first request shows that
 * it is mounted for some methods only, `onFault` is told.
 */
export function withMountCheck(
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

/**
 * The member `middleware` of a receiver. Called without arguments it returns the middleware; called by a server, because the
 * parentheses were forgotten (`app.all("/hooks", receiver.middleware)`), it is the middleware.
 */
export interface ReceiverMiddleware {
  (): Middleware;
  (req: IncomingMessage, res: ServerResponse, next?: (error?: unknown) => void): void;
}

/** `receive` answers every request itself. */
export function createReceiverMiddleware(receive: Middleware): ReceiverMiddleware {
  function middleware(): Middleware;
  function middleware(req: IncomingMessage, res: ServerResponse, next?: (error?: unknown) => void): void;
  function middleware(
    req?: IncomingMessage,
    res?: ServerResponse,
    next: (error?: unknown) => void = () => {},
  ): Middleware | undefined {
    if (req === undefined || res === undefined) return receive;
    receive(req, res, next);
    return undefined;
  }
  return middleware;
}

/** Whether what should be an option is a request: a server called the function that was to be called beforehand. */
export function isRequest(value: unknown): boolean {
  return typeof value === "object" && value !== null && Array.isArray(Reflect.get(value, "rawHeaders"));
}

/** Throws where a function that makes middleware was mounted instead of what it makes. `call` is how it is meant. */
export function assertCalled(value: unknown, name: string, call: string): void {
  if (isRequest(value)) {
    throw new OptionError(name, ` was mounted itself, and every request is refused: call it, as in ${call}`);
  }
}

/**
 * The methods that an Express route answers, where it does not answer all; undefined where it does. `router.all`
 * marks the route `_all`, `app.all` names every method that Node knows.
 */
export function partialMethods(route: unknown): readonly string[] | undefined {
  const methods: unknown =
    typeof route === "object" && route !== null ? Reflect.get(route, "methods") : undefined;
  if (typeof methods !== "object" || methods === null) return undefined;
  const named = Object.keys(methods);
  const all = named.includes("_all") || (named.includes("options") && named.includes("put"));
  return all ? undefined : named;
}
