import type { IncomingMessage, ServerResponse } from "node:http";
import type { Refusal } from "../errors.js";
import type { MaybePromise } from "../types/credential.js";
import type { Caller } from "../types/delivery.js";
import { type Challenge, createAnswers, newRequestId } from "./responses.js";

/** Middleware in the shape that Express, connect and friends share. */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

/** A request that a guard may leave its caller on. */
export interface GuardedRequest extends IncomingMessage {
  caller?: Caller | undefined;
}

/**
 * Middleware that calls `next` where `check` gives nothing, and answers its refusal where it gives one. `check` must
 * not reject.
 */
export function createGuard(
  check: (req: GuardedRequest, requestId: string) => MaybePromise<Refusal | undefined>,
  challenge: Challenge,
): Middleware {
  const answers = createAnswers(challenge);
  return function guard(req, res, next) {
    const requestId = newRequestId();
    const conclude = (refusal: Refusal | undefined): void => {
      if (refusal === undefined) next();
      else answers.send(res, { status: "refused", refusal }, requestId);
    };
    const refusal = check(req, requestId);
    if (refusal instanceof Promise) {
      // `next` may throw what a later middleware throws; that is its error, to be handed on as such.
      refusal.then(conclude).catch(next);
    } else conclude(refusal);
  };
}
