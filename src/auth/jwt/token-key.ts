import { defaultAlgorithms, fits, type JwsAlgorithm } from "../../keys/algorithms.js";
import { importableKey, type PublicKey, readPublicJwk, readPublicPem } from "../../keys/public-key.js";
import { describe, OptionError, own } from "../../lib/options.js";
import type { VerificationKey } from "../../types/credential.js";

/** What is asked of a public key. */
export interface KeyOptions {
  /** The option that holds the key, for messages. */
  readonly where: string;
  /** The `kid` by which tokens name the key; undefined: a JWK's own. */
  readonly kid: string | undefined;
  /** From `parseAlgorithms`; undefined: the usual one of the key's kind, or a JWK's own `alg`. */
  readonly algorithms: readonly JwsAlgorithm[] | undefined;
}

/**
 * The verification key of a public key, PEM text or a JWK. The usual algorithm is RS256 for RSA, ES256, ES384 or ES512
 * by the curve, EdDSA for Ed25519. TypeError for private and weak keys, and for algorithms that do not fit the key.
 */
export function parsePublicKey(material: unknown, options: KeyOptions): VerificationKey {
  const { where } = options;
  const key = typeof material === "string" ? readPublicPem(material, where) : readPublicJwk(material, where);
  if ("unusable" in key) throw new OptionError(where, ` ${key.unusable}`);
  const unfit = options.algorithms?.find((algorithm) => !suits(algorithm, key));
  if (unfit !== undefined) {
    const usual = usualAlgorithms(key).map((algorithm) => algorithm.name);
    throw new OptionError(
      where,
      ` is a key of kind ${key.curve ?? key.kty}${key.bound === undefined ? "" : ` bound to its alg ${usual}`}, ` +
        `which cannot check ${unfit.name}; leave \`algorithms\` out for ${usual}`,
    );
  }
  return importableKey(key.key, options.kid ?? key.kid, options.algorithms ?? usualAlgorithms(key));
}

/** Most keys that a set may hold: each costs time when the set is read. */
export const maxSetKeys = 100;

/**
 * The usable keys of a JWK set (RFC 7517 section 5), in its order. Left out: keys for encryption, of unknown kinds, and
 * those that suit none of `algorithms`. TypeError, and so no key at all, for a set that repeats a `kid` or holds a
 * secret, a private key or a weak one: its publisher has lost control of it (ATTACKS A10, A12).
 */
export function parseKeySet(set: unknown, options: Omit<KeyOptions, "kid">): readonly VerificationKey[] {
  const { where, algorithms } = options;
  const keys = typeof set === "object" && set !== null ? own(set as { keys?: unknown }, "keys") : undefined;
  if (!Array.isArray(keys)) {
    throw new OptionError(
      where,
      ` must be a JWK set, { keys: [ … ] }, not ${describe(set)} without such keys`,
    );
  }
  if (keys.length > maxSetKeys)
    throw new OptionError(where, ` has ${keys.length} keys; at most ${maxSetKeys} are allowed`);
  const kids = new Set<string>();
  const usable: VerificationKey[] = [];
  keys.forEach((member: unknown, index) => {
    const key = readPublicJwk(member, `${where}.keys[${index}]`);
    if (key.kid !== undefined && kids.size === kids.add(key.kid).size) {
      throw new OptionError(
        `${where}.keys`,
        `[${index}] has the kid of another key in the set; a kid names one key`,
      );
    }
    if ("unusable" in key) return;
    const accepted = algorithms?.filter((algorithm) => suits(algorithm, key)) ?? usualAlgorithms(key);
    if (accepted.length > 0) usable.push(importableKey(key.key, key.kid, accepted));
  });
  return usable;
}

function suits(algorithm: JwsAlgorithm, key: PublicKey): boolean {
  return fits(algorithm, key) && (key.bound === undefined || key.bound === algorithm);
}

function usualAlgorithms(key: PublicKey): readonly JwsAlgorithm[] {
  return key.bound === undefined ? defaultAlgorithms(key) : [key.bound];
}
