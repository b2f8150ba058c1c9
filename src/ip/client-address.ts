import { Refusal } from "../errors.js";
import {
  assertOptions,
  choiceOption,
  describe,
  numberOption,
  OptionError,
  optionKeys,
  own,
} from "../lib/options.js";
import { printable } from "../lib/printable.js";
import type { AddressList, IpAddress } from "../types/credential.js";

import { formatIp, parseIp, parsePeerAddress } from "./address.js";
import { parseRange, type Range } from "./cidr.js";
import { parseRanges, type RangeSet } from "./range-set.js";

/** Names of ranges of proxies. `"unix"`: the peer of a Unix socket, which has no address. */
type ProxyName = "loopback" | "linklocal" | "uniquelocal" | "unix";

/** How the sender's address is found. Left out: it is the address that the connection comes from. */
export interface ClientAddressOptions {
  /**
   * The proxies in front of this server: their addresses, CIDR ranges and names (`"loopback"`, `"linklocal"`,
   * `"uniquelocal"`, `"unix"`), or the number of proxies that every delivery passes, 1 to 32. A number is safe only if
   * nobody can reach this server without passing all of them. Default: none, and no header is read.
   */
  readonly trustedProxies?: readonly (ProxyName | (string & {}) | undefined)[] | number | undefined;
  /** The header that the proxies write. Default: `"x-forwarded-for"`. */
  readonly header?: "x-forwarded-for" | "forwarded" | undefined;
}

const optionNames = optionKeys<ClientAddressOptions>({ trustedProxies: true, header: true });

/** That the sender's address cannot be known, and why: for the operator. An allowlist refuses it. */
export class UnknownAddress {
  readonly unknown: string;

  constructor(unknown: string) {
    this.unknown = unknown;
  }
}

/** Finds the sender's address. Read `remoteAddress` at arrival: a closed socket has none (ATTACKS D19). */
export interface ClientAddressResolver {
  /** Whether proxies are declared, so that what they write is looked at. */
  readonly readsHeaders: boolean;
  resolve(remoteAddress: string | undefined, rawHeaders: readonly string[]): IpAddress | UnknownAddress;
}

const mostHops = 32;
const mostHeaderCharacters = 4096;

/**
 * Prepares how the sender's address is found. Without proxies: the peer of the socket, whatever the headers say
 * (ATTACKS D01). With proxies listed: from the peer leftwards through the header until an address is not a proxy's;
 * if all are, the left-most. With a number n of hops: the n-th entry from the right. An entry that is looked at
 * and is not an address makes the sender's unknown (D03), and so do more than 32 entries or 4096 characters (D04).
 * Throws a TypeError for options that make no sense; `where` names them.
 */
export function clientAddressResolver(
  options: ClientAddressOptions | undefined,
  where: string,
): ClientAddressResolver {
  if (options === undefined) return undeclared;
  assertOptions(options, optionNames, where);
  const header = own(options, "header");
  const name = choiceOption(header, `${where}.header`, ["x-forwarded-for", "forwarded"], "x-forwarded-for");
  const proxies: unknown = own(options, "trustedProxies");
  if (proxies === undefined) {
    if (header === undefined) return undeclared;
    throw new OptionError(
      `${where}.header`,
      ` has no effect without ${where}.trustedProxies; name the proxies there`,
    );
  }
  const hops = new HopHeader(name);
  if (typeof proxies === "number") {
    const bounds = { min: 1, max: mostHops, fallback: 1, integer: true };
    return new CountedProxies(numberOption(proxies, `${where}.trustedProxies`, bounds), hops);
  }
  return new ListedProxies(readProxies(proxies, `${where}.trustedProxies`), hops);
}

interface Proxies {
  readonly ranges: RangeSet;
  readonly unix: boolean;
}

function readProxies(value: unknown, where: string): Proxies {
  if (!Array.isArray(value)) {
    const everyone = "what everyone trusts, everyone can write; ";
    throw new OptionError(
      where,
      ` must be an array such as ["10.0.0.0/8", "loopback"] or the number of proxies, not ${
        typeof value === "boolean"
          ? `${value}; ${value ? everyone : ""}leave it out for none`
          : describe(value)
      }`,
    );
  }
  const anyFix = "then every sender could choose its address by a header; list your proxies only";
  const ranges = parseRanges(value, where, { allowAny: false, anyFix, names: namedProxies });
  return { ranges, unix: value.includes("unix") };
}

// Every text here is a range.
const range = (text: string): Range => parseRange(text) as Range;

const namedProxies: ReadonlyMap<ProxyName, readonly Range[]> = new Map<ProxyName, readonly Range[]>([
  ["loopback", [range("127.0.0.0/8"), range("::1")]],
  ["linklocal", [range("169.254.0.0/16"), range("fe80::/10")]],
  ["uniquelocal", [range("10.0.0.0/8"), range("172.16.0.0/12"), range("192.168.0.0/16"), range("fc00::/7")]],
  ["unix", []],
]);

const undeclared: ClientAddressResolver = { readsHeaders: false, resolve: peerAlone };

function peerAlone(remoteAddress: string | undefined): IpAddress | UnknownAddress {
  return parsePeerAddress(remoteAddress) ?? unknownPeer(remoteAddress);
}

function unknownPeer(remoteAddress: string | undefined): UnknownAddress {
  return new UnknownAddress(
    remoteAddress === undefined
      ? 'the connection has no peer address: it is a Unix socket (clientAddress.trustedProxies can hold "unix") or closed already'
      : `the connection's peer is not an address: "${printable(remoteAddress)}"`,
  );
}

/** Proxies known by their addresses. */
class ListedProxies implements ClientAddressResolver {
  readonly readsHeaders = true;
  readonly #proxies: Proxies;
  readonly #header: HopHeader;

  constructor(proxies: Proxies, header: HopHeader) {
    this.#proxies = proxies;
    this.#header = header;
  }

  resolve(remoteAddress: string | undefined, rawHeaders: readonly string[]): IpAddress | UnknownAddress {
    const { ranges, unix } = this.#proxies;
    const peer = parsePeerAddress(remoteAddress);
    let address: IpAddress | UnknownAddress = peer ?? unknownPeer(remoteAddress);
    if (peer === undefined ? remoteAddress !== undefined || !unix : !ranges.has(peer)) return address;
    const hops = this.#header.read(rawHeaders);
    if (hops instanceof UnknownAddress) return hops;
    if (peer === undefined && hops.length === 0) {
      return new UnknownAddress(`the proxy at the Unix socket sent no ${this.#header.name}`);
    }
    for (let place = 1; place <= hops.length; place++) {
      address = this.#header.address(hops, place);
      if (address instanceof UnknownAddress || !ranges.has(address)) return address;
    }
    return address;
  }
}

/** Proxies known by their number. The peer is the first of them, and vouches for the last entry. */
class CountedProxies implements ClientAddressResolver {
  readonly readsHeaders = true;
  readonly #count: number;
  readonly #header: HopHeader;

  constructor(count: number, header: HopHeader) {
    this.#count = count;
    this.#header = header;
  }

  resolve(remoteAddress: string | undefined, rawHeaders: readonly string[]): IpAddress | UnknownAddress {
    // No peer address: not the proxy that was counted on (ATTACKS D05).
    if (parsePeerAddress(remoteAddress) === undefined) return unknownPeer(remoteAddress);
    const hops = this.#header.read(rawHeaders);
    if (hops instanceof UnknownAddress) return hops;
    // Fewer entries than proxies: it came past one of them, and the left-most may be the sender's own invention.
    if (hops.length < this.#count) {
      return new UnknownAddress(
        `${this.#header.name} has ${hops.length} of the ${this.#count} entries that clientAddress.trustedProxies counts on`,
      );
    }
    return this.#header.address(hops, this.#count);
  }
}

/** The header that the proxies write, as a list of what each saw. */
class HopHeader {
  readonly name: "x-forwarded-for" | "forwarded";

  constructor(name: "x-forwarded-for" | "forwarded") {
    this.name = name;
  }

  /** What the hops wrote, left to right over all lines; undefined where an element has no address. */
  read(rawHeaders: readonly string[]): readonly (string | undefined)[] | UnknownAddress {
    const hops: (string | undefined)[] = [];
    let characters = 0;
    for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
      const name = rawHeaders[i] as string;
      if (name.length !== this.name.length || name.toLowerCase() !== this.name) continue;
      const line = rawHeaders[i + 1] as string;
      // Some proxies send the header empty where they have nothing to add: as if it were not there.
      if (this.name === "x-forwarded-for" && /^[ \t]*$/.test(line)) continue;
      characters += line.length;
      if (characters > mostHeaderCharacters) {
        return new UnknownAddress(`${this.name} is longer than ${mostHeaderCharacters} characters`);
      }
      const found = this.name === "forwarded" ? parseForwarded(line) : line.split(",");
      if (found === undefined)
        return new UnknownAddress("forwarded breaks the grammar of RFC 7239 section 4");
      hops.push(...found);
    }
    return hops.length > mostHops
      ? new UnknownAddress(`${this.name} has more than ${mostHops} entries`)
      : hops;
  }

  /** The address in the entry at this place, counted from 1 at the right. */
  address(hops: readonly (string | undefined)[], place: number): IpAddress | UnknownAddress {
    const text = hops[hops.length - place];
    const address = text === undefined ? undefined : this.#parse(text);
    if (address !== undefined) return address;
    const saying = text === undefined ? 'has no "for"' : `is not an address: "${printable(text, 60)}"`;
    return new UnknownAddress(`entry ${place} from the right of ${this.name} ${saying}`);
  }

  #parse(text: string): IpAddress | undefined {
    return this.name === "forwarded" ? readForwardedNode(text) : readForwardedForEntry(text);
  }
}

/** Where a request came from, as far as it can be known. */
export interface SenderAddress {
  readonly ip: IpAddress | undefined;
  /** Canonical text of `ip`. */
  readonly text: string | undefined;
  /** Why `ip` is undefined, for the operator; empty where it is known. */
  readonly fault: string;
  /** The request's header lines, for the operator's hint in a refusal. */
  readonly rawHeaders: readonly string[];
  readonly resolver: ClientAddressResolver;
}

/** Called with what a list in shadow mode would have refused. */
export interface ShadowListener {
  wouldRefuse(refusal: Refusal): void;
}

/** Finds the sender's address. To be called before anything is awaited: a closed socket has none (ATTACKS D19). */
export function findSender(
  resolver: ClientAddressResolver,
  remoteAddress: string | undefined,
  rawHeaders: readonly string[],
): SenderAddress {
  const found = resolver.resolve(remoteAddress, rawHeaders);
  return found instanceof UnknownAddress
    ? { ip: undefined, text: undefined, fault: found.unknown, rawHeaders, resolver }
    : { ip: found, text: formatIp(found), fault: "", rawHeaders, resolver };
}

/**
 * Asks the lists in turn; all must have the address. The first that enforces and says no gives ERR_ADDRESS_REFUSED;
 * a list in shadow mode only calls `shadow`.
 */
export function refuseAddress(
  lists: readonly AddressList[],
  sender: SenderAddress,
  shadow: ShadowListener,
): Refusal | undefined {
  for (const list of lists) {
    if (sender.ip !== undefined && list.has(sender.ip)) continue;
    const reason =
      sender.ip === undefined
        ? `the sender's address cannot be known: ${sender.fault}`
        : `${sender.text} is in no range of the allowlist`;
    const fault = sender.ip === undefined ? "address-unknown" : "not-listed";
    const refusal = new Refusal("ERR_ADDRESS_REFUSED", reason + proxyHint(sender), undefined, fault);
    if (list.mode === "enforce") return refusal;
    shadow.wouldRefuse(refusal);
  }
  return undefined;
}

/** The commonest mistake: a proxy in front that nobody declared, so that every sender has the proxy's address. */
export function proxyHint({ resolver, rawHeaders, text }: SenderAddress): string {
  if (resolver.readsHeaders) return "";
  const header = rawHeaders.find((name, i) => i % 2 === 0 && /^(x-forwarded-for|forwarded)$/i.test(name));
  if (header === undefined) return "";
  return `; the request has ${header}: if ${text ?? "the peer"} is a proxy of yours, declare it in clientAddress.trustedProxies`;
}

/** The characters of a token (RFC 9110 section 5.6.2). */
const tokenCharacters: ReadonlySet<string> = new Set(
  "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
);

/**
 * One entry of X-Forwarded-For, spaces and tabs around it aside: an address, or one with a port, where IPv6 is then
 * in brackets. Undefined for anything else: "unknown", quotes, names that hide an address (ATTACKS D03).
 */
function readForwardedForEntry(text: string): IpAddress | undefined {
  const start = skipSpace(text, 0);
  let end = text.length;
  while (end > start && isSpace(text.charAt(end - 1))) end--;
  const entry = text.slice(start, end);
  return parseIp(entry) ?? readNode(entry, isPort);
}

/**
 * The value of a `for` parameter of Forwarded (RFC 7239 section 6): an address, with or without a port; IPv6 is
 * always in brackets. Undefined for anything else.
 */
function readForwardedNode(text: string): IpAddress | undefined {
  return readNode(text, (port) => isPort(port) || /^_[\w.-]+$/.test(port));
}

/**
 * Reads one line of Forwarded (RFC 7239 section 4) and gives the `for` of each element, left to right, undefined
 * where an element has none. Undefined for the whole line where it breaks the grammar anywhere: quotes that a
 * sender left open would otherwise swallow what the proxies wrote after them.
 */
function parseForwarded(line: string): readonly (string | undefined)[] | undefined {
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

/** The text up to the closing quote (RFC 9110 section 5.6.4); undefined where there is none. */
function readQuoted(line: string, from: number): Piece<string> | undefined {
  let text = "";
  for (let at = from; at < line.length; at++) {
    let character = line.charAt(at);
    if (character === '"') return { text, end: at + 1 };
    if (character === "\\") {
      at++;
      character = line.charAt(at);
    }
    // Also true after a last backslash, where the character is empty.
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
