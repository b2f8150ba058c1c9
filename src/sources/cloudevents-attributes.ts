import { isAbsoluteUri, isUriReference } from "./cloudevents-uri.js";

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
