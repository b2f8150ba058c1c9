import { createHash, timingSafeEqual } from "node:crypto";
import type { SignatureFault } from "../types/signature.js";
import { parseDictionary } from "./http-message/structured-fields.js";

/** The digests that count, and their hashes. The others of the registry are deprecated: anyone can forge them. */
export const digestHashes: ReadonlyMap<string, string> = new Map([
  ["sha-256", "sha256"],
  ["sha-512", "sha512"],
]);

/**
 * Checks a body against its `Content-Digest` (RFC 9530 section 2): sha-256 and sha-512, at least one, and every one that
 * is there must match. Other algorithms are not looked at. Undefined: the digest is the body's.
 */
export function contentDigestFault(field: string, body: Uint8Array): SignatureFault | undefined {
  const digests = parseDictionary(field);
  if ("malformed" in digests) {
    return { fault: "malformed", reason: `the header content-digest is no dictionary: ${digests.malformed}` };
  }
  let checked = 0;
  for (const [name, member] of digests) {
    const hash = digestHashes.get(name);
    if (hash === undefined) continue;
    if (!("bare" in member) || member.bare.type !== "bytes") {
      return { fault: "malformed", reason: `the ${name} of the header content-digest is no byte sequence` };
    }
    const actual = createHash(hash).update(body).digest();
    const claimed = member.bare.value;
    if (claimed.length !== actual.length || !timingSafeEqual(claimed, actual)) {
      return {
        fault: "mismatch",
        reason: `the body does not match its ${name} in the header content-digest: it was changed on its way`,
      };
    }
    checked += 1;
  }
  if (checked > 0) return undefined;
  return {
    fault: "malformed",
    reason: `the header content-digest has no digest that counts: ${[...digestHashes.keys()].join(" or ")} is needed`,
  };
}
