import { BlockList, isIP } from "node:net";

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
 * The same for IPv6: unspecified, loopback and IPv4-compatible, local NAT64, discard, Teredo and other protocol
 * assignments, documentation, 6to4, unique local, link-local, site-local, multicast.
 */
const privateV6: readonly (readonly [address: string, prefix: number])[] = [
  ["::", 96],
  ["64:ff9b:1::", 48],
  ["100::", 64],
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
  ["5f00::", 16],
  ["fc00::", 7],
  ["fe80::", 10],
  ["fec0::", 10],
  ["ff00::", 8],
];

/**
 * Makes the check whether an address, as DNS or a URL gives it, lies outside the public internet. IPv4 within IPv6
 * (RFC 4291 section 2.5.5.2) and behind NAT64 (RFC 6052) counts as the IPv4 address it leads to. Text that is not an
 * address counts as private.
 */
export function createPrivateAddressCheck(): (address: string) => boolean {
  const blocked = new BlockList();
  for (const [address, prefix] of privateV4) {
    // A rule for IPv4 also matches its IPv4-mapped form.
    blocked.addSubnet(address, prefix, "ipv4");
    blocked.addSubnet(`64:ff9b::${address}`, 96 + prefix, "ipv6");
  }
  for (const [address, prefix] of privateV6) blocked.addSubnet(address, prefix, "ipv6");
  return (address) => {
    const family = isIP(address);
    return family === 0 || blocked.check(address, family === 4 ? "ipv4" : "ipv6");
  };
}
