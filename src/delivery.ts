import type { IncomingMessage } from "node:http";
import type { Delivery } from "./contracts/delivery.js";
import type { Acceptance, NewDelivery } from "./contracts/engine.js";
import type { Outcome } from "./contracts/outcome.js";
import { Refusal } from "./errors.js";
import { type DispatchResult, dispatch } from "./events/dispatch.js";
import type { OpenedEnvelope } from "./events/envelope.js";
import type { RegisteredHandler } from "./events/handler-options.js";
import type { LateResult } from "./events/run.js";
import { type Authenticated, authenticate } from "./gate/authenticate.js";
import type { BodyKind } from "./gate/media-type.js";
import { findSender, type SenderAddress, type ShadowListener } from "./gate/sender-address.js";
import { readBody } from "./http/read-body.js";
import { newDelivery } from "./inbox/new-delivery.js";
import { judgeAcceptance, tellStored } from "./inbox/outcome.js";
import { isPromise } from "./lib/maybe-promise.js";
import type { RefusedRequest } from "./observe.js";
import {
  type CheckedData,
  checkData,
  checkHead,
  type DeliveryInbox,
  type DeliveryPlan,
  handlersOf,
  openEvent,
  parseDelivery,
  refuseBody,
  refuseOwner,
  tokenUseOf,
} from "./steps.js";
import { Traffic } from "./traffic.js";

/** Told the outcome of a delivery, once. */
export type Settle = (outcome: Outcome) => void;

/** The way of deliveries through one receiver, and the count of those under way. */
export interface DeliveryWay {
  /** Takes a request from its first check to its outcome, for `settle`. Never throws. */
  deliver(req: IncomingMessage, requestId: string, settle: Settle): void;
  /** Lets deliveries in, where there is an inbox: before it they are refused (ERR_STOPPED). */
  open(): void;
  /** How many deliveries are under way. */
  underWay(): number;
  /** Refuses deliveries from now on (ERR_STOPPED); resolves when those under way have their outcome. */
  stop(): Promise<void>;
}

/** Joins the prepared parts into the way that every delivery takes. */
export function createDeliveryWay(plan: DeliveryPlan): DeliveryWay {
  const closed =
    plan.inbox === undefined ? undefined : "the receiver was not started: await receiver.start()";
  const traffic = new Traffic(plan.maxInProgress, closed);
  return {
    deliver: (req, requestId, settle) => new Passage(plan, traffic, req, requestId, settle).enter(),
    open: () => traffic.open(),
    underWay: () => traffic.underWay,
    stop: () => traffic.stop(),
  };
}

/** What the middleware leaves on the request for the user's own code. */
interface MarkedRequest extends IncomingMessage {
  caller?: Authenticated["caller"];
  rawBody?: Buffer;
}

/**
 * One request on its way, from top to bottom. Callbacks instead of async functions: where everything is at hand, as for
 * a key and synchronous handlers, the whole way behind the body takes no promise.
 */
class Passage implements ShadowListener {
  readonly #plan: DeliveryPlan;
  readonly #traffic: Traffic;
  readonly #req: MarkedRequest;
  readonly #settle: Settle;
  readonly #receivedAtMs: number;
  readonly #requestId: string;
  readonly #sender: SenderAddress;
  #place: "none" | "reading" | "running" = "none";

  constructor(plan: DeliveryPlan, traffic: Traffic, req: IncomingMessage, requestId: string, settle: Settle) {
    this.#plan = plan;
    this.#traffic = traffic;
    this.#req = req;
    this.#requestId = requestId;
    this.#settle = settle;
    this.#receivedAtMs = plan.clock.now();
    this.#sender = findSender(plan.clientAddress, req.socket.remoteAddress, req.rawHeaders);
  }

  /** Everything that can be said before the body is read. */
  enter(): void {
    const req = this.#req;
    if (req.method === "OPTIONS") return this.#end({ status: "options" });
    try {
      const kind = checkHead(this.#plan, req, this.#sender, this);
      if (kind instanceof Refusal) return this.#refuse(kind);
      const closed = this.#traffic.refuse();
      if (closed !== undefined) return this.#refuse(closed);
      const { url = "", rawHeaders } = req;
      const caller = authenticate(url, rawHeaders, this.#plan.auth, this.#receivedAtMs);
      if (isPromise(caller)) {
        caller.then((settled) => this.#letIn(kind, settled)).catch((error: unknown) => this.#fail(error));
      } else this.#letIn(kind, caller);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The lists of tenant and service, then the body. */
  #letIn(kind: BodyKind, authenticated: Authenticated | Refusal): void {
    if (authenticated instanceof Refusal) return this.#refuse(this.#charged(authenticated));
    const refusal = refuseOwner(authenticated, this.#sender, this) ?? this.#traffic.startReading();
    if (refusal !== undefined) return this.#refuse(refusal);
    this.#place = "reading";
    this.#req.caller = authenticated.caller;
    readBody(this.#req, this.#plan.body, (rawBody) => {
      try {
        this.#open(kind, authenticated, rawBody);
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  #charged(refusal: Refusal): Refusal {
    const { failureBudget } = this.#plan;
    return failureBudget?.charge(refusal, this.#sender.ip, this.#receivedAtMs) ?? refusal;
  }

  /** From bytes to an event whose data holds. */
  #open(kind: BodyKind, authenticated: Authenticated, rawBody: Buffer | Refusal): void {
    if (rawBody instanceof Refusal) return this.#refuse(rawBody);
    this.#place = "none";
    const full = this.#traffic.startRunning();
    if (full !== undefined) return this.#refuse(full);
    this.#place = "running";
    this.#req.rawBody = rawBody;
    const forged = refuseBody(authenticated, rawBody);
    if (forged !== undefined) return this.#refuse(forged);
    const event = openEvent(this.#plan, kind, rawBody, this.#req.headers);
    if (event instanceof Refusal) return this.#refuse(event);
    const handlers = handlersOf(this.#plan, event.type);
    const accepted = { kind, authenticated, rawBody, event, handlers };
    if (handlers.length === 0) {
      if (this.#plan.inbox !== undefined)
        return this.#store(this.#plan.inbox, accepted, { value: undefined });
      this.#accept(accepted);
      return this.#end({ status: "ignored", id: event.id, stored: false });
    }
    const data = checkData(this.#plan, event.type, event.data);
    if (isPromise(data)) {
      data.then((settled) => this.#handle(accepted, settled)).catch((error: unknown) => this.#fail(error));
    } else this.#handle(accepted, data);
  }

  #accept({ authenticated: { caller }, event: { id, type } }: Accepted): void {
    this.#plan.observer.accepted(this.#requestId, this.#sender.text, caller, id, type);
  }

  #handle(accepted: Accepted, data: CheckedData | Refusal): void {
    if (this.#plan.inbox !== undefined) return this.#store(this.#plan.inbox, accepted, data);
    if (data instanceof Refusal) return this.#refuse(data);
    this.#accept(accepted);
    const { authenticated, event, handlers } = accepted;
    const result = dispatch({
      id: event.id,
      type: event.type,
      handlers,
      firstData: data.value,
      nextData: () => this.#parseAgain(accepted),
      context: {
        caller: authenticated.caller,
        delivery: this.#delivery(accepted.rawBody),
        attempt: 1,
        logger: this.#plan.observer.logger,
      },
      clock: this.#plan.clock,
      defaultTimeoutMs: this.#plan.handlerTimeoutMs,
      onLate: (late) => this.#late(late),
    });
    if (isPromise(result)) {
      result.then((settled) => this.#conclude(event, settled)).catch((error: unknown) => this.#fail(error));
    } else this.#conclude(event, result);
  }

  /** Into the inbox, instead of to the handlers. */
  #store(inbox: DeliveryInbox, accepted: Accepted, data: CheckedData | Refusal): void {
    if (data instanceof Refusal && inbox.settings.invalid === "refuse") return this.#refuse(data);
    const { authenticated, kind, rawBody, event, handlers } = accepted;
    const delivery = newDelivery(this.#plan.name, inbox.settings, {
      delivery: this.#delivery(rawBody),
      ...{ caller: authenticated.caller, tokenUse: tokenUseOf(authenticated), kind, event, handlers, data },
    });
    if (delivery instanceof Refusal) return this.#refuse(delivery);
    inbox.accept(delivery, (acceptance) => this.#stored(accepted, delivery, acceptance));
  }

  #stored(accepted: Accepted, delivery: NewDelivery, acceptance: Acceptance | Refusal): void {
    const outcome = judgeAcceptance(delivery, acceptance);
    if (outcome instanceof Refusal) return this.#refuse(outcome);
    if (!(acceptance instanceof Refusal) && acceptance.status === "stored") this.#accept(accepted);
    tellStored(delivery, acceptance, this.#plan.observer);
    this.#end(outcome);
  }

  #delivery(rawBody: Buffer): Delivery {
    const { method = "", url = "", headers } = this.#req;
    return {
      requestId: this.#requestId,
      method,
      url,
      headers,
      address: this.#sender.text,
      receivedAt: new Date(this.#receivedAtMs),
      rawBody,
    };
  }

  /** Data of its own for a further handler; the same bytes passed once, so only a moody schema can fail here. */
  async #parseAgain({ kind, rawBody, event }: Accepted): Promise<unknown> {
    const parsed = parseDelivery(kind, rawBody, this.#req.headers);
    if (parsed instanceof Refusal) throw parsed.toError();
    const data = await checkData(this.#plan, event.type, this.#plan.envelope.data(parsed));
    if (data instanceof Refusal) throw data.toError();
    return data.value;
  }

  #late({ name, durationMs, ...late }: LateResult): void {
    const message = `handler "${name}" settled behind its deadline (${late.outcome})`;
    const error = late.outcome === "failed" ? { error: late.error } : {};
    this.#plan.observer.note("warn", message, { requestId: this.#requestId, durationMs, ...error });
  }

  /** Tells of each handler and makes the outcome of all: one failure fails the delivery. */
  #conclude({ id, type }: OpenedEnvelope, { overloaded, results }: DispatchResult): void {
    if (overloaded !== undefined) {
      const reason = `handler "${overloaded}" runs as often as its concurrency allows`;
      return this.#refuse(new Refusal("ERR_OVERLOADED", reason));
    }
    const { observer } = this.#plan;
    const event = { id, type };
    let failure: Refusal | undefined;
    for (const result of results) {
      const run = {
        requestId: this.#requestId,
        event,
        handler: result.name,
        attempt: 1,
        durationMs: result.durationMs,
      };
      if (result.outcome === "done") {
        observer.handled(run);
        continue;
      }
      const failed = result.outcome === "failed";
      const code = failed ? "ERR_HANDLER_FAILED" : "ERR_HANDLER_TIMEOUT";
      const reason = failed ? `handler "${result.name}" failed` : result.error.message;
      const refusal = new Refusal(code, reason, result.error);
      observer.failed(run, code, refusal.toError());
      if (failure === undefined || failed) failure = refusal;
    }
    this.#end(failure === undefined ? { status: "handled", id } : { status: "failed", refusal: failure });
  }

  #fail(error: unknown): void {
    this.#refuse(new Refusal("ERR_INTERNAL", "a check or schema threw", error));
  }

  #refuse(refusal: Refusal): void {
    this.#plan.observer.refused(this.#reported(), refusal, true);
    this.#end({ status: "refused", refusal });
  }

  wouldRefuse(refusal: Refusal): void {
    this.#plan.observer.refused(this.#reported(), refusal, false);
  }

  #reported(): RefusedRequest {
    return { requestId: this.#requestId, method: this.#req.method ?? "", address: this.#sender.text };
  }

  #end(outcome: Outcome): void {
    const place = this.#place;
    this.#place = "none";
    // Answered first: whoever waits for the last place to be given back may exit behind it.
    this.#settle(outcome);
    if (place === "running") this.#traffic.stopRunning();
    else if (place === "reading") this.#traffic.stopReading();
  }
}

/** What a delivery has shown by the time it is accepted. */
interface Accepted {
  readonly kind: BodyKind;
  readonly authenticated: Authenticated;
  readonly rawBody: Buffer;
  readonly event: OpenedEnvelope;
  readonly handlers: readonly RegisteredHandler[];
}
