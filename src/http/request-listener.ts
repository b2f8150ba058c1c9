import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { describe, OptionError } from "../lib/options.js";
import { originForm } from "../lib/request-head.js";
import { isRequest, type Middleware } from "./middleware.js";

/** Where a request listener sends requests. */
export interface ListenerParts {
  readonly receive: Middleware;
  readonly app?: RequestListener | undefined;
  /** Called with a mistake in how it is mounted, once a request shows it. */
  onFault(message: string): void;
}

/**
 * A listener for `http.createServer` that hands requests on exactly `path`, with any query, to `receive`, and all others
 * unchanged to `app`; without an app they are answered 404. The path is compared as it came, case-sensitively: any other
 * spelling (`//`, `%2e`, a trailing slash) is another path and goes to the app.
 */
export function createRequestListener(
  path: string,
  { receive, app, onFault }: ListenerParts,
): RequestListener {
  if (isRequest(path)) return refuseMounted(app, onFault);
  if (typeof path !== "string" || !path.startsWith("/") || /[?#\s]/.test(path)) {
    throw new OptionError(
      "requestListener's path",
      ` must be a path such as "/hooks/orders", without query, not ${describe(path)}`,
    );
  }
  if (app !== undefined && typeof app !== "function") {
    throw new OptionError(
      "requestListener's app",
      ` must be a request listener such as an Express app, not ${describe(app)}`,
    );
  }
  const others = app ?? notFound;
  return function requestListener(req, res) {
    if (isOn(path, req.url ?? "")) receive(req, res, unreachable);
    else others(req, res);
  };
}

function isOn(path: string, url: string): boolean {
  if (url.startsWith(path)) return url.length === path.length || url.charCodeAt(path.length) === 0x3f;
  // RFC 9112 section 3.2.2: a server must accept the absolute form as well.
  return url.charCodeAt(0) !== 0x2f && /^https?:/i.test(url) && isOn(path, originForm(url));
}

/** A server called `requestListener` itself, with a request and a response: its path is not known. */
function refuseMounted(response: unknown, onFault: (message: string) => void): RequestListener {
  onFault(
    'receiver.requestListener was given to the server itself, and every request is answered 500: call it with its path, as in http.createServer(receiver.requestListener("/hooks"))',
  );
  (response as ServerResponse).writeHead(500, { "Content-Length": 0 }).end();
  return notFound;
}

function notFound(_req: IncomingMessage, res: ServerResponse): void {
  res.writeHead(404, { "Content-Length": 0 }).end();
}

/** A receiver answers every request itself. */
function unreachable(): void {}
