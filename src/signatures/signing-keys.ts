import type { Buffer } from "node:buffer";
import { createSecretKey } from "node:crypto";
import { type LifetimeOptions, parseLifetime } from "../keys/lifetime.js";
import { type PublicJwk, readPublicJwk, readPublicPem } from "../keys/public-key.js";
import { assertNotPublicKey, assertTrimmed, type SecretMaterial, secretBytes } from "../keys/secret.js";
import { guessableSecret } from "../keys/weak-keys.js";
import {
  assertOptions,
  describe,
  OptionError,
  optionKeys,
  own,
  ownMembers,
  stringOption,
} from "../lib/options.js";
import type { MessageAlgorithm, SignatureAlgorithm, SigningKey } from "../types/signature.js";

/** A signing secret with a name of its own and a lifetime, for rotation. */
export interface NamedSecret extends LifetimeOptions {
  /** Stable name, for reports. Default: `secret-1`, `secret-2` … */
  readonly id?: string | undefined;
  /** The secret: text, bytes, or `{ base64 }`. */
  readonly secret: SecretMaterial | undefined;
}

/** One signing secret, or several while they are rotated: each of them may sign. */
export type SigningSecrets = SecretMaterial | NamedSecret | readonly (SecretMaterial | NamedSecret)[];

/** A public key with a name of its own and a lifetime. */
export interface NamedPublicKey extends LifetimeOptions {
  /** Stable name, for reports, or the `keyid` of signatures. Default: a JWK's `kid`, else `key-1`, `key-2` … */
  readonly id?: string | undefined;
  /** PEM text or a JWK. */
  readonly publicKey: string | PublicJwk;
}

/** One public key, or several while they are rotated. */
export type SigningPublicKeys =
  | string
  | PublicJwk
  | NamedPublicKey
  | readonly (string | PublicJwk | NamedPublicKey)[];

/** What is asked of secrets. */
export interface SecretRules {
  /** Shortest secret in bytes. Default: 24, the least of Standard Webhooks. */
  readonly minBytes?: number;
  /** Longest secret in bytes. Default: any. */
  readonly maxBytes?: number;
  /** Takes shorter secrets, whatever they say. A secret is never empty, and a long one never guessable. */
  readonly insecureShortSecret?: boolean;
  /** Turns text into the secret's bytes, where it is written in a way of its own. Throws a TypeError. */
  readonly decode?: (text: string, where: string) => Buffer;
}

const mostKeys = 10;

/** Reads the secrets of a source. TypeError for empty, short and guessable ones, and for public keys (ATTACKS F07). */
export function parseSecrets(value: unknown, where: string, rules: SecretRules = {}): readonly SigningKey[] {
  const keys = listOf(value, where, "secret").map(({ given, place }, at) => {
    const { named, material } = unwrap(given, "secret", place);
    return {
      id: idOf(named, `secret-${at + 1}`, place),
      ...parseLifetime(named, place),
      key: createSecretKey(secretOf(material, named === noOptions ? place : `${place}.secret`, rules)),
    };
  });
  return withDistinctIds(keys, where);
}

function secretOf(material: unknown, where: string, rules: SecretRules): Buffer {
  const { minBytes = 24, maxBytes, insecureShortSecret = false, decode } = ownMembers(rules);
  assertTrimmed(material, where);
  const fix = "give the secret that the sender shows, or make one: `openssl rand -base64 32`";
  if (material === "") throw new OptionError(where, ` is empty; ${fix}`);
  const bytes =
    decode !== undefined && typeof material === "string"
      ? decode(material, where)
      : secretBytes(material, where);
  assertNotPublicKey(bytes, where);
  if (bytes.length === 0) throw new OptionError(where, ` is empty; ${fix}`);
  if (maxBytes !== undefined && bytes.length > maxBytes) {
    throw new OptionError(where, ` has ${bytes.length} bytes; at most ${maxBytes} are allowed: ${fix}`);
  }
  if (bytes.length < minBytes) {
    if (insecureShortSecret) return bytes;
    throw new OptionError(
      where,
      ` has ${bytes.length} bytes; at least ${minBytes} are required: ${fix}. Only where the sender's secret ` +
        "cannot be changed: insecureShortSecret: true",
    );
  }
  const guessable = guessableSecret(bytes);
  if (guessable !== undefined) {
    throw new OptionError(where, ` ${guessable}, so anyone can sign with it; ${fix}`);
  }
  return bytes;
}

/** Reads the public keys of a source; each must fit the algorithm. TypeError for private and weak keys. */
export function parsePublicKeys(
  value: unknown,
  where: string,
  algorithm: SignatureAlgorithm | MessageAlgorithm,
): readonly SigningKey[] {
  const keys = listOf(value, where, "publicKey").map(({ given, place }, at) => {
    const { named, material } = unwrap(given, "publicKey", place);
    const read =
      typeof material === "string" ? readPublicPem(material, place) : readPublicJwk(material, place);
    if ("unusable" in read) throw new OptionError(place, ` ${read.unusable}`);
    const shape = shapes.get(algorithm);
    if (read.kty !== shape?.kty || read.curve !== shape.curve) {
      throw new OptionError(
        place,
        ` is a key of kind ${read.curve ?? read.kty}, which cannot check ${algorithm}`,
      );
    }
    return {
      id: idOf(named, read.kid ?? `key-${at + 1}`, place),
      ...parseLifetime(named, place),
      key: read.key,
    };
  });
  return withDistinctIds(keys, where);
}

/** Reports name keys by their id, and some signatures choose theirs by it (ATTACKS A10). */
function withDistinctIds(keys: readonly SigningKey[], where: string): readonly SigningKey[] {
  const ids = new Set<string>();
  for (const { id } of keys) {
    if (ids.has(id)) throw new OptionError(where, ` has two keys with the id "${id}"; give each its own`);
    ids.add(id);
  }
  return keys;
}

const shapes: ReadonlyMap<string, { readonly kty: string; readonly curve: string | undefined }> = new Map([
  ["ed25519", { kty: "OKP", curve: "Ed25519" }],
  ["ecdsa-p256-sha256", { kty: "EC", curve: "P-256" }],
  ["ecdsa-p384-sha384", { kty: "EC", curve: "P-384" }],
  ["rsa-sha256", { kty: "RSA", curve: undefined }],
  ["rsa-v1_5-sha256", { kty: "RSA", curve: undefined }],
  ["rsa-pss-sha512", { kty: "RSA", curve: undefined }],
]);

interface Placed {
  readonly given: unknown;
  readonly place: string;
}

function listOf(value: unknown, where: string, what: string): readonly Placed[] {
  if (value === undefined || value === null) {
    throw new OptionError(where, ` is ${describe(value)}: is an environment variable missing?`);
  }
  if (!Array.isArray(value)) return [{ given: value, place: where }];
  if (value.length === 0 || value.length > mostKeys) {
    throw new OptionError(where, ` must hold 1 to ${mostKeys} of ${what}, not ${value.length}`);
  }
  return value.map((given: unknown, at) => ({ given, place: `${where}[${at}]` }));
}

const secretNames = optionKeys<NamedSecret>({
  id: true,
  secret: true,
  state: true,
  notBefore: true,
  expiresAt: true,
});
const publicKeyNames = optionKeys<NamedPublicKey>({
  id: true,
  publicKey: true,
  state: true,
  notBefore: true,
  expiresAt: true,
});
const noOptions: Record<string, unknown> = Object.freeze({});

/** The options around a key, where there are any, and the key. */
function unwrap(
  given: unknown,
  member: "secret" | "publicKey",
  where: string,
): { readonly named: Record<string, unknown>; readonly material: unknown } {
  const isNamed = typeof given === "object" && given !== null && Object.hasOwn(given, member);
  if (!isNamed) return { named: noOptions, material: given };
  assertOptions(given, member === "secret" ? secretNames : publicKeyNames, where);
  return { named: given, material: own(given, member) };
}

function idOf(named: Record<string, unknown>, fallback: string, where: string): string {
  const id = own(named, "id");
  return id === undefined ? fallback : stringOption(id, `${where}.id`);
}
