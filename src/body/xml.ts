import type { Buffer } from "node:buffer";
import { Refusal } from "../errors.js";
import { decodeUtf8, defaultMaxDepth } from "../lib/strict-json.js";
import {
  behindSpace,
  findIllegal,
  isBlank,
  nameAt,
  resolveReferences,
  withLineFeeds,
  withPlainSpaces,
} from "./xml-text.js";

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
    const start = behindSpace(text, reading.at);
    if (text.charAt(start) === ">" || text.startsWith("/>", start)) {
      reading.at = start;
      return undefined;
    }
    const name = nameAt(text, start);
    if (name === "" || start === reading.at) return "has a tag that is not well-formed";
    reading.at = start;
    if (++reading.nodes > mostXmlNodes) return `has more than ${mostXmlNodes} elements and attributes`;
    const equals = behindSpace(text, start + name.length);
    const from = behindSpace(text, equals + 1);
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
  const end = behindSpace(text, at + 2 + name.length);
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
