import { SourceRefusal } from "../events/source-envelope.js";
import { SignatureRefusal } from "../signatures/signature.js";
import type { Outcome } from "../types/outcome.js";
import type { SourceAnswer, SourceOutcome } from "../types/source.js";
import { type PreparedAnswer, prepareAnswer } from "./send-response.js";

/** The outcomes that a source may answer in its own way. */
export type Told = Exclude<Outcome, { readonly status: "handshake" | "options" }>;

/** An outcome as a source's `answer` sees it, with the events as the sender put them. */
export function sourceOutcome(
  outcome: Told,
  httpStatus: number,
  { requestId, bodyKind, events }: Pick<SourceOutcome, "requestId" | "bodyKind" | "events">,
): SourceOutcome {
  const refusal = "refusal" in outcome ? outcome.refusal : undefined;
  return {
    status: outcome.status,
    code: refusal?.code,
    signatureFault: refusal instanceof SignatureRefusal ? refusal.fault : undefined,
    faultKind: refusal instanceof SourceRefusal ? refusal.kind : undefined,
    ...{ httpStatus, requestId, bodyKind },
    events: events.map(({ type, id, data }) => ({ type, id, data })),
  };
}

/** Statuses that no source may send: 1xx is no answer, and senders take 410 for the end of the subscription. */
function isRefused(status: number): boolean {
  return !Number.isInteger(status) || status < 200 || status > 599 || status === 410;
}

/** A source's answer, ready to be sent. Throws a TypeError for a status that must not be. */
export function sourceAnswer({ status, headers = {}, body }: SourceAnswer, close = false): PreparedAnswer {
  if (isRefused(status)) throw new TypeError(`a source must not answer ${status}`);
  const isJson = typeof body === "object";
  const named = Object.keys(headers).some((name) => name.toLowerCase() === "content-type");
  const usual: Record<string, string> = {};
  if (!named && body !== undefined)
    usual["Content-Type"] = isJson ? "application/json" : "text/plain; charset=utf-8";
  return prepareAnswer({
    status,
    headers: { ...usual, ...headers },
    close,
    ...(body === undefined ? {} : { body: isJson ? JSON.stringify(body) : body }),
  });
}
