import { isUtf8 } from "node:buffer";

// Taken when the module is loaded: an application that replaces them later does not reach us (ATTACKS I11).
const parse = JSON.parse;
const fromEntries = Object.fromEntries;

/**
 * `JSON.parse` that gives every member the name it was sent with. V8 of Node.js 24 and 26 compares a name as it is written,
 * escapes included, with the names of an earlier object, so `{"a":1,"\n":2}` after `{"a":1,"\\":2}` has a member `\`
 * (nodejs/node #63785). It takes a name with an escape in that very text: any other text is left to V8. Throws
 * JSON.parse's SyntaxError.
 */
export function parseJson(text: string): unknown {
  // V8's values and its judgement of the syntax are right, so the reader below is only given texts that are JSON.
  const value: unknown = parse(text);
  return hasEscapedName(text) ? new Reader(text).value() : value;
}

/**
 * Whether a member's name is written with an escape somewhere in a JSON text. Costs one search for a backslash where
 * there is none, and otherwise a walk over the strings that hold one.
 */
export function hasEscapedName(text: string): boolean {
  let at = text.indexOf("\\");
  while (at >= 0) {
    at = afterSpace(text, afterString(text, at));
    if (text.charCodeAt(at) === 0x3a) return true;
    at = text.indexOf("\\", at);
  }
  return false;
}

/** Reads a text that is JSON. Of members of the same name the last one counts, as for JSON.parse. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): unknown {
    this.#at = afterSpace(this.#text, this.#at);
    const first = this.#text[this.#at];
    if (first === "{") return this.#object();
    if (first === "[") return this.#array();
    if (first === '"') return this.#string();
    const start = this.#at;
    while (this.#at < this.#text.length && !isEnd(this.#text.charCodeAt(this.#at))) this.#at++;
    return parse(this.#text.slice(start, this.#at));
  }

  #object(): unknown {
    const members = new Map<string, unknown>();
    while (this.#stepsIn(0x7d)) {
      const name = this.#string();
      this.#at = afterSpace(this.#text, this.#at) + 1;
      members.set(name, this.value());
    }
    // It defines members rather than assigning them, so that "__proto__" stays data.
    return fromEntries(members);
  }

  #array(): unknown {
    const items: unknown[] = [];
    while (this.#stepsIn(0x5d)) items.push(this.value());
    return items;
  }

  /** Goes past an opening bracket or a comma to what follows it: true; or past the closing bracket: false. */
  #stepsIn(closing: number): boolean {
    this.#at = afterSpace(this.#text, this.#at);
    if (this.#text.charCodeAt(this.#at) !== closing) this.#at = afterSpace(this.#text, this.#at + 1);
    if (this.#text.charCodeAt(this.#at) !== closing) return true;
    this.#at++;
    return false;
  }

  #string(): string {
    const start = this.#at;
    this.#at = afterString(this.#text, start + 1);
    const content = this.#text.slice(start + 1, this.#at - 1);
    return content.includes("\\") ? (parse(this.#text.slice(start, this.#at)) as string) : content;
  }
}

/** The offset after the quote that ends the string whose content `from` is in; the length if none does. */
function afterString(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === 0x22) return at + 1;
    if (char === 0x5c) at++;
  }
  return text.length;
}

function afterSpace(text: string, from: number): number {
  let at = from;
  while (isSpace(text.charCodeAt(at))) at++;
  return at;
}

/** Whether a number, `true`, `false` or `null` ends at this character. */
function isEnd(char: number): boolean {
  return char === 0x2c || char === 0x5d || char === 0x7d || isSpace(char);
}

function isSpace(char: number): boolean {
  return char === 0x20 || char === 0x0a || char === 0x0d || char === 0x09;
}

// Taken when the module is loaded: an application that replaces them later does not reach the gate (ATTACKS I11).
const valuesOf = Object.values;
const isArray = Array.isArray;

/** The deepest nesting that is taken unless told otherwise. A scalar has depth 0, `[]` has 1. */
export const defaultMaxDepth = 64;

/** What a strict parse found. `reason` names kind and place for the operator, and never quotes the text. */
type StrictJson =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: string };

/**
 * Parses JSON (RFC 8259) and refuses what JSON.parse lets through: members of one object with the same name, however
 * it is escaped (RFC 8259 section 4 leaves them to chance), nesting beyond `maxDepth` (64 by default) and numbers
 * that no double can hold. `__proto__` and `constructor` stay plain own members. Linear in the length of the text.
 * Offsets in `reason` count UTF-16 units from 0.
 */
export function parseStrictJson(text: string, limits?: { readonly maxDepth?: number }): StrictJson {
  return parseBoth(text, Buffer.from(text, "utf8"), limits?.maxDepth ?? defaultMaxDepth);
}

/**
 * `parseStrictJson` for bytes as they came: they must be UTF-8 (RFC 8259 section 8.1). Spares a copy, so a body goes
 * this way.
 */
export function parseStrictJsonBytes(bytes: Uint8Array, limits?: { readonly maxDepth?: number }): StrictJson {
  const text = decodeUtf8(bytes);
  if (text === undefined) return { ok: false, reason: "is not valid UTF-8" };
  return parseBoth(text, bytes, limits?.maxDepth ?? defaultMaxDepth);
}

/**
 * The text of UTF-8 bytes, or undefined where they are not valid UTF-8 (RFC 3629). A byte order mark is kept, as
 * U+FEFF: no JSON text starts with it, so `parseStrictJson` refuses it.
 */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  if (!isUtf8(bytes)) return undefined;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

function parseBoth(text: string, bytes: Uint8Array, maxDepth: number): StrictJson {
  const members = countMembers(bytes, maxDepth);
  if (members < 0) return { ok: false, reason: locateJsonFault(text, maxDepth) };
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    // V8's message quotes the text, so it is not passed on.
    return { ok: false, reason: locateJsonFault(text, maxDepth) };
  }
  if (!holds(value, members)) return { ok: false, reason: locateJsonFault(text, maxDepth) };
  return { ok: true, value };
}

/**
 * The number of members of all objects in a JSON text: its colons outside strings. -1 where the nesting passes
 * `maxDepth`. Text that is not JSON gets some number; JSON.parse refuses it afterwards. Goes before JSON.parse, which
 * takes a million levels. Bytes, because reading them costs half of what charCodeAt does.
 */
function countMembers(bytes: Uint8Array, maxDepth: number): number {
  let members = 0;
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === 0x22) {
      at = closingQuote(bytes, at + 1);
    } else if (byte === 0x3a) {
      members++;
    } else if ((byte | 0x20) === 0x7b) {
      // Bit 0x20 is all that tells "[" from "{", and "]" from "}".
      if (++depth > maxDepth) return -1;
    } else if ((byte | 0x20) === 0x7d) {
      depth--;
    }
  }
  return members;
}

/** Strings are walked this far; then `indexOf` is the faster way. Measured: calling it for each string is slower. */
const nearBytes = 64;

/** The offset of the quote that ends the string whose content starts at `from`; the length if none does. */
function closingQuote(bytes: Uint8Array, from: number): number {
  const near = Math.min(from + nearBytes, bytes.length);
  let at = from;
  for (; at < near; at++) {
    const byte = bytes[at];
    if (byte === 0x22) return at;
    if (byte === 0x5c) at++;
  }
  for (;;) {
    const quote = bytes.indexOf(0x22, at);
    if (quote < 0) return bytes.length;
    // An odd number of backslashes escapes the quote. Each run of them precedes one quote only: still linear.
    let run = quote;
    while (run > at && bytes[run - 1] === 0x5c) run--;
    if ((quote - run) % 2 === 0) return quote;
    at = quote + 1;
  }
}

/**
 * Whether a parsed value holds exactly `members` members and no infinite number. JSON.parse keeps one of several
 * members with the same name, so any repetition leaves fewer in the value than there are colons in the text; escapes
 * are resolved by then. Cheaper than comparing names. Recursive, because the depth was bounded before.
 */
function holds(root: unknown, members: number): boolean {
  return (isInherited() ? countOwn : count)(root) === members;
}

/** NaN where a number is infinite. `for … in` spares the arrays that Object.values makes; measured at half of its time. */
function count(value: unknown): number {
  if (typeof value === "number") return value - value;
  if (typeof value !== "object" || value === null) return 0;
  let found = 0;
  if (isArray(value)) {
    for (let index = 0; index < value.length; index++) found += count(value[index]);
    return found;
  }
  for (const name in value) found += 1 + count((value as Record<string, unknown>)[name]);
  return found;
}

/** The same for a process in which somebody made Object.prototype enumerable (ATTACKS I09). */
function countOwn(value: unknown): number {
  if (typeof value !== "object" || value === null) return count(value);
  const inner: readonly unknown[] = isArray(value) ? value : valuesOf(value);
  let found = inner === value ? 0 : inner.length;
  for (const each of inner) found += countOwn(each);
  return found;
}

function isInherited(): boolean {
  for (const _name in nothing) return true;
  return false;
}

const nothing = Object.freeze({});

// Runs on refused text only, so it is written to be read rather than to be fast. Linear all the same.

/** What may come next. "name" and "value" mean: no closing bracket here, a comma was before. */
type Expected = "value" | "value or ]" | "name" | "name or }" | "colon" | "comma or end" | "nothing";

/** An open object with the names seen in it, or an open array. */
type Frame = Set<string> | "array";

/**
 * Says where and why a text is not strict JSON (see `parseStrictJson`): the kind of fault and its offset in UTF-16
 * units from 0, never the text itself. Completes a sentence that begins with "the body".
 */
function locateJsonFault(text: string, maxDepth: number): string {
  if (text.charCodeAt(0) === 0xfeff) {
    return "starts with a byte order mark (U+FEFF), which RFC 8259 section 8.1 forbids";
  }
  const frames: Frame[] = [];
  let expected: Expected = "value";
  let at = skipSpace(text, 0);
  while (at < text.length) {
    const end = tokenEnd(text, at);
    const token = text.slice(at, end);
    const next = step(token, expected, frames);
    if (next === undefined) return `is not valid JSON: unexpected input at character ${at}`;
    if (next === "repeated") return `repeats the name of a member at character ${at}`;
    if (next === "infinite") return `holds a number too large to represent at character ${at}`;
    if (frames.length > maxDepth) return `nests deeper than ${maxDepth} levels at character ${at}`;
    expected = next;
    at = skipSpace(text, end);
  }
  return `is not valid JSON: it ends too soon, at character ${text.length}`;
}

/** What may follow a token, or what is wrong with it; undefined: it is not allowed here. */
function step(
  token: string,
  expected: Expected,
  frames: Frame[],
): Expected | "repeated" | "infinite" | undefined {
  switch (expected) {
    case "name or }":
    case "name":
      if (token === "}" && expected === "name or }") return close(frames);
      return name(token, frames);
    case "colon":
      return token === ":" ? "value" : undefined;
    case "value or ]":
    case "value":
      if (token === "]" && expected === "value or ]") return close(frames);
      return value(token, frames);
    case "comma or end": {
      const inArray = frames.at(-1) === "array";
      if (token === ",") return inArray ? "value" : "name";
      return token === (inArray ? "]" : "}") ? close(frames) : undefined;
    }
    case "nothing":
      return undefined;
  }
}

function name(token: string, frames: Frame[]): Expected | "repeated" | undefined {
  const parsed = scalar(token);
  const names = frames.at(-1);
  if (typeof parsed !== "string" || !(names instanceof Set)) return undefined;
  if (names.has(parsed)) return "repeated";
  names.add(parsed);
  return "colon";
}

function value(token: string, frames: Frame[]): Expected | "infinite" | undefined {
  if (token === "{") {
    frames.push(new Set());
    return "name or }";
  }
  if (token === "[") {
    frames.push("array");
    return "value or ]";
  }
  const parsed = scalar(token);
  if (parsed === undefined) return undefined;
  if (typeof parsed === "number" && !Number.isFinite(parsed)) return "infinite";
  return afterValue(frames);
}

function close(frames: Frame[]): Expected {
  frames.pop();
  return afterValue(frames);
}

function afterValue(frames: readonly Frame[]): Expected {
  return frames.length === 0 ? "nothing" : "comma or end";
}

/** The value of a token that holds no bracket outside quotes; undefined where it is none. */
function scalar(token: string): unknown {
  try {
    return parseJson(token);
  } catch {
    return undefined;
  }
}

/** A string, one of `{}[]:,`, or a run of anything else. */
function tokenEnd(text: string, from: number): number {
  if (text[from] === '"') {
    for (let at = from + 1; at < text.length; at++) {
      if (text[at] === '"') return at + 1;
      if (text[at] === "\\") at++;
    }
    return text.length;
  }
  let at = from;
  while (at < text.length && !'{}[]:,"'.includes(text.charAt(at)) && !isSpaceAt(text, at)) at++;
  return Math.max(at, from + 1);
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (isSpaceAt(text, at)) at++;
  return at;
}

function isSpaceAt(text: string, at: number): boolean {
  const char = text.charCodeAt(at);
  return char === 0x20 || char === 0x0a || char === 0x0d || char === 0x09;
}

/** Whether a value is an object with members of its own names, and not an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The value at the end of a path of members, undefined where the path leads nowhere. Own members only, so that no path
 * reaches into a prototype; those of an array are its indexes.
 */
export function memberAt(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const name of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, name)) return undefined;
    found = (found as Record<string, unknown>)[name];
  }
  return found;
}
