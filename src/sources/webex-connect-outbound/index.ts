import type { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { isObject } from "../../lib/json.js";
import { assertOptions, flagOption, optionKeys, own } from "../../lib/options.js";
import { parseSecrets, type SigningSecrets } from "../../signatures/signing-keys.js";
import type { SignatureScheme, SigningKey } from "../../types/signature.js";
import type {
  ComposedDelivery,
  ComposeEvent,
  Source,
  SourceAnswer,
  SourceEvent,
  SourceFault,
  SourceOutcome,
} from "../../types/source.js";
import { memberOf } from "../settings.js";
import { plainSuccess } from "../webex-connect/answers.js";
import {
  looseMember,
  readMessageMembers,
  readReceiptMembers,
  type WebexConnectObject,
  type WebexConnectOutboundEventMap,
} from "./members.js";

export type {
  WebexConnectAttachment,
  WebexConnectMessage,
  WebexConnectMessageEvents,
  WebexConnectObject,
  WebexConnectOutboundEventMap,
  WebexConnectReceipt,
  WebexConnectReceiptStatuses,
} from "./members.js";

/** Options of `webexConnectOutbound`. */
export interface WebexConnectOutboundOptions {
  /**
   * The hub secret; several while it is rotated. Left out where no hub signature is enabled: the receiver then needs
   * `auth`, with the header and the value of the webhook's authorization of type API Key as its service key.
   */
  readonly secret?: SigningSecrets | undefined;
  /** `true` takes a secret of fewer than 24 bytes, which can be guessed the sooner. Default: refused. */
  readonly insecureShortSecret?: boolean | undefined;
  /**
   * `true` also takes a signature over the body without the white space at its ends. The vendor's sample asks to trim the
   * payload and shows one without any, so bytes and trimmed body are most likely the same. Default: the bytes alone.
   */
  readonly trimmedBody?: boolean | undefined;
}

/**
 * Webex Connect's outbound webhooks: delivery receipts, and incoming messages and events. `X-Hub-Signature`, HMAC-SHA-256 or
 * HMAC-SHA-512 in hex over the body, behind `sha256=` or `sha512=`, or bare: then told apart by their length. SHA-1 is refused.
 *
 * | what | type | id |
 * |---|---|---|
 * | receipt | `receipt.CHANNEL.STATUS`, such as `receipt.sms.delivered` | `transid`, status, a hash of the data |
 * | incoming | `message.CHANNEL.EVENT`, such as `message.whatsapp.received` | `tid`, event, a hash of the data |
 * | anything else | `other` | from the body's bytes, as without `transid` or `tid` |
 *
 * All of it is signed. Names are in lower case, words joined by `_`: `undelivered` for `Un-Delivered`, `in_app` for `rt` and
 * `Rtm`, `messenger` for `fb`, `apple` for `applebusinesschat`, `received` for `MO`, `postback` for `OnPostback`. Channels, statuses
 * and events that are not documented come in under the same rule: there are no schemas that would keep them out. Instead the
 * data is brought into the form that its type says: names in one spelling, text as strings (empty where the sender left
 * it out), JSON text decoded, other members kept. `context.delivery.rawBody` has what was sent. A list of notifications
 * becomes several events.
 *
 * HEAD gets 200: without it the URL cannot be saved. Webex Connect wants 200 within 10 seconds, else it sends three times
 * more, 60 seconds apart, but not after the statuses of a list. 401, 403, 429, 500 and 503 are not on it, so that a wrong
 * secret or address list can be mended meanwhile; 400, 405 and 415 are, and what is invalid or too large gets 400.
 *
 * @example
 * createReceiver({ name: "receipts", source: webexConnectOutbound({ secret: process.env.HUB_SECRET }) });
 */
export function webexConnectOutbound(
  options: WebexConnectOutboundOptions = {},
): Source<WebexConnectOutboundEventMap> {
  const where = "webexConnectOutbound";
  assertOptions(
    options,
    optionKeys<WebexConnectOutboundOptions>({ secret: true, insecureShortSecret: true, trimmedBody: true }),
    where,
  );
  const insecureShortSecret = flagOption(own(options, "insecureShortSecret"), `${where}.insecureShortSecret`);
  const trimmedBody = flagOption(own(options, "trimmedBody"), `${where}.trimmedBody`);
  // Left out is a choice; a variable that is not set must not be one.
  const unsigned = !Object.hasOwn(options, "secret");
  const keys = unsigned ? [] : parseSecrets(options.secret, `${where}.secret`, { insecureShortSecret });
  return {
    name: "webex-connect-outbound",
    bodies: ["json"],
    headers: ["x-wx-gtrid"],
    events: ({ body }) => readNotifications(body),
    ...(unsigned ? {} : { signature: hubSignature(keys, trimmedBody) }),
    // Nothing says that a retry has the same bytes, and notifications gain members over time.
    deduplicateBy: "id",
    deadline: "10s",
    handshake: ({ method }) => (method === "HEAD" ? { status: 200 } : undefined),
    answer: answerOutbound,
    compose,
  };
}

function hubSignature(keys: readonly SigningKey[], trimmedBody: boolean): SignatureScheme {
  return {
    kind: "header",
    headers: [{ signature: "x-hub-signature" }],
    variants: [
      { label: "sha256=", algorithm: "hmac-sha256", keys },
      { label: "sha512=", algorithm: "hmac-sha512", keys },
      { label: "", algorithm: "hmac-sha256", keys },
      { label: "", algorithm: "hmac-sha512", keys },
    ],
    encoding: "hex",
    signed: trimmedBody ? ({ rawBody }) => ({ anyOf: [[rawBody], [trimmed(rawBody)]] }) : "{body}",
  };
}

/** Without the white space of JSON (RFC 8259 section 2) at its ends. */
function trimmed(bytes: Buffer): Buffer {
  const isSpace = (byte: number | undefined): boolean =>
    byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
  let start = 0;
  let end = bytes.length;
  while (start < end && isSpace(bytes[start])) start += 1;
  while (end > start && isSpace(bytes[end - 1])) end -= 1;
  return bytes.subarray(start, end);
}

/** Data may be a whole notification, or what handlers see. */
function compose({ type, id, data, nowMs }: ComposeEvent): ComposedDelivery {
  return {
    headers: {},
    contentType: "application/json",
    body: JSON.stringify(notification(type.split("."), { id, data, now: new Date(nowMs).toISOString() })),
  };
}

function notification(
  [kind, channel, name]: readonly string[],
  { id, data, now }: { readonly id: string; readonly data: unknown; readonly now: string },
): unknown {
  const isNamed = channel !== undefined && name !== undefined;
  if (!isNamed || typeof data !== "object" || data === null || Array.isArray(data)) return data;
  if (kind === "message") return { tid: id, ts: now, ...data, ...wireFiles(data), channel, event: name };
  if (kind !== "receipt" || Object.hasOwn(data, "deliveryInfoNotification")) return data;
  const deliveryInfo = {
    transid: id,
    timeStamp: now,
    ...data,
    deliveryChannel: channel,
    deliveryStatus: name,
  };
  return { deliveryInfoNotification: { deliveryInfo } };
}

/** Attachments as handlers see them, back as the channel wrote them. */
function wireFiles(data: object): object {
  const attachments = memberOf(data, "attachments");
  if (!Array.isArray(attachments)) return {};
  return { attachments: attachments.map((each: unknown) => memberOf(each, "details") ?? each) };
}

/** The events of a body: one notification, or a list of them. */
function readNotifications(body: unknown): readonly SourceEvent[] | SourceFault {
  const notifications: readonly unknown[] = Array.isArray(body) ? body : [body];
  const events: SourceEvent[] = [];
  for (const notification of notifications) {
    if (!isObject(notification)) return { fault: "the body is no object and no list of objects" };
    events.push(readNotification(notification));
  }
  return events;
}

function readNotification(body: WebexConnectObject): SourceEvent {
  const notification = looseMember(body, "deliveryinfonotification");
  if (isObject(notification)) return readReceipt(body, notification);
  const channel = looseMember(body, "channel");
  if (typeof channel === "string" && channel !== "") return readMessage(body, channel);
  return { type: "other", data: body };
}

function readReceipt(body: WebexConnectObject, notification: WebexConnectObject): SourceEvent {
  const found = looseMember(notification, "deliveryinfo");
  const info = isObject(found) ? found : {};
  const channel = channelName(looseMember(info, "deliverychannel"));
  const status = statusName(looseMember(info, "deliverystatus"));
  const { known, unknown } = readReceiptMembers(channel, [
    info,
    without(notification, "deliveryinfo"),
    without(body, "deliveryinfonotification"),
  ]);
  return {
    type: `receipt.${channel}.${status}`,
    // One transaction has several receipts, and several of one kind: recipients of an email, clicks.
    id: idOf(known.transId, status, [channel, known]),
    data: { ...unknown, ...known, channel, status },
  };
}

function readMessage(body: WebexConnectObject, wireChannel: string): SourceEvent {
  const channel = channelName(wireChannel);
  const event = eventName(looseMember(body, "event"));
  const { known, unknown } = readMessageMembers(channel, without(without(body, "channel"), "event"));
  return {
    type: `message.${channel}.${event}`,
    // The documented `tid` of an SMS looks like a number that was made of the sender's: it is not relied on alone.
    id: idOf(known.tid, event, [channel, known]),
    data: { ...unknown, ...known, channel, event },
  };
}

const longestReference = 150;

/**
 * Undefined without a reference: the id is then made of the body's bytes. Members that are not known do not count, and what
 * may name a person goes in as a hash.
 */
function idOf(reference: unknown, what: string, parts: readonly unknown[]): string | undefined {
  if (typeof reference !== "string" || reference === "" || reference.length > longestReference)
    return undefined;
  const digest = createHash("sha256").update(JSON.stringify(parts)).digest("hex");
  return `${reference}:${what}:${digest.slice(0, 16)}`;
}

/** Channels by what the sender calls them, in one spelling; others keep their name. */
const channels: ReadonlyMap<string, string> = new Map([
  ["fb", "messenger"],
  ["facebook", "messenger"],
  ["facebook_messenger", "messenger"],
  ["rt", "in_app"],
  ["rtm", "in_app"],
  ["appmessaging", "in_app"],
  ["applebusinesschat", "apple"],
  ["apple_business_chat", "apple"],
  ["whats_app", "whatsapp"],
]);

/** Statuses that the sender writes in a way of their own: `Un-Delivered`, and `Submited` in one sample. */
const statuses: ReadonlyMap<string, string> = new Map([
  ["un_delivered", "undelivered"],
  ["submited", "submitted"],
  ["bounce", "bounced"],
]);

/** MO is a message that a customer originated. Names without a boundary between their words get one. */
const eventNames: ReadonlyMap<string, string> = new Map([
  ["mo", "received"],
  ["inbound_message", "received"],
  ["interactiveresponse", "interactive_response"],
  ["typingindicator", "typing_indicator"],
  ["conversationclosed", "conversation_closed"],
  ["i_message_app_response", "imessage_app_response"],
]);

function channelName(wire: unknown): string {
  return named(wire, channels);
}

function statusName(wire: unknown): string {
  return named(wire, statuses);
}

/** `OnPostback` is the `postback` of other channels. An SMS has no event: it is a message. */
function eventName(wire: unknown): string {
  if (wire === undefined || wire === null || wire === "") return "received";
  const name = named(wire, eventNames);
  return name.startsWith("on_") ? name.slice(3) : name;
}

const longestName = 60;

/** A segment of a type: lower case, words joined by `_`; `unknown` where nothing is left. */
function named(wire: unknown, known: ReadonlyMap<string, string>): string {
  const text = typeof wire === "string" ? wire.slice(0, longestName) : "";
  const words = text
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "");
  const name = words.length === 0 ? "unknown" : words.join("_");
  return known.get(name) ?? name;
}

function without(object: WebexConnectObject, name: string): WebexConnectObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => key.toLowerCase() !== name));
}

/**
 * Answers for Webex Connect, which sends again after every status but 200 and those of its list. What no second attempt
 * can change gets one of the list, 400; a body that came too slowly, whose 408 is on the list, gets 503.
 */
function answerOutbound(outcome: SourceOutcome): SourceAnswer | undefined {
  switch (outcome.code) {
    case "ERR_EVENT_INVALID":
    case "ERR_BODY_TOO_LARGE":
      return { status: 400, body: { status: outcome.status, code: outcome.code } };
    case "ERR_BODY_TIMEOUT":
      return { status: 503, body: { status: outcome.status, code: outcome.code } };
    default:
      return plainSuccess(outcome);
  }
}
