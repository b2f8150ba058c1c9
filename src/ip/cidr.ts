import IpCidr from "ip-cidr";
import type { IpAddress } from "../types/ip.js";
import { formatIp, parseIp, wordAt } from "./address.js";

/** The addresses from `first` to `last`, both included, in words as IpAddress has them. */
export interface Range {
  readonly family: 4 | 6;
  readonly first: readonly number[];
  readonly last: readonly number[];
}

/** What stands on either side of the slash. */
export interface Network {
  readonly address: IpAddress;
  /** How many leading bits are the network's, 0 to 32 or 0 to 128. */
  readonly prefix: number;
}

/**
 * Reads one address or CIDR range (RFC 4632, RFC 4291 section 2.3); undefined where it cannot be read, or where
 * bits are set behind its prefix. A range of IPv4-mapped addresses is the IPv4 range.
 */
export function parseRange(text: string): Range | undefined {
  const slash = text.indexOf("/");
  if (slash === -1) {
    const address = parseIp(text);
    return address && { family: address.family, first: address.words, last: address.words };
  }
  const network = readNetwork(text, slash);
  if (network === undefined) return undefined;
  const { first, last } = text.includes(".") && text.includes(":") ? cidrBounds(network) : bounds(network);
  const { family, words } = network.address;
  return first.every((word, index) => word === words[index]) ? { family, first, last } : undefined;
}

/** Reads address and prefix and looks no further: bits behind the prefix may be set. */
export function readNetwork(text: string, slash: number): Network | undefined {
  const written = text.slice(0, slash);
  const address = parseIp(written);
  const isIp6 = written.includes(":");
  const prefix = parsePrefix(text.slice(slash + 1), isIp6 ? 128 : 32);
  if (address === undefined || prefix === undefined) return undefined;
  if (!isIp6 || address.family === 6) return { address, prefix };
  if (prefix >= 96) return { address, prefix: prefix - 96 };
  // Cut before the mark of a mapped address ends: an IPv6 range, and the mark's last bit is behind the prefix.
  return { address: { family: 6, words: [0, 0, 0xffff, wordAt(address.words, 0)] }, prefix };
}

/** The first and the last address of a network, whatever is set behind its prefix. */
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

/**
 * The same from ip-cidr, which settles the rare spelling that mixes colons with dots. It gets the canonical form:
 * of the mixed one it keeps the dotted part alone, so that 64:ff9b::192.0.2.0/120 would come back as IPv4.
 */
function cidrBounds(network: Network): ReturnType<typeof bounds> {
  const { address, prefix } = network;
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
