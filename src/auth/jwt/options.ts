import { createSecretKey } from "node:crypto";
import {
  defaultAlgorithms,
  type JwsAlgorithm,
  jwsAlgorithms,
  parseAlgorithms,
} from "../../keys/algorithms.js";
import { type LifetimeOptions, lifetimeOptionNames, parseLifetime } from "../../keys/lifetime.js";
import { importableKey, maxKidLength, type PublicJwk } from "../../keys/public-key.js";
import { assertNotPublicKey, assertTrimmed, type SecretMaterial, secretBytes } from "../../keys/secret.js";
import { guessableSecret } from "../../keys/weak-keys.js";
import type { Clock } from "../../lib/clock.js";
import type { Duration } from "../../lib/duration.js";
import {
  assertOptions,
  describe,
  durationOption,
  flagOption,
  OptionError,
  optionKeys,
  own,
  stringOption,
  switchOption,
} from "../../lib/options.js";
import type {
  CredentialReport,
  KeySet,
  Owner,
  TokenCredential,
  TokenPolicy,
  VerificationKey,
} from "../../types/credential.js";
import { type JwksUriOptions, localKeySet, parseKeySet, parsePublicKey, remoteKeySet } from "./jwks.js";
import { normalizeTyp } from "./parse.js";

/**
 * One JWT credential: who issues the tokens, which key checks them, and the rules they must keep. Exactly one of
 * `secret`, `publicKey`, `jwks` and `jwksUri` is given.
 *
 * @example
 * { issuer: "orders", audience: "https://hooks.example/in", jwksUri: "https://issuer.example/jwks.json" }
 */
export interface JwtOptions extends LifetimeOptions {
  /** Stable name, for logs and the command line; unique within its service; at most 256 characters. Default: `jwt-1`, `jwt-2` … */
  readonly id?: string | undefined;
  /**
   * The `kid` by which tokens name the key of `secret` or `publicKey`; 1 to 256 characters. Default: a JWK's own, else
   * `id`. A credential without any of them takes tokens with or without any `kid` while it is the only credential of its issuer,
   * counting inactive and expired ones; otherwise it takes only tokens without a `kid`.
   */
  readonly kid?: string | undefined;
  /** The only `iss` accepted, compared exactly (RFC 7519 section 4.1.1). */
  readonly issuer: string | undefined;
  /** At least one of these must be in `aud` (RFC 7519 section 4.1.3). Default: `aud` is not checked; give it wherever senders set it. */
  readonly audience?: string | readonly string[] | undefined;
  /** JWS algorithms accepted, of one family (RFC 7518 section 3.1). Default: HS256, RS256, ES256 to ES512 or EdDSA, by the key. */
  readonly algorithms?: readonly string[] | undefined;
  /** Shared secret for HMAC: text, bytes, or `{ base64 }`. At least as long as the hash: 32 bytes for HS256. */
  readonly secret?: SecretMaterial | undefined;
  /** The sender's public key: PEM text or a JWK. RSA keys must have at least 2048 bits. */
  readonly publicKey?: string | PublicJwk | undefined;
  /** The sender's public keys as a JWK set (RFC 7517 section 5), at most 100. */
  readonly jwks?:
    | {
        /** The keys of the set. */
        readonly keys: readonly PublicJwk[];
      }
    | undefined;
  /** Where the sender publishes its JWK set: an `https:` URL, or options with the URL as `uri`. Fetched when a token first needs it. */
  readonly jwksUri?: string | JwksUriOptions | undefined;
  /**
   * Oldest token accepted, counted from its `iat`, `"1s"` to `"3650d"`. `iat` is then required, and `exp` is not. Default: no
   * limit.
   */
  readonly maxAge?: Duration | undefined;
  /** Longest lifetime that a token may claim: `exp` minus `iat`, or minus now, `"1s"` to `"3650d"`. Default: `"1d"`. */
  readonly maxLifetime?: Duration | undefined;
  /** Clock difference allowed for `exp`, `nbf` and `iat`, `"0s"` to `"5m"`. Default: `"5s"`. */
  readonly clockTolerance?: Duration | undefined;
  /** Claims that must be present and not null, such as `["sub"]`. Default: only `iss` and `exp` are required. */
  readonly requiredClaims?: readonly string[] | undefined;
  /** Accepted `typ` of the token's header (RFC 8725 section 3.11), in any case; `"JWT"` also accepts a token without it. Default: `"JWT"`. */
  readonly typ?: string | undefined;
  /** Claim that must hold the SHA-256 of the body, in hex, base64url or base64. Default: tokens are not bound to bodies. */
  readonly bodyHashClaim?: string | undefined;
  /**
   * `true`: each token is good for one delivery, told by its `jti`, which is then required: a string of 1 to 255
   * characters. Needs a receiver with an inbox, which remembers it until it has expired. Default: false.
   */
  readonly oneTimeUse?: boolean | undefined;
  /** `true` accepts an HMAC secret that is shorter than its hash, and therefore easier to guess. Default: refused. */
  readonly insecureShortSecret?: boolean | undefined;
}

/** What parsing JWT options needs in addition to them. */
interface JwtOptionsContext {
  readonly owner: Owner;
  /** The credential's id where the options have none. */
  readonly defaultId: string;
  readonly clock: Clock;
  /** Told when a remote key set cannot be fetched. */
  readonly onEvent?: (report: CredentialReport) => void;
}

const keyOptionNames = ["secret", "publicKey", "jwks", "jwksUri"] as const;

const optionNames = optionKeys<JwtOptions>({
  id: true,
  kid: true,
  issuer: true,
  audience: true,
  algorithms: true,
  secret: true,
  publicKey: true,
  jwks: true,
  jwksUri: true,
  maxAge: true,
  maxLifetime: true,
  clockTolerance: true,
  requiredClaims: true,
  typ: true,
  bodyHashClaim: true,
  oneTimeUse: true,
  insecureShortSecret: true,
  state: true,
  notBefore: true,
  expiresAt: true,
});

/** Resolves the options of one JWT credential. TypeError, naming option and fix, for every mistake (ATTACKS A05, A10–A13, A26). */
export function parseJwtOptions(
  options: unknown,
  where: string,
  context: JwtOptionsContext,
): TokenCredential {
  assertOptions(options, optionNames, where);
  const lifetime = parseLifetime(options, where);
  const id = own(options, "id");
  const algorithms = parseAlgorithms(own(options, "algorithms"), `${where}.algorithms`);
  const rules = parseRules(options, where);
  const { keys, accepted } = parseKeys(options, where, { ...context, algorithms });
  return Object.freeze({
    kind: "jwt",
    id: id === undefined ? context.defaultId : kidOption(id, `${where}.id`),
    owner: context.owner,
    ...lifetime,
    policy: Object.freeze({ ...rules, algorithms: accepted }),
    keys,
  });
}

function parseRules(options: Record<string, unknown>, where: string): Omit<TokenPolicy, "algorithms"> {
  const maxAge = own(options, "maxAge");
  const decade = { min: "1s", max: "3650d", fallback: "1d" } as const;
  const bodyHashClaim = own(options, "bodyHashClaim");
  return {
    issuer: stringOption(own(options, "issuer"), `${where}.issuer`),
    audience: parseAudience(own(options, "audience"), `${where}.audience`),
    maxAgeSeconds:
      maxAge === undefined ? undefined : durationOption(maxAge, `${where}.maxAge`, decade) / 1000,
    maxLifetimeSeconds: durationOption(own(options, "maxLifetime"), `${where}.maxLifetime`, decade) / 1000,
    clockToleranceSeconds:
      durationOption(own(options, "clockTolerance"), `${where}.clockTolerance`, {
        min: "0s",
        max: "5m",
        fallback: "5s",
      }) / 1000,
    requiredClaims: stringList(own(options, "requiredClaims") ?? [], `${where}.requiredClaims`),
    typ: normalizeTyp(stringOption(own(options, "typ") ?? "JWT", `${where}.typ`)),
    bodyHashClaim:
      bodyHashClaim === undefined ? undefined : stringOption(bodyHashClaim, `${where}.bodyHashClaim`),
    // Not `flagOption`: what leaves it out is the weaker of the two.
    oneTimeUse: switchOption(own(options, "oneTimeUse"), `${where}.oneTimeUse`, false),
  };
}

function parseAudience(value: unknown, where: string): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string") return [stringOption(value, where)];
  const list = stringList(value, where);
  if (list.length === 0)
    throw new OptionError(where, ` is empty, so no token could pass; name an audience or leave it out`);
  return list;
}

function stringList(value: unknown, where: string): readonly string[] {
  if (!Array.isArray(value))
    throw new OptionError(where, ` must be an array of strings, not ${describe(value)}`);
  return Object.freeze(value.map((entry: unknown, index) => stringOption(entry, `${where}[${index}]`)));
}

function kidOption(value: unknown, where: string): string {
  const kid = stringOption(value, where);
  if (kid.length > maxKidLength)
    throw new OptionError(where, ` must have at most ${maxKidLength} characters`);
  return kid;
}

interface KeyContext extends JwtOptionsContext {
  readonly algorithms: readonly JwsAlgorithm[] | undefined;
}

interface ParsedKeys {
  readonly keys: KeySet;
  readonly accepted: readonly string[];
}

function parseKeys(options: Record<string, unknown>, where: string, context: KeyContext): ParsedKeys {
  const name = keyOption(options, where);
  const material = own(options, name);
  const at = `${where}.${name}`;
  const { algorithms } = context;
  const insecureShortSecret = flagOption(own(options, "insecureShortSecret"), `${where}.insecureShortSecret`);
  if (insecureShortSecret && name !== "secret") {
    throw new OptionError(`${where}.insecureShortSecret`, ` is only for \`secret\`; leave it out`);
  }
  if (name === "jwks" || name === "jwksUri") {
    if (own(options, "kid") !== undefined) {
      throw new OptionError(
        `${where}.kid`,
        ` is only for \`secret\` and \`publicKey\`: the keys of a set have their own`,
      );
    }
    return name === "jwks" ? localSet(material, at, algorithms) : remoteSet(material, at, context);
  }
  const given = { where: at, kid: parseKid(options, where), algorithms };
  const key =
    name === "secret"
      ? parseSecret(material, { ...given, insecureShortSecret })
      : parsePublicKey(material, given);
  return { keys: localKeySet([key]), accepted: key.algorithms };
}

/** The one option that holds the key. */
function keyOption(options: Record<string, unknown>, where: string): (typeof keyOptionNames)[number] {
  const given = keyOptionNames.filter((name) => own(options, name) !== undefined);
  const [name] = given;
  if (name === undefined) {
    const named = keyOptionNames.find((candidate) => Object.hasOwn(options, candidate));
    const hint = named === undefined ? "" : `; ${named} is undefined: is an environment variable missing?`;
    throw new OptionError(where, ` has no key: give one of ${keyOptionNames.join(", ")}${hint}`);
  }
  if (given.length > 1) {
    throw new OptionError(
      where,
      ` has ${given.join(" and ")}; a credential has one kind of key: make a credential of each ` +
        "(`jwt` takes an array)",
    );
  }
  return name;
}

/** `kid`, else a JWK's own, else `id`. */
function parseKid(options: Record<string, unknown>, where: string): string | undefined {
  const kid = own(options, "kid");
  if (kid !== undefined) return kidOption(kid, `${where}.kid`);
  const key = own(options, "publicKey");
  if (typeof key === "object" && key !== null && Object.hasOwn(key, "kid")) return undefined;
  const id = own(options, "id");
  return id === undefined ? undefined : kidOption(id, `${where}.id`);
}

/** What a set's tokens may use: what was asked for, or all that a public key can check, each key only its own. */
function setAlgorithms(algorithms: readonly JwsAlgorithm[] | undefined, where: string): readonly string[] {
  const secret = algorithms?.find((algorithm) => algorithm.kty === "oct");
  if (secret !== undefined) {
    throw new OptionError(
      where,
      ` holds public keys, which cannot check ${secret.name}; give a shared secret as \`secret\``,
    );
  }
  const all = [...jwsAlgorithms.values()].filter((algorithm) => algorithm.kty !== "oct");
  return (algorithms ?? all).map((algorithm) => algorithm.name);
}

function localSet(jwks: unknown, where: string, algorithms: readonly JwsAlgorithm[] | undefined): ParsedKeys {
  setAlgorithms(algorithms, where);
  const keys = parseKeySet(jwks, { where, algorithms });
  if (keys.length === 0) {
    throw new OptionError(
      where,
      ` has no key that can check tokens${algorithms === undefined ? "" : " with the given `algorithms`"}; ` +
        "look at the keys' kty, use and alg",
    );
  }
  return { keys: localKeySet(keys), accepted: [...new Set(keys.flatMap((key) => key.algorithms))] };
}

function remoteSet(jwksUri: unknown, where: string, context: KeyContext): ParsedKeys {
  const { algorithms, clock, onEvent } = context;
  const accepted = setAlgorithms(algorithms, where);
  return { keys: remoteKeySet(jwksUri, { where, algorithms, clock, onEvent }), accepted };
}

/** What is asked of a secret. */
interface SecretOptions {
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

/** The parameters of `parseJwtOptions`. */
type ParseToken = typeof parseJwtOptions;

/** Where credentials with remote key sets are remembered, by the text of their options. */
interface RemoteMemory {
  get(name: string): TokenCredential | undefined;
  set(name: string, credential: TokenCredential): void;
}

/**
 * `parse`, except that a credential whose key set is remote keeps the set that it had: its last good keys and its
 * cooldown must outlive a reload, or a set that cannot be reached just then would lock its senders out. Owner, state
 * and lifetime are always read anew.
 */
export function reusingRemoteSets(parse: ParseToken, memory: RemoteMemory): ParseToken {
  return (options, where, context) => {
    const { tenant, service } = context.owner;
    const name = remoteSetName(options, [tenant, service, context.defaultId]);
    if (name === undefined) return parse(options, where, context);
    const earlier = memory.get(name);
    const credential =
      earlier === undefined
        ? parse(options, where, context)
        : { ...earlier, owner: context.owner, ...parseLifetime(options as Record<string, unknown>, where) };
    memory.set(name, credential);
    return credential;
  };
}

function remoteSetName(options: unknown, place: readonly unknown[]): string | undefined {
  if (typeof options !== "object" || options === null || !Object.hasOwn(options, "jwksUri")) return undefined;
  const rest = Object.entries(options).filter(([name]) => !lifetimeOptionNames.includes(name));
  return JSON.stringify([place, rest]);
}
