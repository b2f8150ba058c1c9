import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { CredentialsUnavailableError } from "../../errors.js";
import { defaultAlgorithms, fits, type JwsAlgorithm } from "../../keys/algorithms.js";
import { importableKey, type PublicKey, readPublicJwk, readPublicPem } from "../../keys/public-key.js";
import type { Clock } from "../../lib/clock.js";
import type { Duration, DurationBounds } from "../../lib/duration.js";
import { onFirstUse } from "../../lib/module-loading.js";
import {
  assertOptions,
  describe,
  durationOption,
  flagOption,
  OptionError,
  optionKeys,
  own,
  stringOption,
} from "../../lib/options.js";
import type { CredentialReport, KeySet, VerificationKey } from "../../types/credential.js";
import { createPrivateAddressCheck } from "./private-address.js";

/** Most keys that a token without `kid` is tried with. */
const maxKeysWithoutKid = 4;

const none: readonly VerificationKey[] = [];

/** A key set that answers at once. */
interface LocalKeySet extends KeySet {
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

/** A JWK set that is fetched over HTTPS and kept. */
export interface JwksUriOptions {
  /** URL of the set, `https:` only. Redirects are not followed. */
  readonly uri: string | undefined;
  /** Certificate authorities in PEM, instead of those that Node.js trusts. Default: Node's. */
  readonly ca?: string | undefined;
  /** Time limit of one fetch, `"100ms"` to `"1m"`. Default: `"5s"`. */
  readonly timeout?: Duration | undefined;
  /** Shortest time between the starts of two fetches, whatever `kid`s tokens name, `"1s"` to `"30d"`. Default: `"30s"`. */
  readonly cooldown?: Duration | undefined;
  /** Age at which the set is fetched again, `"1s"` to `"30d"`. Default: `"10m"`. */
  readonly maxAge?: Duration | undefined;
  /**
   * How long after `maxAge` the last good set is still used while fetching fails, `"0s"` to `"30d"`; then 503
   * (`ERR_CREDENTIALS_UNAVAILABLE`). Default: `"1h"`.
   */
  readonly staleIfError?: Duration | undefined;
  /** `true` allows a URL on a loopback, private or link-local address. Default: refused, so that nobody reaches internal services by it. */
  readonly dangerouslyAllowPrivateAddress?: boolean | undefined;
}

const optionNames = optionKeys<JwksUriOptions>({
  uri: true,
  ca: true,
  timeout: true,
  cooldown: true,
  maxAge: true,
  staleIfError: true,
  dangerouslyAllowPrivateAddress: true,
});

/** What a remote set needs in addition to its options. */
interface RemoteContext {
  readonly where: string;
  /** Algorithms that are asked for; undefined: the usual one of each key. */
  readonly algorithms: readonly JwsAlgorithm[] | undefined;
  readonly clock: Clock;
  readonly onEvent: ((report: CredentialReport) => void) | undefined;
}

/**
 * Reads `jwksUri`, a URL or options, into a key set. Nothing is fetched before the first token asks. TypeError for
 * anything but an https URL without credentials on an address that may be connected to.
 */
export function remoteKeySet(options: unknown, context: RemoteContext): KeySet {
  const { where } = context;
  const given: unknown = typeof options === "string" ? { uri: options } : options;
  assertOptions(given, optionNames, where);
  const duration = (name: string, bounds: DurationBounds): number =>
    durationOption(own(given, name), `${where}.${name}`, bounds);
  const allowPrivate = flagOption(
    own(given, "dangerouslyAllowPrivateAddress"),
    `${where}.dangerouslyAllowPrivateAddress`,
  );
  const isForbiddenAddress = allowPrivate ? undefined : createPrivateAddressCheck();
  return new RemoteKeySet({
    ...context,
    uri: parseUri(own(given, "uri"), `${where}.uri`, isForbiddenAddress),
    ca: parseCa(own(given, "ca"), `${where}.ca`),
    timeoutMs: duration("timeout", { min: "100ms", max: "1m", fallback: "5s" }),
    cooldownMs: duration("cooldown", { min: "1s", max: "30d", fallback: "30s" }),
    maxAgeMs: duration("maxAge", { min: "1s", max: "30d", fallback: "10m" }),
    staleIfErrorMs: duration("staleIfError", { min: "0s", max: "30d", fallback: "1h" }),
    isForbiddenAddress,
  });
}

function parseUri(
  value: unknown,
  where: string,
  isForbiddenAddress: ((address: string) => boolean) | undefined,
): URL {
  const uri = typeof value === "string" && URL.canParse(value) ? new URL(value) : undefined;
  if (uri?.protocol !== "https:") {
    throw new OptionError(
      where,
      ` must be an https URL, such as "https://issuer.example/jwks.json", not ${describe(value)} ` +
        "of another form: keys that come over plain HTTP could be anyone's",
    );
  }
  if (uri.username !== "" || uri.password !== "") {
    throw new OptionError(where, ` must not hold a user name or password: a public key set needs none`);
  }
  const host = uri.hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) !== 0 && isForbiddenAddress?.(host) === true) {
    throw new OptionError(
      where,
      ` is on ${host}, outside the public internet; if that is intended, set dangerouslyAllowPrivateAddress: true`,
    );
  }
  return uri;
}

function parseCa(value: unknown, where: string): string | undefined {
  if (value === undefined) return undefined;
  const ca = stringOption(value, where);
  try {
    new X509Certificate(ca);
  } catch (cause) {
    throw new OptionError(where, ` must be a certificate in PEM, "-----BEGIN CERTIFICATE-----" and so on`, {
      cause,
    });
  }
  return ca;
}

interface Settings extends RemoteContext {
  readonly uri: URL;
  readonly ca: string | undefined;
  readonly timeoutMs: number;
  readonly cooldownMs: number;
  readonly maxAgeMs: number;
  readonly staleIfErrorMs: number;
  readonly isForbiddenAddress: ((address: string) => boolean) | undefined;
}

/** Node's modules for HTTPS and DNS come with it. */
const loadFetcher = onFirstUse(() => import("./fetch-key-set.js"));

interface GoodSet {
  readonly keys: LocalKeySet;
  readonly fetchedAtMs: number;
}

/**
 * One fetch at a time, at most one per cooldown, and the last good set until it is too old: neither a flood of
 * unknown kids (ATTACKS A31) nor a publisher in trouble (A32) decides how often we fetch or what we trust.
 */
class RemoteKeySet implements KeySet {
  readonly #settings: Settings;
  readonly #closing = new AbortController();
  /** The set's URL without its query, which may contain a secret. */
  readonly #name: string;
  #good: GoodSet | undefined;
  #startedAtMs = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | undefined;
  #lastFailure = "it was not fetched yet";

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#name = settings.uri.origin + settings.uri.pathname;
  }

  find(
    kid: string | undefined,
    algorithm: string,
  ): readonly VerificationKey[] | Promise<readonly VerificationKey[]> {
    const good = this.#usable();
    if (good === undefined) return this.#findAfterFetch(kid, algorithm);
    const age = this.#settings.clock.now() - good.fetchedAtMs;
    if (age >= this.#settings.maxAgeMs) void this.#fetch();
    const found = good.keys.find(kid, algorithm);
    // A new key may have been published. Without a kid there is no new key to look for.
    if (found.length > 0 || kid === undefined) return found;
    return this.#fetch() === undefined ? found : this.#findAfterFetch(kid, algorithm);
  }

  close(): void {
    this.#closing.abort();
  }

  async #findAfterFetch(kid: string | undefined, algorithm: string): Promise<readonly VerificationKey[]> {
    await this.#fetch();
    const good = this.#usable();
    if (good !== undefined) return good.keys.find(kid, algorithm);
    throw new CredentialsUnavailableError(
      `the key set ${this.#name} could not be fetched: ${this.#lastFailure}`,
    );
  }

  /** The last good set unless it is too old. */
  #usable(): GoodSet | undefined {
    const { clock, maxAgeMs, staleIfErrorMs } = this.#settings;
    const good = this.#good;
    return good !== undefined && clock.now() - good.fetchedAtMs < maxAgeMs + staleIfErrorMs
      ? good
      : undefined;
  }

  #hasUsable(): boolean {
    try {
      return this.#usable() !== undefined;
    } catch {
      return false;
    }
  }

  /** The fetch under way, or a new one; undefined while the cooldown lasts. Never rejects. */
  #fetch(): Promise<void> | undefined {
    if (this.#fetching !== undefined) return this.#fetching;
    const { clock, cooldownMs } = this.#settings;
    const now = clock.now();
    const sinceStart = now - this.#startedAtMs;
    // A clock that was set back must not make the cooldown last until it has caught up.
    if ((sinceStart >= 0 && sinceStart < cooldownMs) || this.#closing.signal.aborted) return undefined;
    this.#startedAtMs = now;
    this.#fetching = this.#refresh().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #refresh(): Promise<void> {
    const { algorithms, clock } = this.#settings;
    try {
      const { fetchKeySet } = await loadFetcher();
      const set = await fetchKeySet({ ...this.#settings, signal: this.#closing.signal });
      const keys = parseKeySet(set, { where: "the set", algorithms });
      if (keys.length === 0) this.#tell("warn", "has no key that can be used: every token will be refused");
      this.#good = { keys: localKeySet(keys), fetchedAtMs: clock.now() };
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.#lastFailure = error instanceof Error ? error.message : String(error);
      if (this.#hasUsable()) this.#tell("warn", "cannot be refreshed; the last good set stays in use");
      else this.#tell("error", "could not be fetched; tokens cannot be checked", this.#lastFailure);
    }
  }

  #tell(level: CredentialReport["level"], what: string, reason = this.#lastFailure): void {
    const details = { jwksUri: this.#name, reason };
    this.#settings.onEvent?.({ level, message: `${this.#settings.where}: the key set ${what}`, details });
  }
}

/** What is asked of a public key. */
interface KeyRules {
  /** The option that holds the key, for messages. */
  readonly where: string;
  /** The `kid` by which tokens name the key; undefined: a JWK's own. */
  readonly kid: string | undefined;
  /** From `parseAlgorithms`; undefined: the usual one of the key's kind, or a JWK's own `alg`. */
  readonly algorithms: readonly JwsAlgorithm[] | undefined;
}

/**
 * The verification key of a public key, PEM text or a JWK. The usual algorithm is RS256 for RSA, ES256, ES384 or ES512
 * by the curve, EdDSA for Ed25519. TypeError for private and weak keys, and for algorithms that do not fit the key.
 */
export function parsePublicKey(material: unknown, options: KeyRules): VerificationKey {
  const { where } = options;
  const key = typeof material === "string" ? readPublicPem(material, where) : readPublicJwk(material, where);
  if ("unusable" in key) throw new OptionError(where, ` ${key.unusable}`);
  const unfit = options.algorithms?.find((algorithm) => !suits(algorithm, key));
  if (unfit !== undefined) {
    const usual = usualAlgorithms(key).map((algorithm) => algorithm.name);
    throw new OptionError(
      where,
      ` is a key of kind ${key.curve ?? key.kty}${key.bound === undefined ? "" : ` bound to its alg ${usual}`}, ` +
        `which cannot check ${unfit.name}; leave \`algorithms\` out for ${usual}`,
    );
  }
  return importableKey(key.key, options.kid ?? key.kid, options.algorithms ?? usualAlgorithms(key));
}

/** Most keys that a set may hold: each costs time when the set is read. */
const maxSetKeys = 100;

/**
 * The usable keys of a JWK set (RFC 7517 section 5), in its order. Left out: keys for encryption, of unknown kinds, and
 * those that suit none of `algorithms`. TypeError, and so no key at all, for a set that repeats a `kid` or holds a
 * secret, a private key or a weak one: its publisher has lost control of it (ATTACKS A10, A12).
 */
export function parseKeySet(set: unknown, options: Omit<KeyRules, "kid">): readonly VerificationKey[] {
  const { where, algorithms } = options;
  const keys = typeof set === "object" && set !== null ? own(set as { keys?: unknown }, "keys") : undefined;
  if (!Array.isArray(keys)) {
    throw new OptionError(
      where,
      ` must be a JWK set, { keys: [ … ] }, not ${describe(set)} without such keys`,
    );
  }
  if (keys.length > maxSetKeys)
    throw new OptionError(where, ` has ${keys.length} keys; at most ${maxSetKeys} are allowed`);
  const kids = new Set<string>();
  const usable: VerificationKey[] = [];
  keys.forEach((member: unknown, index) => {
    const key = readPublicJwk(member, `${where}.keys[${index}]`);
    if (key.kid !== undefined && kids.size === kids.add(key.kid).size) {
      throw new OptionError(
        `${where}.keys`,
        `[${index}] has the kid of another key in the set; a kid names one key`,
      );
    }
    if ("unusable" in key) return;
    const accepted = algorithms?.filter((algorithm) => suits(algorithm, key)) ?? usualAlgorithms(key);
    if (accepted.length > 0) usable.push(importableKey(key.key, key.kid, accepted));
  });
  return usable;
}

function suits(algorithm: JwsAlgorithm, key: PublicKey): boolean {
  return fits(algorithm, key) && (key.bound === undefined || key.bound === algorithm);
}

function usualAlgorithms(key: PublicKey): readonly JwsAlgorithm[] {
  return key.bound === undefined ? defaultAlgorithms(key) : [key.bound];
}
