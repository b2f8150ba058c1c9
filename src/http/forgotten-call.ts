import type { IncomingMessage, ServerResponse } from "node:http";
import { OptionError } from "../lib/options.js";
import type { Middleware } from "./middleware.js";

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
