import type { IpAddress } from "../types/credential.js";

const dot = 46;
const zero = 48;
const nine = 57;
const colon = 58;

/** "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255": nothing longer is an address. */
const longestAddress = 45;

/**
 * Reads an IP address, strictly: IPv4 as four decimal parts without leading zeros, IPv6 as RFC 4291 section 2.2
 * writes it. No zone, port, bracket, space, octal, hexadecimal or short form (ATTACKS D06 to D10); undefined for
 * anything else. An IPv4-mapped address in any spelling is IPv4; every other form that embeds IPv4 stays IPv6.
 */
export function parseIp(text: string): IpAddress | undefined {
  if (text.length > longestAddress) return undefined;
  if (text.indexOf(":") === -1) return ip4(parseQuad(text, 0));
  // What a dual-stack socket calls every IPv4 peer: read without the detour over eight groups.
  if (text.startsWith("::ffff:")) {
    const word = parseQuad(text, 7);
    if (word !== -1) return ip4(word);
  }
  return parseIp6(text);
}

/**
 * Reads the address of a socket's peer, which may carry a zone (RFC 4007 section 11): the zone is dropped, since it
 * names an interface of this machine (ATTACKS D09). Undefined where there is none, or none that can be read.
 */
export function parsePeerAddress(text: string | undefined): IpAddress | undefined {
  if (text === undefined) return undefined;
  const address = parseIp(text);
  if (address !== undefined) return address;
  const zone = text.indexOf("%");
  if (zone === -1 || zone === text.length - 1) return undefined;
  const bare = text.slice(0, zone);
  return bare.includes(":") ? parseIp(bare) : undefined;
}

/** Writes an address in its one canonical form (RFC 5952 section 4; IPv4 with dots). */
export function formatIp(address: IpAddress): string {
  const { words } = address;
  if (address.family === 6) return formatWords(words);
  const word = wordAt(words, 0);
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

/** Writes four 32-bit words as IPv6 in hexadecimal, also where they hold an IPv4-mapped address. */
export function formatWords(words: readonly number[]): string {
  const groups = Array.from({ length: 8 }, (_, index) => groupAt(words, index).toString(16));
  const { from, length } = longestZeros(groups);
  if (length < 2) return groups.join(":");
  return `${groups.slice(0, from).join(":")}::${groups.slice(from + length).join(":")}`;
}

/** One word of an address or a table; the caller keeps `index` within bounds. */
export function wordAt(words: ArrayLike<number>, index: number): number {
  return words[index] as number;
}

function ip4(word: number): IpAddress | undefined {
  return word === -1 ? undefined : { family: 4, words: [word] };
}

/** The dotted IPv4 that fills `text` from index `from` to its end, as one word; -1 where it is none. */
function parseQuad(text: string, from: number): number {
  let word = 0;
  let part = -1;
  let dots = 0;
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === dot) {
      if (part === -1) return -1;
      word = word * 256 + part;
      part = -1;
      dots++;
      continue;
    }
    // A part that is 0 takes no further digit: some readers take a leading zero for octal.
    if (code < zero || code > nine || part === 0) return -1;
    part = part === -1 ? code - zero : part * 10 + code - zero;
    if (part > 255) return -1;
  }
  return dots === 3 && part !== -1 ? word * 256 + part : -1;
}

function parseIp6(text: string): IpAddress | undefined {
  const words = [0, 0, 0, 0];
  let count = 0;
  let gap = -1;
  let i = 0;
  if (text.charCodeAt(0) === colon) {
    if (text.charCodeAt(1) !== colon) return undefined;
    gap = 0;
    i = 2;
  }
  while (i < text.length) {
    if (count === 8) return undefined;
    const start = i;
    let group = 0;
    for (let digit = hexDigit(text.charCodeAt(i)); digit !== -1; digit = hexDigit(text.charCodeAt(i))) {
      group = group * 16 + digit;
      i++;
    }
    if (text.charCodeAt(i) === dot) {
      const quad = count > 6 ? -1 : parseQuad(text, start);
      if (quad === -1) return undefined;
      setGroup(words, count, quad >>> 16);
      setGroup(words, count + 1, quad & 0xffff);
      count += 2;
      break;
    }
    if (i === start || i - start > 4) return undefined;
    setGroup(words, count, group);
    count++;
    if (i === text.length) break;
    if (text.charCodeAt(i) !== colon) return undefined;
    i++;
    if (i === text.length) return undefined;
    if (text.charCodeAt(i) === colon) {
      if (gap !== -1) return undefined;
      gap = count;
      i++;
    }
  }
  return finishIp6(words, count, gap);
}

/** Opens the gap of "::", at least one group wide, and tells IPv4-mapped addresses from the rest. */
function finishIp6(words: number[], count: number, gap: number): IpAddress | undefined {
  if ((count === 8) !== (gap === -1)) return undefined;
  if (gap !== -1) {
    for (let from = count - 1, to = 7; from >= gap; from--, to--) {
      setGroup(words, to, groupAt(words, from));
      setGroup(words, from, 0);
    }
  }
  const mapped = words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
  return mapped ? ip4(wordAt(words, 3)) : { family: 6, words };
}

/** The value of a hexadecimal digit, or -1; NaN, the code past the end of a text, is none. */
function hexDigit(code: number): number {
  if (code >= zero && code <= nine) return code - zero;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

function groupAt(words: readonly number[], index: number): number {
  const word = wordAt(words, index >> 1);
  return (index & 1) === 0 ? word >>> 16 : word & 0xffff;
}

function setGroup(words: number[], index: number, group: number): void {
  const word = wordAt(words, index >> 1);
  words[index >> 1] = ((index & 1) === 0 ? (group << 16) | (word & 0xffff) : (word & ~0xffff) | group) >>> 0;
}

/** The first of the longest runs of zero groups (RFC 5952 section 4.2.3). */
function longestZeros(groups: readonly string[]): { readonly from: number; readonly length: number } {
  let best = { from: 0, length: 0 };
  let length = 0;
  for (const [index, group] of groups.entries()) {
    length = group === "0" ? length + 1 : 0;
    if (length > best.length) best = { from: index - length + 1, length };
  }
  return best;
}

/**
 * What counts as one address where senders are counted: an IPv4 address, or the /64 of an IPv6 address, the least that a
 * network hands out (RFC 6177). All senders whose address is unknown count as one.
 */
export function networkOf(ip: IpAddress | undefined): string {
  if (ip === undefined) return "unknown";
  return ip.family === 4 ? `${ip.words[0]}` : `${ip.words[0]}:${ip.words[1]}`;
}
