import { Buffer } from "node:buffer";
import { mediaTypeOf } from "../../body/media-type.js";
import { decodeBase64 } from "../../lib/base64.js";
import { decodeUtf8, isObject } from "../../lib/json.js";

import type { AnyEventMap } from "../../types/event.js";
import type { ParsedDelivery } from "../../types/source.js";
import { headerOf } from "../settings.js";

/** A CloudEvent 1.0, whichever mode it came in. Attributes that it does not have are not there. */
export interface CloudEvent<Data = unknown> {
  /** Version of the specification. */
  readonly specversion: "1.0";
  /** Unique together with `source`. */
  readonly id: string;
  /** A URI reference. */
  readonly source: string;
  /** Type of the event, such as `com.example.order.paid`. */
  readonly type: string;
  /** What the event is about, within `source`. */
  readonly subject?: string;
  /** RFC 3339, as it came: with all its digits. */
  readonly time?: string;
  /** The media type of `data`. Missing in structured mode: JSON, or unknown where `data` is a Buffer. */
  readonly datacontenttype?: string;
  /** An absolute URI. */
  readonly dataschema?: string;
  /** What JSON says; a string for `text/*` and XML; a Buffer for all else, and for `data_base64`. */
  readonly data?: Data;
  /** Attributes of extensions: text; in structured mode also booleans and integers. */
  readonly [extension: string]: unknown;
}

/** What `data` hands to handlers. */
export type CloudEventContent = "event" | "data";

/** The types of handlers' events: any type; `data` is the whole CloudEvent, or unknown. */
export type CloudEventMap<Content extends CloudEventContent = "event"> = Content extends "event"
  ? { readonly [type: string]: CloudEvent }
  : AnyEventMap;

/** How a delivery holds its events (HTTP binding section 3). */
export type CloudEventMode = "binary" | "structured" | "batch";

/** The media types of the JSON formats. */
export const structuredType = "application/cloudevents+json";
export const batchType = "application/cloudevents-batch+json";

/** The CloudEvents of a delivery, or what is wrong with it, in words without the sender's. */
export function readCloudEvents(
  delivery: ParsedDelivery,
  modes: readonly CloudEventMode[],
): readonly CloudEvent[] | string {
  const contentType = headerOf(delivery, "content-type");
  const mode = modeOf(contentType);
  if (mode === undefined) return "the event format is none that is read; only the JSON formats are";
  if (!modes.includes(mode))
    return `the delivery is in ${mode} mode, which the option \`modes\` does not name`;
  if (mode === "batch") return readBatch(delivery.body);
  const event = mode === "structured" ? readStructured(delivery.body) : readBinary(delivery, contentType);
  return typeof event === "string" ? event : [event];
}

function modeOf(contentType: string | undefined): CloudEventMode | undefined {
  const type = mediaTypeOf(contentType ?? "");
  if (!type.startsWith("application/cloudevents")) return "binary";
  if (type === structuredType) return "structured";
  return type === batchType ? "batch" : undefined;
}

function readBatch(body: unknown): readonly CloudEvent[] | string {
  if (!Array.isArray(body)) return "a batch must be an array of CloudEvents";
  const events: CloudEvent[] = [];
  for (const each of body) {
    const event = readStructured(each);
    if (typeof event === "string") return event;
    events.push(event);
  }
  return events;
}

/** JSON format sections 2.2 and 3.1.2: `null` is as good as left out, but for `data`. */
function readStructured(body: unknown): CloudEvent | string {
  if (!isObject(body)) {
    return "a structured CloudEvent must be a JSON object";
  }
  const attributes = new Map<string, unknown>();
  for (const [name, value] of Object.entries(body)) {
    if (value !== null && name !== "data" && name !== "data_base64") attributes.set(name, value);
  }
  const fault = attributesFault(attributes);
  if (fault !== undefined) return fault;
  const data = structuredData(new Map(Object.entries(body)), attributes.get("datacontenttype"));
  return typeof data === "string" ? data : toEvent(attributes, data);
}

function structuredData(
  members: ReadonlyMap<string, unknown>,
  contentType: unknown,
): { readonly data?: unknown } | string {
  const base64 = members.get("data_base64") ?? undefined;
  const data = members.get("data");
  if (base64 !== undefined) {
    if (data !== undefined && data !== null) return "the CloudEvent has `data` and `data_base64`";
    const bytes = typeof base64 === "string" ? decodeBase64(base64) : undefined;
    return bytes === undefined ? "the CloudEvent's `data_base64` is no base64" : { data: bytes };
  }
  if (!members.has("data")) return {};
  const json = typeof contentType !== "string" || isJsonType(mediaTypeOf(contentType));
  if (json || typeof data === "string" || data === null) return { data };
  return "the CloudEvent's `data` must be text, because `datacontenttype` is not JSON";
}

const prefix = "ce-";

/** HTTP binding section 3.1. */
function readBinary(delivery: ParsedDelivery, contentType: string | undefined): CloudEvent | string {
  const attributes = new Map<string, unknown>();
  for (const [header, value] of Object.entries(delivery.headers)) {
    if (!header.startsWith(prefix)) continue;
    const name = header.slice(prefix.length);
    const text = typeof value === "string" ? attributeOf(name, value) : undefined;
    if (text === undefined) {
      return "a `ce-` header is not written as asked: ASCII, the rest as percent-encoded UTF-8, quotes that close";
    }
    attributes.set(name, text);
  }
  if (attributes.size === 0)
    return "the delivery is no CloudEvent: it has no `ce-` headers, and its type is no format of one";
  if (attributes.has("datacontenttype"))
    return "the header `ce-datacontenttype` must not be sent; Content-Type says it";
  if (contentType !== undefined) attributes.set("datacontenttype", contentType);
  const fault = attributesFault(attributes);
  if (fault !== undefined) return fault;
  const data = binaryData(delivery, contentType);
  return typeof data === "string" ? data : toEvent(attributes, data);
}

function attributeOf(name: string, value: string): string | undefined {
  const decoded = decodeHeaderValue(value);
  const isUri = name === "source" ? isUriReference : name === "dataschema" ? isAbsoluteUri : undefined;
  if (decoded === undefined || isUri === undefined || isUri(decoded)) return decoded;
  // Go's, Java's and JavaScript's SDKs send URIs as they are: `/a%20b` is decoded to what is none.
  const plain = unquote(value);
  return plain !== undefined && isUri(plain) ? plain : decoded;
}

function binaryData(
  { body, kind }: ParsedDelivery,
  contentType: string | undefined,
): { readonly data?: unknown } | string {
  if (kind === "empty") return {};
  if (kind !== "bytes" || !Buffer.isBuffer(body) || !isTextType(mediaTypeOf(contentType ?? ""))) {
    return { data: body };
  }
  const text = decodeUtf8(body);
  return text === undefined ? "the CloudEvent's data is not valid UTF-8, as its type asks" : { data: text };
}

function toEvent(attributes: ReadonlyMap<string, unknown>, data: { readonly data?: unknown }): CloudEvent {
  return { ...Object.fromEntries(attributes), ...data } as CloudEvent;
}

/** Attributes by name: text, or what JSON gave for them. */
export type Attributes = ReadonlyMap<string, unknown>;

const required = ["specversion", "id", "source", "type"] as const;

/** What an attribute of the specification has to be beyond text that is not empty; the words follow "must be". */
const core: ReadonlyMap<string, readonly [rule: (text: string) => boolean, words: string]> = new Map([
  ["specversion", [(text: string) => text === "1.0", "1.0, the only version that is read"]],
  ["id", [anything, "text"]],
  ["source", [isUriReference, "a URI reference (RFC 3986 section 4.1)"]],
  ["type", [anything, "text"]],
  ["subject", [anything, "text"]],
  ["time", [isTimestamp, "a timestamp of RFC 3339"]],
  ["dataschema", [isAbsoluteUri, "an absolute URI"]],
  ["datacontenttype", [isContentType, "a media type (RFC 2046)"]],
]);

/** What breaks the rules of CloudEvents 1.0.2 ("Context Attributes"), in words without the sender's; undefined: nothing. */
export function attributesFault(attributes: Attributes): string | undefined {
  for (const name of required) {
    if (!attributes.has(name)) return `the CloudEvent has no attribute \`${name}\``;
  }
  for (const [name, value] of attributes) {
    const fault = core.has(name) ? coreFault(name, value) : extensionFault(name, value);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** Whether the media type says JSON: subtype `json`, or a suffix `+json` (JSON format section 3.1.1). */
export function isJsonType(mediaType: string): boolean {
  return /^[^/]+\/(?:[^/]+\+)?json$/.test(mediaType);
}

/** Whether data of this media type is text: `text/*` and XML. */
export function isTextType(mediaType: string): boolean {
  return mediaType.startsWith("text/") || /^[^/]+\/(?:[^/]+\+)?xml$/.test(mediaType);
}

function coreFault(name: string, value: unknown): string | undefined {
  const [rule, words] = core.get(name) ?? [anything, "text"];
  if (typeof value !== "string" || value === "") {
    return `the CloudEvent's attribute \`${name}\` must be text that is not empty`;
  }
  if (!isLegalText(value)) {
    return `the CloudEvent's attribute \`${name}\` holds a character that attributes must not hold`;
  }
  return rule(value) ? undefined : `the CloudEvent's attribute \`${name}\` must be ${words}`;
}

function extensionFault(name: string, value: unknown): string | undefined {
  if (!/^[a-z0-9]+$/.test(name) || name === "data") {
    return "the CloudEvent has an attribute whose name is not made of the letters a to z and digits, or is `data`";
  }
  if (typeof value === "boolean" || (typeof value === "number" && (value | 0) === value)) return undefined;
  if (typeof value === "string" && isLegalText(value)) return undefined;
  return "an extension attribute of the CloudEvent is no text without control characters, boolean or 32-bit integer";
}

/** No control characters, noncharacters or surrogates without their half ("Type System", String). */
function isLegalText(text: string): boolean {
  return !/[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u.test(text);
}

function anything(): boolean {
  return true;
}

const timestamp =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(?:[Zz]|[+-](\d{2}):(\d{2}))$/;

/** RFC 3339 section 5.6, with a day that its month has. Date.parse takes and rejects other things. */
function isTimestamp(text: string): boolean {
  const found = timestamp.exec(text);
  if (found === null) return false;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, offsetHour = 0, offsetMinute = 0] =
    found.slice(1).map((digits) => Number(digits ?? 0));
  // 400 years later the calendar is the same, and Date.UTC does not take the year for one of the 1900s.
  const days = new Date(Date.UTC(year + 400, month, 0)).getUTCDate();
  const date = month >= 1 && month <= 12 && day >= 1 && day <= days;
  return date && hour <= 23 && minute <= 59 && second <= 60 && offsetHour <= 23 && offsetMinute <= 59;
}

const contentType =
  /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+[ \t]*(?:;[ \t]*(?:[\w!#$%&'*+.^`|~-]+=(?:[\w!#$%&'*+.^`|~-]+|"(?:[^"\\]|\\.)*")[ \t]*)?)*$/;

function isContentType(text: string): boolean {
  return contentType.test(text);
}

/**
 * An attribute as a `ce-*` header holds it: quoted strings are resolved, then one round of percent-decoding (HTTP
 * binding section 3.1.3.2). Undefined for anything but ASCII, a quote that does not close, `%` without two hex digits,
 * and bytes that are no UTF-8.
 */
export function decodeHeaderValue(value: string): string | undefined {
  const text = unquote(value);
  if (text === undefined || !text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/**
 * The same without the percent-decoding: senders of older versions, and several of the official SDKs, write a URI as
 * it is.
 */
export function unquote(value: string): string | undefined {
  // A non-ASCII byte may be Latin-1 or UTF-8. A wrong guess could make one event of two.
  if (!/^[\t\x20-\x7e]*$/.test(value)) return undefined;
  if (!value.includes('"')) return value;
  let text = "";
  let quoted = false;
  for (let at = 0; at < value.length; at++) {
    const character = value[at];
    if (character === '"') quoted = !quoted;
    else if (quoted && character === "\\") {
      at++;
      if (at === value.length) return undefined;
      text += value[at];
    } else text += character;
  }
  return quoted ? undefined : text;
}

/** The parts of a URI reference (RFC 3986 appendix B): scheme, authority, path, query, fragment. Linear. */
const parts = /^(?:([^:/?#]+):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s;

const schemeRule = /^[A-Za-z][A-Za-z0-9+.-]*$/;
const authorityRule =
  /^(?:(?:[\w.~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?(?:\[[0-9A-Fa-fvV:.]+\]|(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::\d*)?$/;
const pathRule = /^(?:[\w.~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*$/;
const queryRule = /^(?:[\w.~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*$/;

/** Whether text is a URI reference that says something (RFC 3986 section 4.1). White space is in none. */
export function isUriReference(text: string): boolean {
  return text !== "" && schemeOf(text) !== undefined;
}

/** Whether text is an absolute URI (RFC 3986 section 3). A fragment is let pass: schemas are named with one. */
export function isAbsoluteUri(text: string): boolean {
  const scheme = schemeOf(text);
  return scheme !== undefined && scheme !== "";
}

/** The scheme of a URI reference, "" where it is relative; undefined for what is none. */
function schemeOf(text: string): string | undefined {
  const [, scheme = "", authority = "", path = "", query = "", fragment = ""] = parts.exec(text) ?? [];
  // What stands before the first colon of a relative path would read as a scheme, so it has to be one (section 4.2).
  if (scheme !== "" && !schemeRule.test(scheme)) return undefined;
  const holds =
    !text.startsWith(":") &&
    authorityRule.test(authority) &&
    pathRule.test(path) &&
    queryRule.test(query) &&
    queryRule.test(fragment);
  return holds ? scheme : undefined;
}
