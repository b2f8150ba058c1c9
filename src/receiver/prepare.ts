import { FailureBudget } from "../auth/failure-limiter.js";
import { resolveAuth } from "../auth/options.js";
import { createMediaTypes } from "../body/media-type.js";
import { parseBodyOptions } from "../body/read.js";
import type { EventMapOf, EventsOption } from "../events/event-map.js";
import { createEnvelope, type Envelope, type EnvelopeOptions } from "../events/extract.js";
import { handlerTimeoutBounds } from "../events/handler-options.js";
import { createHandlers, type HandlerRegistry } from "../events/handlers.js";
import { createCatalog } from "../events/schemas.js";
import { createSourceEnvelope } from "../events/source-envelope.js";
import type { Challenge } from "../http/responses.js";
import { type InboxSettings, parseInboxOptions } from "../inbox/options.js";
import { Store } from "../inbox/store.js";
import { resolveAllowIps } from "../ip/allowlist.js";
import { clientAddressResolver } from "../ip/client-address.js";
import { type Clock, parseClock } from "../lib/clock.js";
import {
  assertOptions,
  choiceOption,
  numberOption,
  OptionError,
  own,
  stringOption,
  switchOption,
} from "../lib/options.js";
import { createSignatureGate } from "../signatures/signature.js";
import type { Source } from "../types/source.js";
import type { ContextOf, ReceiverOptions } from "./options.js";
import { createObserver } from "./reporter.js";
import { parseSource } from "./source-option.js";
import { type DeliveryPlan, readStored } from "./steps.js";
import { answerToIgnored, UnknownTypes } from "./unhandled-events.js";

const known: readonly (keyof ReceiverOptions)[] = [
  "name",
  "events",
  "auth",
  "source",
  "allowIps",
  "clientAddress",
  "body",
  "type",
  "id",
  "data",
  "handlerTimeoutMs",
  "maxInProgress",
  "unknownTypes",
  "maxFailuresPerMinute",
  "inbox",
  "logger",
  "hooks",
  "keepStacks",
  "clock",
  "realm",
];

const where = "createReceiver";

/** What `createReceiver` is made of. */
export interface Prepared<EventMap, Tx> {
  readonly plan: DeliveryPlan;
  readonly store: Store<Tx> | undefined;
  readonly handlers: HandlerRegistry<EventMap, ContextOf<Tx>>;
  readonly challenge: Challenge;
  readonly ownsCredentials: boolean;
}

/** Reads and checks every option, once. */
export function prepare<Events extends EventsOption | undefined, Tx, SourceEvents>(
  options: ReceiverOptions<Events, Tx, SourceEvents>,
): Prepared<EventMapOf<Events, SourceEvents>, Tx> {
  assertOptions(options, known, where);
  const name = stringOption(own(options, "name"), `${where}.name`);
  const clock = parseClock(own(options, "clock"), `${where}.clock`);
  const observer = createObserver({
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
  const limits = parseLimits(options);
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
  const store =
    settings &&
    new Store<Tx>({
      ...{ receiver: name, settings, clock, observer, defaultTimeoutMs: limits.handlerTimeoutMs },
      readData: (task) => readStored(content, task),
    });
  const [allowIps, realm] = [own(options, "allowIps"), own(options, "realm")];
  return {
    plan: {
      ...{ name, auth: auth.policy, ...content, handlers, ...limits, inbox: store, clock, observer },
      unknownTypes,
      unknown: new UnknownTypes({
        ...{ catalog: content.catalog, handlers, observer },
        answer: answerToIgnored(unknownTypes, settings !== undefined),
      }),
      clientAddress: clientAddressResolver(own(options, "clientAddress"), `${where}.clientAddress`),
      allowIps: allowIps === undefined ? [] : [resolveAllowIps(allowIps, `${where}.allowIps`)],
    },
    store,
    handlers,
    challenge: {
      realm: realm === undefined ? name : stringOption(realm, `${where}.realm`),
      acceptsJwt: auth.policy.tokens !== undefined && auth.policy.tokenCarrier === undefined,
    },
    ownsCredentials: auth.ownsCredentials,
  };
}

/** What bodies may be, what signs them, and what they say. */
function prepareContent<Events extends EventsOption | undefined, Tx, SourceEvents>(
  options: ReceiverOptions<Events, Tx, SourceEvents>,
  name: string,
  clock: Clock,
  source: Source<SourceEvents> | undefined,
): Pick<DeliveryPlan, "source" | "signature" | "body" | "readsJson" | "mediaTypes" | "envelope" | "catalog"> {
  const body = parseBodyOptions(own(options, "body"), `${where}.body`, source?.bodies);
  return {
    source,
    signature: source?.signature && createSignatureGate(source.signature, `${where}.source.signature`),
    body: { ...body, clock },
    readsJson: [...body.types, ...Object.values(source?.mediaTypes ?? {})].includes("json"),
    mediaTypes: createMediaTypes(body.types, source?.mediaTypes),
    envelope: envelopeOf(options, name, source),
    catalog: createCatalog(own(options, "events") ?? source?.schemas, `${where}.events`),
  };
}

/** A source says where everything stands, so that nothing else may. */
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
  options: Pick<ReceiverOptions, "handlerTimeoutMs" | "maxInProgress" | "maxFailuresPerMinute">,
): Pick<DeliveryPlan, "handlerTimeoutMs" | "maxInProgress" | "failureBudget"> {
  const failures = own(options, "maxFailuresPerMinute");
  const bounds = { min: 1, max: 1_000_000, fallback: 1_000, integer: true };
  return {
    handlerTimeoutMs: numberOption(own(options, "handlerTimeoutMs"), `${where}.handlerTimeoutMs`, {
      ...handlerTimeoutBounds,
      fallback: 10_000,
    }),
    maxInProgress: numberOption(own(options, "maxInProgress"), `${where}.maxInProgress`, bounds),
    failureBudget:
      failures === undefined
        ? undefined
        : new FailureBudget(numberOption(failures, `${where}.maxFailuresPerMinute`, bounds)),
  };
}
