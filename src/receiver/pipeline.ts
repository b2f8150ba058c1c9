import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Refusal } from "../errors.js";
import { timeOf } from "../lib/clock.js";
import { isPromise, withDeadline } from "../lib/promises.js";

import type { MaybePromise } from "../types/credential.js";
import type { CheckName } from "../types/explanation.js";
import type { Outcome } from "../types/outcome.js";
import {
  admitCaller,
  answerChallenge,
  answerHandshake,
  askSchemas,
  authenticateSender,
  checkAddress,
  checkBodyHash,
  checkCapacity,
  checkContentType,
  checkDeadlineMs,
  checkHeaders,
  checkMethod,
  checkOwnerAllowlist,
  checkSignature,
  findHandlers,
  keepParsed,
  noteSigner,
  openEvents,
  parseBytes,
  readBytes,
  refuseBrokenData,
  schemaLate,
  senderGone,
  signatureLate,
  takeHandlingPlace,
  takeReadingPlace,
} from "./checks.js";
import { conclude, handOver } from "./hand-over.js";
import {
  type ArrivalConfig,
  type CheckRunner,
  type Finding,
  IncomingDelivery,
  waiting,
} from "./incoming-delivery.js";
import type { ReceiverConfig } from "./options.js";

/** Runs for live requests only: its result depends on what else is in progress. */
const LIVE = { live: true } as const;
/** What it refuses counts towards `maxFailuresPerMinute`. */
const COUNTED = { counted: true } as const;
const WITH_HANDSHAKE = {
  applies: ({ source }: Pick<ReceiverConfig, "source">) => source?.handshake !== undefined,
};
const WITH_SIGNATURE = {
  applies: ({ signature }: Pick<ReceiverConfig, "signature">) => signature !== undefined,
};

/**
 * The checks of a delivery, in order. Cheap checks come first, and nothing is buffered for a caller who is not let in. The first
 * check that finds something ends the delivery. Live requests and `explain` run this one list, so that they cannot differ.
 */
export const checks: readonly Check<ReceiverConfig>[] = [
  check("method", checkMethod),
  check("address", checkAddress),
  check("handshake", answerHandshake, WITH_HANDSHAKE),
  check("headers", checkHeaders),
  check("content type", checkContentType),
  check("capacity", checkCapacity, LIVE),
  asyncCheck("credential", authenticateSender, admitCaller, COUNTED),
  check("owner allowlist", checkOwnerAllowlist),
  check("capacity to read", takeReadingPlace, LIVE),
  check("body", readBytes),
  check("capacity to handle", takeHandlingPlace, LIVE),
  check("body hash", checkBodyHash),
  asyncCheck("signature", checkSignature, noteSigner, { ...WITH_SIGNATURE, ...COUNTED, late: signatureLate }),
  asyncCheck("parse", parseBytes, keepParsed),
  check("challenge", answerChallenge, WITH_HANDSHAKE),
  check("events", openEvents),
  check("handlers", findHandlers),
  asyncCheck("schema", askSchemas, refuseBrokenData, { late: schemaLate }),
];

/** After the checks, for live requests only: the events go into the inbox, or to their handlers. */
const lastStep: Check<ReceiverConfig> = asyncCheck("hand over", handOver, conclude, LIVE);

/** Runs the checks of deliveries in their order, and reports to `ending` how each delivery ended. */
export class Pipeline<Config extends ArrivalConfig> implements CheckRunner {
  readonly #checks: readonly Check<Config>[];
  readonly #config: Config;
  readonly #ending: Ending<Config>;

  constructor(checks: readonly Check<Config>[], config: Config, ending: Ending<Config>) {
    this.#checks = checks.filter(({ applies }) => applies === undefined || applies(config));
    this.#config = config;
    this.#ending = ending;
  }

  /** Runs a delivery's checks, from its arrival on. Throws only what `ending` throws. */
  run(delivery: IncomingDelivery): void {
    let failed: Finding;
    try {
      delivery.arrive(this.#config);
    } catch (error) {
      failed = threw(error);
    }
    this.#go(delivery, failed);
  }

  resume(delivery: IncomingDelivery, found: Finding): void {
    if (found === undefined) {
      this.#ending.passed?.(delivery, this.#checks[delivery.checkIndex] as Check<Config>);
      delivery.checkIndex++;
    }
    this.#go(delivery, found);
  }

  wouldRefuse(delivery: IncomingDelivery, refusal: Refusal): void {
    this.#ending.wouldRefuse(delivery, refusal);
  }

  /** Runs the checks from `delivery.checkIndex` on, until one of them has found something or has to wait. */
  #go(delivery: IncomingDelivery, before: Finding): void {
    let found: Finding | typeof waiting = before;
    while (found === undefined && delivery.checkIndex < this.#checks.length) {
      const check = this.#checks[delivery.checkIndex] as Check<Config>;
      found = this.#ask(delivery, check);
      if (found === undefined) {
        this.#ending.passed?.(delivery, check);
        delivery.checkIndex++;
      }
    }
    if (found !== waiting) this.#ending.ended(delivery, found, this.#checks[delivery.checkIndex]);
  }

  /** Runs one check. Takes a promise only if the check returns one. */
  #ask(delivery: IncomingDelivery, check: Check<Config>): Finding | typeof waiting {
    try {
      const found = check.ask(delivery, this.#config);
      if (found === waiting || found instanceof Refusal) return found;
      if (isPromise(found)) {
        void this.#await(delivery, check, found);
        return waiting;
      }
      return check.take === undefined ? (found as Finding) : check.take(delivery, found, this.#config);
    } catch (error) {
      return threw(error);
    }
  }

  async #await(delivery: IncomingDelivery, check: Check<Config>, asked: Promise<unknown>): Promise<void> {
    let found: Finding;
    try {
      const { late } = check;
      const deadline = delivery.deadlineOptions(this.#config.clock, checkDeadlineMs);
      const settled =
        late === undefined
          ? await asked
          : await withDeadline(asked, deadline, (why) => (why === "gone" ? senderGone() : late(delivery)));
      const isFinding = settled instanceof Refusal || check.take === undefined;
      found = isFinding ? (settled as Finding) : check.take(delivery, settled, this.#config);
    } catch (error) {
      found = threw(error);
    }
    try {
      this.resume(delivery, found);
    } catch (error) {
      this.#ending.threw(delivery, error);
    }
  }
}

/**
 * One entry of the list. What `ask` finds, now or later, is filled into the delivery by `take`, which may say no to it. Without
 * `take`: what `ask` finds ends the request.
 */
export interface Check<Config> extends CheckOptions<Config> {
  readonly name: string;
  readonly ask: (delivery: IncomingDelivery, config: Config) => unknown;
  readonly take?: (delivery: IncomingDelivery, found: unknown, config: Config) => Finding;
}

interface CheckOptions<Config> {
  /** Whether there is anything to check; asked once. Left out: there is. */
  readonly applies?: (config: Config) => boolean;
  readonly live?: true;
  readonly counted?: true;
  /** The refusal if there is no answer within two seconds: the delivery holds a place meanwhile. */
  readonly late?: (delivery: IncomingDelivery) => Refusal;
}

/** What becomes of deliveries. */
export interface Ending<Config> {
  /** Called after each check that the delivery passed. */
  passed?(delivery: IncomingDelivery, check: Check<Config>): void;
  wouldRefuse(delivery: IncomingDelivery, refusal: Refusal): void;
  /** Called once, with what `check` has found; undefined if every check passed. */
  ended(delivery: IncomingDelivery, found: Finding, check: Check<Config> | undefined): void;
  /** Called with what `ended` threw, if there is no caller to catch it. */
  threw(delivery: IncomingDelivery, error: unknown): void;
}

/** A check that knows its result immediately, or continues through `delivery.resume`. */
export function check<Config>(
  name: CheckName,
  ask: (delivery: IncomingDelivery, config: Config) => Finding | typeof waiting,
  options: CheckOptions<Config> = {},
): Check<Config> {
  return { name, ask, ...options };
}

/** A check that may have to wait. */
export function asyncCheck<Asked, Taken, Found>(
  name: CheckName | "hand over",
  ask: (delivery: IncomingDelivery, config: Asked) => MaybePromise<Found | Refusal | typeof waiting>,
  take: (delivery: IncomingDelivery, found: Found, config: Taken) => Finding,
  options: CheckOptions<Asked & Taken> = {},
): Check<Asked & Taken> {
  return { name, ask, take: take as Check<Asked & Taken>["take"], ...options };
}

function threw(error: unknown): Refusal {
  return new Refusal("ERR_INTERNAL", "a check, schema or source threw", error);
}

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
  const pipeline = new Pipeline([...checks, lastStep], config, new LiveEnding(config));
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
      pipeline.run(new IncomingDelivery(pipeline, randomUUID(), req, res));
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
