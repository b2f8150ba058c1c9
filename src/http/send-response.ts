import type { ServerResponse } from "node:http";
import { type ErrorCode, errorEntry } from "../errors.js";
import { STATUS_CODES } from "../lib/node-http.js";
import { lingerOnClose, mustClose } from "./linger.js";

/** Header fields by name. */
export type AnswerHeaders = Readonly<Record<string, string>>;

/** An answer made once and sent often. */
export interface PreparedAnswer {
  readonly status: number;
  /** Names and values in turn, as `writeHead` takes them without looking each up. */
  readonly headers: readonly string[];
  /** Text: Node sends it in one write with the head, and bytes in a second one. Undefined where the status has none. */
  readonly body: string | undefined;
  /** True: the connection is closed behind it, whatever the request looks like. */
  readonly close: boolean;
}

/** Statuses that never have a body (RFC 9110 sections 15.3.5, 15.4.5). */
const bodiless: readonly number[] = [204, 304];

/** RFC 9110's phrases where Node still has those of RFC 2616 and RFC 4918. */
const phrases: ReadonlyMap<number, string> = new Map([
  [413, "Content Too Large"],
  [422, "Unprocessable Content"],
]);

/**
 * Prepares an answer. `body` is text; name its type in `headers`. Content-Length, `Cache-Control: no-store` and
 * `X-Content-Type-Options: nosniff` are added.
 */
export function prepareAnswer(answer: {
  readonly status: number;
  readonly body?: string;
  readonly headers?: AnswerHeaders;
  readonly close?: boolean;
}): PreparedAnswer {
  const { status, close = false } = answer;
  const body = bodiless.includes(status) ? undefined : (answer.body ?? "");
  const headers = ["Cache-Control", "no-store", "X-Content-Type-Options", "nosniff"];
  for (const [name, value] of Object.entries(answer.headers ?? {})) {
    headers.push(name, value);
  }
  if (body !== undefined) headers.push("Content-Length", String(Buffer.byteLength(body)));
  return { status, headers, body, close };
}

/** Prepares an answer with a JSON body. */
export function jsonAnswer(status: number, value: object, headers?: AnswerHeaders): PreparedAnswer {
  return prepareAnswer({
    status,
    body: JSON.stringify(value),
    headers: { "Content-Type": "application/json", ...headers },
  });
}

/**
 * Prepares the answer to an error: problem+json (RFC 9457), with `Retry-After` and closing as errors.ts has them. Below
 * 500 it names the code. From 500 on it does not: which part of us failed is for the operator, so all 503 look alike.
 */
export function problemAnswer(code: ErrorCode, extraHeaders?: AnswerHeaders): PreparedAnswer {
  const { status, retryAfterSeconds, close } = errorEntry(code);
  const title = phrases.get(status) ?? STATUS_CODES[status];
  const problem = { type: "about:blank", title, status };
  return prepareAnswer({
    status,
    body: JSON.stringify(status < 500 ? { ...problem, code } : problem),
    headers: {
      "Content-Type": "application/problem+json",
      ...(retryAfterSeconds === undefined ? {} : { "Retry-After": String(retryAfterSeconds) }),
      ...extraHeaders,
    },
    close: close === true,
  });
}

/**
 * Sends an answer and closes the connection where the answer, `close` or an unread body asks for it (see `mustClose`).
 * False, and nothing sent, where someone has answered already or the sender is gone. Never throws.
 */
export function sendAnswer(
  res: ServerResponse,
  answer: PreparedAnswer,
  options: { readonly requestId: string; readonly close?: boolean },
): boolean {
  if (res.headersSent || res.writableEnded || res.destroyed) return false;
  const { req } = res;
  const close = answer.close || options.close === true || mustClose(req);
  if (close && !req.complete) lingerOnClose(req);
  if (hasHeaders(res)) {
    // Express has set X-Powered-By: with headers there, writeHead would take each of ours out and put it in again.
    for (let i = 0; i < answer.headers.length; i += 2) {
      res.setHeader(answer.headers[i] as string, answer.headers[i + 1] as string);
    }
    res.setHeader("X-Request-Id", options.requestId);
    if (close) res.setHeader("Connection", "close");
    res.statusCode = answer.status;
  } else {
    const headers = [...answer.headers, "X-Request-Id", options.requestId];
    if (close) headers.push("Connection", "close");
    res.writeHead(answer.status, headers);
  }
  if (req.method === "HEAD") res.end();
  else res.end(answer.body);
  return true;
}

/** Express sets this one first; a look at all names would make a list of them. */
function hasHeaders(res: ServerResponse): boolean {
  return res.hasHeader("x-powered-by") || res.getHeaderNames().length > 0;
}
