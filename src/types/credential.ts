import type { webcrypto } from "node:crypto";

/** A value that is at hand or comes later. The hot path awaits only where it must. */
export type MaybePromise<T> = T | Promise<T>;

/** The kinds of key that are sent in the key header. */
export type KeyKind = "service-key" | "profile-key";

/** The kinds of credential that a route can accept. */
export type CredentialKind = "jwt" | KeyKind;

/** A list of addresses, compiled. The list behind it may be replaced while it is in use. */
export interface AddressList {
  /** `shadow`: what the list would refuse is reported and passes. */
  readonly mode: "enforce" | "shadow";
  /** Whether the address is on the list. */
  has(address: IpAddress): boolean;
}

/** Who holds a credential. */
export interface Owner {
  /** Name of the tenant. */
  readonly tenant: string;
  /** Name of the service. Left out for what belongs to the tenant itself: profile keys. */
  readonly service?: string | undefined;
  /** Lists that apply once this owner is known: the tenant's, then the service's. All must have the address. */
  readonly allowIps: readonly AddressList[];
}

/** What every credential has. Times are milliseconds since the epoch; `Infinity` stands for "no end". */
export interface Credential {
  /** Stable name, unique within its owner; used in logs and by the command line. Never secret. */
  readonly id: string;
  /** Whose it is. */
  readonly owner: Owner;
  /** False: switched off; a request that presents it is refused. */
  readonly active: boolean;
  /** Valid from this instant on. */
  readonly notBeforeMs: number;
  /** Valid before this instant. */
  readonly expiresAtMs: number;
}

/** A service key or profile key, known by its digest only. */
export interface KeyCredential extends Credential {
  /** The kind of key. */
  readonly kind: KeyKind;
  /** SHA-256 of the key's bytes, 32 bytes. */
  readonly digest: Buffer;
}

/** A key that can check signatures made with the algorithms it lists. */
export interface VerificationKey {
  /** The `kid` that tokens name this key by; undefined in a set whose key has none. */
  readonly kid: string | undefined;
  /** JWS algorithms that this key may check (RFC 7518 section 3.1). Never taken from a token. */
  readonly algorithms: readonly string[];
  /** The imported key for one of `algorithms`. A promise only until the import has finished. */
  cryptoKey(algorithm: string): MaybePromise<webcrypto.CryptoKey>;
}

/** Where the keys of one JWT credential come from: the key itself, a local set, a remote set. */
export interface KeySet {
  /**
   * The keys for a token that names `kid`, or names none. Never more than four.
   * Throws CredentialsUnavailableError where a remote set was never reached, or is too old to trust.
   */
  find(kid: string | undefined, algorithm: string): MaybePromise<readonly VerificationKey[]>;
  /**
   * True of a single key that no `kid` or id names, beside other credentials of its issuer: a token with a `kid` would get
   * it if it stood alone.
   */
  readonly unnamed?: boolean | undefined;
  /** Ends timers and requests of a remote set. */
  close?(): void;
}

/** The rules a token must keep (RFC 7519 section 4.1, RFC 8725). */
export interface TokenPolicy {
  /** Exact issuer. */
  readonly issuer: string;
  /** `aud` must contain at least one of these; undefined: `aud` is not checked. */
  readonly audience: readonly string[] | undefined;
  /** JWS algorithms accepted: of one family where the user names them; a set without names takes what its keys bring. */
  readonly algorithms: readonly string[];
  /** Seconds since `iat` after which a token is too old; then `iat` is required and `exp` is not. */
  readonly maxAgeSeconds: number | undefined;
  /** The longest life that a token may claim for itself: `exp` minus `iat` (or minus now), in seconds. */
  readonly maxLifetimeSeconds: number;
  /** Clock difference allowed for `exp`, `nbf` and `iat`, 0 to 300 seconds. */
  readonly clockToleranceSeconds: number;
  /** Claims that must be present and not null. */
  readonly requiredClaims: readonly string[];
  /** Accepted `typ` of the token's header, lower case; "jwt" also accepts an absent one. */
  readonly typ: string;
  /** Claim that must hold the SHA-256 of the body; undefined: none. */
  readonly bodyHashClaim: string | undefined;
  /** A token is good for one delivery, told by its `jti`; the receiver's inbox remembers it. Left out: false. */
  readonly oneTimeUse?: boolean | undefined;
}

/** A JWT verification key of one service. */
export interface TokenCredential extends Credential {
  /** The kind of credential. */
  readonly kind: "jwt";
  /** The rules that its tokens must keep. */
  readonly policy: TokenPolicy;
  /** The keys that verify its tokens. */
  readonly keys: KeySet;
}

/** What credentials tell the operator; it holds no secret. */
export interface CredentialReport {
  /** `error`: credentials cannot be checked or updated. */
  readonly level: "warn" | "error";
  /** What happened, and what to do. */
  readonly message: string;
  /** Members for the log, such as the path of the file. */
  readonly details: object;
}

/**
 * Where credentials are looked up. Both methods return also what is inactive or outside its lifetime: the gate
 * judges that. They throw CredentialsUnavailableError where they cannot answer.
 */
export interface CredentialProvider {
  /** The issuer of tokens without `iss`. Left out: such tokens are refused. */
  readonly defaultIssuer?: string | undefined;
  /** The key of this kind whose SHA-256 has this lower-case hex form. */
  findKey(digest: string, kind: KeyKind): MaybePromise<KeyCredential | undefined>;
  /** The JWT credentials of an issuer, in the order in which they were given. */
  findTokenCredentials(hint: {
    /** The token's `iss`, or `defaultIssuer`. */
    readonly issuer: string;
    /** The token's `kid`. */
    readonly keyId: string | undefined;
    /** What counts as the sender's address, for lookups that are rationed by it. */
    readonly network?: string | undefined;
  }): MaybePromise<readonly TokenCredential[]>;
  /** Told that a delivery from this network carried a valid token and the body that the token names. */
  noteGenuine?(network: string): void;
  /** Resolves when lookups can be answered. */
  ready?(): Promise<void>;
  /**
   * Tells `listener` what the operator should know: a file that cannot be read, a key set that cannot be fetched.
   * What was reported before the first listener came is told to it. Returns the function that ends it.
   */
  observe?(listener: (report: CredentialReport) => void): () => void;
  /** Ends watchers, timers and requests. */
  close?(): void;
}

/**
 * An IP address as 32-bit words, so that it compares without text. IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2)
 * is IPv4 here, in whatever spelling it came.
 */
export interface IpAddress {
  /** Version of the protocol. */
  readonly family: 4 | 6;
  /** Unsigned 32-bit words, most significant first: one for IPv4, four for IPv6. */
  readonly words: readonly number[];
}
