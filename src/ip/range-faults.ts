import { describe } from "../lib/options.js";
import { printable } from "../lib/printable.js";
import { formatIp, parseIp } from "./address.js";
import { bounds, type Network, readNetwork } from "./cidr.js";

const exampleRange = '"203.0.113.0/24"';

/** Why an entry of a list of ranges cannot be used, and what to write instead. For entries that parseRange refuses. */
export function explainRange(entry: unknown, names: readonly string[]): string {
  if (typeof entry !== "string")
    return `${describe(entry)} stands where a string such as ${exampleRange} must`;
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
  return "is not an address; names are not looked up, because whoever holds a name decides what it points to";
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
  return `has no usable prefix: behind the slash stands a whole number from 0 to ${max}, no netmask and no leading zero; such as "${address}/${max}" for this one address`;
}

function explainHostBits(network: Network): string {
  const { address, prefix } = network;
  const masked = formatIp({ family: address.family, words: bounds(network).first });
  return `has bits set behind its prefix; write "${masked}/${prefix}" for the range, or "${formatIp(address)}" for the one address`;
}
