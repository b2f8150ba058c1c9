import { isUtf8 } from "node:buffer";
import { parseJson } from "./json.js";
import { locateJsonFault } from "./json-fault.js";

// Taken when the module is loaded: an application that replaces them later does not reach the gate (ATTACKS I11).
const valuesOf = Object.values;
const isArray = Array.isArray;

/** The deepest nesting that is taken unless told otherwise. A scalar has depth 0, `[]` has 1. */
export const defaultMaxDepth = 64;

/** What a strict parse found. `reason` names kind and place for the operator, and never quotes the text. */
export type StrictJson =
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
 * The text behind UTF-8 bytes, or undefined where they are not valid UTF-8 (RFC 3629). A byte order mark is kept, as
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
    // An odd number of backslashes escapes the quote. Each run of them stands before one quote only: still linear.
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
