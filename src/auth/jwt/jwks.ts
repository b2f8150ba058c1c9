import type { KeySet, VerificationKey } from "../../types/credential.js";

/** Most keys that a token without `kid` is tried with. */
const maxKeysWithoutKid = 4;

const none: readonly VerificationKey[] = [];

/** A key set that answers at once. */
export interface LocalKeySet extends KeySet {
  find(kid: string | undefined, algorithm: string): readonly VerificationKey[];
}

/**
 * A key set over keys that are at hand. A token with a `kid` gets exactly that key; one without gets the first four
 * keys of its algorithm (ATTACKS A09). Lookups are prepared here.
 */
export function localKeySet(keys: readonly VerificationKey[]): LocalKeySet {
  const byKid = new Map<string, readonly VerificationKey[]>();
  const byAlgorithm = new Map<string, VerificationKey[]>();
  for (const key of keys) {
    if (key.kid !== undefined) byKid.set(key.kid, [key]);
    for (const algorithm of key.algorithms) {
      const list = byAlgorithm.get(algorithm) ?? [];
      byAlgorithm.set(algorithm, list);
      if (list.length < maxKeysWithoutKid) list.push(key);
    }
  }
  return {
    find(kid, algorithm) {
      if (kid === undefined) return byAlgorithm.get(algorithm) ?? none;
      const named = byKid.get(kid);
      return named?.[0]?.algorithms.includes(algorithm) === true ? named : none;
    },
  };
}
