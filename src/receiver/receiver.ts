import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { loadJose } from "../auth/jwt/verify.js";
import { loadRawBody } from "../body/read.js";
import type { EventMapOf, EventsByName, EventsOption, NameOf } from "../events/event-map.js";
import type { HandlerRegistration, TaskRegistration } from "../events/handlers.js";
import { createReceiverMiddleware, type Middleware, withMountCheck } from "../http/middleware.js";
import { createRequestListener } from "../http/request-listener.js";
import { createInboxAdmin, createNoInbox, type Inbox } from "../inbox/admin.js";
import { toReceiverHealth } from "../inbox/health.js";
import type { ReceiverInbox } from "../inbox/inbox.js";
import type { AnyEventMap, HandlerContext, HandlerResult, InboxContext } from "../types/event.js";
import type { ExplainRequest, Explanation } from "../types/explanation.js";
import type { ReceiverHealth } from "../types/health.js";
import { findingsOf, startWarningsOf } from "./diagnose.js";
import { explain } from "./explain.js";
import { type CloseOptions, createLifecycle } from "./lifecycle.js";
import {
  type ContextOf,
  type NoInbox,
  parseReceiverOptions,
  type ReceiverConfig,
  type ReceiverOptions,
} from "./options.js";
import { type Check, checks, createIntake } from "./pipeline.js";

import { readStoredEvent } from "./read-events.js";
import { observeCredentials } from "./reporter.js";

/** What every receiver has. */
interface AnyReceiver {
  /**
   * Middleware for Express 4.18+ and 5, or any server with the same shape. Mount it with `app.all` and ahead of body
   * parsers. It answers every request itself and never calls `next`. Mounted without calling it, as in
   * `app.all("/hooks", receiver.middleware)`, it is the middleware itself.
   */
  readonly middleware: {
    (): Middleware;
    (req: IncomingMessage, res: ServerResponse, next?: (error?: unknown) => void): void;
  };
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
  /**
   * What is allowed but rarely intended in this receiver's options and handlers and, once it is started, what is stuck in its
   * inbox; `npx hookgate doctor` prints it.
   */
  diagnose(): readonly string[];
  /**
   * The receiver's health: whether it is live, whether it takes deliveries, and a check of each of its parts. If the last
   * write to the store is older than five seconds, a test write is made. Never rejects; resolves within about two seconds.
   */
  health(): Promise<ReceiverHealth>;
  /**
   * Resolves when credentials can be looked up and, with an inbox, its store is open and its workers run; until then
   * deliveries are answered 503 (ERR_STOPPED). Without an inbox it is not needed, but makes a mistake show early. Called
   * again it returns the same promise; if that rejected, it tries again. Rejects after `close`.
   */
  start(): Promise<void>;
  /**
   * Answers further deliveries with 503 (ERR_STOPPED), waits until those in progress are answered and the runs of
   * handlers have ended, and ends what the receiver started. What has not ended within `grace` (default "10s", at most
   * "1h") is left behind: with an inbox its signal aborts and its task is given back, without its attempt.
   * Resolves within the grace and a second, and never rejects. A `credentials` object that you passed in is yours to
   * close.
   */
  close(options?: CloseOptions): Promise<void>;
}

/** Receives deliveries and hands their events to handlers before they are answered. */
export interface Receiver<EventMap = AnyEventMap, Context = HandlerContext>
  extends AnyReceiver,
    HandlerRegistration<EventMap, Context> {}

/** Receives deliveries, stores them in its inbox, and hands their events to handlers after they are answered. */
export interface InboxReceiver<EventMap = AnyEventMap, Tx = unknown>
  extends AnyReceiver,
    TaskRegistration<EventMap, InboxContext<Tx>> {
  /** The stored events, for operators. */
  readonly inbox: Inbox;
}

/** What `createReceiver` makes, by the `Tx` of the engine. */
type ReceiverOf<EventMap, Tx> = [Tx] extends [never]
  ? InboxReceiver<EventMap, never>
  : [Tx] extends [NoInbox]
    ? Receiver<EventMap>
    : InboxReceiver<EventMap, Tx>;

type EventMapIn<R> =
  R extends InboxReceiver<infer EventMap, infer _Tx>
    ? EventMap
    : R extends Receiver<infer EventMap, infer _Context>
      ? EventMap
      : never;

type ContextIn<R> =
  R extends InboxReceiver<infer _EventMap, infer Tx>
    ? InboxContext<Tx>
    : R extends Receiver<infer _EventMap, infer Context>
      ? Context
      : never;

/**
 * The event that a receiver's handlers get, by its type; a pattern gives the union, and so does no name at all.
 *
 * @example
 * type Paid = EventOf<typeof receiver, "order.paid">;
 */
export type EventOf<R, Name extends NameOf<EventMapIn<R>> = NameOf<EventMapIn<R>>> = EventsByName<
  EventMapIn<R>
>[Name];

/**
 * A handler of a receiver, for an event type or a pattern: for handlers that are declared away from `on`.
 *
 * @example
 * const onPaid: HandlerOf<typeof receiver, "order.paid"> = async (event, context) => { … };
 */
export type HandlerOf<R, Name extends NameOf<EventMapIn<R>> = NameOf<EventMapIn<R>>> = (
  event: EventOf<R, Name>,
  context: ContextIn<R>,
) => HandlerResult;

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
export function createReceiver<
  const Events extends EventsOption | undefined = undefined,
  Tx = NoInbox,
  SourceEvents = AnyEventMap,
>(options: ReceiverOptions<Events, Tx, SourceEvents>): ReceiverOf<EventMapOf<Events, SourceEvents>, Tx>;
export function createReceiver(options: ReceiverOptions): unknown {
  return createReceiverWith(options, checks);
}

/** As `createReceiver`, with a list of checks in an order of its own: the seam for tests. */
export function createReceiverWith<Events extends EventsOption | undefined, Tx, SourceEvents>(
  options: ReceiverOptions<Events, Tx, SourceEvents>,
  checks: readonly Check<ReceiverConfig>[],
): AnyReceiver &
  TaskRegistration<EventMapOf<Events, SourceEvents>, ContextOf<Tx>> & { readonly inbox: Inbox } {
  const { config, inbox, handlers, ownsCredentials } = parseReceiverOptions(options);
  const { reporter, auth, clock } = config;
  const intake = createIntake(config, checks);
  const receive = withMountCheck(intake.receive, (message) => reporter.note("warn", message, {}));
  const unobserve = observeCredentials(auth.credentials, reporter);
  const lifecycle = createLifecycle({
    ...{ intake, inbox, handlers, clock, reporter },
    ready: async () => {
      for (const warning of startWarningsOf(config)) reporter.note("warn", warning, {});
      // The first delivery need not wait for these packages, and one that is missing shows here.
      await Promise.all([loadRawBody(), auth.tokens && loadJose()]);
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
    middleware: createReceiverMiddleware(receive),
    requestListener: (path, app) =>
      createRequestListener(path, {
        receive,
        app,
        onFault: (message) => reporter.note("error", message, {}),
      }),
    explain: (request) => explain(config, checks, request),
    diagnose: () => [...findingsOf(config), ...(inbox?.diagnose() ?? [])],
    async health() {
      const state = lifecycle.state();
      return toReceiverHealth({
        state,
        hasInbox: inbox !== undefined,
        inbox: state === "started" ? await inbox?.health() : undefined,
        inProgress: intake.inProgress(),
      });
    },
    inbox: inbox === undefined ? createNoInbox() : createAdmin(config, inbox),
    start: () => lifecycle.start(),
    close: (closeOptions) => lifecycle.close(closeOptions),
  };
}

function createAdmin<Tx>(config: ReceiverConfig, inbox: ReceiverInbox<Tx>): Inbox {
  const { name, handlers, clock, reporter } = config;
  return createInboxAdmin({
    receiver: name,
    engine: inbox.settings.engine,
    clock,
    reporter,
    handlers,
    readEvent: async ({ id, type, position, delivery }) =>
      delivery && readStoredEvent(config, { event: { id, type }, position, delivery }),
    assertOpen: () => inbox.assertOpen(),
  });
}
