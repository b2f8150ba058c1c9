import type { RequestListener } from "node:http";
import { type AuthOptions, resolveAuth } from "./auth.js";
import type { AnyEventMap, HandlerContext, InboxContext } from "./contracts/event.js";
import type { Logger } from "./contracts/logger.js";
import type { Hooks } from "./contracts/report.js";
import { createDeliveryWay } from "./delivery.js";
import { createCatalog } from "./events/catalog.js";
import { createEnvelope, type EnvelopeOptions } from "./events/envelope.js";
import type { EventMapOf, EventsOption } from "./events/event-map.js";
import { handlerTimeoutBounds } from "./events/handler-options.js";
import { createHandlers, type HandlerRegistration, type HandlerRegistry } from "./events/handlers.js";
import { type ExplainRequest, type Explanation, explain } from "./explain.js";
import { findingsOf } from "./findings.js";
import { type AllowIpsOptions, type Allowlist, resolveAllowIps } from "./gate/allowlist.js";
import { type ClientAddressOptions, clientAddressResolver } from "./gate/client-address.js";
import { FailureBudget } from "./gate/failure-budget.js";
import { createMediaTypes } from "./gate/media-type.js";
import type { Challenge } from "./http/answers.js";
import type { Middleware } from "./http/guard.js";
import { type BodyOptions, parseBodyOptions } from "./http/read-body.js";
import { createReceive } from "./http/receive.js";
import { createRequestListener } from "./http/request-listener.js";
import { createInspection, type Inbox, noInbox } from "./inbox/inspection.js";
import { createLife } from "./inbox/life.js";
import { type InboxOptions, parseInboxOptions } from "./inbox/options.js";
import { Store } from "./inbox/store.js";
import { type Clock, parseClock } from "./lib/clock.js";
import { assertOptions, numberOption, own, stringOption } from "./lib/options.js";
import { createObserver, observeSource } from "./observe.js";
import { type DeliveryPlan, readStored } from "./steps.js";

declare const withoutInbox: unique symbol;

/** Stands for the engine's `Tx` where there is no inbox. */
export interface NoInbox {
  readonly [withoutInbox]: never;
}

/** What handlers get beside the event, by the `Tx` of the receiver's engine. */
export type ContextOf<Tx> = [Tx] extends [never]
  ? InboxContext<never>
  : [Tx] extends [NoInbox]
    ? HandlerContext
    : InboxContext<Tx>;

/** Options of `createReceiver`. Unknown options are refused. */
export interface ReceiverOptions<Events extends EventsOption | undefined = undefined, Tx = NoInbox>
  extends EnvelopeOptions {
  /** Stable name; in logs, in derived event ids and as the service of the one-line `auth`. */
  readonly name: string;
  /** Event types and their schemas, or `uncheckedTypes<T>()`. Left out: any type comes in, data is unknown. */
  readonly events?: Events;
  /** How callers prove who they are. */
  readonly auth: AuthOptions;
  /** Addresses that may call, checked before anything else. Left out: any; an empty list: none. */
  readonly allowIps?: AllowIpsOptions | Allowlist | undefined;
  /** Proxies in front of this server, whose word on the sender's address counts. Default: none. */
  readonly clientAddress?: ClientAddressOptions | undefined;
  readonly body?: BodyOptions | undefined;
  /** Milliseconds a handler may take, 1 to 86,400,000. Default: 10,000. */
  readonly handlerTimeoutMs?: number | undefined;
  /** Deliveries that may be in progress at once, 1 to 1,000,000; more are answered 503. Default: 1,000. */
  readonly maxInProgress?: number | undefined;
  /**
   * Failed credentials per address and minute, 1 to 1,000,000; beyond them the answer is 429 instead of 401. IPv6 counts
   * by /64. A valid credential always passes. Default: not counted.
   */
  readonly maxFailuresPerMinute?: number | undefined;
  /** Deliveries are stored before the answer, and handled afterwards. Left out: handlers run before the answer. */
  readonly inbox?: InboxOptions<Tx> | undefined;
  /** pino or anything like it. Default: warnings and errors on standard error. */
  readonly logger?: Logger | undefined;
  readonly hooks?: Hooks | undefined;
  /** For tests. Default: the machine's clock. */
  readonly clock?: Clock | undefined;
  /** `realm` of the challenge in a 401 (RFC 9110 section 11.5). Default: the name. */
  readonly realm?: string | undefined;
}

/** Receives deliveries and hands their events to handlers. */
export interface Receiver<EventMap = AnyEventMap, Context = HandlerContext>
  extends HandlerRegistration<EventMap, Context> {
  /**
   * Middleware for Express 4.18+ and 5, or any server with the same shape. Mount it with `app.all` and ahead of body
   * parsers. It answers every request itself and never calls `next`.
   */
  middleware(): Middleware;
  /**
   * A listener for `http.createServer` that answers deliveries on exactly `path`, with any query, before Express has
   * touched them, and passes every other request on to `app` unchanged; without an app they are answered 404. The
   * checks and answers are those of `middleware()`.
   *
   * @example
   * http.createServer(receiver.requestListener("/hooks/orders", app)).listen(3000);
   */
  requestListener(path: string, app?: RequestListener): RequestListener;
  /**
   * What would become of a request, and why, step by step. Nothing is handled, counted, reported or remembered; your
   * own lookups and schemas are called, and a remote key set may be fetched. Holds no key, token or body.
   *
   * @example
   * console.table((await receiver.explain({ headers: { key }, remoteAddress: "203.0.113.7", body })).steps);
   */
  explain(request: ExplainRequest): Promise<Explanation>;
  /** What is allowed and seldom meant in this receiver's options and handlers; `npx hookgate doctor` prints it. */
  findings(): readonly string[];
  /** The stored events, for operators; without the option `inbox` its methods reject with a TypeError. */
  readonly inbox: Inbox;
  /**
   * Resolves when credentials can be looked up and, with an inbox, its store is open and its workers run; until then
   * deliveries are answered 503 (ERR_STOPPED). Without an inbox it is not needed, and good for failing early. Called
   * again it gives the same promise, unless that rejected: then it tries again. Rejects behind `close`.
   */
  start(): Promise<void>;
  /**
   * Answers further deliveries with 503 (ERR_STOPPED), waits until those in progress are answered and the runs of
   * handlers have ended, and ends what the receiver started. What has not ended within `graceMs` (default: 10,000, at
   * most 3,600,000) is left behind: with an inbox its signal aborts and its task is given back, without its attempt.
   * Resolves within the grace and a second, and never rejects. A `credentials` object that was given belongs to whoever
   * made it.
   */
  close(options?: { readonly graceMs?: number | undefined }): Promise<void>;
}

const known: readonly (keyof ReceiverOptions)[] = [
  "name",
  "events",
  "auth",
  "allowIps",
  "clientAddress",
  "body",
  "type",
  "id",
  "data",
  "handlerTimeoutMs",
  "maxInProgress",
  "maxFailuresPerMinute",
  "inbox",
  "logger",
  "hooks",
  "clock",
  "realm",
];

const where = "createReceiver";

/**
 * Makes a receiver. Options are read and checked once, here: a mistake throws a TypeError that names the option and
 * the fix.
 *
 * @example
 * const receiver = createReceiver({
 *   name: "orders",
 *   events: { "order.paid": z.object({ orderId: z.string() }) },
 *   auth: { serviceKey: process.env.HOOK_SERVICE_KEY },
 * });
 * receiver.on("order.paid", (event) => ship(event.data.orderId));
 * app.all("/hooks/orders", receiver.middleware());
 */
export function createReceiver<const Events extends EventsOption | undefined = undefined, Tx = NoInbox>(
  options: ReceiverOptions<Events, Tx>,
): Receiver<EventMapOf<Events>, ContextOf<Tx>> {
  const { plan, store, handlers, challenge, ownsCredentials } = prepare(options);
  const { observer, auth, clock } = plan;
  const way = createDeliveryWay(plan);
  const receive = createReceive(way, challenge, (message) => observer.note("warn", message, {}));
  const unobserve = observeSource(auth.credentials, observer);
  const life = createLife({
    way,
    store,
    handlers,
    clock,
    observer,
    ready: async () => {
      for (const finding of findingsOf(plan)) observer.note("warn", finding, {});
      await auth.credentials?.ready?.();
    },
    end: () => {
      unobserve();
      if (ownsCredentials) auth.credentials?.close?.();
    },
  });
  return {
    on: (types, handler, handlerOptions) => handlers.on(types, handler, handlerOptions),
    onAny: (handler, handlerOptions) => handlers.onAny(handler, handlerOptions),
    off: (handler) => handlers.off(handler),
    middleware: () => receive,
    requestListener: (path, app) => createRequestListener(path, receive, app),
    explain: (request) => explain(plan, request),
    findings: () => findingsOf(plan),
    inbox: store === undefined ? noInbox() : inspectionOf(plan, store),
    start: () => life.start(),
    close: (closeOptions) => life.close(closeOptions),
  };
}

function inspectionOf<Tx>({ name, handlers, clock, observer }: DeliveryPlan, store: Store<Tx>): Inbox {
  return createInspection({
    receiver: name,
    engine: store.settings.engine,
    clock,
    observer,
    hasHandler: (handler) => handlers.all().some((registered) => registered.name === handler),
    assertOpen: () => store.assertOpen(),
  });
}

interface Prepared<EventMap, Tx> {
  readonly plan: DeliveryPlan;
  readonly store: Store<Tx> | undefined;
  readonly handlers: HandlerRegistry<EventMap, ContextOf<Tx>>;
  readonly challenge: Challenge;
  readonly ownsCredentials: boolean;
}

/** Reads and checks every option, once. */
function prepare<Events extends EventsOption | undefined, Tx>(
  options: ReceiverOptions<Events, Tx>,
): Prepared<EventMapOf<Events>, Tx> {
  assertOptions(options, known, where);
  const name = stringOption(own(options, "name"), `${where}.name`);
  const clock = parseClock(own(options, "clock"), `${where}.clock`);
  const [logger, hooks] = [own(options, "logger"), own(options, "hooks")];
  const observer = createObserver({ name, clock, where, logger, hooks });
  const remembersUses = own(options, "inbox") !== undefined;
  const auth = resolveAuth(own(options, "auth"), `${where}.auth`, { name, clock, remembersUses });
  const settings = parseInboxOptions<Tx>(own(options, "inbox"), `${where}.inbox`, auth.policy.keyHeader);
  const body = parseBodyOptions(own(options, "body"), `${where}.body`);
  const catalog = createCatalog(own(options, "events"), `${where}.events`);
  const handlers = createHandlers<EventMapOf<Events>, ContextOf<Tx>>(catalog, settings?.engine.capabilities);
  const envelope = createEnvelope(options, name, where);
  const limits = parseLimits(options);
  const store =
    settings &&
    new Store<Tx>({
      ...{ receiver: name, settings, clock, observer, defaultTimeoutMs: limits.handlerTimeoutMs },
      readData: (task) => readStored({ catalog, envelope }, task),
    });
  const [allowIps, realm] = [own(options, "allowIps"), own(options, "realm")];
  return {
    plan: {
      name,
      clientAddress: clientAddressResolver(own(options, "clientAddress"), `${where}.clientAddress`),
      allowIps: allowIps === undefined ? [] : [resolveAllowIps(allowIps, `${where}.allowIps`)],
      auth: auth.policy,
      body: { ...body, clock },
      mediaTypes: createMediaTypes(body.types),
      ...{ envelope, catalog, handlers, ...limits, inbox: store, clock, observer },
    },
    store,
    handlers,
    challenge: {
      realm: realm === undefined ? name : stringOption(realm, `${where}.realm`),
      acceptsJwt: auth.policy.tokens !== undefined,
    },
    ownsCredentials: auth.ownsCredentials,
  };
}

function parseLimits(
  options: Pick<ReceiverOptions, "handlerTimeoutMs" | "maxInProgress" | "maxFailuresPerMinute">,
): Pick<DeliveryPlan, "handlerTimeoutMs" | "maxInProgress" | "failureBudget"> {
  const failures = own(options, "maxFailuresPerMinute");
  const bounds = { min: 1, max: 1_000_000, fallback: 1_000, integer: true };
  return {
    handlerTimeoutMs: numberOption(own(options, "handlerTimeoutMs"), `${where}.handlerTimeoutMs`, {
      ...handlerTimeoutBounds,
      fallback: 10_000,
    }),
    maxInProgress: numberOption(own(options, "maxInProgress"), `${where}.maxInProgress`, bounds),
    failureBudget:
      failures === undefined
        ? undefined
        : new FailureBudget(numberOption(failures, `${where}.maxFailuresPerMinute`, bounds)),
  };
}
