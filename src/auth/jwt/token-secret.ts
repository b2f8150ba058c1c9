import { createSecretKey } from "node:crypto";
import { defaultAlgorithms, type JwsAlgorithm } from "../../keys/algorithms.js";
import { importableKey } from "../../keys/public-key.js";
import { assertNotPublicKey, assertTrimmed, secretBytes } from "../../keys/secret.js";
import { guessableSecret } from "../../keys/weak-keys.js";
import { OptionError } from "../../lib/options.js";
import type { VerificationKey } from "../../types/credential.js";

/** What is asked of a secret. */
export interface SecretOptions {
  /** The option that holds the secret, for messages. */
  readonly where: string;
  /** The `kid` by which tokens name the secret. */
  readonly kid: string | undefined;
  /** From `parseAlgorithms`; undefined: HS256. */
  readonly algorithms: readonly JwsAlgorithm[] | undefined;
  /** Lifts the check of the length, and nothing else. */
  readonly insecureShortSecret: boolean;
}

/**
 * The verification key of an HMAC secret. TypeError for a secret shorter than the hash (RFC 7518 section 3.2), for
 * one that can be guessed, and for a public key given as a secret (ATTACKS A03, A13).
 */
export function parseSecret(secret: unknown, options: SecretOptions): VerificationKey {
  const { where } = options;
  const algorithms = options.algorithms ?? defaultAlgorithms({ kty: "oct", curve: undefined });
  const unfit = algorithms.find((algorithm) => algorithm.kty !== "oct");
  if (unfit !== undefined) {
    throw new OptionError(
      where,
      ` is a shared secret, which cannot check ${unfit.name}; give \`publicKey\` instead of it, ` +
        "or HS256, HS384 or HS512 in `algorithms`",
    );
  }
  const bytes = secretBytes(secret, where);
  assertNotPublicKey(bytes, where);
  assertTrimmed(secret, where);
  const least = Math.max(...algorithms.map((algorithm) => algorithm.minSecretBytes));
  const fix = `use ${least} or more random bytes, such as \`openssl rand -base64 48\` prints`;
  if (bytes.length === 0) throw new OptionError(where, ` is empty; ${fix}`);
  if (bytes.length < least && !options.insecureShortSecret) {
    throw new OptionError(
      where,
      ` has ${bytes.length} bytes, too few for its algorithm: ${fix}. Only where the sender's secret cannot ` +
        "be changed: insecureShortSecret: true",
    );
  }
  const guessable = guessableSecret(bytes);
  if (guessable !== undefined) {
    throw new OptionError(where, ` ${guessable}, so anyone can sign with it; ${fix}`);
  }
  return importableKey(createSecretKey(bytes), options.kid, algorithms);
}
