import { type ErrorCode, errorEntry } from "../../errors.js";
import type { SourceAnswer, SourceOutcome } from "../../types/source.js";

/** `http`: real statuses with problem+json. `webex`: the vendor's envelope and codes. */
export type WebexConnectAnswers = "http" | "webex";

/** Codes of Webex Connect that a receiver or its router answers with. */
export type WebexConnectCode = keyof typeof descriptions;

/** One code in Webex Connect's envelope. */
export interface WebexConnectResult {
  /** A string, as the vendor has it. */
  readonly code: string;
  readonly description: string;
  readonly transid: string;
  readonly correlationid?: string | undefined;
}

/** How `webexConnectAnswer` speaks. */
export interface WebexConnectAnswerOptions {
  /** The code of what was taken: 1001 of the Messaging API, 1002 of events and inbound webhooks. Default: 1002. */
  readonly queued?: "1001" | "1002" | undefined;
  /** The sender's own id of an event, for the answer. Default: none. */
  readonly correlationOf?: ((data: unknown) => string | undefined) | undefined;
}

const descriptions = {
  "1001": "Queued",
  "1002": "Queued",
  "430": "Payload size is beyond the limit",
  "7000": "Invalid JSON",
  "7001": "Authentication failed",
  "7002": "Service Key Missing",
  "7003": "Mandatory parameter missing",
  "7004": "Invalid value",
  "7005": "Internal error occurred",
  "7007": "Service inactive",
  "7008": "Request received on an invalid or unsaved event endpoint",
  "7010": "Source IP is not allowlisted",
  "7020": "You have reached maximum transaction limit",
  "7025": "Mandatory parameter missing or invalid",
  "7027": "Invalid XML",
  "7028": "Invalid signature",
  "7029": "Mandatory Signature Missing",
} as const;

/** A code, and the status that the vendor documents beside it; without one it is ours. */
interface Answered {
  readonly code: WebexConnectCode;
  readonly status?: number;
}

const documented = (code: WebexConnectCode): Answered => ({ code, status: 200 });
const undocumented = (code: WebexConnectCode): Answered => ({ code });

/**
 * Every error and its code. Undefined: the usual answer, for what never comes as far as the vendor's API. A 7005 keeps our
 * status: the documentation shows it with none, and a sender that looks at statuses alone must not take it for a yes.
 */
const refusals: Readonly<Record<ErrorCode, Answered | undefined>> = {
  ERR_METHOD: undefined,
  ERR_ADDRESS_REFUSED: documented("7010"),
  ERR_HEADERS_TOO_LARGE: undefined,
  ERR_HEADER_MALFORMED: documented("7001"),
  ERR_CREDENTIAL_IN_QUERY: documented("7001"),
  ERR_CREDENTIAL_REPEATED: documented("7001"),
  ERR_CREDENTIAL_MISSING: documented("7002"),
  ERR_TOKEN_INVALID: documented("7001"),
  ERR_KEY_INVALID: documented("7001"),
  ERR_SIGNATURE_INVALID: { code: "7028", status: 400 },
  ERR_TOO_MANY_FAILURES: documented("7020"),
  ERR_CREDENTIALS_UNAVAILABLE: undocumented("7005"),
  ERR_MEDIA_TYPE: undocumented("7000"),
  ERR_BODY_TOO_LARGE: undocumented("430"),
  ERR_BODY_TIMEOUT: undefined,
  ERR_BODY_ABORTED: undefined,
  ERR_BODY_CONSUMED: undocumented("7005"),
  ERR_BODY_MALFORMED: documented("7000"),
  ERR_EVENT_INVALID: documented("7004"),
  ERR_EVENT_CONFLICT: undocumented("7004"),
  ERR_HANDLER_FAILED: undocumented("7005"),
  ERR_HANDLER_TIMEOUT: undocumented("7005"),
  ERR_OVERLOADED: documented("7020"),
  ERR_STORE_UNAVAILABLE: undocumented("7005"),
  ERR_STOPPED: undocumented("7005"),
  ERR_INTERNAL: undocumented("7005"),
};

/**
 * Webex Connect's answer to an outcome: `{"response": …}`, an array with one member for each event where the delivery was
 * read, an object where all of it was refused before (developers.webexconnect.io, Custom Event API v1). Refusals come
 * with status 200, as documented, except: 400 with 7028 and 7029; and our own status with 430, 7005 and what no code
 * names. `transid` is our request id, with `_n` behind it where there are several events.
 */
export function webexConnectAnswer(
  outcome: SourceOutcome,
  { queued = "1002", correlationOf }: WebexConnectAnswerOptions = {},
): SourceAnswer | undefined {
  const { code, events, requestId, httpStatus } = outcome;
  const results = (of: WebexConnectCode): readonly WebexConnectResult[] =>
    events.map(({ data }, at) =>
      result(of, events.length === 1 ? requestId : `${requestId}_${at}`, correlationOf?.(data)),
    );
  if (code === undefined) return envelope(200, results(queued));
  // The events could be read, so it is their data that breaks its schema.
  if (code === "ERR_EVENT_INVALID" && events.length > 0) return envelope(200, results("7025"));
  if (outcome.faultKind !== undefined) return memberAnswer(outcome.faultKind, requestId);
  const answered = refusals[code];
  if (answered === undefined) return undefined;
  const { status } = answered;
  const refused = result(narrowed(answered.code, outcome), requestId);
  if (status !== undefined) return envelope(status, refused);
  const { retryAfterSeconds } = errorEntry(code);
  const answer = envelope(httpStatus, refused);
  return retryAfterSeconds === undefined
    ? answer
    : { ...answer, headers: { "Retry-After": String(retryAfterSeconds) } };
}

/**
 * One of Webex Connect's codes as an answer of its own, for what a router in front of receivers refuses: 7007 for a
 * webhook that was switched off, 7008 for one that there is not.
 */
export function webexConnectResponse(code: WebexConnectCode, transid: string): SourceAnswer {
  return envelope(200, result(code, transid));
}

/**
 * What is said of a member: `7003` or `7004`, and its name. In an object where it is the request's, in a list where it is
 * an event's.
 */
function memberAnswer(kind: string, transid: string): SourceAnswer {
  const code = kind.startsWith("7003") ? "7003" : "7004";
  const member = kind.slice(5);
  const description =
    code === "7003" ? `Mandatory parameter '${member}' missing` : `invalid value for param ${member}`;
  const said = { code, description, transid };
  return envelope(200, code === "7003" || member === "events" ? said : [said]);
}

/** Where one of our codes stands for several of theirs. */
function narrowed(code: WebexConnectCode, outcome: SourceOutcome): WebexConnectCode {
  if (code === "7028" && outcome.signatureFault === "missing") return "7029";
  if (code === "7000" && outcome.bodyKind === "xml") return "7027";
  return code;
}

function result(code: WebexConnectCode, transid: string, correlationid?: string): WebexConnectResult {
  const named = { code, description: descriptions[code], transid };
  return correlationid === undefined ? named : { ...named, correlationid };
}

function envelope(
  status: number,
  response: WebexConnectResult | readonly WebexConnectResult[],
): SourceAnswer {
  return { status, body: { response } };
}

/** 200 where the usual answer is another 2xx: for senders that take 202 for no success. */
export function plainSuccess({ status, httpStatus, events }: SourceOutcome): SourceAnswer | undefined {
  if (httpStatus < 200 || httpStatus > 299 || httpStatus === 200) return undefined;
  const ids = events.map(({ id }) => id);
  return { status: 200, body: ids.length === 1 ? { status, id: ids[0] } : { status, ids } };
}
