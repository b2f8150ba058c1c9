import { isObject, parseStrictJson } from "../../lib/json.js";

import { memberOf } from "../settings.js";

/** An object that a channel's provider fills: its members are not checked. */
export interface WebexConnectObject {
  readonly [member: string]: unknown;
}

/** A file that came with a message. Empty where the channel does not say. */
export interface WebexConnectAttachment {
  /** Where it can be fetched, often for a short time only. Email may carry the file itself, in `details.content`. */
  readonly url: string;
  readonly mimeType: string;
  readonly name: string;
  /** All that the channel said of it. */
  readonly details: WebexConnectObject;
}

/** The receipts that the documentation names for each channel, by the last part of their type. */
export interface WebexConnectReceiptStatuses {
  sms: "submitted" | "delivered" | "undelivered" | "failed" | "clicked";
  whatsapp: "submitted" | "delivered" | "read" | "failed";
  rcs: "submitted" | "delivered" | "read" | "failed";
  mms: "submitted" | "delivered" | "failed";
  messenger: "submitted" | "delivered" | "read" | "failed";
  instagram: "submitted" | "read" | "failed";
  in_app: "submitted" | "delivered" | "read" | "failed" | "clicked";
  push: "submitted" | "delivered" | "read" | "failed";
  email:
    | "submitted"
    | "delivered"
    | "read"
    | "clicked"
    | "bounced"
    | "complaint"
    | "invalid"
    | "not_verified"
    | "failed";
  apple: "submitted" | "failed";
  voice:
    | "offered"
    | "accepted"
    | "answered"
    | "dropped"
    | "rejected"
    | "released"
    | "disconnected"
    | "trombone_connected"
    | "trombone_released"
    | "failed";
}

/** The incoming messages and events that the documentation names for each channel, by the last part of their type. */
export interface WebexConnectMessageEvents {
  sms: "received";
  mms: "received";
  whatsapp: "received" | "postback" | "list" | "reply" | "user_preference";
  rcs: "received" | "attachment" | "location" | "postback" | "subscribe" | "unsubscribe";
  messenger: "received" | "postback";
  instagram: "received" | "postback";
  in_app:
    | "received"
    | "postback"
    | "form_response"
    | "profile_create"
    | "profile_update"
    | "typing_indicator";
  email: "received" | "subscribe" | "unsubscribe";
  apple:
    | "received"
    | "interactive_response"
    | "quick_reply_response"
    | "form_response"
    | "authentication_response"
    | "new_authentication_response"
    | "payment_response"
    | "invitation_response"
    | "imessage_app_response"
    | "typing_indicator"
    | "conversation_closed";
}

type ListOf<Name> = Name extends "attachments" ? WebexConnectAttachment : WebexConnectObject;

type Members<Table extends MemberTable> = { readonly [Name in Table["text"][number]]: string } & {
  readonly [Name in Table["objects"][number]]: WebexConnectObject | undefined;
} & { readonly [Name in Table["lists"][number]]: readonly ListOf<Name>[] } & {
  readonly [Name in Table["texts"][number]]: readonly string[];
};

/** What the sender encoded as JSON text and cannot be read as it: by member, the text. Left out where all could be. */
interface Undecoded {
  readonly undecoded?: { readonly [member: string]: string };
}

/**
 * A receipt. Members that the sender left out are empty strings, as it writes them itself where it knows nothing;
 * members that are not known here are kept under their own names.
 */
export type WebexConnectReceipt<Channel extends keyof WebexConnectReceiptStatuses> = Undecoded & {
  /** As in the type. `deliveryChannel` is what the sender wrote. */
  readonly channel: string;
  /** As in the type. `deliveryStatus` is what the sender wrote. */
  readonly status: string;
} & { readonly [Name in (typeof receiptCommon)[number]]: string } & Members<(typeof receiptMembers)[Channel]>;

/** An incoming message or event; its members are as those of receipts. */
export type WebexConnectMessage<Channel extends keyof WebexConnectMessageEvents> = Undecoded & {
  /** As in the type. */
  readonly channel: string;
  /** As in the type. */
  readonly event: string;
} & { readonly [Name in (typeof messageCommon)[number]]: string } & Members<(typeof messageMembers)[Channel]>;

/**
 * The event types of Webex Connect's outbound webhooks that the documentation names, and their data. Channels, statuses
 * and events beyond them come in under types of the same form; `onAny` and patterns such as `"receipt.*"` get those too.
 */
export type WebexConnectOutboundEventMap = {
  readonly [Channel in keyof WebexConnectReceiptStatuses as `receipt.${Channel}.${WebexConnectReceiptStatuses[Channel]}`]: WebexConnectReceipt<Channel>;
} & {
  readonly [Channel in keyof WebexConnectMessageEvents as `message.${Channel}.${WebexConnectMessageEvents[Channel]}`]: WebexConnectMessage<Channel>;
} & {
  /** A notification of neither kind, as it came. */
  readonly other: WebexConnectObject;
};

/** What a channel's notifications hold, by the names that handlers see. */
export interface MemberTable {
  readonly text: readonly string[];
  /** Objects, or JSON text of one; undefined where there is none. */
  readonly objects: readonly string[];
  /** Lists of objects, or JSON text of one. */
  readonly lists: readonly string[];
  /** Lists of strings, JSON text of one, or one string. */
  readonly texts: readonly string[];
}

/** Members of every receipt. */
export const receiptCommon = [
  "deliveryChannel",
  "deliveryStatus",
  "destination",
  "destinationType",
  "code",
  "description",
  "timestamp",
  "additionalInfo",
  "transId",
  "subTransId",
  "correlationId",
  "callbackData",
] as const;

/** Members of the receipts of each channel, beyond those of every receipt. */
export const receiptMembers = {
  sms: { text: ["carrier", "messageCount"], objects: [], lists: [], texts: [] },
  whatsapp: {
    text: ["waid", "waidNormalized", "bsuid", "identityKeyHash"],
    objects: [],
    lists: [],
    texts: [],
  },
  rcs: { text: ["carrier", "serviceProvider"], objects: [], lists: [], texts: [] },
  mms: { text: ["sentAs"], objects: [], lists: [], texts: [] },
  messenger: { text: [], objects: [], lists: [], texts: [] },
  instagram: { text: ["messageId"], objects: [], lists: [], texts: [] },
  in_app: { text: ["deviceId"], objects: ["interactiveData", "interaction"], lists: [], texts: [] },
  push: { text: ["pushId", "deviceId"], objects: ["interaction"], lists: [], texts: [] },
  email: { text: [], objects: [], lists: [], texts: [] },
  apple: { text: [], objects: [], lists: [], texts: [] },
  voice: { text: ["deliveryTransInfo"], objects: [], lists: [], texts: [] },
} as const satisfies Readonly<Record<string, MemberTable>>;

/** Members of every incoming message and event. */
export const messageCommon = ["tid", "ts", "timestamp", "appId", "userId"] as const;

/** Members of the incoming messages and events of each channel, beyond those of all. */
export const messageMembers = {
  sms: {
    text: ["oa", "da", "message", "messageCount", "messageSource", "datetime", "networkId"],
    objects: [],
    lists: [],
    texts: [],
  },
  mms: { text: ["oa", "da", "message"], objects: [], lists: ["attachments"], texts: [] },
  whatsapp: {
    text: [
      ...["waid", "waidDerived", "bsuid", "identityKeyHash", "username", "userHandle"],
      ...["message", "type", "system", "contextId", "errors"],
      ...["buttonPayload", "buttonText", "replyButtonIdentifier", "replyButtonTitle"],
      ...["listRowIdentifier", "listRowTitle", "listRowDescription"],
    ],
    objects: ["location"],
    lists: ["attachments", "contacts", "userPreferences"],
    texts: [],
  },
  rcs: {
    text: [
      ...["msisdn", "message", "messageId", "postback"],
      ...["latitude", "longitude", "carrier", "serviceProvider"],
    ],
    objects: [],
    lists: ["attachments"],
    texts: [],
  },
  messenger: {
    text: ["psid", "message", "name", "profilePic", "locale", "gender", "timezone"],
    objects: ["postback"],
    lists: ["attachments"],
    texts: [],
  },
  instagram: {
    text: [
      ...["igsid", "message", "messageId", "messageType", "attachmentType", "attachmentUrl"],
      ...["storyReplyUrl", "repliedMessageId", "reaction", "payload", "title"],
    ],
    objects: ["quickReplyPayload"],
    lists: ["attachments"],
    texts: [],
  },
  in_app: {
    text: ["message", "type", "replyTo", "relatedTid", "clientId", "threadId", "threadTitle"],
    objects: ["thread", "extras", "interactiveData", "pciInfo", "malwareInfo", "securityScanInfo"],
    lists: ["attachments"],
    texts: [],
  },
  email: {
    text: [
      ...["from", "subject", "textMessage", "htmlMessage", "messageId", "returnPath"],
      ...["senderId", "correlationId"],
    ],
    objects: [],
    lists: ["attachments"],
    texts: ["to"],
  },
  apple: {
    text: [
      ...["abcUserId", "abcAccountId", "message", "type", "requestIdentifier", "locale", "timezone"],
      ...["bizGroupId", "bizIntentId", "capabilities", "capabilityList", "deviceAgent", "bid"],
      ...["authenticateStatus", "authenticateToken", "msisdn", "invitationAccepted"],
      ...["paymentStatus", "merchantIdentifier", "merchantSessionIdentifier"],
    ],
    objects: [
      ...["datePicker", "listPicker", "quickReplies", "formResponse"],
      ...["paymentRequest", "invitationResponse"],
    ],
    lists: ["attachments"],
    texts: [],
  },
} as const satisfies Readonly<Record<string, MemberTable>>;

/** Members whose name on the wire is another one, not only another spelling. In lower case, without `_`. */
export const otherNames: ReadonlyMap<string, string> = new Map([
  ["userld", "userId"],
  ["subtid", "subTransId"],
  ["xnetworkid", "networkId"],
  ["attachment", "attachments"],
]);

/** How the members of one kind of notification are read, by their names in one spelling. */
type Shape = ReadonlyMap<string, { readonly name: string; readonly kind: keyof MemberTable }>;

const kinds = ["text", "objects", "lists", "texts"] as const;
const nothing: MemberTable = { text: [], objects: [], lists: [], texts: [] };

function shapeOf(common: readonly string[], table: MemberTable): Shape {
  const members = kinds.flatMap((kind) => table[kind].map((name) => ({ name, kind })));
  const all = [...common.map((name) => ({ name, kind: "text" as const })), ...members];
  return new Map(all.map((member) => [plainName(member.name), member]));
}

function shapesOf(
  common: readonly string[],
  tables: Readonly<Record<string, MemberTable>>,
): (channel: string) => Shape {
  const shapes = new Map(Object.entries(tables).map(([channel, table]) => [channel, shapeOf(common, table)]));
  const ofUnknown = shapeOf(common, nothing);
  return (channel) => shapes.get(channel) ?? ofUnknown;
}

const receiptShape = shapesOf(receiptCommon, receiptMembers);
const messageShape = shapesOf(messageCommon, messageMembers);

/** What a notification says. */
export interface ReadMembers {
  /** Each member of its channel's table, in the form of its kind. */
  readonly known: WebexConnectObject;
  /** The others, as they came. */
  readonly unknown: WebexConnectObject;
}

/** Reads a receipt; of a member that stands in several of the objects the first one that says something counts. */
export function readReceiptMembers(channel: string, objects: readonly object[]): ReadMembers {
  return readMembers(receiptShape(channel), objects);
}

/** Reads an incoming message or event. */
export function readMessageMembers(channel: string, object: object): ReadMembers {
  const message = channel === "mms" ? looseMember(object, "message") : undefined;
  // An MMS has its files, as JSON text, where other channels have their text.
  const files = typeof message === "string" && startsAsJson.test(message) ? [{ attachments: message }] : [];
  return readMembers(messageShape(channel), [object, ...files]);
}

/** A member in whatever case its name is written, with `_` or without. */
export function looseMember(object: object, name: string): unknown {
  if (Object.hasOwn(object, name)) return memberOf(object, name);
  return Object.entries(object).find(([key]) => plainName(key) === name)?.[1];
}

function plainName(name: string): string {
  return name.toLowerCase().replaceAll("_", "");
}

function readMembers(shape: Shape, objects: readonly object[]): ReadMembers {
  const given = new Map<string, unknown>();
  const unknown: [string, unknown][] = [];
  for (const [key, value] of objects.flatMap(exactFirst(shape))) {
    const member = memberFor(shape, key);
    if (member === undefined) unknown.push([key, value]);
    else if (isNothing(given.get(member.name))) given.set(member.name, value);
  }
  const undecoded: [string, string][] = [];
  const known = [...shape.values()].map(({ name, kind }): [string, unknown] => {
    if (kind === "text") return [name, textFrom(given.get(name))];
    const value = decode(given.get(name));
    if (!fits(value, kind)) undecoded.push([name, textFrom(value)]);
    return [name, structureFrom(value, kind, name)];
  });
  if (undecoded.length > 0) known.push(["undecoded", Object.fromEntries(undecoded)]);
  // fromEntries defines own members whatever their names: `__proto__` stays data (ATTACKS E17).
  return { known: Object.fromEntries(known), unknown: Object.fromEntries(unknown) };
}

function memberFor(shape: Shape, key: string): ReturnType<Shape["get"]> {
  const plain = plainName(key);
  return shape.get(plain) ?? shape.get(plainName(otherNames.get(plain) ?? ""));
}

/** The members of an object; where one is there in two spellings, the documented one comes first, and counts. */
function exactFirst(shape: Shape): (object: object) => readonly [string, unknown][] {
  const isExact = ([key]: readonly [string, unknown]): boolean => memberFor(shape, key)?.name === key;
  return (object) => {
    const entries = Object.entries(object) as [string, unknown][];
    return [...entries.filter(isExact), ...entries.filter((entry) => !isExact(entry))];
  };
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === "";
}

/** Text, whatever the sender made of it: numbers and booleans as written, objects as JSON. */
function textFrom(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

const startsAsJson = /^\s*[[{]/;

/** What JSON text stands for; anything else as it came. */
function decode(value: unknown): unknown {
  if (typeof value !== "string" || !startsAsJson.test(value)) return value;
  const parsed = parseStrictJson(value);
  return parsed.ok ? parsed.value : value;
}

function fits(value: unknown, kind: Exclude<keyof MemberTable, "text">): boolean {
  return (
    isNothing(value) || isObject(value) || kind === "texts" || (kind === "lists" && Array.isArray(value))
  );
}

function structureFrom(value: unknown, kind: Exclude<keyof MemberTable, "text">, name: string): unknown {
  if (kind === "objects") return isObject(value) ? value : undefined;
  if (kind === "texts") {
    const list = Array.isArray(value) ? value : isNothing(value) ? [] : [value];
    return list.map(textFrom);
  }
  const list = (Array.isArray(value) ? value : [value]).filter(isObject);
  return name === "attachments" ? list.map(attachmentFrom) : list;
}

function attachmentFrom(details: WebexConnectObject): WebexConnectAttachment {
  const first = (...paths: readonly string[]): string => {
    const found = paths.map((path) => memberOf(details, path));
    return found.find((value): value is string => typeof value === "string" && value !== "") ?? "";
  };
  return {
    url: first("url", "payload.url", "file"),
    mimeType: first("mime_type", "mimeType", "contentType", "sticker.mime_type"),
    name: first("name", "caption"),
    details,
  };
}
