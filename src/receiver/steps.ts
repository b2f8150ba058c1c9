import type { IncomingHttpHeaders } from "node:http";
import type { Authenticated, AuthPolicy } from "../auth/authenticate.js";
import { defaultTenant } from "../auth/credentials/define.js";
import type { FailureBudget } from "../auth/failure-limiter.js";
import { bodyHashMatches, tokenUse } from "../auth/jwt/verify.js";
import type { MediaTypes } from "../body/media-type.js";
import { parseBody } from "../body/parse.js";
import { isBodyless, type ReadBodyOptions, refuseByLength } from "../body/read.js";
import { Refusal } from "../errors.js";
import type { Envelope, OpenedEnvelope } from "../events/extract.js";
import type { RegisteredHandler } from "../events/handler-options.js";
import type { HandlerRegistry } from "../events/handlers.js";
import { issuePaths } from "../events/issue-paths.js";
import type { Catalog, Validation } from "../events/schemas.js";
import type { Store } from "../inbox/inbox.js";
import type { InboxSettings } from "../inbox/options.js";
import type { ClientAddressResolver } from "../ip/client-address.js";
import { refuseAddress, type SenderAddress, type ShadowListener } from "../ip/client-address.js";
import type { Clock } from "../lib/clock.js";
import { isPromise } from "../lib/maybe-promise.js";
import { printable } from "../lib/printable.js";
import type { SignatureGate, UnsignedRequest } from "../signatures/signature.js";
import type { AddressList, MaybePromise } from "../types/credential.js";
import type { Caller } from "../types/delivery.js";
import type { InboxEngine, Task } from "../types/engine.js";
import type { SignatureMatch } from "../types/signature.js";
import type { BodyKind, ParsedDelivery, Source } from "../types/source.js";
import type { Observer } from "./reporter.js";
import type { UnknownTypes } from "./unhandled-events.js";

/** Where deliveries are stored. */
export interface DeliveryInbox extends Pick<Store<never>, "accept"> {
  readonly settings: Omit<InboxSettings, "engine"> & {
    readonly engine: Pick<InboxEngine<unknown>, "capabilities" | "forTests" | "findings">;
  };
}

/** Everything a receiver has prepared for its deliveries. */
export interface DeliveryPlan {
  readonly name: string;
  readonly clientAddress: ClientAddressResolver;
  /** The receiver's own list, or none. */
  readonly allowIps: readonly AddressList[];
  readonly auth: AuthPolicy;
  /** Undefined: failed credentials are not counted. */
  readonly failureBudget: FailureBudget | undefined;
  readonly mediaTypes: MediaTypes;
  /** Undefined: type, id and data stand where the options say. */
  readonly source: Source<unknown> | undefined;
  /** Undefined: bodies are not signed. */
  readonly signature: SignatureGate | undefined;
  readonly body: ReadBodyOptions;
  /** Whether bodies of JSON are among those that are taken. */
  readonly readsJson: boolean;
  readonly envelope: Envelope;
  readonly catalog: Catalog;
  readonly handlers: Pick<HandlerRegistry, "handlersFor" | "all" | "types">;
  /** What becomes of events that no handler is registered for. */
  readonly unknownTypes: "ignore" | "refuse";
  readonly unknown: UnknownTypes;
  readonly handlerTimeoutMs: number;
  readonly maxInProgress: number;
  /** Undefined: handlers run before the answer. */
  readonly inbox: DeliveryInbox | undefined;
  readonly clock: Clock;
  readonly observer: Observer;
}

/** What is known of a request before its body. */
export interface RequestHead {
  readonly method?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: string[];
}

/** More header lines than this are refused (ATTACKS E27); the array holds names and values. */
const maxRawHeaders = 200;

const none: readonly RegisteredHandler[] = [];

/** Method, address, headers, length and media type, in this order: what costs least comes first. */
export function checkHead(
  plan: DeliveryPlan,
  head: RequestHead,
  sender: SenderAddress,
  shadow: ShadowListener,
): BodyKind | Refusal {
  if (head.method !== "POST") return new Refusal("ERR_METHOD", `${head.method} is not POST`);
  const address = refuseAddress(plan.allowIps, sender, shadow);
  if (address !== undefined) return address;
  if (head.rawHeaders.length > maxRawHeaders) {
    const lines = head.rawHeaders.length / 2;
    return new Refusal("ERR_HEADERS_TOO_LARGE", `${lines} header lines are more than 100`);
  }
  const tooLong = refuseByLength(head, plan.body.maxBytes);
  if (tooLong !== undefined) return tooLong;
  const takesEmpty = plan.source?.bodies.includes("empty") === true;
  return takesEmpty && isBodyless(head.headers) ? "empty" : plan.mediaTypes(head.rawHeaders);
}

/** The lists of the caller's tenant and service. */
export function refuseOwner(
  authenticated: Authenticated,
  sender: SenderAddress,
  shadow: ShadowListener,
): Refusal | undefined {
  const { owner } = authenticated;
  return owner === undefined ? undefined : refuseAddress(owner.allowIps, sender, shadow);
}

/** Who sent a delivery, its signature included: where no credential was asked for, it alone says who. */
export function callerOf(
  { caller }: Authenticated,
  signed: SignatureMatch | undefined,
  receiver: string,
): Caller {
  if (caller.method !== "none" || signed === undefined) return caller;
  return { method: "signature", tenant: defaultTenant, service: receiver, credentialId: signed.keyId };
}

/** A token that names a body's hash is good for that body alone. */
export function refuseBody(
  authenticated: Authenticated,
  { rawBody }: Pick<UnsignedRequest, "rawBody">,
): Refusal | undefined {
  const { caller, tokenCredential } = authenticated;
  if (caller.method !== "jwt" || tokenCredential === undefined) return undefined;
  if (bodyHashMatches(tokenCredential, caller.claims, rawBody)) return undefined;
  return new Refusal(
    "ERR_TOKEN_INVALID",
    `the claim "${tokenCredential.policy.bodyHashClaim}" is not the SHA-256 of this body`,
    undefined,
    "body-hash",
  );
}

/** The use of a token that is good for one delivery; undefined of any other. */
export function tokenUseOf({
  caller,
  tokenCredential,
}: Authenticated): { readonly tokenId: string; readonly expiresAtMs: number } | undefined {
  if (caller.method !== "jwt" || tokenCredential?.policy.oneTimeUse !== true) return undefined;
  return tokenUse(tokenCredential, caller.claims);
}

/** A body as it came, how it is to be read, and the headers beside it. */
export interface UnreadDelivery {
  readonly kind: BodyKind;
  readonly rawBody: Buffer;
  readonly headers: IncomingHttpHeaders;
}

/** The parsed body with the headers, as locators and sources see it. */
export function parseDelivery(
  plan: Pick<DeliveryPlan, "readsJson">,
  { kind, rawBody, headers }: UnreadDelivery,
): ParsedDelivery | Refusal {
  const body = parseBody(rawBody, kind, plan);
  return body instanceof Refusal ? body : { body: body.value, kind, headers };
}

/** Who wants this type; nobody where the catalog does not have it. */
export function handlersOf(plan: DeliveryPlan, type: string): readonly RegisteredHandler[] {
  return plan.catalog.has(type) ? plan.handlers.handlersFor(type) : none;
}

/** ERR_EVENT_INVALID for an event that no handler is registered for, where `unknownTypes` says so. */
export function refuseUnknown(plan: DeliveryPlan, type: string): Refusal | undefined {
  if (plan.unknownTypes !== "refuse" || handlersOf(plan, type).length > 0) return undefined;
  const reason = `no handler is registered for the event type "${printable(type)}"${plan.unknown.hint(type)}`;
  return new Refusal("ERR_EVENT_INVALID", reason, undefined, "unknown-type");
}

/** Data that passed its schema. */
export interface CheckedData {
  readonly value: unknown;
}

/** Holds data against the schema of its type. A promise only where the schema answers later. */
export function checkData(
  plan: Pick<DeliveryPlan, "catalog">,
  type: string,
  data: unknown,
): MaybePromise<CheckedData | Refusal> {
  const checked = plan.catalog.validate(type, data);
  return isPromise(checked) ? checked.then(checkedOrRefused) : checkedOrRefused(checked);
}

/** What of a stored event says how to read it. */
export type StoredEvent = Pick<Task, "event" | "delivery" | "position">;

/** What reads it. */
type StoredReader = Pick<DeliveryPlan, "catalog" | "envelope" | "readsJson">;

/** The data of a stored event by the schema as it is now. A promise only where the schema answers later. */
export function readStored(plan: StoredReader, stored: StoredEvent): MaybePromise<CheckedData | Refusal> {
  const raw = rawDataOf(plan, stored);
  return raw instanceof Refusal ? raw : checkData(plan, stored.event.type, raw.value);
}

/** A stored event with its data by the schema as it is now, or as it came where it breaks it; undefined where it cannot be read. */
export async function readStoredEvent(
  plan: StoredReader,
  stored: StoredEvent,
): Promise<{ readonly event: OpenedEnvelope; readonly isInvalid: boolean } | undefined> {
  const raw = rawDataOf(plan, stored);
  if (raw instanceof Refusal) return undefined;
  const { id, type } = stored.event;
  const checked = await checkData(plan, type, raw.value);
  const isInvalid = checked instanceof Refusal;
  return { event: { id, type, data: isInvalid ? raw.value : checked.value }, isInvalid };
}

function rawDataOf(plan: StoredReader, { delivery, position }: StoredEvent): CheckedData | Refusal {
  const { rawBody } = delivery;
  const headers = delivery.headers as IncomingHttpHeaders;
  const parsed = parseDelivery(plan, { kind: delivery.bodyKind as BodyKind, rawBody, headers });
  return parsed instanceof Refusal ? parsed : { value: plan.envelope.data(parsed, position) };
}

function checkedOrRefused(checked: Validation): CheckedData | Refusal {
  if (checked.ok) return checked;
  const paths = issuePaths(checked.issues).join(", ");
  return new Refusal("ERR_EVENT_INVALID", `the data breaks the schema at ${paths}`, checked.issues, "schema");
}
