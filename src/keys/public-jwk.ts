import { Buffer } from "node:buffer";
import { createPublicKey, type KeyObject } from "node:crypto";
import { decodeBase64url } from "../lib/base64url.js";
import { describe, OptionError, own } from "../lib/options.js";
import { fits, type JwsAlgorithm, jwsAlgorithms, type KeyShape } from "./algorithms.js";
import { weakEd25519, weakRsa } from "./weak-keys.js";

/** Longest `kid`, in UTF-16 units. */
export const maxKidLength = 256;

/** A public key that may check signatures. */
export interface PublicKey extends KeyShape {
  readonly kid: string | undefined;
  /** The one algorithm that a JWK's `alg` binds the key to; undefined: any that fits. */
  readonly bound: JwsAlgorithm | undefined;
  readonly key: KeyObject;
}

/** A JWK that is not wrong, but does not check signatures that we know; `unusable` says why. */
export interface UnusableKey {
  readonly kid: string | undefined;
  readonly unusable: string;
}

/** A JSON Web Key (RFC 7517 section 4) of a public key. */
export interface PublicJwk {
  readonly kty: string;
  readonly kid?: string;
  readonly alg?: string;
  readonly use?: string;
  readonly [member: string]: unknown;
}

/** Members that only private keys have (RFC 7518 section 6, RFC 8037 section 2, and `priv` of later drafts). */
const privateMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"] as const;

const coordinateBytes: ReadonlyMap<string, number> = new Map([
  ["P-256", 32],
  ["P-384", 48],
  ["P-521", 66],
  ["Ed25519", 32],
]);

/**
 * Reads a public JWK. TypeError for secrets, private keys, broken ones, points off their curve and weak keys
 * (ATTACKS A10, A12); a key for encryption, or of an unknown kind, is `unusable` (A11).
 */
export function readPublicJwk(value: unknown, where: string): PublicKey | UnusableKey {
  const jwk = ownMembers(value, where);
  const kid = jwk.get("kid");
  if (kid !== undefined && (typeof kid !== "string" || kid === "" || kid.length > maxKidLength)) {
    throw new OptionError(
      `${where}.kid`,
      ` must be a string of 1 to ${maxKidLength} characters, not ${describe(kid)}`,
    );
  }
  const shape = readShape(jwk);
  if (shape === undefined) return { kid, unusable: 'is of a kind ("kty", "crv") that is not supported' };
  const use = jwk.get("use");
  if (use !== undefined && use !== "sig")
    return { kid, unusable: 'is not for signatures: its "use" is not "sig"' };
  const operations = jwk.get("key_ops");
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify"))) {
    return { kid, unusable: 'is not for checking signatures: its "key_ops" lacks "verify"' };
  }
  const alg = jwk.get("alg");
  const bound = typeof alg === "string" ? jwsAlgorithms.get(alg) : undefined;
  if (alg !== undefined && (bound === undefined || !fits(bound, shape))) {
    return { kid, unusable: 'has an "alg" that is not supported for its kind of key' };
  }
  return { kid, ...shape, bound, key: readKey(jwk, shape, where) };
}

function ownMembers(value: unknown, where: string): ReadonlyMap<string, unknown> {
  const kty =
    typeof value === "object" && value !== null ? own(value as { kty?: unknown }, "kty") : undefined;
  if (typeof kty !== "string") {
    throw new OptionError(
      where,
      ` must be a public key as a JWK, { kty: "…", … }, not ${describe(value)} without kty`,
    );
  }
  const jwk = new Map(Object.entries(value as object));
  if (kty === "oct" || jwk.has("k")) {
    throw new OptionError(where, ` is a shared secret (kty "oct") among public keys; give it as \`secret\``);
  }
  if (privateMembers.some((member) => jwk.has(member))) {
    throw new OptionError(
      where,
      ` is a private key; give the public one, without ${privateMembers.join(", ")}, ` +
        "and replace the key if others could read it here",
    );
  }
  return jwk;
}

/** The key's kind if we know an algorithm for it. */
function readShape(jwk: ReadonlyMap<string, unknown>): KeyShape | undefined {
  const kty = jwk.get("kty");
  const curve = kty === "RSA" ? undefined : jwk.get("crv");
  for (const algorithm of jwsAlgorithms.values()) {
    if (algorithm.kty === kty && algorithm.curve === curve)
      return { kty: algorithm.kty, curve: algorithm.curve };
  }
  return undefined;
}

function readKey(jwk: ReadonlyMap<string, unknown>, shape: KeyShape, where: string): KeyObject {
  const members: Record<string, string> & { crv?: string } = { kty: shape.kty };
  const names = shape.kty === "RSA" ? ["n", "e"] : shape.kty === "EC" ? ["x", "y"] : ["x"];
  if (shape.curve !== undefined) members.crv = shape.curve;
  const length = shape.curve === undefined ? undefined : coordinateBytes.get(shape.curve);
  for (const name of names) {
    const text = jwk.get(name);
    const bytes = typeof text === "string" ? decodeBase64url(text) : undefined;
    if (bytes === undefined || (length !== undefined && bytes.length !== length)) {
      const size = length === undefined ? "" : ` of ${length} bytes`;
      throw new OptionError(`${where}.${name}`, ` must be base64url${size} without padding`);
    }
    members[name] = bytes.toString("base64url");
  }
  let key: KeyObject;
  try {
    key = createPublicKey({ key: members, format: "jwk" });
  } catch (cause) {
    throw new OptionError(where, ` is not a valid ${shape.kty} key: its numbers are no point on the curve`, {
      cause,
    });
  }
  assertStrongKey(key, where);
  return key;
}

/** TypeError for an RSA or Ed25519 key that can be broken (RFC 7518 section 3.3, CVE-2017-15361). */
export function assertStrongKey(key: KeyObject, where: string): void {
  const { n, x, kty } = key.export({ format: "jwk" });
  const exponent = key.asymmetricKeyDetails?.publicExponent;
  let weakness: string | undefined;
  if (n !== undefined && exponent !== undefined) weakness = weakRsa(Buffer.from(n, "base64url"), exponent);
  if (kty === "OKP" && x !== undefined) weakness = weakEd25519(Buffer.from(x, "base64url"));
  if (weakness !== undefined) {
    throw new OptionError(where, ` ${weakness}; ask the sender for another key`);
  }
}
