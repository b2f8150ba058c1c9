import type { IncomingMessage } from "node:http";
import type { AddressList, MaybePromise } from "./contracts/credential.js";
import type { Delivery } from "./contracts/delivery.js";
import type { Outcome } from "./contracts/outcome.js";
import { Refusal } from "./errors.js";
import type { Catalog } from "./events/catalog.js";
import { type DispatchResult, dispatch } from "./events/dispatch.js";
import type { Envelope, OpenedEnvelope, ParsedDelivery } from "./events/envelope.js";
import type { HandlerRegistry } from "./events/handlers.js";
import { issuePaths } from "./events/issue-paths.js";
import { type Authenticated, type AuthPolicy, authenticate } from "./gate/authenticate.js";
import type { ClientAddressResolver } from "./gate/client-address.js";
import type { FailureBudget } from "./gate/failure-budget.js";
import { bodyHashMatches } from "./gate/jwt.js";
import type { BodyKind, MediaTypes } from "./gate/media-type.js";
import { parseBody } from "./gate/parse.js";
import { findSender, refuseAddress, type SenderAddress } from "./gate/sender-address.js";
import { type ReadBodyOptions, readBody, refuseByLength } from "./http/read-body.js";
import type { Clock } from "./lib/clock.js";
import type { Observer } from "./observe.js";
import { Traffic } from "./traffic.js";

/** Everything a receiver has prepared for its deliveries. */
export interface DeliveryPlan {
  readonly clientAddress: ClientAddressResolver;
  /** The receiver's own list, or none. */
  readonly allowIps: readonly AddressList[];
  readonly auth: AuthPolicy;
  /** Undefined: failed credentials are not counted. */
  readonly failureBudget: FailureBudget | undefined;
  readonly mediaTypes: MediaTypes;
  readonly body: ReadBodyOptions;
  readonly envelope: Envelope;
  readonly catalog: Catalog;
  readonly handlers: Pick<HandlerRegistry, "handlersFor">;
  readonly handlerTimeoutMs: number;
  readonly maxInProgress: number;
  readonly clock: Clock;
  readonly observer: Observer;
}

/** The way of deliveries through one receiver, and the count of those under way. */
export interface DeliveryWay {
  /** Takes a request from its first check to its outcome. Never throws or rejects. */
  deliver(req: IncomingMessage, requestId: string): MaybePromise<Outcome>;
  /** Refuses deliveries from now on (ERR_STOPPED); resolves when those under way have their outcome. */
  stop(): Promise<void>;
}

/** What the middleware leaves on the request for the user's own code. */
interface MarkedRequest extends IncomingMessage {
  caller?: Authenticated["caller"];
  rawBody?: Buffer;
}

/** A request on its way, with what later steps and reports need of it. */
interface Passage {
  readonly req: MarkedRequest;
  readonly requestId: string;
  readonly method: string;
  readonly sender: SenderAddress;
  readonly receivedAtMs: number;
}

/** More header lines than this are refused (ATTACKS E27); the array holds names and values. */
const maxRawHeaders = 200;

/** Joins the prepared parts into the way that every delivery takes. */
export function createDeliveryWay(plan: DeliveryPlan): DeliveryWay {
  const traffic = new Traffic(plan.maxInProgress);

  function deliver(req: IncomingMessage, requestId: string): MaybePromise<Outcome> {
    const receivedAtMs = plan.clock.now();
    const { method = "" } = req;
    const sender = findSender(plan.clientAddress, req.socket.remoteAddress, req.rawHeaders);
    const passage: Passage = { req, requestId, method, sender, receivedAtMs };
    try {
      const outcome = enter(plan, traffic, passage);
      if (!(outcome instanceof Promise)) return reported(plan.observer, passage, outcome);
      return outcome.catch(internalError).then((settled) => reported(plan.observer, passage, settled));
    } catch (error) {
      return reported(plan.observer, passage, internalError(error));
    }
  }

  return { deliver, stop: () => traffic.stop() };
}

/** Up to the caller: everything that can be said before the body is read. */
function enter(plan: DeliveryPlan, traffic: Traffic, passage: Passage): MaybePromise<Outcome> {
  if (passage.method === "OPTIONS") return { status: "options" };
  const kind = checkHead(plan, passage);
  if (kind instanceof Refusal) return refused(kind);
  const closed = traffic.refuse();
  if (closed !== undefined) return refused(closed);
  const { req, receivedAtMs } = passage;
  const { url = "", rawHeaders } = req;
  const caller = authenticate({ url, rawHeaders }, plan.auth, receivedAtMs);
  return caller instanceof Promise
    ? caller.then((settled) => letIn(plan, traffic, passage, kind, settled))
    : letIn(plan, traffic, passage, kind, caller);
}

function checkHead(plan: DeliveryPlan, passage: Passage): BodyKind | Refusal {
  const { req, method, sender } = passage;
  if (method !== "POST") return new Refusal("ERR_METHOD", `${method} is not POST`);
  const address = refuseAddress(plan.allowIps, sender, (shadow) => tellShadow(plan, passage, shadow));
  if (address !== undefined) return address;
  if (req.rawHeaders.length > maxRawHeaders) {
    return new Refusal(
      "ERR_HEADERS_TOO_LARGE",
      `${req.rawHeaders.length / 2} header lines are more than 100`,
    );
  }
  return refuseByLength(req, plan.body.maxBytes) ?? plan.mediaTypes(req.rawHeaders);
}

/** The lists of tenant and service, then the body. */
function letIn(
  plan: DeliveryPlan,
  traffic: Traffic,
  passage: Passage,
  kind: BodyKind,
  authenticated: Authenticated | Refusal,
): MaybePromise<Outcome> {
  if (authenticated instanceof Refusal) {
    const { sender, receivedAtMs } = passage;
    return refused(plan.failureBudget?.charge(authenticated, sender.ip, receivedAtMs) ?? authenticated);
  }
  const lists = authenticated.owner?.allowIps ?? [];
  const address = refuseAddress(lists, passage.sender, (shadow) => tellShadow(plan, passage, shadow));
  if (address !== undefined) return refused(address);
  passage.req.caller = authenticated.caller;
  return takeBody(plan, traffic, passage, kind, authenticated);
}

async function takeBody(
  plan: DeliveryPlan,
  traffic: Traffic,
  passage: Passage,
  kind: BodyKind,
  authenticated: Authenticated,
): Promise<Outcome> {
  const outcome = await traffic.pass(
    () => readBody(passage.req, plan.body),
    (rawBody) => handle(plan, passage, kind, authenticated, rawBody),
  );
  return outcome instanceof Refusal ? refused(outcome) : outcome;
}

/** From bytes to handlers. */
async function handle(
  plan: DeliveryPlan,
  passage: Passage,
  kind: BodyKind,
  authenticated: Authenticated,
  rawBody: Buffer,
): Promise<Outcome | Refusal> {
  passage.req.rawBody = rawBody;
  const forged = refuseBody(authenticated, rawBody);
  if (forged !== undefined) return forged;
  const parsed = parse(passage, kind, rawBody);
  if (parsed instanceof Refusal) return parsed;
  const event = plan.envelope.open(parsed, rawBody);
  if (event instanceof Refusal) return event;
  const { caller } = authenticated;
  const { requestId, sender, receivedAtMs, req } = passage;
  const accepted = { requestId, address: sender.text, caller, event: { id: event.id, type: event.type } };
  const handlers = plan.catalog.has(event.type) ? plan.handlers.handlersFor(event.type) : [];
  if (handlers.length === 0) {
    plan.observer.accepted(accepted);
    return { status: "ignored", id: event.id };
  }
  const data = await checkedData(plan, event.type, event.data);
  if (data instanceof Refusal) return data;
  plan.observer.accepted(accepted);
  const delivery: Delivery = {
    requestId,
    method: passage.method,
    url: req.url ?? "",
    headers: req.headers,
    address: sender.text,
    receivedAt: new Date(receivedAtMs),
    rawBody,
  };
  const result = await dispatch({
    id: event.id,
    type: event.type,
    handlers,
    firstData: data.value,
    nextData: () => parseAgain(plan, passage, kind, rawBody, event),
    context: { caller, delivery, attempt: 1, logger: plan.observer.logger },
    clock: plan.clock,
    defaultTimeoutMs: plan.handlerTimeoutMs,
    onLate: (late) =>
      plan.observer.note("warn", `handler "${late.name}" settled behind its deadline (${late.outcome})`, {
        requestId,
        durationMs: late.durationMs,
        ...(late.outcome === "failed" && { error: late.error }),
      }),
  });
  return concluded(plan, passage, event, result);
}

/** A token that names a body's hash is good for that body alone. */
function refuseBody({ caller, tokenCredential }: Authenticated, rawBody: Buffer): Refusal | undefined {
  if (caller.method !== "jwt" || tokenCredential === undefined) return undefined;
  if (bodyHashMatches(tokenCredential, caller.claims, rawBody)) return undefined;
  return new Refusal(
    "ERR_TOKEN_INVALID",
    `the claim "${tokenCredential.policy.bodyHashClaim}" is not the SHA-256 of this body`,
  );
}

function parse(passage: Passage, kind: BodyKind, rawBody: Buffer): ParsedDelivery | Refusal {
  const body = parseBody(rawBody, kind);
  return body instanceof Refusal ? body : { body: body.value, headers: passage.req.headers };
}

/** Data of its own for a further handler; the same bytes passed once, so only a moody schema can fail here. */
async function parseAgain(
  plan: DeliveryPlan,
  passage: Passage,
  kind: BodyKind,
  rawBody: Buffer,
  event: OpenedEnvelope,
): Promise<unknown> {
  const parsed = parse(passage, kind, rawBody);
  if (parsed instanceof Refusal) throw parsed.toError();
  const data = await checkedData(plan, event.type, plan.envelope.data(parsed));
  if (data instanceof Refusal) throw data.toError();
  return data.value;
}

async function checkedData(
  plan: DeliveryPlan,
  type: string,
  data: unknown,
): Promise<{ readonly value: unknown } | Refusal> {
  const checked = await plan.catalog.validate(type, data);
  if (checked.ok) return checked;
  const paths = issuePaths(checked.issues);
  return new Refusal(
    "ERR_EVENT_INVALID",
    `the data breaks the schema at ${paths.join(", ")}`,
    checked.issues,
  );
}

/** Tells of each handler and makes the outcome of all: one failure fails the delivery. */
function concluded(
  plan: DeliveryPlan,
  passage: Passage,
  event: OpenedEnvelope,
  result: DispatchResult,
): Outcome {
  if (result.overloaded !== undefined) {
    return refused(
      new Refusal("ERR_OVERLOADED", `handler "${result.overloaded}" runs as often as its concurrency allows`),
    );
  }
  const { requestId } = passage;
  let failure: Refusal | undefined;
  for (const { name, durationMs, ...ended } of result.results) {
    const report = {
      requestId,
      event: { id: event.id, type: event.type },
      handler: name,
      attempt: 1,
      durationMs,
    };
    if (ended.outcome === "done") {
      plan.observer.handled(report);
      continue;
    }
    const code = ended.outcome === "failed" ? "ERR_HANDLER_FAILED" : "ERR_HANDLER_TIMEOUT";
    const reason = ended.outcome === "failed" ? `handler "${name}" failed` : ended.error.message;
    const refusal = new Refusal(code, reason, ended.error);
    plan.observer.failed({ ...report, code, error: refusal.toError() });
    if (failure === undefined || code === "ERR_HANDLER_FAILED") failure = refusal;
  }
  return failure === undefined ? { status: "handled", id: event.id } : { status: "failed", refusal: failure };
}

function refused(refusal: Refusal): Outcome {
  return { status: "refused", refusal };
}

function internalError(error: unknown): Outcome {
  return refused(new Refusal("ERR_INTERNAL", "a check or schema threw", error));
}

function reported(observer: Observer, passage: Passage, outcome: Outcome): Outcome {
  if (outcome.status === "refused") observer.refused(reportedRequest(passage), outcome.refusal, true);
  return outcome;
}

function tellShadow(plan: DeliveryPlan, passage: Passage, refusal: Refusal): void {
  plan.observer.refused(reportedRequest(passage), refusal, false);
}

function reportedRequest({ requestId, method, sender }: Passage) {
  return { requestId, method, address: sender.text };
}
