import { describe } from "../lib/options.js";
import { printable } from "../lib/printable.js";
import type { IpAddress } from "../types/credential.js";
import { formatIp, parseIp, wordAt } from "./address.js";

/** The addresses from `first` to `last`, both included, in words as IpAddress has them. */
export interface Range {
  readonly family: 4 | 6;
  readonly first: readonly number[];
  readonly last: readonly number[];
}

/** The two sides of the slash. */
export interface Network {
  readonly address: IpAddress;
  /** How many leading bits are the network's, 0 to 32 or 0 to 128. */
  readonly prefix: number;
}

/**
 * Reads one address or CIDR range (RFC 4632, RFC 4291 section 2.3); undefined where it cannot be read, or where
 * bits are set after its prefix. A range of IPv4-mapped addresses is the IPv4 range.
 */
export function parseRange(text: string): Range | undefined {
  const slash = text.indexOf("/");
  if (slash === -1) {
    const address = parseIp(text);
    return address && { family: address.family, first: address.words, last: address.words };
  }
  const network = readNetwork(text, slash);
  if (network === undefined) return undefined;
  const { first, last } = text.includes(".") && text.includes(":") ? mixedBounds(network) : bounds(network);
  const { family, words } = network.address;
  return first.every((word, index) => word === words[index]) ? { family, first, last } : undefined;
}

/** Reads address and prefix. Bits after the prefix may be set. */
export function readNetwork(text: string, slash: number): Network | undefined {
  const written = text.slice(0, slash);
  const address = parseIp(written);
  const isIp6 = written.includes(":");
  const prefix = parsePrefix(text.slice(slash + 1), isIp6 ? 128 : 32);
  if (address === undefined || prefix === undefined) return undefined;
  if (!isIp6 || address.family === 6) return { address, prefix };
  if (prefix >= 96) return { address, prefix: prefix - 96 };
  // The prefix ends within `::ffff:0:0/96`: an IPv6 range, and the last bit of `ffff` comes after its prefix.
  return { address: { family: 6, words: [0, 0, 0xffff, wordAt(address.words, 0)] }, prefix };
}

/** The first and the last address of a network, whatever bits are set after its prefix. */
export function bounds(network: Network): {
  readonly first: readonly number[];
  readonly last: readonly number[];
} {
  const { words } = network.address;
  // By index, into arrays of the right size from the start: lists of 100,000 ranges pass here.
  const first = [...words];
  const last = [...words];
  for (let index = 0; index < words.length; index++) {
    const word = wordAt(words, index);
    const bits = Math.min(Math.max(network.prefix - 32 * index, 0), 32);
    const hostMask = 2 ** (32 - bits) - 1;
    last[index] = (word | hostMask) >>> 0;
    first[index] = (word & ~hostMask) >>> 0;
  }
  return { first, last };
}

/** Whether these are the first and the last address of a family. */
export function isWhole({ first, last }: { first: ArrayLike<number>; last: ArrayLike<number> }): boolean {
  for (let index = 0; index < first.length; index++) {
    if (first[index] !== 0 || last[index] !== 0xffffffff) return false;
  }
  return true;
}

/** Loads a package when called. Throws where it cannot be loaded. */
type Load = (name: "ip-cidr") => typeof import("ip-cidr");

function loadPackage(name: "ip-cidr"): ReturnType<Load> {
  const require = process.getBuiltinModule("node:module").createRequire(import.meta.url);
  return require(name) as ReturnType<Load>;
}

/**
 * The bounds by ip-cidr, which settles the rare spelling that mixes colons with dots. It is loaded for the first such
 * range, since it takes longer to load than all else here. Where that is impossible (in one bundled file, or under Jest
 * before Node.js 24.9, which requires no ES modules) our own bounds count: the tests compare both.
 */
export function mixedBounds(network: Network, load: Load = loadPackage): ReturnType<typeof bounds> {
  let IpCidr: ReturnType<Load>["default"];
  try {
    IpCidr = load("ip-cidr").default;
  } catch {
    return bounds(network);
  }
  const { address, prefix } = network;
  // Canonical: of the mixed form ip-cidr keeps the dotted part alone, and 64:ff9b::192.0.2.0/120 would become IPv4.
  const cidr = new IpCidr(`${formatIp(address)}/${prefix}`);
  const width = address.words.length;
  return {
    first: toWords(cidr.start<bigint>({ type: "bigInteger" }), width),
    last: toWords(cidr.end<bigint>({ type: "bigInteger" }), width),
  };
}

function toWords(value: bigint, width: number): readonly number[] {
  return Array.from({ length: width }, (_, index) =>
    Number(BigInt.asUintN(32, value >> BigInt(32 * (width - 1 - index)))),
  );
}

/** Decimal digits without sign, space or leading zero. */
function parsePrefix(text: string, max: number): number | undefined {
  if (text.length === 0 || text.length > 3 || (text.length > 1 && text.startsWith("0"))) return undefined;
  let prefix = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return undefined;
    prefix = prefix * 10 + digit;
  }
  return prefix <= max ? prefix : undefined;
}

const exampleRange = '"203.0.113.0/24"';

/** Why an entry of a list of ranges cannot be used, and what to write instead. For entries that parseRange refuses. */
export function explainRange(entry: unknown, names: readonly string[]): string {
  if (entry === undefined) return "is undefined: is its environment variable set?";
  if (typeof entry !== "string") return `is ${describe(entry)}, not a string such as ${exampleRange}`;
  return `"${printable(entry, 60)}" ${explainText(entry, names)}`;
}

function explainText(text: string, names: readonly string[]): string {
  if (text.trim() === "") return "is empty; remove it";
  if (text.trim() !== text) return "has white space around it; remove that";
  if (/[\s,;]/.test(text)) return "looks like several entries; put each in a string of its own";
  if (text.includes("*")) return `has a wildcard; write a CIDR range such as "10.20.0.0/16" for 10.20.*.*`;
  if (text.includes("%"))
    return `names a zone, which is a matter of one machine; write it without "%" and what follows`;
  const ends = text.split("-");
  if (ends.length === 2 && ends.every((end) => parseIp(end) !== undefined)) {
    return `is written from-to; write it as CIDR ranges, such as ${exampleRange} for 203.0.113.0-203.0.113.255`;
  }
  const slash = text.indexOf("/");
  const address = slash === -1 ? text : text.slice(0, slash);
  if (parseIp(address) === undefined) return explainAddress(address, names);
  const network = readNetwork(text, slash);
  return network === undefined ? explainPrefix(address) : explainHostBits(network);
}

function explainAddress(text: string, names: readonly string[]): string {
  if (text === "") return `has no address before the slash; write a range such as ${exampleRange}`;
  if (/[^\x21-\x7e]/.test(text))
    return "holds characters that only look like those of an address; type it anew";
  if (text.includes("[") || /^[\d.]+:\d*$/.test(text)) {
    return "has a port or brackets; an address alone is wanted, since the sender's port is any";
  }
  if (text.includes(":"))
    return 'is not an IPv6 address; check its groups: up to four hexadecimal digits, eight of them or one "::"';
  if (/^(?:0x[\da-f]*|\d+)?(?:\.(?:0x[\da-f]*|\d+)?)*$/i.test(text)) return explainIp4(text.split("."));
  if (names.length > 0)
    return `is neither an address nor one of ${names.map((name) => `"${name}"`).join(", ")}`;
  if (text === "localhost") return 'is a name; write "127.0.0.1" and "::1"';
  return "is not an address; names are not looked up, because the owner of a name decides what it points to";
}

function explainIp4(parts: readonly string[]): string {
  if (parts.some((part) => /^0./.test(part))) {
    return "has a part with a leading zero, which some programs read as octal or hexadecimal; write decimal parts without it";
  }
  if (parts.length !== 4 || parts.includes("")) {
    return `is not an IPv4 address: it takes four parts, such as 10.0.0.0 in "10.0.0.0/8"`;
  }
  return "is not an IPv4 address: no part goes over 255";
}

function explainPrefix(address: string): string {
  const max = address.includes(":") ? 128 : 32;
  return `has no usable prefix: after the slash comes a whole number from 0 to ${max}, no netmask and no leading zero, such as "${address}/${max}" for this one address`;
}

function explainHostBits(network: Network): string {
  const { address, prefix } = network;
  const masked = formatIp({ family: address.family, words: bounds(network).first });
  return `has bits set after its prefix; write "${masked}/${prefix}" for the range, or "${formatIp(address)}" for the one address`;
}
