import { hash } from "node:crypto";
import { Refusal } from "../../errors.js";
import { BoundedCache } from "../../lib/bounded-cache.js";
import { isPromise } from "../../lib/promises.js";
import type { CredentialProvider, MaybePromise, TokenCredential } from "../../types/credential.js";
import { type VerifiedToken, verifyToken } from "./verify.js";

/** Tokens remembered: some 2 MB at the usual size of claims. */
const remembered = 2_000;

/**
 * Checks tokens and remembers those that passed, by the SHA-256 of their text, so that a sender who uses one for
 * minutes pays for one signature check. Nothing is believed longer than it is true: each time the clock must be within
 * what the token and its credential allow, and the source must still answer with the very credential, and its key set
 * with the very key, that the token was checked with. So `exp`, rotation, deactivation and revocation count at once.
 */
export class VerifiedTokenCache {
  readonly #source: CredentialProvider;
  readonly #passed = new BoundedCache<VerifiedToken>(remembered);

  constructor(source: CredentialProvider) {
    this.#source = source;
  }

  /** As `verifyToken`; without a promise for a token that is remembered, where source and key set have none. */
  verify(token: string, nowMs: number, network?: string): MaybePromise<VerifiedToken | Refusal> {
    const digest = hash("sha256", token, "base64url");
    const known = this.#passed.get(digest);
    if (known === undefined) return this.#verifyAnew(token, digest, nowMs, network);
    if (nowMs >= known.expiresAtMs || nowMs < known.notBeforeMs)
      return this.#verifyAnew(token, digest, nowMs, network);
    const valid = isStillValid(known, this.#source, network);
    if (isPromise(valid)) {
      return valid.then((still) => (still ? known : this.#verifyAnew(token, digest, nowMs, network)));
    }
    return valid ? known : this.#verifyAnew(token, digest, nowMs, network);
  }

  async #verifyAnew(
    token: string,
    digest: string,
    nowMs: number,
    network: string | undefined,
  ): Promise<VerifiedToken | Refusal> {
    const verified = await verifyToken(token, this.#source, nowMs, network);
    if (verified instanceof Refusal) this.#passed.delete(digest);
    else this.#passed.set(digest, verified);
    return verified;
  }
}

/** False also where the source or the key set fails: the whole check will then say how. */
function isStillValid(
  known: VerifiedToken,
  source: CredentialProvider,
  network: string | undefined,
): MaybePromise<boolean> {
  try {
    const { issuer } = known.credential.policy;
    const found = source.findTokenCredentials({ issuer, keyId: known.keyId, network });
    if (isPromise(found)) return found.then((list) => hasKey(list, known)).catch(() => false);
    return hasKey(found, known);
  } catch {
    return false;
  }
}

function hasKey(credentials: readonly TokenCredential[], known: VerifiedToken): MaybePromise<boolean> {
  if (!credentials.includes(known.credential)) return false;
  const keys = known.credential.keys.find(known.keyId, known.algorithm);
  return isPromise(keys) ? keys.then((list) => list.includes(known.key)) : keys.includes(known.key);
}
