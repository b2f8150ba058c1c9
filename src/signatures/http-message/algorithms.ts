import { Buffer } from "node:buffer";
import { constants, createHmac, type KeyObject, timingSafeEqual, verify } from "node:crypto";
import { OptionError } from "../../lib/options.js";
import type { MessageAlgorithm, MessageKey } from "../../types/signature.js";

interface Algorithm {
  /** Type of the key, as Node calls it. */
  readonly keyType: "secret" | "ed25519" | "ec" | "rsa";
  readonly curve?: string;
  /** Bytes of a signature; undefined: as many as the key's modulus. */
  readonly bytes?: number;
  verify(base: Buffer, key: KeyObject, signature: Buffer): boolean;
}

/** The algorithms of RFC 9421 section 3.3. */
const algorithms: ReadonlyMap<MessageAlgorithm, Algorithm> = new Map<MessageAlgorithm, Algorithm>([
  [
    "hmac-sha256",
    {
      keyType: "secret",
      bytes: 32,
      verify: (base, key, signature) =>
        timingSafeEqual(createHmac("sha256", key).update(base).digest(), signature),
    },
  ],
  [
    "ed25519",
    { keyType: "ed25519", bytes: 64, verify: (base, key, signature) => verify(null, base, key, signature) },
  ],
  ["ecdsa-p256-sha256", ecdsa("prime256v1", "sha256", 64)],
  ["ecdsa-p384-sha384", ecdsa("secp384r1", "sha384", 96)],
  [
    "rsa-v1_5-sha256",
    { keyType: "rsa", verify: (base, key, signature) => verify("sha256", base, key, signature) },
  ],
  [
    "rsa-pss-sha512",
    {
      keyType: "rsa",
      verify: (base, key, signature) =>
        verify("sha512", base, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 }, signature),
    },
  ],
]);

/** Names of the algorithms. */
export const messageAlgorithms: readonly MessageAlgorithm[] = [...algorithms.keys()];

/** TypeError for an unknown algorithm, and for a key that is not of its kind: no key serves two (ATTACKS A03). */
export function assertFits({ algorithm, key }: MessageKey, where: string): void {
  const known = algorithms.get(algorithm);
  if (known === undefined) {
    throw new OptionError(`${where}.algorithm`, ` must be one of ${messageAlgorithms.join(", ")}`);
  }
  const keyType = key.type === "public" ? key.asymmetricKeyType : key.type;
  if (keyType !== known.keyType || key.asymmetricKeyDetails?.namedCurve !== known.curve) {
    throw new OptionError(where, ` has a key of another kind than ${algorithm} needs`);
  }
}

/** Whether a signature is the key's over a signature base, by the key's algorithm; in constant time for secrets. */
export function verifyMessage(base: string, { algorithm, key }: MessageKey, signature: Buffer): boolean {
  const known = algorithms.get(algorithm) as Algorithm;
  if (known.bytes !== undefined && signature.length !== known.bytes) return false;
  return known.verify(Buffer.from(base, "latin1"), key, signature);
}

function ecdsa(curve: string, hash: string, bytes: number): Algorithm {
  return {
    keyType: "ec",
    curve,
    bytes,
    verify: (base, key, signature) => verify(hash, base, { key, dsaEncoding: "ieee-p1363" }, signature),
  };
}
