import { Buffer } from "node:buffer";
import { createSecretKey } from "node:crypto";
import type { VerificationKey } from "../contracts/credential.js";
import { describe, own } from "../lib/options.js";
import { defaultAlgorithms, type JwsAlgorithm } from "./algorithms.js";
import { importableKey } from "./importable-key.js";
import { guessableSecret } from "./weak-keys.js";

/** An HMAC secret: text (its UTF-8 bytes are the secret), bytes, or bytes written as base64 or base64url. */
export type SecretMaterial = string | Uint8Array | { readonly base64: string };

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
    throw new TypeError(
      `${where} is a shared secret, which cannot check ${unfit.name}; give \`publicKey\` instead of it, ` +
        "or HS256, HS384 or HS512 in `algorithms`",
    );
  }
  const bytes = secretBytes(secret, where);
  assertNotPublicKey(bytes, where);
  if (typeof secret === "string" && secret !== secret.trim()) {
    throw new TypeError(
      `${where} begins or ends with white space, perhaps the line end of a file: trim it, ` +
        "or give bytes where it belongs to the secret",
    );
  }
  const least = Math.max(...algorithms.map((algorithm) => algorithm.minSecretBytes));
  const fix = `use ${least} or more random bytes, such as \`openssl rand -base64 48\` prints`;
  if (bytes.length === 0) throw new TypeError(`${where} is empty; ${fix}`);
  if (bytes.length < least && !options.insecureShortSecret) {
    throw new TypeError(
      `${where} has ${bytes.length} bytes, too few for its algorithm: ${fix}. Only where the sender's secret cannot ` +
        "be changed: insecureShortSecret: true",
    );
  }
  const guessable = guessableSecret(bytes);
  if (guessable !== undefined) {
    throw new TypeError(`${where} ${guessable}, so anyone can sign with it; ${fix}`);
  }
  return importableKey(createSecretKey(bytes), options.kid, algorithms);
}

function secretBytes(secret: unknown, where: string): Buffer {
  if (typeof secret === "string") return Buffer.from(secret, "utf8");
  if (secret instanceof Uint8Array) return Buffer.from(secret);
  const base64 =
    typeof secret === "object" && secret !== null ? own(secret as { base64?: unknown }, "base64") : undefined;
  if (typeof base64 !== "string") {
    throw new TypeError(
      `${where} must be text, a Uint8Array or { base64: "…" }, not ${describe(secret)}; ` +
        "is an environment variable missing?",
    );
  }
  return base64Bytes(base64, `${where}.base64`);
}

/** Strict base64 or base64url: one alphabet, padding right or absent, unused bits zero (RFC 4648 section 3). */
function base64Bytes(text: string, where: string): Buffer {
  const bytes = Buffer.from(text, "base64");
  const padded = bytes.toString("base64");
  const forms = [padded, padded.replaceAll("=", ""), bytes.toString("base64url")];
  if (forms.includes(text) || text === padded.replaceAll("+", "-").replaceAll("/", "_")) return bytes;
  throw new TypeError(
    `${where} is not base64 or base64url: look for white space, a cut end or other characters, ` +
      "or give the secret as text if it was not encoded",
  );
}

/** A public key as the secret would let anyone sign who knows it (CVE-2016-10555). */
function assertNotPublicKey(bytes: Buffer, where: string): void {
  const isPem = bytes.includes("-----BEGIN ");
  if (isPem || (bytes[0] === 0x7b && bytes.includes('"kty"'))) {
    throw new TypeError(
      `${where} holds a ${isPem ? "PEM" : "JWK"} key, not a shared secret; give public keys as \`publicKey\``,
    );
  }
}
