import type { IncomingMessage } from "node:http";
import { type Authenticated, authenticate } from "../auth/authenticate.js";
import { readBody } from "../body/read.js";
import { Refusal } from "../errors.js";
import type { OpenedEnvelope } from "../events/extract.js";
import type { Awaiting } from "../http/middleware.js";
import { networkOf } from "../ip/address.js";
import {
  findSender,
  proxyHint,
  refuseAddress,
  type SenderAddress,
  type ShadowListener,
} from "../ip/client-address.js";
import { timeOf } from "../lib/clock.js";
import { type Patience, withDeadline } from "../lib/deadline.js";
import { isPromise } from "../lib/maybe-promise.js";
import type { Delivery } from "../types/delivery.js";
import type { Outcome } from "../types/outcome.js";
import type { SignatureMatch } from "../types/signature.js";
import type { BodyKind } from "../types/source.js";
import { type Stranger, Traffic } from "./concurrency-limiter.js";
import { checkDeadlineMs, handleDelivery, type PassedDelivery, senderGone } from "./handling.js";
import type { RefusedRequest } from "./reporter.js";
import { callerOf, checkHead, type DeliveryPlan, refuseBody, refuseOwner, tokenUseOf } from "./steps.js";

/** The way of deliveries through one receiver, and the count of those under way. */
export interface DeliveryWay {
  /** Takes a request from its first check to its outcome. Never throws. */
  deliver(req: IncomingMessage, awaiting: Awaiting): void;
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
  let announced = false;
  let toldClosed = false;
  const announce = (): void => {
    announced = true;
    const count = plan.handlers.all().length;
    const handlers = `${count} handler${count === 1 ? "" : "s"}`;
    plan.observer.announce(`${handlers}, ${plan.inbox === undefined ? "without an inbox" : "with an inbox"}`);
  };
  return {
    deliver(req, awaiting) {
      // Without an inbox nobody has to call start.
      if (!announced && plan.inbox === undefined) announce();
      let passage: Passage;
      try {
        passage = new Passage(plan, traffic, req, awaiting);
      } catch (error) {
        const refusal = new Refusal("ERR_INTERNAL", "the clock or the look at the connection failed", error);
        const { requestId } = awaiting;
        plan.observer.refused({ requestId, method: req.method ?? "", address: undefined }, refusal, true);
        awaiting.settle({ status: "refused", refusal }, { bodyKind: undefined, events: noEvents });
        return;
      }
      passage.enter();
      if (!toldClosed && traffic.refusedBeforeOpen) {
        toldClosed = true;
        plan.observer.note("error", cameTooEarly, {});
      }
    },
    open() {
      traffic.open();
      if (!announced) announce();
    },
    underWay: () => traffic.underWay,
    stop: () => traffic.stop(),
  };
}

const cameTooEarly =
  "a delivery came before the receiver was started; it is answered 503, as all are until then: await receiver.start() before the server listens";

/** What the middleware leaves on the request for the user's own code. */
interface MarkedRequest extends IncomingMessage {
  caller?: Authenticated["caller"];
  rawBody?: Buffer;
}

const noEvents: readonly OpenedEnvelope[] = [];

/**
 * One request on its way, from top to bottom. Callbacks instead of async functions: where everything is at hand, as for
 * a key and synchronous handlers, the whole way behind the body takes no promise.
 */
class Passage implements ShadowListener {
  readonly #plan: DeliveryPlan;
  readonly #traffic: Traffic;
  readonly #req: MarkedRequest;
  readonly #awaiting: Awaiting;
  readonly #receivedAtMs: number;
  readonly #requestId: string;
  readonly #sender: SenderAddress;
  #place: "none" | "reading" | "running" = "none";
  #stranger: Stranger | undefined;
  #kind: BodyKind | undefined;
  #events: readonly OpenedEnvelope[] = noEvents;

  constructor(plan: DeliveryPlan, traffic: Traffic, req: IncomingMessage, awaiting: Awaiting) {
    this.#plan = plan;
    this.#traffic = traffic;
    this.#req = req;
    this.#requestId = awaiting.requestId;
    this.#awaiting = awaiting;
    this.#receivedAtMs = plan.clock.now();
    this.#sender = findSender(plan.clientAddress, req.socket.remoteAddress, req.rawHeaders);
  }

  /** Everything that can be said before the body is read. */
  enter(): void {
    const req = this.#req;
    try {
      const other = this.#answerOther();
      if (other instanceof Refusal) return this.#refuse(other);
      if (other !== undefined) return this.#end(other);
      const kind = checkHead(this.#plan, req, this.#sender, this);
      if (kind instanceof Refusal) return this.#refuse(kind);
      this.#kind = kind;
      const closed = this.#traffic.refuse();
      if (closed !== undefined) return this.#refuse(closed);
      const { auth } = this.#plan;
      const network = auth.credentials?.noteGenuine === undefined ? undefined : networkOf(this.#sender.ip);
      const caller = authenticate(urlOf(req), req.rawHeaders, auth, this.#receivedAtMs, network);
      if (isPromise(caller)) {
        caller.then((settled) => this.#letIn(kind, settled)).catch((error: unknown) => this.#fail(error));
      } else this.#letIn(kind, caller);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** What is no delivery: a source's handshake, for addresses that may call; OPTIONS. */
  #answerOther(): Outcome | Refusal | undefined {
    const { method = "", headers } = this.#req;
    if (method === "POST") return undefined;
    const { source, allowIps } = this.#plan;
    if (source?.handshake !== undefined) {
      const refusal = refuseAddress(allowIps, this.#sender, this);
      if (refusal !== undefined) return refusal;
      const answer = source.handshake({ method, url: urlOf(this.#req), headers, body: undefined });
      if (answer !== undefined) return { status: "handshake", answer };
    }
    return method === "OPTIONS" ? { status: "options" } : undefined;
  }

  /** The lists of tenant and service, then the body. */
  #letIn(kind: BodyKind, authenticated: Authenticated | Refusal): void {
    if (authenticated instanceof Refusal) return this.#refuse(this.#charged(authenticated));
    if (authenticated.caller.method === "none") this.#stranger = strangerOf(this.#sender);
    const refusal =
      refuseOwner(authenticated, this.#sender, this) ?? this.#traffic.startReading(this.#stranger);
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

  /** From bytes to a delivery that passed the gate. */
  #open(kind: BodyKind, authenticated: Authenticated, rawBody: Buffer | Refusal): void {
    if (rawBody instanceof Refusal) return this.#refuse(rawBody);
    this.#place = "none";
    const full = this.#traffic.startRunning(this.#stranger);
    if (full !== undefined) return this.#refuse(full);
    this.#place = "running";
    this.#req.rawBody = rawBody;
    const { signature } = this.#plan;
    const request = { method: "POST", url: urlOf(this.#req), ...this.#headers(), rawBody };
    const forged = refuseBody(authenticated, request);
    if (forged !== undefined) return this.#refuse(forged);
    this.#plan.auth.credentials?.noteGenuine?.(networkOf(this.#sender.ip));
    const signed = signature?.(request, this.#receivedAtMs);
    if (isPromise(signed)) {
      withDeadline(signed, this.#patience(), refuseSignature)
        .then((settled) => this.#signed(kind, authenticated, rawBody, settled))
        .catch((error: unknown) => this.#fail(error));
    } else this.#signed(kind, authenticated, rawBody, signed);
  }

  /** How long a check may take: its delivery holds a place meanwhile. */
  #patience(): Patience {
    return {
      clock: this.#plan.clock,
      deadlineMs: checkDeadlineMs,
      onGone: (listener) => this.#awaiting.onGone(listener),
    };
  }

  #headers(): Pick<IncomingMessage, "headers" | "rawHeaders"> {
    const { headers, rawHeaders } = this.#req;
    return { headers, rawHeaders };
  }

  #signed(
    kind: BodyKind,
    authenticated: Authenticated,
    rawBody: Buffer,
    signed: SignatureMatch | Refusal | undefined,
  ): void {
    if (signed instanceof Refusal) return this.#refuse(this.#charged(signed));
    const caller = callerOf(authenticated, signed, this.#plan.name);
    this.#req.caller = caller;
    const passed: PassedDelivery = {
      kind,
      caller,
      signedBy: signed?.keyId,
      tokenUse: tokenUseOf(authenticated),
      delivery: this.#delivery(rawBody),
    };
    handleDelivery(this.#plan, passed, {
      opened: (events) => {
        this.#events = events;
      },
      patience: () => this.#patience(),
      settle: (outcome) => {
        if (outcome instanceof Refusal) this.#refuse(outcome);
        else this.#end(outcome);
      },
    });
  }

  #delivery(rawBody: Buffer): Delivery {
    const { method = "", headers } = this.#req;
    return {
      requestId: this.#requestId,
      method,
      url: urlOf(this.#req),
      headers,
      address: this.#sender.text,
      receivedAt: new Date(this.#receivedAtMs),
      rawBody,
    };
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

  #delivered({ status }: Outcome): void {
    this.#plan.observer.delivered?.({
      ...{ status, requestId: this.#requestId, address: this.#sender.text, events: this.#events },
      tookMs: Math.max(0, timeOf(this.#plan.clock) - this.#receivedAtMs),
    });
  }

  #reported(): RefusedRequest {
    return { requestId: this.#requestId, method: this.#req.method ?? "", address: this.#sender.text };
  }

  #end(outcome: Outcome): void {
    const place = this.#place;
    this.#place = "none";
    if (outcome.status !== "refused") this.#delivered(outcome);
    // Answered first: whoever waits for the last place to be given back may exit behind it.
    this.#awaiting.settle(outcome, { bodyKind: this.#kind, events: this.#events });
    if (place === "running") this.#traffic.stopRunning();
    else if (place === "reading") this.#traffic.stopReading(this.#stranger);
  }
}

function strangerOf(sender: SenderAddress): Stranger {
  return {
    network: networkOf(sender.ip),
    describe: () => (sender.text ?? "an unknown address") + proxyHint(sender),
  };
}

function refuseSignature(why: "late" | "gone"): Refusal {
  return why === "gone"
    ? senderGone()
    : new Refusal(
        "ERR_CREDENTIALS_UNAVAILABLE",
        `the signature check gave no answer within ${checkDeadlineMs} ms`,
      );
}

/** Path and query as the sender sent them: Express takes the path that a router is mounted on off `url`. */
function urlOf(req: IncomingMessage): string {
  const original: unknown = Reflect.get(req, "originalUrl");
  return typeof original === "string" ? original : (req.url ?? "");
}
