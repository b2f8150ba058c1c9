import { createHash } from "node:crypto";
import { isObject } from "../lib/members.js";
import type { SourceEvent, SourceFault } from "../types/source.js";
import { looseMember, readMessageMembers, readReceiptMembers } from "./webex-connect-outbound-data.js";
import type { WebexConnectObject } from "./webex-connect-outbound-types.js";

/** The events of a body: one notification, or a list of them. */
export function readNotifications(body: unknown): readonly SourceEvent[] | SourceFault {
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
