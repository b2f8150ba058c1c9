import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Authenticated } from "../auth/authenticate.js";
import { tokenUse } from "../auth/jwt/verify.js";
import type { BodyListener } from "../body/read.js";
import { Refusal } from "../errors.js";
import type { IncomingEvent } from "../events/extract.js";
import { networkOf } from "../ip/address.js";
import {
  type ClientAddressResolver,
  findSender,
  proxyHint,
  type SenderAddress,
  type ShadowListener,
} from "../ip/client-address.js";
import type { Clock } from "../lib/clock.js";
import type { DeadlineOptions } from "../lib/promises.js";
import type { Caller } from "../types/delivery.js";
import type { TokenUse } from "../types/engine.js";
import type { Outcome } from "../types/outcome.js";
import type { BodyKind, ParsedDelivery } from "../types/source.js";
import type { AnonymousSender } from "./concurrency-limiter.js";
import type { RefusedRequest } from "./reporter.js";

/** What a check finds: a refusal, or the answer to a request that is not a delivery. Undefined: the next check runs. */
export type Finding = Refusal | Outcome | undefined;

/** What a check returns if it continues later, through `delivery.resume`. */
export const waiting: unique symbol = Symbol("waiting");

/** What runs the checks of a delivery. */
export interface CheckRunner {
  /** Continues after the current check, with what it has found. */
  resume(delivery: IncomingDelivery, found: Finding): void;
  /** Called when an allowlist in shadow mode would have refused. */
  wouldRefuse(delivery: IncomingDelivery, refusal: Refusal): void;
}

/** What the middleware leaves on the request for the user's own code. */
export interface MarkedRequest extends IncomingMessage {
  caller?: Caller | undefined;
  rawBody?: Buffer | undefined;
}

/** The part of the configuration that is needed on arrival. */
export interface ArrivalConfig {
  readonly clock: Clock;
  readonly clientAddress: ClientAddressResolver;
}

/** Why handlers did not handle a delivery, and whether one had begun. */
export interface Failure {
  readonly started: boolean;
  readonly refusal: Refusal;
}

/** A value that no check has found yet. Reading a member throws, so that a list without that check refuses every request. */
const missing = new Proxy(
  {},
  {
    get(_target, member) {
      throw new Error(`${String(member)} was read before a check had found it`);
    },
  },
) as never;

const noEvents: readonly IncomingEvent[] = Object.freeze([]);

/**
 * One delivery from its arrival to its outcome. The checks fill it in. Every field is initialised here, so that all deliveries
 * share one hidden class.
 */
export class IncomingDelivery implements ShadowListener, BodyListener {
  readonly req: MarkedRequest;
  /** Undefined where the request is only explained. */
  readonly res: ServerResponse | undefined;
  /** A guard calls it when every check has passed. */
  readonly next: ((error?: unknown) => void) | undefined;
  readonly requestId: string;
  readonly method: string;
  /** Path and query as the sender sent them: Express takes the path that a router is mounted on off `req.url`. */
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly #runner: CheckRunner;
  /** Index of the current check. */
  checkIndex = 0;
  receivedAtMs = 0;
  address: string | undefined = undefined;
  sender: SenderAddress = missing;
  /** How the body is to be read. */
  bodyKind: BodyKind | undefined = undefined;
  authenticated: Authenticated = missing;
  /** Who sent it, the signature included. */
  caller: Caller = missing;
  /** The secret or key that verified the signature. */
  signedBy: string | undefined = undefined;
  rawBody: Buffer = missing;
  /** The parsed body with the headers, as locators and sources see it. */
  parsed: ParsedDelivery = missing;
  events: readonly IncomingEvent[] = noEvents;
  /** Why a handler did not handle it. */
  failure: Failure | undefined = undefined;
  /** The place that it holds among those in progress. */
  place: "none" | "reading" | "handling" = "none";
  /** The sender, if it proved nothing about itself: its address counts for that place. */
  anonymous: AnonymousSender | undefined = undefined;

  constructor(
    runner: CheckRunner,
    requestId: string,
    req: IncomingMessage,
    res?: ServerResponse,
    next?: (error?: unknown) => void,
  ) {
    this.#runner = runner;
    this.requestId = requestId;
    this.req = req;
    this.res = res;
    this.next = next;
    this.method = req.method ?? "";
    this.url = urlOf(req);
    this.rawHeaders = req.rawHeaders;
  }

  /** Notes when and from where it came. To be called before anything is awaited: a closed socket has no address (ATTACKS D19). */
  arrive({ clock, clientAddress }: ArrivalConfig): void {
    this.receivedAtMs = clock.now();
    this.sender = findSender(clientAddress, this.req.socket.remoteAddress, this.req.rawHeaders);
    this.address = this.sender.text;
  }

  get headers(): IncomingHttpHeaders {
    return this.req.headers;
  }

  /** What counts as the sender's address. */
  get network(): string {
    return networkOf(this.sender.ip);
  }

  /** The use of a token that is good for one delivery; undefined of any other. */
  get tokenUse(): Omit<TokenUse, "delivery"> | undefined {
    const { caller, tokenCredential } = this.authenticated;
    if (caller.method !== "jwt" || tokenCredential?.policy.oneTimeUse !== true) return undefined;
    return tokenUse(tokenCredential, caller.claims);
  }

  /** What a report of its refusal says about it. */
  reported(): RefusedRequest {
    return { requestId: this.requestId, method: this.method, address: this.address };
  }

  /** How long to wait for a check that is the user's own code: the delivery holds a place in the meantime. */
  deadlineOptions(clock: Clock, deadlineMs: number): DeadlineOptions {
    const { res } = this;
    if (res === undefined) return { clock, deadlineMs };
    // Not of the request: its "close" comes as soon as its body is read.
    const onGone = (listener: () => void): (() => void) => {
      res.once("close", listener);
      return () => res.off("close", listener);
    };
    return { clock, deadlineMs, onGone };
  }

  /** Makes its place count for its address, because it has no credential. */
  markAnonymous(): void {
    const { sender } = this;
    this.anonymous = {
      network: this.network,
      describe: () => (sender.text ?? "an unknown address") + proxyHint(sender),
    };
  }

  /** Continues after the current check, with what it has found. */
  resume(found: Finding): void {
    this.#runner.resume(this, found);
  }

  bodyRead(body: Buffer | Refusal): void {
    if (body instanceof Refusal) return this.#runner.resume(this, body);
    this.rawBody = body;
    this.#runner.resume(this, undefined);
  }

  wouldRefuse(refusal: Refusal): void {
    this.#runner.wouldRefuse(this, refusal);
  }
}

function urlOf(req: IncomingMessage): string {
  const original: unknown = Reflect.get(req, "originalUrl");
  return typeof original === "string" ? original : (req.url ?? "");
}
