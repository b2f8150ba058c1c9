import { BlockList, isIP } from "node:net";
import { formatIp, parseIp, wordAt } from "../../ip/address.js";
import type { IpAddress } from "../../types/credential.js";

/**
 * IPv4 blocks that are not on the public internet (IANA special-purpose registry, RFC 6890): this network, private use,
 * shared space, loopback, link-local (cloud metadata services), documentation, benchmarking, multicast, reserved.
 */
const privateV4: readonly (readonly [address: string, prefix: number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];

/**
 * Where IPv6 may be on the public internet: global unicast (RFC 4291 section 2.4), and what leads to IPv4, mapped or
 * under the well-known NAT64 prefix. All else is loopback, local, multicast or not assigned, SIIT's `::ffff:0:a.b.c.d`
 * (RFC 2765) and IPv4-compatible addresses among it.
 */
const publicV6: readonly (readonly [address: string, prefix: number])[] = [
  ["2000::", 3],
  ["::ffff:0.0.0.0", 96],
  ["64:ff9b::", 96],
];

/** Exceptions of `2000::/3`: Teredo and other protocol assignments, documentation, 6to4. */
const privateV6: readonly (readonly [address: string, prefix: number])[] = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
];

/**
 * Makes the check whether an address, as DNS or a URL gives it, lies outside the public internet. IPv4 within IPv6
 * (RFC 4291 section 2.5.5.2) and under the NAT64 prefix (RFC 6052) counts as the IPv4 address it leads to, and so does IPv4 in an
 * ISATAP interface (RFC 5214 section 6.1). Text that is not an address counts as private, and one with a zone as well.
 * A NAT64 prefix of a network's own cannot be told from any other address.
 */
export function createPrivateAddressCheck(): (address: string) => boolean {
  const blocked = new BlockList();
  const open = new BlockList();
  for (const [address, prefix] of privateV4) {
    // A rule for IPv4 also matches its IPv4-mapped form.
    blocked.addSubnet(address, prefix, "ipv4");
    blocked.addSubnet(`64:ff9b::${address}`, 96 + prefix, "ipv6");
  }
  for (const [address, prefix] of privateV6) blocked.addSubnet(address, prefix, "ipv6");
  for (const [address, prefix] of publicV6) open.addSubnet(address, prefix, "ipv6");
  return (address) => {
    if (isIP(address) === 4) return blocked.check(address, "ipv4");
    const ip = parseIp(address);
    if (ip === undefined || !open.check(address, "ipv6") || blocked.check(address, "ipv6")) return true;
    const embedded = isatapAddress(ip);
    return embedded !== undefined && blocked.check(embedded, "ipv4");
  };
}

/** The IPv4 address within an ISATAP one: the last 32 bits, after `0:5efe` or `200:5efe`. */
function isatapAddress({ family, words }: IpAddress): string | undefined {
  if (family !== 6 || (wordAt(words, 2) & ~0x0200_0000) !== 0x5efe) return undefined;
  return formatIp({ family: 4, words: [wordAt(words, 3)] });
}
