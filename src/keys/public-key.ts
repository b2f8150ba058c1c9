import { Buffer } from "node:buffer";
import { createPublicKey, type KeyObject, webcrypto } from "node:crypto";
import { decodeBase64url } from "../lib/base64.js";
import { describe, OptionError, own } from "../lib/options.js";
import type { MaybePromise, VerificationKey } from "../types/credential.js";
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
interface UnusableKey {
  readonly kid: string | undefined;
  readonly unusable: string;
}

/** A JSON Web Key (RFC 7517 section 4) of a public key. */
export interface PublicJwk {
  /** Kind of key: `"RSA"`, `"EC"` or `"OKP"`. */
  readonly kty: string;
  /** The name by which tokens refer to the key. */
  readonly kid?: string | undefined;
  /** The only algorithm that the key may verify. */
  readonly alg?: string | undefined;
  /** `"sig"` for signatures; keys for encryption are not used. */
  readonly use?: string | undefined;
  /** The key's material, such as `n` and `e`, or `crv`, `x` and `y`. */
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
    throw new OptionError(
      where,
      ` is not a valid ${shape.kty} key: its coordinates are not a point on the curve`,
      {
        cause,
      },
    );
  }
  assertStrongKey(key, where);
  return key;
}

/** TypeError for an RSA or Ed25519 key that can be broken (RFC 7518 section 3.3, CVE-2017-15361). */
function assertStrongKey(key: KeyObject, where: string): void {
  const { n, x, kty } = key.export({ format: "jwk" });
  const exponent = key.asymmetricKeyDetails?.publicExponent;
  let weakness: string | undefined;
  if (n !== undefined && exponent !== undefined) weakness = weakRsa(Buffer.from(n, "base64url"), exponent);
  if (kty === "OKP" && x !== undefined) weakness = weakEd25519(Buffer.from(x, "base64url"));
  if (weakness !== undefined) {
    throw new OptionError(where, ` ${weakness}; ask the sender for another key`);
  }
}

const labels: readonly string[] = ["PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"];

/**
 * Reads a public key in PEM (RFC 7468): SPKI, PKCS #1, or an X.509 certificate, of which only the key counts: neither
 * its dates nor its issuer are looked at. TypeError for private keys, several blocks and weak keys.
 */
export function readPublicPem(pem: string, where: string): PublicKey {
  const begin = "-----BEGIN ";
  const blocks = pem.split(begin).slice(1);
  if (blocks.some((block) => labelOf(block).endsWith("PRIVATE KEY"))) {
    throw new OptionError(
      where,
      ` is a private key; give the public one (\`openssl pkey -pubout\` makes it), ` +
        "and replace the key if others could read it here",
    );
  }
  const [block] = blocks;
  if (block === undefined || blocks.length > 1 || !labels.includes(labelOf(block))) {
    throw new OptionError(
      where,
      ` must hold one PEM block, "${begin}PUBLIC KEY-----" and so on, or be a JWK object`,
    );
  }
  let key: KeyObject;
  try {
    key = createPublicKey({ key: pem, format: "pem" });
  } catch (cause) {
    throw new OptionError(
      where,
      ` has the frame of a PEM key but cannot be read: is it cut, or are its line breaks lost? ` +
        'In an environment variable they may be written as \\n: .replaceAll("\\\\n", "\\n")',
      { cause },
    );
  }
  const shape = shapeOf(key, where);
  assertStrongKey(key, where);
  return { kid: undefined, ...shape, bound: undefined, key };
}

function labelOf(block: string): string {
  return block.slice(0, block.indexOf("-----"));
}

/** OpenSSL's names of the curves that JWS uses. */
const curves: ReadonlyMap<string | undefined, string> = new Map([
  ["prime256v1", "P-256"],
  ["secp384r1", "P-384"],
  ["secp521r1", "P-521"],
]);

function shapeOf(key: KeyObject, where: string): KeyShape {
  const type = key.asymmetricKeyType;
  if (type === "rsa") return { kty: "RSA", curve: undefined };
  if (type === "ed25519") return { kty: "OKP", curve: "Ed25519" };
  const curve = type === "ec" ? curves.get(key.asymmetricKeyDetails?.namedCurve) : undefined;
  if (curve !== undefined) return { kty: "EC", curve };
  const hint =
    type === "rsa-pss" ? "; give this RSA key without its PSS parameters, and PS256 in `algorithms`" : "";
  throw new OptionError(
    where,
    ` is a key of type ${type}, or on a curve, that no JWS algorithm here uses; ` +
      `known are RSA, P-256, P-384, P-521 and Ed25519${hint}`,
  );
}

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
