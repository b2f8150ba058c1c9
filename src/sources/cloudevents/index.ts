import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { Duration } from "../../lib/duration.js";
import {
  assertOptions,
  choiceOption,
  describe,
  flagOption,
  numberOption,
  OptionError,
  optionKeys,
  own,
} from "../../lib/options.js";
import type { SignatureScheme } from "../../types/signature.js";
import type {
  BodyKind,
  ComposedDelivery,
  ComposeEvent,
  HandshakeRequest,
  Source,
  SourceAnswer,
  SourceEvent,
  SourceFault,
  SourceOutcome,
} from "../../types/source.js";
import { deadlineOption, headerOf } from "../settings.js";

import {
  batchType,
  type CloudEvent,
  type CloudEventContent,
  type CloudEventMap,
  type CloudEventMode,
  isJsonType,
  readCloudEvents,
  structuredType,
} from "./read.js";

export type { CloudEvent, CloudEventContent, CloudEventMap, CloudEventMode } from "./read.js";

/** Options of `cloudEvents`. */
export interface CloudEventsOptions<Content extends CloudEventContent = CloudEventContent> {
  /** What handlers get as `event.data`: the whole CloudEvent, or its `data` alone. Default: `"event"`. */
  readonly data?: Content | undefined;
  /**
   * How events may come. Default: all; with `signature`, only those whose attributes stand in the body that is signed:
   * `["structured", "batch"]`. Name `"binary"` beside a signature where that covers the `ce-` headers.
   */
  readonly modes?: readonly CloudEventMode[] | undefined;
  /**
   * Media types that data of binary mode may have beside JSON, such as `"text/plain"`, without parameters. `text/*` and
   * XML become strings, `*+json` is parsed, all else is a Buffer. Default: none.
   */
  readonly dataTypes?: readonly string[] | undefined;
  /** DNS names of senders that the OPTIONS handshake lets send. Default: none. */
  readonly allowedOrigins?: readonly string[] | undefined;
  /** `true`: the handshake lets anyone send who asks. Who may deliver, `auth` decides all the same. */
  readonly dangerouslyAllowAnyOrigin?: boolean | undefined;
  /** Deliveries per minute that the handshake grants, from 1; told, not enforced. Default: no bound (`*`). */
  readonly ratePerMinute?: number | undefined;
  /** How a signature over deliveries is checked: that of another source, as `standardWebhooks({ secret }).signature`. */
  readonly signature?: SignatureScheme | undefined;
  /** How long the sender waits for an answer, "100ms" to "10m". Default: "30s", as Azure Event Grid. */
  readonly deadline?: Duration | undefined;
}

const optionNames = optionKeys<CloudEventsOptions>({
  data: true,
  modes: true,
  dataTypes: true,
  allowedOrigins: true,
  dangerouslyAllowAnyOrigin: true,
  ratePerMinute: true,
  signature: true,
  deadline: true,
});

/**
 * CloudEvents 1.0 over HTTP, in binary, structured and batch mode. They carry no signature of their own: senders
 * bring a token or key, so the receiver needs `auth`, or a `signature`. The type is the attribute `type`. The id is
 * source and id with a space between (over 255 characters: `sha256-` and their digest), for the two together say which
 * event it is; a duplicate may have another body. Each attribute is held to the rules of version 1.0.2; extensions are
 * kept. Answers have no body, as brokers ask: 204, or 202 while work is left. OPTIONS is answered as the webhook
 * specification's abuse protection asks (section 4). Senders differ in how often they repeat: Event Grid does not after
 * 400, 401, 403 and 413.
 *
 * @example
 * const receiver = createReceiver({ name: "events", source: cloudEvents(), auth: { serviceKey: process.env.HOOK_KEY } });
 * receiver.on("com.example.paid", (event) => book(event.data.subject, event.data.data));
 */
export function cloudEvents<Content extends CloudEventContent = "event">(
  options: CloudEventsOptions<Content> = {},
): Source<CloudEventMap<Content>> {
  const where = "cloudEvents";
  assertOptions(options, optionNames, where);
  const content = choiceOption<CloudEventContent>(
    own(options, "data"),
    `${where}.data`,
    ["event", "data"],
    "event",
  );
  const signature = parseSignature(own(options, "signature"), `${where}.signature`);
  const modes = parseModes(own(options, "modes"), `${where}.modes`, signature !== undefined);
  const dataTypes = parseDataTypes(own(options, "dataTypes"), `${where}.dataTypes`);
  const bounds = { min: 1, max: 1_000_000_000, integer: true };
  const rate = numberOption(own(options, "ratePerMinute"), `${where}.ratePerMinute`, {
    ...bounds,
    fallback: Number.POSITIVE_INFINITY,
  });
  const protection = {
    origins: parseOrigins(own(options, "allowedOrigins"), `${where}.allowedOrigins`),
    anyOrigin: flagOption(own(options, "dangerouslyAllowAnyOrigin"), `${where}.dangerouslyAllowAnyOrigin`),
    rate: Number.isFinite(rate) ? String(rate) : "*",
  };
  return {
    name: "cloudevents",
    bodies: modes.includes("binary") ? ["json", "empty"] : [],
    mediaTypes: mediaTypesOf(modes, dataTypes),
    headers: ["content-type", "ce-*"],
    events: (delivery) => eventsOf(readCloudEvents(delivery, modes), content),
    signature,
    deduplicateBy: "id",
    deadline: deadlineOption(options, where, { fallback: "30s" }),
    handshake: (request) => answerHandshake(request, protection),
    answer,
    compose,
  };
}

function parseSignature(value: unknown, where: string): SignatureScheme | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "object" && value !== null && Object.hasOwn(value, "kind"))
    return value as SignatureScheme;
  throw new OptionError(where, ` must be the signature of a source, as in github({ secret }).signature`);
}

const allModes: readonly CloudEventMode[] = ["binary", "structured", "batch"];

function parseModes(value: unknown, where: string, signed: boolean): readonly CloudEventMode[] {
  if (value === undefined) return signed ? ["structured", "batch"] : allModes;
  if (!Array.isArray(value) || value.length === 0) {
    throw new OptionError(
      where,
      ` must be a list of "binary", "structured" and "batch", not ${describe(value)}`,
    );
  }
  return value.map((mode: unknown, at) => choiceOption(mode ?? null, `${where}[${at}]`, allModes, "binary"));
}

function parseDataTypes(value: unknown, where: string): readonly string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value))
    throw new OptionError(where, ` must be a list of media types, not ${describe(value)}`);
  return value.map((type: unknown, at) => {
    if (typeof type !== "string" || !/^[\w!#$&.+^-]+\/[\w!#$&.+^-]+$/.test(type)) {
      throw new OptionError(`${where}[${at}]`, ` must be a media type without parameters, as "text/plain"`);
    }
    const lower = type.toLowerCase();
    if (lower.startsWith("application/cloudevents")) {
      throw new OptionError(
        `${where}[${at}]`,
        ` names a format of events, not of data; only the JSON formats are read`,
      );
    }
    return lower;
  });
}

function mediaTypesOf(
  modes: readonly CloudEventMode[],
  dataTypes: readonly string[],
): Readonly<Record<string, BodyKind>> {
  const types: [string, BodyKind][] = [];
  if (modes.includes("structured")) types.push([structuredType, "json"]);
  if (modes.includes("batch")) types.push([batchType, "json"]);
  if (modes.includes("binary")) {
    types.push(["text/json", "json"]);
    for (const type of dataTypes) types.push([type, isJsonType(type) ? "json" : "bytes"]);
  }
  return Object.fromEntries(types);
}

function eventsOf(
  found: readonly CloudEvent[] | string,
  content: CloudEventContent,
): readonly SourceEvent[] | SourceFault {
  if (typeof found === "string") return { fault: found };
  return found.map((event) => ({
    type: event.type,
    id: identityOf(event),
    data: content === "event" ? event : event.data,
  }));
}

/** A source holds no space, and the digest's form has none: no two events share one. */
function identityOf({ source, id }: CloudEvent): string {
  const both = `${source} ${id}`;
  return both.length <= 255 ? both : `sha256-${createHash("sha256").update(both).digest("hex")}`;
}

/** Brokers take any body that is no CloudEvent for a failed delivery; without one, 200 is not allowed (section 2.2). */
function answer({ status, httpStatus }: SourceOutcome): SourceAnswer | undefined {
  if (status === "refused" || status === "failed") return undefined;
  const settled = status === "handled" || (status === "ignored" && httpStatus !== 202);
  return { status: settled ? 204 : 202 };
}

/** Structured mode. Data that has a `specversion` is the whole event, but for its type and id. */
function compose({ type, id, data, nowMs }: ComposeEvent): ComposedDelivery {
  const whole = typeof data === "object" && data !== null && Object.hasOwn(data, "specversion");
  const { data: content, ...attributes } = whole ? (data as Record<string, unknown>) : { data };
  const bytes = Buffer.isBuffer(content);
  const event = {
    specversion: "1.0",
    source: "/hookgate",
    time: new Date(nowMs).toISOString(),
    ...(whole ? {} : { datacontenttype: bytes ? "application/octet-stream" : "application/json" }),
    ...attributes,
    ...{ id, type },
    ...(bytes ? { data_base64: content.toString("base64") } : { data: content }),
  };
  return { headers: {}, contentType: structuredType, body: JSON.stringify(event) };
}

/** Who may send, as the abuse protection of the webhook specification (section 4) tells it to senders. */
interface AbuseProtection {
  /** Names in lower case. */
  readonly origins: ReadonlySet<string>;
  readonly anyOrigin: boolean;
  /** Deliveries per minute, or `*`. */
  readonly rate: string;
}

/** Reads the option `allowedOrigins`: DNS names, as senders give them in `WebHook-Request-Origin`. */
function parseOrigins(value: unknown, where: string): ReadonlySet<string> {
  if (value === undefined) return new Set();
  if (!Array.isArray(value))
    throw new OptionError(where, ` must be a list of DNS names, not ${describe(value)}`);
  return new Set(
    value.map((origin: unknown, at) => {
      if (origin === "*") {
        throw new OptionError(
          `${where}[${at}]`,
          ` is "*"; to let any sender in, set dangerouslyAllowAnyOrigin`,
        );
      }
      if (typeof origin !== "string" || !/^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/.test(origin)) {
        throw new OptionError(
          `${where}[${at}]`,
          ` must be a DNS name without scheme, port and path: "events.example.com"`,
        );
      }
      return origin.toLowerCase();
    }),
  );
}

/**
 * Grants what a validation request asks for, where its origin may send; undefined for all else, whose answer then has
 * no header that could be read as consent (section 4.2). The callback URL is nowhere used: a request to an address that
 * a stranger names is what others abuse.
 */
function answerHandshake(
  request: HandshakeRequest,
  { origins, anyOrigin, rate }: AbuseProtection,
): SourceAnswer | undefined {
  const origin = headerOf(request, "webhook-request-origin");
  if (request.method !== "OPTIONS" || origin === undefined) return undefined;
  if (!anyOrigin && !origins.has(origin.toLowerCase())) return undefined;
  return {
    status: 200,
    headers: {
      allow: "POST",
      "webhook-allowed-origin": anyOrigin ? "*" : origin,
      "webhook-allowed-rate": rate,
    },
  };
}
