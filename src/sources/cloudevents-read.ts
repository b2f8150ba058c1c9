import { Buffer } from "node:buffer";
import { mediaTypeOf } from "../body/media-type.js";
import { decodeBase64 } from "../lib/base64.js";
import { decodeUtf8 } from "../lib/json.js";
import { isObject } from "../lib/members.js";
import type { ParsedDelivery } from "../types/source.js";
import { attributesFault, isJsonType, isTextType } from "./cloudevents-attributes.js";
import { decodeHeaderValue, unquote } from "./cloudevents-header-value.js";
import type { CloudEvent } from "./cloudevents-types.js";
import { isAbsoluteUri, isUriReference } from "./cloudevents-uri.js";
import { headerOf } from "./reading.js";

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
