import type { Buffer } from "node:buffer";
import { Refusal } from "../errors.js";
import { decodeUtf8, defaultMaxDepth } from "../lib/json.js";

/**
 * More elements and attributes than this are refused: each costs a microsecond or two, however short it is. A quarter of a
 * megabyte of messages holds 13,000.
 */
export const mostXmlNodes = 20_000;

/** An element whose end was not seen yet. */
interface Open {
  readonly name: string;
  /** Attributes as `@name`, and the elements within. */
  readonly members: Map<string, unknown>;
  text: string;
  hasChildren: boolean;
}

interface Reading {
  readonly text: string;
  at: number;
  nodes: number;
  readonly open: Open[];
  root: readonly [name: string, value: unknown] | undefined;
}

// As strict-json.ts does: taken before an application can replace it.
const fromEntries = Object.fromEntries;

/**
 * Reads XML 1.0 without a DTD: `{ root: … }`. An element with neither attributes nor elements is its text; else an object
 * of `@name` per attribute, a member per element, an array where a name is repeated, and `#text` where there is text.
 * Everything is a string; names keep their prefix; comments and white space between elements are dropped; `__proto__`
 * is a name like any other. Refuses with ERR_BODY_MALFORMED what is not well-formed, and (ATTACKS E23) DTDs, entities
 * other than the five predefined, processing instructions, encodings other than UTF-8, nesting beyond 64, more than
 * 20,000 elements and attributes. Linear in the length of the body.
 */
export function readXml(rawBody: Buffer): { readonly value: unknown } | Refusal {
  const text = decodeUtf8(rawBody);
  if (text === undefined) return malformed("is not valid UTF-8");
  const illegal = findIllegal(text);
  if (illegal >= 0) return malformed(`has a character that XML forbids at character ${illegal}`);
  const reading: Reading = { text, at: 0, nodes: 0, open: [], root: undefined };
  const fault = readDeclaration(reading) ?? readAll(reading);
  return fault === undefined
    ? { value: fromEntries([reading.root as NonNullable<Reading["root"]>]) }
    : malformed(`${fault} at character ${reading.at}`);
}

function malformed(what: string): Refusal {
  return new Refusal("ERR_BODY_MALFORMED", `the body ${what}`);
}

/** What is wrong at `reading.at`, for the operator; it quotes nothing. */
type Fault = string | undefined;

const longestDeclaration = 200;
const declared =
  /^[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(["'])1\.0\1([ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(["'])[Uu][Tt][Ff]-8\3)?([ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(["'])(yes|no)\5)?[ \t\r\n]*$/;

/** The XML declaration, which may be left out (XML 1.0 section 2.8). */
function readDeclaration(reading: Reading): Fault {
  if (!/^<\?xml[ \t\r\n]/.test(reading.text)) return undefined;
  const end = reading.text.slice(0, longestDeclaration).indexOf("?>");
  if (end === -1 || !declared.test(reading.text.slice(5, end))) {
    return "has an XML declaration that is not version 1.0 in UTF-8";
  }
  reading.at = end + 2;
  return undefined;
}

function readAll(reading: Reading): Fault {
  const { text, open } = reading;
  while (reading.at < text.length) {
    const fault = text.charCodeAt(reading.at) === 0x3c ? readMarkup(reading) : readText(reading);
    if (fault !== undefined) return fault;
  }
  if (open.length > 0) return "ends within an element";
  return reading.root === undefined ? "has no element" : undefined;
}

function readText(reading: Reading): Fault {
  const { text, at, open } = reading;
  const next = text.indexOf("<", at);
  const end = next === -1 ? text.length : next;
  const raw = text.slice(at, end);
  const element = open.at(-1);
  if (element === undefined) {
    if (!isBlank(raw)) return "has text outside of its root element";
  } else {
    if (raw.includes("]]>")) return "has a ]]> in a text";
    const resolved = resolveReferences(withLineFeeds(raw));
    if (resolved === undefined) return badReference;
    element.text += resolved;
  }
  reading.at = end;
  return undefined;
}

const badReference =
  "has a reference that is no character and none of the five predefined entities, in the text";

function readMarkup(reading: Reading): Fault {
  const { text, at } = reading;
  switch (text.charAt(at + 1)) {
    case "/":
      return readEnd(reading);
    case "?":
      return "has a processing instruction";
    case "!":
      if (text.startsWith("<!--", at)) return readComment(reading);
      if (text.startsWith("<![CDATA[", at)) return readCdata(reading);
      return "has a DTD or another declaration, none of which is read,";
    default:
      return readStart(reading);
  }
}

function readComment(reading: Reading): Fault {
  const end = reading.text.indexOf("--", reading.at + 4);
  if (end === -1 || reading.text.charAt(end + 2) !== ">")
    return "has a comment that does not end, or holds --,";
  reading.at = end + 3;
  return undefined;
}

function readCdata(reading: Reading): Fault {
  const { text, at, open } = reading;
  const element = open.at(-1);
  if (element === undefined) return "has text outside of its root element";
  const end = text.indexOf("]]>", at);
  if (end === -1) return "has a CDATA section that does not end";
  element.text += withLineFeeds(text.slice(at + 9, end));
  reading.at = end + 3;
  return undefined;
}

function readStart(reading: Reading): Fault {
  const { text, open } = reading;
  if (open.length === 0 && reading.root !== undefined) return "has a second root element";
  const name = nameAt(text, reading.at + 1);
  if (name === "") return "has a < that begins nothing";
  if (open.length >= defaultMaxDepth) return `is nested deeper than ${defaultMaxDepth}`;
  const element: Open = { name, members: new Map(), text: "", hasChildren: false };
  reading.nodes++;
  reading.at += 1 + name.length;
  const fault = readAttributes(reading, element);
  if (fault !== undefined) return fault;
  if (reading.nodes > mostXmlNodes) return `has more than ${mostXmlNodes} elements and attributes`;
  open.push(element);
  if (text.charAt(reading.at) === ">") reading.at++;
  else {
    reading.at += 2;
    close(reading, element);
  }
  return undefined;
}

/** Up to the `>` or `/>` of the tag. */
function readAttributes(reading: Reading, { members }: Open): Fault {
  const { text } = reading;
  for (;;) {
    const start = skipWhiteSpace(text, reading.at);
    if (text.charAt(start) === ">" || text.startsWith("/>", start)) {
      reading.at = start;
      return undefined;
    }
    const name = nameAt(text, start);
    if (name === "" || start === reading.at) return "has a tag that is not well-formed";
    reading.at = start;
    if (++reading.nodes > mostXmlNodes) return `has more than ${mostXmlNodes} elements and attributes`;
    const equals = skipWhiteSpace(text, start + name.length);
    const from = skipWhiteSpace(text, equals + 1);
    const quote = text.charAt(from);
    const end = quote === '"' || quote === "'" ? text.indexOf(quote, from + 1) : -1;
    if (text.charAt(equals) !== "=" || end === -1) return "has an attribute without a value in quotes";
    const raw = text.slice(from + 1, end);
    if (raw.includes("<")) return "has a < in an attribute";
    const value = resolveReferences(withPlainSpaces(raw));
    if (value === undefined) return badReference;
    if (members.has(`@${name}`)) return "has an attribute twice on one element";
    members.set(`@${name}`, value);
    reading.at = end + 1;
  }
}

function readEnd(reading: Reading): Fault {
  const { text, at, open } = reading;
  const element = open.at(-1);
  const name = nameAt(text, at + 2);
  const end = skipWhiteSpace(text, at + 2 + name.length);
  if (element?.name !== name || text.charAt(end) !== ">") return "has an end tag that ends no element";
  reading.at = end + 1;
  close(reading, element);
  return undefined;
}

/** Gives a finished element, the last of the open ones, to the one around it. */
function close(reading: Reading, { name, members, text, hasChildren }: Open): void {
  reading.open.pop();
  if (members.size > 0 && text !== "" && !(hasChildren && isBlank(text))) members.set("#text", text);
  // fromEntries defines members rather than assigning them, so that "__proto__" stays data.
  const value = members.size === 0 ? text : fromEntries(members);
  const parent = reading.open.at(-1);
  if (parent === undefined) {
    reading.root = [name, value];
    return;
  }
  parent.hasChildren = true;
  const before = parent.members.get(name);
  if (before === undefined) parent.members.set(name, value);
  else if (Array.isArray(before)) before.push(value);
  else parent.members.set(name, [before, value]);
}

/** The five entities that XML has without a DTD (XML 1.0 section 4.6). */
const predefined: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
]);

/** Every line end becomes one line feed (XML 1.0 section 2.11). */
function withLineFeeds(text: string): string {
  return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
}

/** White space in an attribute is a space each, unless it is written as a reference (XML 1.0 section 3.3.3). */
function withPlainSpaces(text: string): string {
  return text.replace(/\r\n|[\r\n\t]/g, " ");
}

/**
 * Text with its references resolved; undefined where one is no character and none of the five predefined entities.
 * What a reference resolves to is never read again, so nothing grows.
 */
function resolveReferences(text: string): string | undefined {
  const [first = "", ...rest] = text.split("&");
  let resolved = first;
  for (const piece of rest) {
    const end = piece.indexOf(";");
    const character = end === -1 ? undefined : characterOf(piece.slice(0, end));
    if (character === undefined) return undefined;
    resolved += character + piece.slice(end + 1);
  }
  return resolved;
}

function characterOf(name: string): string | undefined {
  const entity = predefined.get(name);
  if (entity !== undefined) return entity;
  // Eight digits name more than every character; a longer run of zeros is nobody's.
  const [, hex, decimal] = /^#(?:x([0-9a-fA-F]{1,8})|([0-9]{1,8}))$/.exec(name) ?? [];
  const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
  return isCharacter(code) ? String.fromCodePoint(code) : undefined;
}

/** Char of XML 1.0 section 2.2. NaN is none. */
function isCharacter(code: number): boolean {
  if (code < 0x20) return code === 0x9 || code === 0xa || code === 0xd;
  return code <= 0xd7ff || (code >= 0xe000 && code <= 0xfffd) || (code >= 0x1_0000 && code <= 0x10_ffff);
}

/** Offset of the first character that XML does not have (section 2.2), or -1. For text that was UTF-8. */
function findIllegal(text: string): number {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 ? code !== 0x9 && code !== 0xa && code !== 0xd : code >= 0xfffe) return at;
  }
  return -1;
}

const nameStart =
  ":A-Z_a-z\\u{c0}-\\u{d6}\\u{d8}-\\u{f6}\\u{f8}-\\u{2ff}\\u{370}-\\u{37d}\\u{37f}-\\u{1fff}\\u{200c}\\u{200d}" +
  "\\u{2070}-\\u{218f}\\u{2c00}-\\u{2fef}\\u{3001}-\\u{d7ff}\\u{f900}-\\u{fdcf}\\u{fdf0}-\\u{fffd}\\u{10000}-\\u{effff}";
const nameRest = `${nameStart}\\-.0-9\\u{b7}\\u{300}-\\u{36f}\\u{203f}\\u{2040}`;

// Sticky, and told where to begin before each use. Measured: a new one for each name takes twice as long.
const name = new RegExp(`[${nameStart}][${nameRest}]*`, "uy");

/** The name (XML 1.0 section 2.3) at an offset; empty where there is none. */
function nameAt(text: string, at: number): string {
  name.lastIndex = at;
  return name.exec(text)?.[0] ?? "";
}

/** The offset after the white space at an offset. */
function skipWhiteSpace(text: string, at: number): number {
  let end = at;
  while (isSpace(text.charCodeAt(end))) end++;
  return end;
}

/** Whether text is nothing but white space. */
function isBlank(text: string): boolean {
  return skipWhiteSpace(text, 0) === text.length;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x9 || code === 0xa || code === 0xd;
}
