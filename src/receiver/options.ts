import type { AuthPolicy } from "../auth/authenticate.js";
import { FailureRateLimiter } from "../auth/failure-limiter.js";
import { type AuthOptions, resolveAuth } from "../auth/options.js";
import { createMediaTypes, type MediaTypes } from "../body/media-type.js";
import { type BodyOptions, parseBodyOptions, type ReadBodyOptions } from "../body/read.js";
import type { EventMapOf, EventsOption } from "../events/event-map.js";
import {
  createEnvelope,
  createSourceEnvelope,
  type Envelope,
  type EnvelopeOptions,
} from "../events/extract.js";
import { createHandlers, type HandlerRegistry, handlerTimeoutBounds } from "../events/handlers.js";
import { createCatalog } from "../events/schemas.js";
import { type Answers, createAnswers } from "../http/responses.js";
import { ReceiverInbox } from "../inbox/inbox.js";
import { type InboxOptions, type InboxSettings, parseInboxOptions } from "../inbox/options.js";
import { type AllowIpsOptions, type Allowlist, resolveAllowIps } from "../ip/allowlist.js";
import {
  type ClientAddressOptions,
  type ClientAddressResolver,
  clientAddressResolver,
} from "../ip/client-address.js";
import { type Clock, parseClock } from "../lib/clock.js";
import { type Duration, millisecondsOf } from "../lib/duration.js";
import {
  assertOptions,
  choiceOption,
  describe,
  durationOption,
  numberOption,
  OptionError,
  optionKeys,
  own,
  stringOption,
  switchOption,
} from "../lib/options.js";
import { retiredHint } from "../lib/retired-names.js";
import { createSignatureGate, type SignatureGate } from "../signatures/signature.js";
import type { AddressList } from "../types/credential.js";
import type { InboxEngine } from "../types/engine.js";
import type { AnyEventMap, HandlerContext, InboxContext } from "../types/event.js";
import type { Hooks, Logger } from "../types/report.js";

import type { BodyKind, Source } from "../types/source.js";
import { ConcurrencyLimiter } from "./concurrency-limiter.js";
import { type EventReader, readStored } from "./read-events.js";
import { answerToIgnored, createReporter, type Reporter, UnhandledTypes } from "./reporter.js";

declare const withoutInbox: unique symbol;

/** Stands for the engine's `Tx` where there is no inbox. */
export interface NoInbox {
  readonly [withoutInbox]: never;
}

/** What handlers get in addition to the event, by the `Tx` of the receiver's engine. */
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
> = CommonOptions<Events, Tx> & (SourceOrAuth<SourceEvents> | AuthOrSource);

/** The compiler names one of these two types where a receiver has neither `auth` nor `source`. */
interface AuthOrSource {
  /** How callers prove who they are. */
  readonly auth: AuthOptions;
  /** How the senders talk. Left out: `type`, `id` and `data` say where an event is. */
  readonly source?: undefined;
}

interface SourceOrAuth<SourceEvents> {
  /**
   * How the senders talk: where type and id are, how they sign, what they expect as an answer. Replaces `type`,
   * `id` and `data`, and gives handlers their types where `events` is left out.
   */
  readonly source: Source<SourceEvents>;
  /** A credential in addition to the signature: both must pass. Required if the source neither signs nor has its own. */
  readonly auth?: AuthOptions | undefined;
}

interface CommonOptions<Events extends EventsOption | undefined, Tx> extends EnvelopeOptions {
  /** Stable name; in logs, in derived event ids and as the service of the one-line `auth`. */
  readonly name: string;
  /** Event types and their schemas, or `uncheckedTypes<T>()`. Left out: any type comes in, data is unknown. */
  readonly events?: Events | undefined;
  /** Addresses that may call, checked before anything else. Left out: any; an empty list: none. */
  readonly allowIps?: AllowIpsOptions | Allowlist | undefined;
  /** Proxies in front of this server, whose word on the sender's address counts. Default: none. */
  readonly clientAddress?: ClientAddressOptions | undefined;
  /** Limits and kinds of body. Default: JSON, at most 256 KiB, within 10 seconds. */
  readonly body?: BodyOptions | undefined;
  /** How long a handler may take, "1ms" to "24h". Default: "10s". */
  readonly handlerTimeout?: Duration | undefined;
  /** Deliveries that may be in progress at once, 1 to 1,000,000; more are answered 503. Default: 1,000. */
  readonly maxConcurrent?: number | undefined;
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
  /** Functions that are called with reports of what happens. Default: none. */
  readonly hooks?: Hooks | undefined;
  /** Whether the log and the inbox keep the stack of an error, at most 2 KB of it. Default: true. */
  readonly keepStacks?: boolean | undefined;
  /** For tests. Default: the machine's clock. */
  readonly clock?: Clock | undefined;
  /** `realm` of the challenge in a 401 (RFC 9110 section 11.5). Default: the name. */
  readonly realm?: string | undefined;
}

const known = optionKeys<ReceiverOptions>({
  name: true,
  events: true,
  auth: true,
  source: true,
  allowIps: true,
  clientAddress: true,
  body: true,
  type: true,
  id: true,
  data: true,
  handlerTimeout: true,
  maxConcurrent: true,
  unknownTypes: true,
  maxFailuresPerMinute: true,
  inbox: true,
  logger: true,
  hooks: true,
  keepStacks: true,
  clock: true,
  realm: true,
});

const where = "createReceiver";

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

/** What `createReceiver` is made of. */
export interface Prepared<EventMap, Tx> {
  readonly config: ReceiverConfig;
  readonly inbox: ReceiverInbox<Tx> | undefined;
  readonly handlers: HandlerRegistry<EventMap, ContextOf<Tx>>;
  readonly ownsCredentials: boolean;
}

/** Reads and checks every option, once. */
export function parseReceiverOptions<Events extends EventsOption | undefined, Tx, SourceEvents>(
  options: ReceiverOptions<Events, Tx, SourceEvents>,
): Prepared<EventMapOf<Events, SourceEvents>, Tx> {
  assertOptions(options, known, where);
  const name = stringOption(own(options, "name"), `${where}.name`);
  const clock = parseClock(own(options, "clock"), `${where}.clock`);
  const reporter = createReporter({
    ...{ name, clock, where },
    logger: own(options, "logger"),
    hooks: own(options, "hooks"),
    keepStacks: switchOption(own(options, "keepStacks"), `${where}.keepStacks`, true),
  });
  const source = parseSource<SourceEvents>(own(options, "source"), `${where}.source`);
  const auth = resolveAuth(own(options, "auth"), `${where}.auth`, {
    ...{ name, clock, remembersUses: own(options, "inbox") !== undefined },
    source: source && {
      ...{ name: source.name, auth: source.auth, places: source.credentialPlaces },
      signs: source.signature !== undefined,
    },
  });
  const settings = inboxOf<Tx>(own(options, "inbox"), auth.policy.keyHeader, source);
  const content = prepareContent(options, name, clock, source);
  const limits = parseLimits(options, settings !== undefined);
  const handlers = createHandlers<EventMapOf<Events, SourceEvents>, ContextOf<Tx>>(
    content.catalog,
    settings?.engine.capabilities,
  );
  const unknownTypes = choiceOption(
    own(options, "unknownTypes"),
    `${where}.unknownTypes`,
    ["ignore", "refuse"],
    "ignore",
  );
  const inbox =
    settings &&
    new ReceiverInbox<Tx>({
      ...{ receiver: name, settings, clock, reporter, defaultTimeoutMs: limits.handlerTimeoutMs },
      readData: (task) => readStored(content, task),
    });
  const [allowIps, realm] = [own(options, "allowIps"), own(options, "realm")];
  const challenge = {
    realm: realm === undefined ? name : stringOption(realm, `${where}.realm`),
    acceptsJwt: auth.policy.tokens !== undefined && auth.policy.tokenCarrier === undefined,
  };
  return {
    config: {
      ...{ name, auth: auth.policy, ...content, handlers, ...limits, inbox, clock, reporter },
      unknownTypes,
      unhandled: new UnhandledTypes({
        ...{ catalog: content.catalog, handlers, reporter },
        answer: answerToIgnored(unknownTypes, settings !== undefined),
      }),
      clientAddress: clientAddressResolver(own(options, "clientAddress"), `${where}.clientAddress`),
      allowIps: allowIps === undefined ? [] : [resolveAllowIps(allowIps, `${where}.allowIps`)],
      rationsLookups: auth.policy.credentials?.noteGenuine !== undefined,
      answers: createAnswers(challenge, source?.answer?.bind(source), (message) =>
        reporter.note("warn", message, {}),
      ),
    },
    inbox,
    handlers,
    ownsCredentials: auth.ownsCredentials,
  };
}

/** What reads a delivery: the kinds of body, their signature, and the events in them. */
function prepareContent<Events extends EventsOption | undefined, Tx, SourceEvents>(
  options: ReceiverOptions<Events, Tx, SourceEvents>,
  name: string,
  clock: Clock,
  source: Source<SourceEvents> | undefined,
): Pick<
  ReceiverConfig,
  | "source"
  | "deadlineMs"
  | "signature"
  | "body"
  | "readsJson"
  | "takesEmpty"
  | "mediaTypes"
  | "envelope"
  | "catalog"
> {
  const body = parseBodyOptions(own(options, "body"), `${where}.body`, source?.bodies);
  return {
    source,
    deadlineMs: millisecondsOf(source?.deadline),
    signature: source?.signature && createSignatureGate(source.signature, `${where}.source.signature`),
    body: { ...body, clock },
    readsJson: [...body.types, ...Object.values(source?.mediaTypes ?? {})].includes("json"),
    takesEmpty: source?.bodies.includes("empty") === true,
    mediaTypes: createMediaTypes(body.types, source?.mediaTypes),
    envelope: envelopeOf(options, name, source),
    catalog: createCatalog(own(options, "events") ?? source?.schemas, `${where}.events`),
  };
}

/** A source says where type, id and data are, so the options that do are refused next to it. */
function envelopeOf(
  options: EnvelopeOptions,
  name: string,
  source: Pick<Source<unknown>, "name" | "events"> | undefined,
): Envelope {
  if (source === undefined) return createEnvelope(options, name, where);
  const given = (["type", "id", "data"] as const).find((locator) => own(options, locator) !== undefined);
  if (given === undefined) return createSourceEnvelope(source, name);
  throw new OptionError(
    `${where}.${given}`,
    ` cannot be combined with \`source\`: ${source.name} says where type, id and data are; leave it out, or use customSource`,
  );
}

/** The inbox keeps what the source reads events from. */
function inboxOf<Tx>(
  options: unknown,
  keyHeader: string,
  source: Pick<Source<unknown>, "headers"> | undefined,
): InboxSettings<Tx> | undefined {
  const settings = parseInboxOptions<Tx>(options, `${where}.inbox`, keyHeader);
  if (settings === undefined || source === undefined) return settings;
  return { ...settings, headers: [...new Set([...settings.headers, ...source.headers])] };
}

function parseLimits(
  options: Pick<ReceiverOptions, "handlerTimeout" | "maxConcurrent" | "maxFailuresPerMinute">,
  hasInbox: boolean,
): Pick<ReceiverConfig, "handlerTimeoutMs" | "limiter" | "failureLimiter"> {
  const failures = own(options, "maxFailuresPerMinute");
  const bounds = { min: 1, max: 1_000_000, fallback: 1_000, integer: true };
  return {
    handlerTimeoutMs: durationOption(own(options, "handlerTimeout"), `${where}.handlerTimeout`, {
      ...handlerTimeoutBounds,
      fallback: "10s",
    }),
    limiter: new ConcurrencyLimiter(
      numberOption(own(options, "maxConcurrent"), `${where}.maxConcurrent`, bounds),
      // With an inbox, no delivery is taken before `start`.
      !hasInbox ? undefined : "the receiver was not started: await receiver.start()",
    ),
    failureLimiter:
      failures === undefined
        ? undefined
        : new FailureRateLimiter(numberOption(failures, `${where}.maxFailuresPerMinute`, bounds)),
  };
}

const kinds: readonly BodyKind[] = ["json", "form", "xml", "bytes", "empty"];
const secretHeaders: readonly string[] = ["authorization", "proxy-authorization", "cookie"];

/** Reads the option `source`; undefined where it was left out. TypeError for anything that is not a source. */
function parseSource<EventMap>(value: unknown, where: string): Source<EventMap> | undefined {
  if (value === undefined) return undefined;
  const source = value as Partial<Source<EventMap>> | null;
  const howTo =
    'give what a source makes, such as github({ secret }) of "hookgate/github", or customSource({ … }) of "hookgate/custom"';
  if (typeof source !== "object" || source === null || typeof source.events !== "function") {
    throw new OptionError(where, ` must be a source, not ${describe(value)}; ${howTo}`);
  }
  for (const name of ["deadlineMs", "sameEvent"]) {
    const hint = retiredHint(name, Reflect.get(source, name), ["deadline", "deduplicateBy"]);
    if (name in source) throw new OptionError(`${where}.${name}`, `: ${hint}`);
  }
  const { name, bodies, headers, deadline, mediaTypes = {} } = source;
  if (typeof name !== "string" || name === "")
    throw new OptionError(`${where}.name`, ` must be a string; ${howTo}`);
  const strange = Array.isArray(bodies)
    ? [...bodies, ...Object.values(mediaTypes)].find((kind) => !kinds.includes(kind))
    : bodies;
  if (!Array.isArray(bodies) || strange !== undefined) {
    throw new OptionError(
      `${where}.bodies`,
      ` must be a list of ${kinds.map((kind) => `"${kind}"`).join(", ")}; ${howTo}`,
    );
  }
  // No source's senders wait for less, or for longer.
  durationOption(deadline ?? null, `${where}.deadline`, { min: "1ms", max: "1h", fallback: "10s" });
  assertHeaders(headers, `${where}.headers`);
  return source as Source<EventMap>;
}

/** Stored with each event, hence nothing that lets anybody in. */
function assertHeaders(headers: unknown, where: string): void {
  const isSecret = (name: string): boolean =>
    secretHeaders.some(
      (secret) => secret === name || (name.endsWith("*") && secret.startsWith(name.slice(0, -1))),
    );
  const fits = (name: unknown): boolean =>
    typeof name === "string" && name === name.toLowerCase() && !isSecret(name);
  if (!Array.isArray(headers) || !headers.every(fits)) {
    throw new OptionError(
      where,
      ` must be a list of lower-case header names, none of which holds a credential`,
    );
  }
}
