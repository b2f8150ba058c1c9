import type { IncomingHttpHeaders } from "node:http";
import { Refusal } from "../errors.js";
import { type DispatchResult, dispatch } from "../events/dispatch.js";
import type { OpenedEnvelope } from "../events/extract.js";
import type { RegisteredHandler } from "../events/handler-options.js";
import type { LateResult } from "../events/run-handlers.js";
import { type CheckedDelivery, judgeAcceptance, newDelivery, tellStored } from "../inbox/accept.js";
import { timeOf } from "../lib/clock.js";
import { type Patience, withDeadline } from "../lib/deadline.js";
import { isPromise } from "../lib/maybe-promise.js";
import { printable } from "../lib/printable.js";
import type { MaybePromise } from "../types/credential.js";
import type { Caller, Delivery } from "../types/delivery.js";
import type { Acceptance, NewDelivery } from "../types/engine.js";
import type { Outcome } from "../types/outcome.js";
import type { BodyKind } from "../types/source.js";
import {
  type CheckedData,
  checkData,
  type DeliveryInbox,
  type DeliveryPlan,
  handlersOf,
  parseDelivery,
  refuseUnknown,
} from "./steps.js";

/** A delivery that passed the gate. */
export interface PassedDelivery {
  readonly kind: BodyKind;
  readonly caller: Caller;
  /** The secret or key that verified the signature, where there is one. */
  readonly signedBy: string | undefined;
  readonly tokenUse: CheckedDelivery["tokenUse"];
  readonly delivery: Delivery;
}

/** Who is told of a delivery's events, as soon as they are read, and of its outcome, once. */
export interface HandlingListener {
  opened(events: readonly OpenedEnvelope[]): void;
  /** How long the schemas may take together. */
  patience(): Patience;
  settle(outcome: Outcome | Refusal): void;
}

/** One of its events, and who wants it. */
interface Wanted {
  readonly position: number;
  readonly event: OpenedEnvelope;
  readonly handlers: readonly RegisteredHandler[];
}

/** An event whose data was held against its schema. */
interface Checked extends Wanted {
  readonly data: CheckedData | Refusal;
}

/**
 * From bytes to the outcome: parse, events, schemas; then into the inbox, or to the handlers. Never throws; where everything
 * is at hand it takes no promise.
 */
export function handleDelivery(plan: DeliveryPlan, passed: PassedDelivery, listener: HandlingListener): void {
  new Handling(plan, passed, listener).run();
}

class Handling {
  readonly #plan: DeliveryPlan;
  readonly #passed: PassedDelivery;
  readonly #listener: HandlingListener;

  constructor(plan: DeliveryPlan, passed: PassedDelivery, listener: HandlingListener) {
    this.#plan = plan;
    this.#passed = passed;
    this.#listener = listener;
  }

  run(): void {
    this.#await(
      () => this.#read(),
      (outcome) => this.#listener.settle(outcome),
    );
  }

  /** Goes on with what `make` gives, now or later; whatever is thrown on the way is the outcome. */
  #await<T>(make: () => MaybePromise<T>, next: (value: T) => void): void {
    const fail = (error: unknown): void => {
      this.#listener.settle(new Refusal("ERR_INTERNAL", "a check, schema or source threw", error));
    };
    try {
      const made = make();
      if (isPromise(made)) made.then(next).catch(fail);
      else next(made);
    } catch (error) {
      fail(error);
    }
  }

  #read(): MaybePromise<Outcome | Refusal> {
    const { kind, delivery } = this.#passed;
    const { source, envelope } = this.#plan;
    const headers = delivery.headers as IncomingHttpHeaders;
    const parsed = parseDelivery(this.#plan, { kind, rawBody: delivery.rawBody, headers });
    if (parsed instanceof Refusal) return parsed;
    const { method, url } = delivery;
    const answer = source?.handshake?.({ method, url, headers, body: parsed.body });
    if (answer !== undefined) return { status: "handshake", answer };
    const events = envelope.open(parsed, delivery.rawBody);
    if (events instanceof Refusal) return events;
    this.#listener.opened(events);
    if (events.length === 0) return { status: "ignored", ids: [], stored: false };
    const checked = events.map((event, position) => this.#check(event, position));
    if (!checked.some(isPromise)) return this.#handOver(checked as readonly Checked[]);
    const types = [...new Set(events.map(({ type }) => `"${printable(type)}"`))].join(", ");
    const refuse = (why: "late" | "gone"): Refusal => (why === "gone" ? senderGone() : schemaLate(types));
    return withDeadline(Promise.all(checked), this.#listener.patience(), refuse).then((settled) =>
      settled instanceof Refusal ? settled : this.#handOver(settled),
    );
  }

  #check(event: OpenedEnvelope, position: number): MaybePromise<Checked> {
    const handlers = handlersOf(this.#plan, event.type);
    const wanted: Wanted = { event, position, handlers };
    if (handlers.length === 0) return { ...wanted, data: unchecked };
    const data = checkData(this.#plan, event.type, event.data);
    return isPromise(data) ? data.then((settled) => ({ ...wanted, data: settled })) : { ...wanted, data };
  }

  #handOver(events: readonly Checked[]): MaybePromise<Outcome | Refusal> {
    const { inbox } = this.#plan;
    for (const { event } of events) {
      const unknown = refuseUnknown(this.#plan, event.type);
      if (unknown !== undefined) return unknown;
    }
    const broken = events.find(({ data }) => data instanceof Refusal)?.data;
    if (broken instanceof Refusal && inbox?.settings.invalid !== "park") return broken;
    return inbox === undefined ? this.#handle(events) : this.#store(inbox, events);
  }

  #accepted({ id, type }: { readonly id: string; readonly type: string }): void {
    const { caller, signedBy, delivery } = this.#passed;
    const { requestId, address } = delivery;
    this.#plan.observer.accepted({ requestId, address, caller, signedBy }, { id, type });
  }

  #ignored({ id, type }: { readonly id: string; readonly type: string }, stored: boolean): void {
    const { observer, unknown } = this.#plan;
    unknown.tell(type);
    observer.ignored(this.#passed.delivery.requestId, { id, type }, stored);
  }

  /** Into the inbox, instead of to the handlers. */
  #store(inbox: DeliveryInbox, events: readonly Checked[]): MaybePromise<Outcome | Refusal> {
    const { name, source } = this.#plan;
    const origin = {
      receiver: name,
      source: source?.name ?? "",
      sameEvent: source?.sameEvent ?? "id-and-body",
    } as const;
    const delivery = newDelivery(origin, inbox.settings, { ...this.#passed, events });
    if (delivery instanceof Refusal) return delivery;
    return new Promise((resolve, reject) => {
      inbox.accept(delivery, (acceptance) => {
        // An engine of somebody's own may answer what no one foresaw: nobody may be left waiting.
        try {
          resolve(this.#stored(delivery, acceptance));
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  #stored(delivery: NewDelivery, acceptance: Acceptance | Refusal): Outcome | Refusal {
    const outcome = judgeAcceptance(delivery, acceptance);
    if (outcome instanceof Refusal) return outcome;
    const { observer } = this.#plan;
    if (!(acceptance instanceof Refusal) && acceptance.status === "stored") {
      const { positions } = acceptance;
      for (const [at, event] of delivery.events.entries()) {
        if (!positions.includes(at)) continue;
        this.#accepted(event);
        if (event.tasks.length === 0) this.#ignored(event, true);
      }
    }
    tellStored(delivery, acceptance, observer);
    return outcome;
  }

  /** To the handlers: one event behind the other, so that a batch keeps its order. */
  #handle(events: readonly Checked[]): MaybePromise<Outcome | Refusal> {
    const [first] = events as readonly [Checked];
    if (events.length > 1) return this.#handleAll(events);
    const failure = this.#handleOne(first);
    return isPromise(failure)
      ? failure.then((settled) => this.#outcome(events, settled))
      : this.#outcome(events, failure);
  }

  async #handleAll(events: readonly Checked[]): Promise<Outcome | Refusal> {
    let failed: Failure | undefined;
    for (const event of events) {
      const failure = await this.#handleOne(event);
      failed ??= failure;
    }
    return this.#outcome(events, failed);
  }

  #outcome(events: readonly Checked[], failure: Failure | undefined): Outcome | Refusal {
    this.#noteDeadline();
    if (failure?.started === false) return failure.refusal;
    if (failure !== undefined) return { status: "failed", refusal: failure.refusal };
    const ids = events.map(({ event }) => event.id);
    return events.every(({ handlers }) => handlers.length === 0)
      ? { status: "ignored", ids, stored: false }
      : { status: "handled", ids };
  }

  /** Why the event is not handled; undefined where it is, or where nobody wants it. */
  #handleOne(checked: Checked): MaybePromise<Failure | undefined> {
    const { event, handlers, data } = checked;
    this.#accepted(event);
    if (handlers.length === 0) this.#ignored(event, false);
    if (handlers.length === 0 || data instanceof Refusal) return undefined;
    const { observer, clock, handlerTimeoutMs } = this.#plan;
    const { caller, delivery } = this.#passed;
    const result = dispatch({
      id: event.id,
      type: event.type,
      handlers,
      firstData: data.value,
      nextData: () => this.#parseAgain(checked),
      context: { caller, delivery, attempt: 1, logger: observer.logger },
      clock,
      defaultTimeoutMs: handlerTimeoutMs,
      onLate: (late) => this.#late(late),
    });
    return isPromise(result)
      ? result.then((settled) => this.#conclude(event, settled))
      : this.#conclude(event, result);
  }

  /** Data of its own for a further handler; the same bytes passed once, so only a moody schema can fail here. */
  async #parseAgain({ event, position }: Wanted): Promise<unknown> {
    const { kind, delivery } = this.#passed;
    const { envelope } = this.#plan;
    const { rawBody } = delivery;
    const headers = delivery.headers as IncomingHttpHeaders;
    const parsed = parseDelivery(this.#plan, { kind, rawBody, headers });
    if (parsed instanceof Refusal) throw parsed.toError();
    const data = await checkData(this.#plan, event.type, envelope.data(parsed, position));
    if (data instanceof Refusal) throw data.toError();
    return data.value;
  }

  #late({ name, durationMs, ...late }: LateResult): void {
    const message = `handler "${name}" settled behind its deadline (${late.outcome})`;
    const error = late.outcome === "failed" ? { err: late.error } : {};
    const { requestId } = this.#passed.delivery;
    this.#plan.observer.note("warn", message, { requestId, durationMs, ...error });
  }

  /** A sender that has given up takes the delivery for lost, whatever we answer, and sends it again. */
  #noteDeadline(): void {
    const { source, clock, observer } = this.#plan;
    if (source === undefined) return;
    const { receivedAt, requestId } = this.#passed.delivery;
    const tookMs = timeOf(clock) - receivedAt.getTime();
    const { deadlineMs, name } = source;
    if (tookMs <= deadlineMs) return;
    const used = Math.round((tookMs / deadlineMs) * 100);
    const message =
      `the answer took ${tookMs} ms, ${used} % of the ${deadlineMs} ms that ${name} waits: ` +
      "it counts as failed there; with an inbox handlers run behind the answer";
    observer.note("warn", message, { requestId, tookMs, deadlineMs });
  }

  /** Tells of each handler and makes the result of all: one failure fails the delivery. */
  #conclude({ id, type }: OpenedEnvelope, { overloaded, results }: DispatchResult): Failure | undefined {
    if (overloaded !== undefined) {
      const reason = `handler "${overloaded}" runs as often as its concurrency allows`;
      return { started: false, refusal: new Refusal("ERR_OVERLOADED", reason) };
    }
    const { observer } = this.#plan;
    const { requestId } = this.#passed.delivery;
    const event = { id, type };
    let failure: Refusal | undefined;
    for (const result of results) {
      const { name: handler, durationMs } = result;
      const run = { requestId, event, handler, attempt: 1, durationMs };
      if (result.outcome === "done") {
        observer.handled(run);
        continue;
      }
      const failed = result.outcome === "failed";
      const code = failed ? "ERR_HANDLER_FAILED" : "ERR_HANDLER_TIMEOUT";
      const reason = failed ? `handler "${handler}" failed` : result.error.message;
      const refusal = new Refusal(code, reason, result.error);
      observer.failed(run, code, refusal.toError());
      if (failure === undefined || failed) failure = refusal;
    }
    return failure && { started: true, refusal: failure };
  }
}

/** Why an event was not handled, and whether a handler had begun. */
interface Failure {
  readonly started: boolean;
  readonly refusal: Refusal;
}

/** How long the user's own checks (of a signature, by schemas) may take before the answer, in milliseconds. */
export const checkDeadlineMs = 2_000;

/** Nobody is left to answer to; whoever sends it again is checked anew. */
export function senderGone(): Refusal {
  return new Refusal("ERR_BODY_ABORTED", "the sender closed the connection before its delivery was checked");
}

function schemaLate(types: string): Refusal {
  return new Refusal("ERR_INTERNAL", `the schema of ${types} gave no answer within ${checkDeadlineMs} ms`);
}

const unchecked: CheckedData = { value: undefined };
