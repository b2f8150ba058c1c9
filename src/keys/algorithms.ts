import type { webcrypto } from "node:crypto";
import { describe, OptionError } from "../lib/options.js";

/** Kinds of key (RFC 7518 section 6.1, RFC 8037): `curve` is a JWK's `crv`, undefined for secrets and RSA. */
export interface KeyShape {
  readonly kty: "oct" | "RSA" | "EC" | "OKP";
  readonly curve: string | undefined;
}

/** One JWS algorithm (RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 9864). */
export interface JwsAlgorithm extends KeyShape {
  readonly name: string;
  /** Algorithms of different families never share a credential. */
  readonly family: "HS" | "RS" | "PS" | "ES" | "EdDSA";
  /** Shortest secret, in bytes: the length of the hash (RFC 7518 section 3.2). 0 where no secret is used. */
  readonly minSecretBytes: number;
  /** How WebCrypto is told to import the key. */
  readonly importAs: webcrypto.AlgorithmIdentifier | webcrypto.HmacImportParams | webcrypto.EcKeyImportParams;
}

/** Every algorithm that may be configured, by its name in `alg`. "none" is not among them, and never will be. */
export const jwsAlgorithms: ReadonlyMap<string, JwsAlgorithm> = new Map(
  [
    ...[256, 384, 512].flatMap((bits) => [hmac(bits), rsa("RS", bits), rsa("PS", bits)]),
    ecdsa("ES256", "P-256"),
    ecdsa("ES384", "P-384"),
    ecdsa("ES512", "P-521"),
    edwards("EdDSA"),
    edwards("Ed25519"),
  ].map((algorithm) => [algorithm.name, algorithm]),
);

/** What a key checks whose owner names no algorithm, one: HS256, RS256, the curve's own, EdDSA. */
export function defaultAlgorithms(shape: KeyShape): readonly JwsAlgorithm[] {
  return [...jwsAlgorithms.values()].filter((algorithm) => fits(algorithm, shape)).slice(0, 1);
}

/** Whether an algorithm can be used with a key of this shape. */
export function fits(algorithm: JwsAlgorithm, shape: KeyShape): boolean {
  return algorithm.kty === shape.kty && algorithm.curve === shape.curve;
}

/**
 * Reads the option `algorithms`: undefined where it was left out, else a list of known names of one family.
 * TypeError for an empty list, "none", unknown names and mixed families.
 */
export function parseAlgorithms(value: unknown, where: string): readonly JwsAlgorithm[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.length === 0) {
    throw new OptionError(where, ` must be an array such as ["RS256"], or left out, not ${describe(value)}`);
  }
  const algorithms = value.map((name: unknown) => knownAlgorithm(name, where));
  const families = new Set(algorithms.map((algorithm) => algorithm.family));
  if (families.size > 1) {
    throw new OptionError(
      where,
      ` mixes the families ${[...families].join(" and ")}; one credential checks one family: ` +
        "make a credential of each",
    );
  }
  return [...new Set(algorithms)];
}

function knownAlgorithm(name: unknown, where: string): JwsAlgorithm {
  const known = [...jwsAlgorithms.keys()];
  if (typeof name !== "string") {
    throw new OptionError(where, ` must hold names such as "RS256", not ${describe(name)}`);
  }
  const algorithm = jwsAlgorithms.get(name);
  if (algorithm !== undefined) return algorithm;
  if (name.toLowerCase() === "none") {
    throw new OptionError(where, ` must not hold "none": it would accept tokens that nobody signed`);
  }
  const near = known.find((candidate) => candidate.toLowerCase() === name.toLowerCase());
  const hint = near === undefined ? `known are ${known.join(", ")}` : `did you mean "${near}"?`;
  throw new OptionError(where, ` holds an unknown algorithm "${name.slice(0, 20)}"; ${hint}`);
}

function hmac(bits: number): JwsAlgorithm {
  const importAs = { name: "HMAC", hash: `SHA-${bits}` };
  return {
    name: `HS${bits}`,
    family: "HS",
    kty: "oct",
    curve: undefined,
    minSecretBytes: bits / 8,
    importAs,
  };
}

function rsa(family: "RS" | "PS", bits: number): JwsAlgorithm {
  const importAs = { name: family === "RS" ? "RSASSA-PKCS1-v1_5" : "RSA-PSS", hash: `SHA-${bits}` };
  return { name: `${family}${bits}`, family, kty: "RSA", curve: undefined, minSecretBytes: 0, importAs };
}

function ecdsa(name: string, curve: string): JwsAlgorithm {
  const importAs = { name: "ECDSA", namedCurve: curve };
  return { name, family: "ES", kty: "EC", curve, minSecretBytes: 0, importAs };
}

function edwards(name: string): JwsAlgorithm {
  return {
    name,
    family: "EdDSA",
    kty: "OKP",
    curve: "Ed25519",
    minSecretBytes: 0,
    importAs: { name: "Ed25519" },
  };
}
