import { Refusal } from "../errors.js";
import type { IncomingEvent } from "../events/extract.js";
import type { RegisteredHandler } from "../events/handlers.js";
import {
  type Dispatch,
  type DispatchResult,
  dispatch,
  type LateResult,
  type SharedContext,
} from "../events/run-handlers.js";
import { newDelivery, reportStored, toOutcome } from "../inbox/accept.js";
import { type Clock, timeOf } from "../lib/clock.js";
import type { MaybePromise } from "../types/credential.js";
import type { Delivery } from "../types/delivery.js";
import type { Acceptance, NewDelivery } from "../types/engine.js";
import type { Outcome } from "../types/outcome.js";
import { type IncomingDelivery, waiting } from "./incoming-delivery.js";
import type { DeliveryInbox, ReceiverConfig } from "./options.js";
import { readData } from "./read-events.js";

/** The last step, after every check: the delivery goes into the inbox, or its events go to their handlers. */
export function handOver(
  delivery: IncomingDelivery,
  config: ReceiverConfig,
): MaybePromise<DispatchResult | Refusal | undefined | typeof waiting> {
  if (config.inbox !== undefined) return store(delivery, config, config.inbox);
  const context = sharedContext(delivery, config);
  const [first] = delivery.events as readonly [IncomingEvent];
  return delivery.events.length === 1
    ? handle(new EventDispatch(delivery, config, { event: first, position: 0, context }))
    : handleInTurn(delivery, config, context);
}

/** Makes the outcome of what the handlers did. `result`: of the only event, where somebody wanted it. */
export function conclude(
  delivery: IncomingDelivery,
  result: DispatchResult | undefined,
  config: ReceiverConfig,
): Outcome | Refusal {
  const { events } = delivery;
  if (result !== undefined) noteResult(delivery, events[0] as IncomingEvent, { result, config });
  noteDeadline(delivery, config);
  const { failure } = delivery;
  if (failure?.started === false) return failure.refusal;
  if (failure !== undefined) return { status: "failed", refusal: failure.refusal };
  const ids = events.map(({ id }) => id);
  return events.every(({ handlers }) => handlers.length === 0)
    ? { status: "ignored", ids, stored: false }
    : { status: "handled", ids };
}

/** Continues when the store has answered: by a callback, so that nothing before the store takes a promise. */
function store(
  delivery: IncomingDelivery,
  config: ReceiverConfig,
  inbox: DeliveryInbox,
): Refusal | typeof waiting {
  const { name, source } = config;
  const origin = {
    receiver: name,
    source: source?.name ?? "",
    deduplicateBy: source?.deduplicateBy ?? "id-and-body",
  } as const;
  const stored = newDelivery(origin, inbox.settings, delivery);
  if (stored instanceof Refusal) return stored;
  inbox.accept(stored, (acceptance) => delivery.resume(outcomeOf(delivery, config, { stored, acceptance })));
  return waiting;
}

/** A custom engine may return anything: the sender must get an answer nevertheless. */
function outcomeOf(
  delivery: IncomingDelivery,
  config: ReceiverConfig,
  { stored, acceptance }: { readonly stored: NewDelivery; readonly acceptance: Acceptance | Refusal },
): Outcome | Refusal {
  try {
    const outcome = toOutcome(stored, acceptance);
    if (outcome instanceof Refusal) return outcome;
    if (!(acceptance instanceof Refusal) && acceptance.status === "stored") {
      const { positions } = acceptance;
      for (const [at, event] of delivery.events.entries()) {
        if (!positions.includes(at)) continue;
        config.reporter.accepted(delivery, event);
        if (event.handlers.length === 0) noteIgnored(delivery, event, config);
      }
    }
    reportStored(stored, acceptance, config.reporter);
    return outcome;
  } catch (error) {
    return new Refusal("ERR_INTERNAL", "the answer of the inbox's engine could not be read", error);
  }
}

function noteIgnored(
  { requestId }: IncomingDelivery,
  { id, type }: IncomingEvent,
  { reporter, unhandled, inbox }: ReceiverConfig,
): void {
  unhandled.report(type);
  reporter.ignored(requestId, { id, type }, inbox !== undefined);
}

/** Runs the handlers of an event. */
function handle(dispatched: EventDispatch): MaybePromise<DispatchResult | undefined> {
  const { delivery, event, config } = dispatched;
  config.reporter.accepted(delivery, event);
  if (event.handlers.length > 0) return dispatch(dispatched);
  noteIgnored(delivery, event, config);
  return undefined;
}

/** One event after the other, so that a batch keeps its order. */
async function handleInTurn(
  delivery: IncomingDelivery,
  config: ReceiverConfig,
  context: SharedContext,
): Promise<undefined> {
  for (const [position, event] of delivery.events.entries()) {
    const result = await handle(new EventDispatch(delivery, config, { event, position, context }));
    if (result !== undefined) noteResult(delivery, event, { result, config });
  }
  return undefined;
}

/** An event and its handlers. A class: one object per event and no closures. */
class EventDispatch implements Dispatch {
  readonly delivery: IncomingDelivery;
  readonly config: ReceiverConfig;
  readonly event: IncomingEvent;
  readonly position: number;
  readonly context: SharedContext;
  readonly id: string;
  readonly type: string;
  readonly handlers: readonly RegisteredHandler[];
  readonly firstData: unknown;
  readonly clock: Clock;
  readonly defaultTimeoutMs: number;

  constructor(
    delivery: IncomingDelivery,
    config: ReceiverConfig,
    one: { readonly event: IncomingEvent; readonly position: number; readonly context: SharedContext },
  ) {
    this.delivery = delivery;
    this.config = config;
    this.event = one.event;
    this.position = one.position;
    this.context = one.context;
    this.id = one.event.id;
    this.type = one.event.type;
    this.handlers = one.event.handlers;
    this.firstData = one.event.checkedData;
    this.clock = config.clock;
    this.defaultTimeoutMs = config.handlerTimeoutMs;
  }

  /** The same bytes passed before, so this fails only if the schema is not deterministic. */
  async nextData(): Promise<unknown> {
    const { rawBody, headers, parsed } = this.delivery;
    const data = await readData(this.config, this, { kind: parsed.kind, rawBody, headers });
    if (data instanceof Refusal) throw data.toError();
    return data.value;
  }

  onLate({ name, durationMs, ...late }: LateResult): void {
    const message = `handler "${name}" finished after its deadline (${late.outcome})`;
    const error = late.outcome === "failed" ? { err: late.error } : {};
    const { requestId } = this.delivery;
    this.config.reporter.note("warn", message, { requestId, durationMs, ...error });
  }
}

/** What handlers see of a delivery: a separate object, so that they cannot reach our state. */
function sharedContext(delivery: IncomingDelivery, { reporter }: ReceiverConfig): SharedContext {
  const { requestId, method, url, headers, address, rawBody, caller } = delivery;
  const receivedAt = new Date(delivery.receivedAtMs);
  const view: Delivery = { requestId, method, url, headers, address, receivedAt, rawBody };
  return { caller, delivery: view, attempt: 1, logger: reporter.logger };
}

/** Reports each handler's result and keeps the delivery's first failure. */
function noteResult(
  delivery: IncomingDelivery,
  { id, type }: IncomingEvent,
  {
    result: { overloaded, results },
    config: { reporter },
  }: { readonly result: DispatchResult; readonly config: ReceiverConfig },
): void {
  if (overloaded !== undefined) {
    const reason = `handler "${overloaded}" runs as often as its concurrency allows`;
    delivery.failure ??= { started: false, refusal: new Refusal("ERR_OVERLOADED", reason) };
    return;
  }
  const { requestId } = delivery;
  const event = { id, type };
  let failure: Refusal | undefined;
  for (const result of results) {
    const { name: handler, durationMs } = result;
    const run = { requestId, event, handler, attempt: 1, durationMs };
    if (result.outcome === "done") {
      reporter.handled(run);
      continue;
    }
    const failed = result.outcome === "failed";
    const code = failed ? "ERR_HANDLER_FAILED" : "ERR_HANDLER_TIMEOUT";
    const reason = failed ? `handler "${handler}" failed` : result.error.message;
    const refusal = new Refusal(code, reason, result.error);
    reporter.failed(run, code, refusal.toError());
    if (failure === undefined || failed) failure = refusal;
  }
  if (failure !== undefined) delivery.failure ??= { started: true, refusal: failure };
}

/** A sender that has stopped waiting treats the delivery as failed, whatever the answer is. */
function noteDeadline(
  { receivedAtMs, requestId }: IncomingDelivery,
  { source, deadlineMs, clock, reporter }: ReceiverConfig,
): void {
  if (source === undefined || deadlineMs === undefined) return;
  const tookMs = timeOf(clock) - receivedAtMs;
  if (tookMs <= deadlineMs) return;
  const used = Math.round((tookMs / deadlineMs) * 100);
  const message =
    `the answer took ${tookMs} ms, ${used} % of the ${deadlineMs} ms that ${source.name} waits: ` +
    "it counts as failed there; with an inbox, handlers run after the answer";
  reporter.note("warn", message, { requestId, tookMs, deadlineMs });
}
