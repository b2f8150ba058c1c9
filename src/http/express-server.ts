import type { RequestListener, Server } from "node:http";
import { createServer, IncomingMessage, ServerResponse } from "../lib/module-loading.js";
import { describe, OptionError } from "../lib/options.js";

/** An Express app, in the members that are used of it. */
export interface ExpressApp {
  /** The app's prototype of requests. */
  readonly request: object;
  /** The app's prototype of responses. */
  readonly response: object;
}

/**
 * A server for an Express 4 or 5 app, to be used where `app.listen` or `http.createServer(app)` stood: on Node.js 20 and 22
 * with about a third of the CPU time per request that Express itself costs there. Express gives each request and response the
 * app's own prototype, and V8 keeps an object whose prototype was changed until the next full garbage collection, with all
 * that hangs from it. This server makes them with that prototype at once, so that nothing is left to change. All else is as
 * before. From Node.js 24 on, where nothing is to be gained any more, it is `http.createServer(app)`. Throws a TypeError for
 * what is no Express app.
 *
 * @example
 * createExpressServer(app).listen(3000);
 */
export function createExpressServer(app: RequestListener & ExpressApp): Server {
  const { request, response } = (app ?? {}) as Partial<ExpressApp>;
  const isApp =
    typeof app === "function" && isMade(request, IncomingMessage) && isMade(response, ServerResponse);
  if (!isApp)
    throw new OptionError("createExpressServer's app", ` must be an Express app, not ${describe(app)}`);
  return createServer(constructorsOf(app, Number.parseInt(process.versions.node, 10)), app);
}

/** Measured on Node.js 24.21 and 26.10: no difference; on 20.20 and 22.23: 2.6 to 3.8 times the requests. */
const firstWithoutGain = 24;

/** What `createServer` makes requests and responses with; its own where there is nothing to gain. */
export function constructorsOf(
  { request, response }: ExpressApp,
  nodeMajor: number,
): { readonly IncomingMessage?: typeof IncomingMessage; readonly ServerResponse?: typeof ServerResponse } {
  if (nodeMajor >= firstWithoutGain) return {};
  return {
    IncomingMessage: madeAs(IncomingMessage, request),
    ServerResponse: madeAs(ServerResponse, response),
  };
}

function isMade(prototype: unknown, base: typeof IncomingMessage | typeof ServerResponse): boolean {
  return typeof prototype === "object" && prototype !== null && prototype instanceof base;
}

/** A constructor whose instances are made by `base`, with another prototype from the start. */
function madeAs<Base extends typeof IncomingMessage | typeof ServerResponse>(
  base: Base,
  prototype: object,
): Base {
  // Measured: Reflect.construct, which would also do for a class, costs more than is gained. Node's two are functions.
  function Made(this: object, ...given: unknown[]): void {
    Reflect.apply(base, this, given);
  }
  Made.prototype = prototype;
  return Made as unknown as Base;
}
