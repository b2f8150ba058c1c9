import { parseJson } from "./json.js";

// Runs on refused text only, so it is written to be read rather than to be fast. Linear all the same.

/** What may come next. "name" and "value" stand for: no closing bracket here, a comma was before. */
type Expected = "value" | "value or ]" | "name" | "name or }" | "colon" | "comma or end" | "nothing";

/** An open object with the names seen in it, or an open array. */
type Frame = Set<string> | "array";

/**
 * Says where and why a text is not strict JSON (see `parseStrictJson`): the kind of fault and its offset in UTF-16
 * units from 0, never the text itself. Reads as a sentence behind "the body".
 */
export function locateJsonFault(text: string, maxDepth: number): string {
  if (text.charCodeAt(0) === 0xfeff) {
    return "starts with a byte order mark (U+FEFF), which RFC 8259 section 8.1 forbids";
  }
  const frames: Frame[] = [];
  let expected: Expected = "value";
  let at = afterSpace(text, 0);
  while (at < text.length) {
    const end = tokenEnd(text, at);
    const token = text.slice(at, end);
    const next = step(token, expected, frames);
    if (next === undefined) return `is not valid JSON: unexpected input at character ${at}`;
    if (next === "repeated") return `repeats the name of a member at character ${at}`;
    if (next === "infinite") return `holds a number too large to represent at character ${at}`;
    if (frames.length > maxDepth) return `nests deeper than ${maxDepth} levels at character ${at}`;
    expected = next;
    at = afterSpace(text, end);
  }
  return `is not valid JSON: it ends too soon, at character ${text.length}`;
}

/** What may follow a token, or what is wrong with it; undefined: it may not stand here. */
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
  while (at < text.length && !'{}[]:,"'.includes(text.charAt(at)) && !isSpace(text, at)) at++;
  return Math.max(at, from + 1);
}

function afterSpace(text: string, from: number): number {
  let at = from;
  while (isSpace(text, at)) at++;
  return at;
}

function isSpace(text: string, at: number): boolean {
  const char = text.charCodeAt(at);
  return char === 0x20 || char === 0x0a || char === 0x0d || char === 0x09;
}
