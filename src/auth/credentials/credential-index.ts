import { OptionError, own } from "../../lib/options.js";
import { printable } from "../../lib/printable.js";
import type { Credential, KeyCredential, KeyKind, KeySet, TokenCredential } from "../../types/credential.js";
import type { JwtOptions } from "../jwt/options.js";
import type { ParsedKey } from "../service-key.js";

/** Credentials by what a request presents. */
export interface CredentialIndex {
  /** The key of this kind whose SHA-256 has this lower-case hex form. */
  findKey(digest: string, kind: KeyKind): KeyCredential | undefined;
  /** The JWT credentials of an issuer, in the order of the definition. */
  findTokenCredentials(hint: {
    /** The `iss` of the token. */
    readonly issuer: string;
  }): readonly TokenCredential[];
  /** Every credential, in the order of the definition. */
  readonly all: readonly (KeyCredential | TokenCredential)[];
}

interface IndexedToken {
  readonly credential: TokenCredential;
  /** The `kid` that the credential itself names; undefined for sets, whose keys have their own. */
  readonly kid: string | undefined;
  /** A secret or public key, not a set. */
  readonly isSingleKey: boolean;
  /** Equal text means the same key material. */
  readonly material: string;
  readonly where: string;
}

const none: readonly TokenCredential[] = [];

/**
 * Builds an index and finds what conflicts: the same key twice anywhere (ATTACKS C11), two ids alike
 * within an owner, two JWT credentials between which a token could not choose (A28). Maps throughout, so that
 * `__proto__` is a name like any other (C06).
 */
export class IndexBuilder {
  readonly #problems: Problems;
  readonly #keys: Readonly<Record<KeyKind, Map<string, KeyCredential>>> = {
    "service-key": new Map(),
    "profile-key": new Map(),
  };
  readonly #keyPlaces = new Map<string, string>();
  readonly #tokens = new Map<string, IndexedToken[]>();
  readonly #ids = new Map<Credential["owner"], Map<string, string>>();
  readonly #all: (KeyCredential | TokenCredential)[] = [];

  constructor(problems: Problems) {
    this.#problems = problems;
  }

  addKey(parsed: ParsedKey, kind: KeyKind, owner: Credential["owner"], where: string): void {
    const hex = parsed.digest.toString("hex");
    const earlier = this.#keyPlaces.get(hex);
    if (earlier !== undefined) {
      this.#problems.add(
        `${where} is the same key as ${earlier}: its holder could be either; use a different key in each place`,
      );
    }
    this.#keyPlaces.set(hex, where);
    const credential: KeyCredential = Object.freeze({ ...parsed, kind, owner });
    this.#keys[kind].set(hex, credential);
    this.#claimId(credential, where);
  }

  addToken(credential: TokenCredential, options: JwtOptions, where: string): void {
    const added: IndexedToken = {
      credential,
      kid: kidOf(options),
      isSingleKey: own(options, "secret") !== undefined || own(options, "publicKey") !== undefined,
      material: keyMaterial(options),
      where,
    };
    const { issuer } = credential.policy;
    const siblings = this.#tokens.get(issuer) ?? [];
    for (const sibling of siblings) {
      const clash = clashOf(added, sibling);
      if (clash !== undefined) this.#problems.add(clash);
    }
    siblings.push(added);
    this.#tokens.set(issuer, siblings);
    this.#claimId(credential, where);
  }

  build(): CredentialIndex {
    const keys = this.#keys;
    const tokens = new Map<string, readonly TokenCredential[]>();
    const placed = new Map<KeyCredential | TokenCredential, TokenCredential>();
    for (const [issuer, indexed] of this.#tokens) {
      const credentials = indexed.map((each) => credentialAmong(each, indexed.length));
      for (const [at, { credential }] of indexed.entries()) {
        placed.set(credential, credentials[at] as TokenCredential);
      }
      tokens.set(issuer, Object.freeze(credentials));
    }
    return {
      findKey: (digest, kind) => keys[kind].get(digest),
      findTokenCredentials: ({ issuer }) => tokens.get(issuer) ?? none,
      all: Object.freeze(this.#all.map((credential) => placed.get(credential) ?? credential)),
    };
  }

  #claimId(credential: KeyCredential | TokenCredential, where: string): void {
    this.#all.push(credential);
    const ids = this.#ids.get(credential.owner) ?? new Map<string, string>();
    const earlier = ids.get(credential.id);
    if (earlier !== undefined) {
      this.#problems.add(
        `${where}.id is "${printable(credential.id)}", as is that of ${earlier}; ids are unique within their owner`,
      );
    }
    ids.set(credential.id, where);
    this.#ids.set(credential.owner, ids);
  }
}

/**
 * A credential as one of so many of its issuer, in whatever state. A key that nothing names and that is the issuer's only
 * one checks its tokens whatever their `kid` (ATTACKS A09): there is no other key that they could mean.
 */
function credentialAmong({ credential, kid, isSingleKey }: IndexedToken, siblings: number): TokenCredential {
  if (kid !== undefined || !isSingleKey) return credential;
  const { keys } = credential;
  const alone = siblings === 1;
  const set: KeySet = alone
    ? { find: (_kid, algorithm) => keys.find(undefined, algorithm) }
    : { ...keys, unnamed: true };
  return Object.freeze({ ...credential, keys: set });
}

/** Why a token could not tell two credentials of one issuer apart, or undefined. */
function clashOf(added: IndexedToken, earlier: IndexedToken): string | undefined {
  const sameKid = added.kid !== undefined && added.kid === earlier.kid;
  // Within one owner the same key under two kids is a rename in progress: the caller is the same either way.
  const sameKey = added.material === earlier.material && added.credential.owner !== earlier.credential.owner;
  if (!sameKid && !sameKey) return undefined;
  if (!overlap(added.credential.policy.audience, earlier.credential.policy.audience)) return undefined;
  const what = sameKid
    ? `the same issuer and kid "${printable(added.kid ?? "")}"`
    : "the same issuer and key";
  return (
    `${added.where} and ${earlier.where} have ${what}, so a token could belong to either; ` +
    `give each ${sameKid ? "a kid" : "a key"} or an audience of its own`
  );
}

/** Whether one token can satisfy both; an audience left out takes every token. */
function overlap(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return a === undefined || b === undefined || a.some((audience) => b.includes(audience));
}

/** As `parseJwtOptions` decides it: the keys of a set have their own. */
function kidOf(options: JwtOptions): string | undefined {
  if (own(options, "jwks") !== undefined || own(options, "jwksUri") !== undefined) return undefined;
  const publicKey = own(options, "publicKey");
  const ofJwk = typeof publicKey === "object" ? own(publicKey as { kid?: string }, "kid") : undefined;
  return own(options, "kid") ?? ofJwk ?? own(options, "id");
}

function keyMaterial(options: JwtOptions): string {
  const secret = own(options, "secret");
  const plain = secret instanceof Uint8Array ? { bytes: Buffer.from(secret).toString("base64") } : secret;
  return JSON.stringify([plain, own(options, "publicKey"), own(options, "jwks"), own(options, "jwksUri")]);
}

/**
 * Gathers the mistakes of one definition, so that they are fixed in one go. Only TypeErrors are gathered: anything
 * else is not a mistake of the person who configures.
 */
export class Problems {
  readonly #messages: string[] = [];
  #option: string | undefined;

  /** Runs `check`; what it throws becomes a problem, and the result undefined. */
  attempt<T>(check: () => T): T | undefined {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      this.add(error.message, error instanceof OptionError ? error.option : undefined);
      return undefined;
    }
  }

  /** `option`: the one that it is about. */
  add(message: string, option?: string): void {
    this.#messages.push(message);
    this.#option ??= option;
  }

  /** Throws one OptionError that names every problem and has the first one's option, or returns where there is none. */
  throwIfAny(): void {
    const [first] = this.#messages;
    if (first === undefined) return;
    const message =
      this.#messages.length === 1
        ? first
        : `${this.#messages.length} mistakes:\n${this.#messages.map((m) => `  - ${m}`).join("\n")}`;
    throw OptionError.of(this.#option ?? "credentials", message);
  }
}
