/**
 * An IP address as 32-bit words, so that it compares without text. IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2)
 * is IPv4 here, in whatever spelling it came.
 */
export interface IpAddress {
  /** Version of the protocol. */
  readonly family: 4 | 6;
  /** Unsigned 32-bit words, most significant first: one for IPv4, four for IPv6. */
  readonly words: readonly number[];
}
