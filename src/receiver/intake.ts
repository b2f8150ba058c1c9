import type { IncomingMessage, ServerResponse } from "node:http";
import { Refusal } from "../errors.js";
import { newRequestId } from "../http/responses.js";
import { timeOf } from "../lib/clock.js";
import type { Outcome } from "../types/outcome.js";
import { conclude, handOver } from "./handlers-step.js";
import { type Finding, IncomingDelivery } from "./incoming-delivery.js";
import type { ReceiverConfig } from "./options.js";
import { asyncCheck, type Check, type Ending, Pipeline } from "./pipeline.js";

/** Takes live requests in. */
export interface Intake {
  /** Takes a request from its first check to its answer. Never throws. */
  receive(req: IncomingMessage, res: ServerResponse): void;
  /** Lets deliveries in, where there is an inbox: before it they are refused (ERR_STOPPED). */
  open(): void;
  /** How many deliveries are in progress. */
  inProgress(): number;
  /** Refuses deliveries from now on (ERR_STOPPED); resolves when those in progress have their outcome. */
  stop(): Promise<void>;
}

/** The intake of one receiver: its checks, then the inbox or the handlers. */
export function createIntake(config: ReceiverConfig, checks: readonly Check<ReceiverConfig>[]): Intake {
  const { limiter, reporter, handlers, inbox } = config;
  const last: Check<ReceiverConfig> = asyncCheck("hand over", handOver, conclude, { live: true });
  const pipeline = new Pipeline([...checks, last], config, new LiveEnding(config));
  let announced = false;
  const announce = (): void => {
    announced = true;
    const count = handlers.all().length;
    const registered = `${count} handler${count === 1 ? "" : "s"}`;
    reporter.announce(`${registered}, ${inbox === undefined ? "without an inbox" : "with an inbox"}`);
  };
  return {
    receive(req, res) {
      // Without an inbox, `start` is optional.
      if (!announced && inbox === undefined) announce();
      pipeline.run(new IncomingDelivery(pipeline, newRequestId(), req, res));
    },
    open() {
      limiter.open();
      if (!announced) announce();
    },
    inProgress: () => limiter.inProgress,
    stop: () => limiter.stop(),
  };
}

/** Reports how a delivery ended, answers it, and gives its place back. */
class LiveEnding implements Ending<ReceiverConfig> {
  readonly #config: ReceiverConfig;
  #toldEarly = false;

  constructor(config: ReceiverConfig) {
    this.#config = config;
  }

  wouldRefuse(delivery: IncomingDelivery, refusal: Refusal): void {
    this.#config.reporter.refused(delivery.reported(), refusal, false);
  }

  ended(delivery: IncomingDelivery, found: Finding, check: Check<ReceiverConfig> | undefined): void {
    if (found instanceof Refusal)
      this.#refuse(delivery, check?.counted === true ? this.#counted(delivery, found) : found);
    else if (found !== undefined) this.#answer(delivery, found);
    else this.threw(delivery, new Error("the list of checks has no end"));
  }

  threw(delivery: IncomingDelivery, error: unknown): void {
    this.#refuse(delivery, new Refusal("ERR_INTERNAL", "a delivery could not be ended", error));
  }

  #counted(delivery: IncomingDelivery, refusal: Refusal): Refusal {
    const { failureLimiter } = this.#config;
    return failureLimiter?.count(refusal, delivery.sender.ip, delivery.receivedAtMs) ?? refusal;
  }

  #refuse(delivery: IncomingDelivery, refusal: Refusal): void {
    const { reporter, limiter } = this.#config;
    reporter.refused(delivery.reported(), refusal, true);
    this.#answer(delivery, { status: "refused", refusal });
    if (this.#toldEarly || !limiter.refusedBeforeOpen) return;
    this.#toldEarly = true;
    reporter.note("error", cameTooEarly, {});
  }

  #answer(delivery: IncomingDelivery, outcome: Outcome): void {
    const { answers, limiter, reporter } = this.#config;
    const { place, res } = delivery;
    delivery.place = "none";
    if (reporter.delivered !== undefined && outcome.status !== "refused") this.#delivered(delivery, outcome);
    // Answered first: when the last place is given back, `close` resolves and the process may exit.
    if (res !== undefined) answers.send(res, outcome, delivery);
    if (place === "handling") limiter.stopHandling();
    else if (place === "reading") limiter.stopReading(delivery.anonymous);
  }

  #delivered({ requestId, address, events, receivedAtMs }: IncomingDelivery, { status }: Outcome): void {
    const { reporter, clock } = this.#config;
    const tookMs = Math.max(0, timeOf(clock) - receivedAtMs);
    reporter.delivered?.({ status, requestId, address, events, tookMs });
  }
}

const cameTooEarly =
  "a delivery came before the receiver was started; it is answered 503, as all are until then: await receiver.start() before the server listens";
