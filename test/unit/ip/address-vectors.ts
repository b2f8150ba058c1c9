import { readFileSync } from "node:fs";

interface AddressVectors {
  readonly valid: readonly { input: string; canonical: string; family: number }[];
  readonly validWithZone: readonly { input: string }[];
  readonly invalid: readonly { input: string }[];
  readonly unmap4in6: readonly { input: string; ipv4: string | null }[];
  readonly cidrContains: readonly { cidr: string; contains: string[]; notContains: string[] }[];
  readonly mappedAndTransitionPolicy: readonly { cidr: string; addr: string; match: boolean }[];
  readonly cidrHostBits: readonly { input: string; masked: string }[];
  readonly cidrInvalid: readonly { input: unknown }[];
  readonly forwardedFor: readonly {
    remoteAddress: string | null;
    xForwardedFor: string[];
    trusted: string[];
    client: string | null;
    why: string;
  }[];
}

/** Facts about addresses, collected from other projects' tests and advisories. */
export const vectors: AddressVectors = JSON.parse(
  readFileSync(new URL("../../vectors/addresses.json", import.meta.url), "utf8"),
);
