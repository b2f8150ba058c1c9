import { parseStrictJson } from "../lib/json.js";
import { isObject } from "../lib/members.js";
import { memberOf } from "./reading.js";
import {
  type MemberTable,
  messageCommon,
  messageMembers,
  otherNames,
  receiptCommon,
  receiptMembers,
} from "./webex-connect-outbound-members.js";
import type { WebexConnectAttachment, WebexConnectObject } from "./webex-connect-outbound-types.js";

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
