import { type Authenticated, type AuthPolicy, authenticate } from "../auth/authenticate.js";
import { defaultTenant } from "../auth/credentials/define.js";
import { bodyHashMatches } from "../auth/jwt/verify.js";
import { type ParsedBody, parseBody } from "../body/parse.js";
import { isBodyless, readBody, refuseByLength } from "../body/read.js";
import { Refusal } from "../errors.js";
import type { IncomingEvent } from "../events/extract.js";
import { refuseAddress } from "../ip/client-address.js";
import { printable } from "../lib/printable.js";
import { isPromise } from "../lib/promises.js";
import type { AddressList, MaybePromise } from "../types/credential.js";
import type { SignatureMatch } from "../types/signature.js";
import { type Finding, type IncomingDelivery, waiting } from "./incoming-delivery.js";
import type { ReceiverConfig } from "./options.js";
import { type CheckedData, checkData } from "./read-events.js";

/** How long the user's own checks (of a signature, by schemas) may take before the answer, in milliseconds. */
export const checkDeadlineMs = 2_000;

/** More header lines than this are refused (ATTACKS E27); the array holds names and values. */
const maxRawHeaders = 200;

/** A source that answers other methods answers listed addresses only, so the address check runs first. */
export function checkMethod(delivery: IncomingDelivery, { source }: Pick<ReceiverConfig, "source">): Finding {
  if (delivery.method === "POST" || source?.handshake !== undefined) return undefined;
  return answerMethod(delivery);
}

function answerMethod({ method }: IncomingDelivery): Finding {
  if (method === "OPTIONS") return { status: "options" };
  return new Refusal("ERR_METHOD", `${method} is not POST`);
}

/** The receiver's own lists. */
export function checkAddress(
  delivery: IncomingDelivery,
  { allowIps }: { readonly allowIps: readonly AddressList[] },
): Finding {
  return refuseAddress(allowIps, delivery.sender, delivery);
}

/** The source's answer to a method other than POST: such a request is not a delivery. */
export function answerHandshake(
  delivery: IncomingDelivery,
  { source }: Pick<ReceiverConfig, "source">,
): Finding {
  const { method, url, headers } = delivery;
  if (method === "POST") return undefined;
  const answer = source?.handshake?.({ method, url, headers, body: undefined });
  return answer === undefined ? answerMethod(delivery) : { status: "handshake", answer };
}

/** The number of header lines, and the length that they announce. */
export function checkHeaders({ req }: IncomingDelivery, { body }: Pick<ReceiverConfig, "body">): Finding {
  if (req.rawHeaders.length > maxRawHeaders) {
    const lines = req.rawHeaders.length / 2;
    return new Refusal("ERR_HEADERS_TOO_LARGE", `${lines} header lines are more than 100`);
  }
  return refuseByLength(req, body.maxBytes);
}

export function checkContentType(
  delivery: IncomingDelivery,
  { mediaTypes, takesEmpty }: Pick<ReceiverConfig, "mediaTypes" | "takesEmpty">,
): Finding {
  const kind = takesEmpty && isBodyless(delivery.headers) ? "empty" : mediaTypes(delivery.rawHeaders);
  if (kind instanceof Refusal) return kind;
  delivery.bodyKind = kind;
  return undefined;
}

/** Before the credential, which may cost a lookup or a signature. */
export function checkCapacity(
  _delivery: IncomingDelivery,
  { limiter }: Pick<ReceiverConfig, "limiter">,
): Finding {
  return limiter.refuse();
}

/** What the check of a credential needs. */
export interface CredentialConfig {
  readonly auth: AuthPolicy;
  /** Whether lookups are rationed by the sender's address. */
  readonly rationsLookups: boolean;
}

export function authenticateSender(
  delivery: IncomingDelivery,
  { auth, rationsLookups }: CredentialConfig,
): MaybePromise<Authenticated | Refusal> {
  const network = rationsLookups ? delivery.network : undefined;
  return authenticate(delivery.url, delivery.rawHeaders, auth, delivery.receivedAtMs, network);
}

export function admitCaller(delivery: IncomingDelivery, authenticated: Authenticated): Finding {
  delivery.authenticated = authenticated;
  delivery.caller = authenticated.caller;
  return undefined;
}

/** The lists of the caller's tenant and service. Only after them does `req.caller` show the user's code who it is. */
export function checkOwnerAllowlist(delivery: IncomingDelivery): Finding {
  const { owner, caller } = delivery.authenticated;
  const refusal = owner === undefined ? undefined : refuseAddress(owner.allowIps, delivery.sender, delivery);
  if (refusal === undefined) delivery.req.caller = caller;
  return refusal;
}

export function takeReadingPlace(
  delivery: IncomingDelivery,
  { limiter }: Pick<ReceiverConfig, "limiter">,
): Finding {
  if (delivery.caller.method === "none") delivery.markAnonymous();
  const refusal = limiter.startReading(delivery.anonymous);
  if (refusal === undefined) delivery.place = "reading";
  return refusal;
}

/** By callbacks: the body comes in events, and a promise for it would be one more per delivery. */
export function readBytes(
  delivery: IncomingDelivery,
  { body }: Pick<ReceiverConfig, "body">,
): typeof waiting {
  readBody(delivery.req, body, delivery);
  return waiting;
}

/** Gives the reading place back, whether or not there is a place for handling. */
export function takeHandlingPlace(
  delivery: IncomingDelivery,
  { limiter }: Pick<ReceiverConfig, "limiter">,
): Finding {
  delivery.place = "none";
  const refusal = limiter.startHandling(delivery.anonymous);
  if (refusal !== undefined) return refusal;
  delivery.place = "handling";
  delivery.req.rawBody = delivery.rawBody;
  return undefined;
}

/** A token that names a body's hash is good for that body alone. */
export function checkBodyHash(
  delivery: IncomingDelivery,
  { auth, rationsLookups }: CredentialConfig,
): Finding {
  const { caller, tokenCredential } = delivery.authenticated;
  if (
    caller.method === "jwt" &&
    tokenCredential !== undefined &&
    !bodyHashMatches(tokenCredential, caller.claims, delivery.rawBody)
  ) {
    const reason = `the claim "${tokenCredential.policy.bodyHashClaim}" is not the SHA-256 of this body`;
    return new Refusal("ERR_TOKEN_INVALID", reason, undefined, "body-hash");
  }
  if (rationsLookups) auth.credentials?.noteGenuine?.(delivery.network);
  return undefined;
}

export function checkSignature(
  { method, url, headers, rawHeaders, rawBody, receivedAtMs }: IncomingDelivery,
  { signature }: Pick<ReceiverConfig, "signature">,
): MaybePromise<SignatureMatch | Refusal> {
  if (signature === undefined) throw new Error("there is nothing to check signatures with");
  return signature({ method, url, headers, rawHeaders, rawBody }, receivedAtMs);
}

/** Where no credential was asked for, the signature alone says who sent it. */
export function noteSigner(
  delivery: IncomingDelivery,
  { keyId }: SignatureMatch,
  { name }: Pick<ReceiverConfig, "name">,
): Finding {
  delivery.signedBy = keyId;
  if (delivery.caller.method !== "none") return undefined;
  delivery.caller = { method: "signature", tenant: defaultTenant, service: name, credentialId: keyId };
  delivery.req.caller = delivery.caller;
  return undefined;
}

export function signatureLate(): Refusal {
  const reason = `the signature check gave no answer within ${checkDeadlineMs} ms`;
  return new Refusal("ERR_CREDENTIALS_UNAVAILABLE", reason);
}

/** A promise for XML alone. */
export function parseBytes(
  { bodyKind, rawBody }: IncomingDelivery,
  config: Pick<ReceiverConfig, "readsJson">,
): MaybePromise<ParsedBody> {
  if (bodyKind === undefined) throw new Error("no check has found the content type yet");
  return parseBody(rawBody, bodyKind, config);
}

export function keepParsed(delivery: IncomingDelivery, { value }: { readonly value: unknown }): Finding {
  const { bodyKind: kind, headers } = delivery;
  if (kind !== undefined) delivery.parsed = { body: value, kind, headers };
  return undefined;
}

/** The source's answer to a POST that has no event, such as the check of a new URL. */
export function answerChallenge(
  { method, url, headers, parsed }: IncomingDelivery,
  { source }: Pick<ReceiverConfig, "source">,
): Finding {
  const answer = source?.handshake?.({ method, url, headers, body: parsed.body });
  return answer && { status: "handshake", answer };
}

export function openEvents(
  delivery: IncomingDelivery,
  { envelope }: Pick<ReceiverConfig, "envelope">,
): Finding {
  const events = envelope.open(delivery.parsed, delivery.rawBody);
  if (events instanceof Refusal) return events;
  delivery.events = events;
  return events.length === 0 ? { status: "ignored", ids: [], stored: false } : undefined;
}

/** Finds the handlers of each event; ERR_EVENT_INVALID for an event without handlers, if `unknownTypes` is "refuse". */
export function findHandlers(
  delivery: IncomingDelivery,
  { handlers, unknownTypes, unhandled }: Pick<ReceiverConfig, "handlers" | "unknownTypes" | "unhandled">,
): Finding {
  for (const event of delivery.events) {
    event.handlers = handlers.handlersFor(event.type);
    if (event.handlers.length > 0 || unknownTypes !== "refuse") continue;
    const reason = `no handler is registered for the event type "${printable(event.type)}"${unhandled.hint(event.type)}`;
    return new Refusal("ERR_EVENT_INVALID", reason, undefined, "unknown-type");
  }
  return undefined;
}

/** Checks the data of every event that has a handler against its schema. A promise only if a schema is asynchronous. */
export function askSchemas(
  { events }: IncomingDelivery,
  config: Pick<ReceiverConfig, "catalog">,
): MaybePromise<unknown> {
  let pending: Promise<void>[] | undefined;
  for (const event of events) {
    if (event.handlers.length === 0) continue;
    const found = checkData(config, event.type, event.data);
    if (!isPromise(found)) noteData(event, found);
    else {
      pending ??= [];
      pending.push(found.then((settled) => noteData(event, settled)));
    }
  }
  return pending && Promise.all(pending);
}

function noteData(event: IncomingEvent, found: CheckedData | Refusal): void {
  if (found instanceof Refusal) event.fault = found;
  else event.checkedData = found.value;
}

/** Data that breaks its schema, unless an inbox keeps it as a dead letter. */
export function refuseBrokenData(
  { events }: IncomingDelivery,
  _found: unknown,
  { inbox }: Pick<ReceiverConfig, "inbox">,
): Finding {
  if (inbox?.settings.onInvalid === "dead-letter") return undefined;
  return events.find(({ fault }) => fault !== undefined)?.fault;
}

export function schemaLate({ events }: IncomingDelivery): Refusal {
  const types = [...new Set(events.map(({ type }) => `"${printable(type)}"`))].join(", ");
  return new Refusal("ERR_INTERNAL", `the schema of ${types} gave no answer within ${checkDeadlineMs} ms`);
}

/** If the sender repeats the delivery, it is checked again. */
export function senderGone(): Refusal {
  return new Refusal("ERR_BODY_ABORTED", "the sender closed the connection before its delivery was checked");
}
