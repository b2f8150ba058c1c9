import type { IpAddress } from "../types/ip.js";
import { parseIp } from "./address.js";

/** The characters of a token (RFC 9110 section 5.6.2). */
const tokenCharacters: ReadonlySet<string> = new Set(
  "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
);

/**
 * One entry of X-Forwarded-For, spaces and tabs around it aside: an address, or one with a port, where IPv6 then
 * stands in brackets. Undefined for anything else: "unknown", quotes, names that hide an address (ATTACKS D03).
 */
export function readForwardedForEntry(text: string): IpAddress | undefined {
  const start = skipSpace(text, 0);
  let end = text.length;
  while (end > start && isSpace(text.charAt(end - 1))) end--;
  const entry = text.slice(start, end);
  return parseIp(entry) ?? readNode(entry, isPort);
}

/**
 * The value of a `for` parameter of Forwarded (RFC 7239 section 6): an address, with or without a port; IPv6 stands
 * in brackets always. Undefined for anything else.
 */
export function readForwardedNode(text: string): IpAddress | undefined {
  return readNode(text, (port) => isPort(port) || /^_[\w.-]+$/.test(port));
}

/**
 * Reads one line of Forwarded (RFC 7239 section 4) and gives the `for` of each element, left to right, undefined
 * where an element has none. Undefined for the whole line where it breaks the grammar anywhere: quotes that a
 * sender left open would otherwise swallow what the proxies wrote behind them.
 */
export function parseForwarded(line: string): readonly (string | undefined)[] | undefined {
  const nodes: (string | undefined)[] = [];
  let at = 0;
  for (;;) {
    const element = readElement(line, skipSpace(line, at));
    if (element === undefined) return undefined;
    nodes.push(element.text);
    at = skipSpace(line, element.end);
    if (at === line.length) return nodes;
    if (line.charAt(at) !== ",") return undefined;
    at++;
  }
}

interface Piece<Text> {
  readonly text: Text;
  /** Where the next piece begins. */
  readonly end: number;
}

/** Pairs of name and value between semicolons; the element's text is the value of its one `for`. */
function readElement(line: string, from: number): Piece<string | undefined> | undefined {
  let node: string | undefined;
  let at = from;
  for (;;) {
    const name = readToken(line, at);
    if (name.text !== "") {
      const value = line.charAt(name.end) === "=" ? readValue(line, name.end + 1) : undefined;
      if (value === undefined) return undefined;
      if (name.text.toLowerCase() === "for") {
        if (node !== undefined) return undefined;
        node = value.text;
      }
      at = value.end;
    }
    if (line.charAt(at) !== ";") return { text: node, end: at };
    at++;
  }
}

function readValue(line: string, from: number): Piece<string> | undefined {
  if (line.charAt(from) === '"') return readQuoted(line, from + 1);
  const token = readToken(line, from);
  return token.text === "" ? undefined : token;
}

/** What stands up to the closing quote (RFC 9110 section 5.6.4); undefined where there is none. */
function readQuoted(line: string, from: number): Piece<string> | undefined {
  let text = "";
  for (let at = from; at < line.length; at++) {
    let character = line.charAt(at);
    if (character === '"') return { text, end: at + 1 };
    if (character === "\\") {
      at++;
      character = line.charAt(at);
    }
    // Also true of the nothing behind a last backslash.
    if ((character < " " && character !== "\t") || character === "\x7f") return undefined;
    text += character;
  }
  return undefined;
}

function readToken(line: string, from: number): Piece<string> {
  let end = from;
  while (tokenCharacters.has(line.charAt(end))) end++;
  return { text: line.slice(from, end), end };
}

function skipSpace(line: string, from: number): number {
  let at = from;
  while (isSpace(line.charAt(at))) at++;
  return at;
}

function isSpace(character: string): boolean {
  return character === " " || character === "\t";
}

/** IPv4, or IPv6 in brackets, then perhaps a colon and a port. */
function readNode(text: string, acceptsPort: (port: string) => boolean): IpAddress | undefined {
  // Behind the closing bracket; 0 where there is none, which leaves an opening one to parseIp to refuse.
  const close = text.startsWith("[") ? text.indexOf("]") + 1 : 0;
  const colon = text.indexOf(":", close);
  if (colon !== -1 && !acceptsPort(text.slice(colon + 1))) return undefined;
  const host = colon === -1 ? text : text.slice(0, colon);
  if (close === 0) return parseIp(host);
  const inner = text.slice(1, close - 1);
  return host.length === close && inner.includes(":") ? parseIp(inner) : undefined;
}

/** Decimal, without leading zeros, up to 65535. */
function isPort(text: string): boolean {
  const port = Number(text);
  return Number.isInteger(port) && port >= 0 && port <= 65535 && String(port) === text;
}
