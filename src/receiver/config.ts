import type { AuthPolicy } from "../auth/authenticate.js";
import type { FailureRateLimiter } from "../auth/failure-limiter.js";
import type { MediaTypes } from "../body/media-type.js";
import type { ReadBodyOptions } from "../body/read.js";
import type { HandlerRegistry } from "../events/handlers.js";
import type { Answers } from "../http/responses.js";
import type { ReceiverInbox } from "../inbox/inbox.js";
import type { InboxSettings } from "../inbox/options.js";
import type { ClientAddressResolver } from "../ip/client-address.js";
import type { Clock } from "../lib/clock.js";
import type { SignatureGate } from "../signatures/signature.js";
import type { AddressList } from "../types/credential.js";
import type { InboxEngine } from "../types/engine.js";
import type { Source } from "../types/source.js";
import type { ConcurrencyLimiter } from "./concurrency-limiter.js";
import type { EventReader } from "./read-events.js";
import type { Reporter } from "./reporter.js";
import type { UnhandledTypes } from "./unhandled-events.js";

/** Where deliveries are stored. */
export interface DeliveryInbox extends Pick<ReceiverInbox<never>, "accept"> {
  readonly settings: Omit<InboxSettings, "engine"> & {
    readonly engine: Pick<InboxEngine<unknown>, "capabilities" | "forTests" | "diagnose">;
  };
}

/** Everything that a receiver has prepared for its deliveries. */
export interface ReceiverConfig extends EventReader {
  readonly name: string;
  readonly clientAddress: ClientAddressResolver;
  /** The receiver's own list, or none. */
  readonly allowIps: readonly AddressList[];
  readonly auth: AuthPolicy;
  /** Whether lookups of credentials are rationed by the sender's address. */
  readonly rationsLookups: boolean;
  /** Undefined: failed credentials are not counted. */
  readonly failureLimiter: FailureRateLimiter | undefined;
  readonly mediaTypes: MediaTypes;
  /** Whether deliveries without a body are taken, whatever their content type. */
  readonly takesEmpty: boolean;
  /** Undefined: type, id and data are where the options say. */
  readonly source: Source<unknown> | undefined;
  /** How long the source's senders wait for the answer. */
  readonly deadlineMs: number | undefined;
  /** Undefined: bodies are not signed. */
  readonly signature: SignatureGate | undefined;
  readonly body: ReadBodyOptions;
  readonly handlers: Pick<HandlerRegistry, "handlersFor" | "all" | "types">;
  /** What becomes of events that no handler is registered for. */
  readonly unknownTypes: "ignore" | "refuse";
  readonly unhandled: UnhandledTypes;
  readonly handlerTimeoutMs: number;
  readonly limiter: ConcurrencyLimiter;
  /** Undefined: handlers run before the answer. */
  readonly inbox: DeliveryInbox | undefined;
  readonly answers: Answers;
  readonly clock: Clock;
  readonly reporter: Reporter;
}
