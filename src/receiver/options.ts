import type { AuthOptions } from "../auth/options.js";
import type { BodyOptions } from "../body/read.js";
import type { EventsOption } from "../events/event-map.js";
import type { EnvelopeOptions } from "../events/extract.js";
import type { InboxOptions } from "../inbox/options.js";
import type { AllowIpsOptions, Allowlist } from "../ip/allowlist.js";
import type { ClientAddressOptions } from "../ip/client-address.js";
import type { Clock } from "../lib/clock.js";
import type { AnyEventMap, HandlerContext, InboxContext } from "../types/event.js";
import type { Logger } from "../types/logger.js";
import type { Hooks } from "../types/report.js";
import type { Source } from "../types/source.js";

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
export type ReceiverOptions<
  Events extends EventsOption | undefined = undefined,
  Tx = NoInbox,
  SourceEvents = AnyEventMap,
> = CommonOptions<Events, Tx> & (WithAuth | WithSource<SourceEvents>);

interface WithAuth {
  /** How callers prove who they are. */
  readonly auth: AuthOptions;
  readonly source?: undefined;
}

interface WithSource<SourceEvents> {
  /**
   * How the senders talk: where type and id stand, how they sign, what they expect as an answer. Takes the place of `type`,
   * `id` and `data`, and gives handlers their types where `events` is left out.
   */
  readonly source: Source<SourceEvents>;
  /** A credential besides the signature: both must pass. Needed where the source neither signs nor brings its own. */
  readonly auth?: AuthOptions | undefined;
}

interface CommonOptions<Events extends EventsOption | undefined, Tx> extends EnvelopeOptions {
  /** Stable name; in logs, in derived event ids and as the service of the one-line `auth`. */
  readonly name: string;
  /** Event types and their schemas, or `uncheckedTypes<T>()`. Left out: any type comes in, data is unknown. */
  readonly events?: Events;
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
  /** Events that no handler is registered for: answered 2xx and ignored, or refused with 422. Default: "ignore". */
  readonly unknownTypes?: "ignore" | "refuse" | undefined;
  /** Deliveries are stored before the answer, and handled afterwards. Left out: handlers run before the answer. */
  readonly inbox?: InboxOptions<Tx> | undefined;
  /** pino or anything like it. Default: text on standard error, from INFO up on a terminal, from WARN up elsewhere. */
  readonly logger?: Logger | undefined;
  readonly hooks?: Hooks | undefined;
  /** Whether the log and the inbox keep the stack of an error, at most 2 KB of it. Default: true. */
  readonly keepStacks?: boolean | undefined;
  /** For tests. Default: the machine's clock. */
  readonly clock?: Clock | undefined;
  /** `realm` of the challenge in a 401 (RFC 9110 section 11.5). Default: the name. */
  readonly realm?: string | undefined;
}
