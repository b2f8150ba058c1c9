import { type KeyObject, webcrypto } from "node:crypto";
import type { MaybePromise, VerificationKey } from "../types/credential.js";
import type { JwsAlgorithm } from "./algorithms.js";

/**
 * A verification key that is imported into WebCrypto when it is first used, once per algorithm. From then on
 * `cryptoKey` answers without a promise. It throws a TypeError for an algorithm that the key was not made for.
 */
export function importableKey(
  key: KeyObject,
  kid: string | undefined,
  algorithms: readonly JwsAlgorithm[],
): VerificationKey {
  const imported = new Map<string, MaybePromise<webcrypto.CryptoKey>>();
  return {
    kid,
    algorithms: algorithms.map((algorithm) => algorithm.name),
    cryptoKey(name) {
      const known = imported.get(name);
      if (known !== undefined) return known;
      const algorithm = algorithms.find((candidate) => candidate.name === name);
      if (algorithm === undefined)
        throw new TypeError("the key was asked to check an algorithm that is not its own");
      const importing = importKey(key, algorithm).then((cryptoKey) => {
        imported.set(name, cryptoKey);
        return cryptoKey;
      });
      imported.set(name, importing);
      return importing;
    },
  };
}

function importKey(key: KeyObject, algorithm: JwsAlgorithm): Promise<webcrypto.CryptoKey> {
  if (key.type === "secret") {
    return webcrypto.subtle.importKey("raw", key.export(), algorithm.importAs, false, ["verify"]);
  }
  const spki = key.export({ type: "spki", format: "der" });
  return webcrypto.subtle.importKey("spki", spki, algorithm.importAs, false, ["verify"]);
}
