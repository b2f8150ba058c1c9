import type { ServerResponse } from "node:http";
import { ContentCodingRefusal } from "../body/media-type.js";
import { type ErrorCode, errorTable, type Refusal } from "../errors.js";
import { SourceRefusal } from "../events/extract.js";
import { SignatureRefusal } from "../signatures/signature.js";
import type { Outcome } from "../types/outcome.js";
import type { BodyKind, Source, SourceAnswer, SourceOutcome } from "../types/source.js";
import {
  type AnswerHeaders,
  jsonAnswer,
  type PreparedAnswer,
  prepareAnswer,
  problemAnswer,
  sendAnswer,
} from "./send-response.js";

/** What a challenge says (RFC 9110 section 11.6.1). */
export interface Challenge {
  readonly realm: string;
  /** Whether the route accepts JWTs: its challenge is then `Bearer`, else `Key`. */
  readonly acceptsJwt: boolean;
}

/** The parts of a delivery that its answer depends on. */
export interface AnsweredDelivery {
  readonly requestId: string;
  readonly bodyKind: BodyKind | undefined;
  readonly events: readonly { readonly type: string; readonly id: string; readonly data: unknown }[];
}

/** The answers of one receiver or guard. */
export interface Answers {
  /** Sends the answer of an outcome. Never throws, even if the sender is gone. */
  send(res: ServerResponse, outcome: Outcome, delivery: AnsweredDelivery): void;
  /** The status that `send` would send; sends and reports nothing. */
  statusOf(outcome: Outcome, delivery: AnsweredDelivery): number;
}

const allow = { Allow: "POST" };
const codingAnswer = problemAnswer("ERR_MEDIA_TYPE", { "Accept-Encoding": "identity" });
const optionsAnswer = prepareAnswer({ status: 204, headers: allow });

/**
 * Prepares every answer that does not depend on the delivery. What `ofSource` returns is sent instead; if it throws or its
 * answer cannot be sent, `onFault` is called and the sender gets a 500.
 */
export function createAnswers(
  challenge: Challenge,
  ofSource?: Source["answer"],
  onFault: (message: string) => void = () => {},
): Answers {
  const problems = new Map<ErrorCode, PreparedAnswer>();
  for (const code of Object.keys(errorTable) as ErrorCode[]) {
    problems.set(code, problemAnswer(code, problemHeaders(code, challenge)));
  }
  const internal = problemAnswer("ERR_INTERNAL");
  const answerOf = (refusal: Refusal): PreparedAnswer =>
    refusal instanceof ContentCodingRefusal ? codingAnswer : (problems.get(refusal.code) ?? internal);
  const prepare = (
    outcome: Outcome,
    delivery: AnsweredDelivery,
    tell: (message: string) => void,
  ): PreparedAnswer => {
    try {
      if (outcome.status === "handshake") return sourceAnswer(outcome.answer);
      const usual = outcomeAnswer(outcome, answerOf);
      if (ofSource === undefined || outcome.status === "options") return usual;
      const said = ofSource(sourceOutcome(outcome, usual.status, delivery));
      return said === undefined ? usual : sourceAnswer(said, usual.close);
    } catch (error) {
      tell(`the source's answer cannot be sent: ${(error as Error | undefined)?.message}`);
      return internal;
    }
  };
  return {
    send(res, outcome, delivery) {
      sendAnswer(res, prepare(outcome, delivery, onFault), delivery);
    },
    statusOf: (outcome, delivery) => prepare(outcome, delivery, () => {}).status,
  };
}

function outcomeAnswer(
  outcome: AnswerableOutcome | { readonly status: "options" },
  answerOf: (refusal: Refusal) => PreparedAnswer,
): PreparedAnswer {
  switch (outcome.status) {
    case "options":
      return optionsAnswer;
    case "refused":
    case "failed":
      return answerOf(outcome.refusal);
    case "handled":
    case "duplicate":
      return acknowledgement(200, outcome);
    case "accepted":
      return acknowledgement(202, outcome);
    case "ignored":
      return acknowledgement(outcome.stored ? 202 : 200, outcome);
  }
}

const acknowledgementHeaders = jsonAnswer(200, {}).headers.slice(0, -2);

/** Built by hand for speed: the one answer that differs with each delivery. */
function acknowledgement(
  code: number,
  { status, ids }: { readonly status: string; readonly ids: readonly string[] },
): PreparedAnswer {
  const named = ids.length === 1 ? `"id":${JSON.stringify(ids[0])}` : `"ids":${JSON.stringify(ids)}`;
  const body = `{"status":"${status}",${named}}`;
  const headers = [...acknowledgementHeaders, "Content-Length", String(Buffer.byteLength(body))];
  return { status: code, headers, body, close: false };
}

/** RFC 6750 section 3: a challenge with every 401, with an error only where a token was sent. */
function problemHeaders(code: ErrorCode, { realm, acceptsJwt }: Challenge): AnswerHeaders {
  const scheme = `${acceptsJwt ? "Bearer" : "Key"} realm="${realm.replace(/["\\]/g, "\\$&")}"`;
  switch (code) {
    case "ERR_METHOD":
      return allow;
    case "ERR_CREDENTIAL_MISSING":
    case "ERR_KEY_INVALID":
      return { "WWW-Authenticate": scheme };
    case "ERR_TOKEN_INVALID":
      return { "WWW-Authenticate": `${scheme}, error="invalid_token"` };
    case "ERR_SIGNATURE_INVALID":
      return { "WWW-Authenticate": scheme.replace(/^\w+/, "Signature") };
    default:
      return {};
  }
}

/** The outcomes that a source may answer in its own way. */
export type AnswerableOutcome = Exclude<Outcome, { readonly status: "handshake" | "options" }>;

/** An outcome as a source's `answer` sees it, with the events as the sender put them. */
export function sourceOutcome(
  outcome: AnswerableOutcome,
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

/** Statuses that no source may send: 1xx is not a final answer, and senders take 410 as the end of the subscription. */
function isRefused(status: number): boolean {
  return !Number.isInteger(status) || status < 200 || status > 599 || status === 410;
}

/** A source's answer, ready to be sent. Throws a TypeError for a status that no source may send. */
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
