import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { CredentialsUnavailableError, Refusal } from "../../errors.js";
import { onFirstUse } from "../../lib/module-loading.js";
import { own } from "../../lib/options.js";
import { printable } from "../../lib/printable.js";
import type {
  CredentialProvider,
  MaybePromise,
  TokenCredential,
  VerificationKey,
} from "../../types/credential.js";
import type { JwtClaims } from "../../types/delivery.js";
import { issuerOf, type PolicyFault, policyFault, tokenLifeMs } from "./claims.js";
import { type ParsedToken, parseToken } from "./parse.js";

/** A token that passed every check. */
export interface VerifiedToken {
  readonly credential: TokenCredential;
  /** Frozen throughout: a token may be recognised, and then every delivery that carries it shares them. */
  readonly claims: JwtClaims;
  /** The key that verified the signature, and what the token said of it. */
  readonly key: VerificationKey;
  readonly keyId: string | undefined;
  readonly algorithm: string;
  /** The earliest instant at which this result is true, in milliseconds since the epoch. */
  readonly notBeforeMs: number;
  /**
   * When this result stops being true, in milliseconds since the epoch: the end of the token's life or of its
   * credential's, whichever comes first. The credential must still be the one that the source answers with.
   */
  readonly expiresAtMs: number;
}

/** Most keys that one token is tried with. */
const maxKeysPerToken = 4;

/**
 * Checks a compact JWT against the credentials of its issuer (RFC 7515 section 5.2, RFC 7519 section 7.2, RFC 8725).
 * `now` is in milliseconds, `network` what counts as the sender's address. Every "no" is a Refusal: ERR_TOKEN_INVALID whatever the cause, with the cause in its reason;
 * ERR_CREDENTIALS_UNAVAILABLE where the source or a key set cannot answer; ERR_INTERNAL for what nobody foresaw.
 */
export function verifyToken(
  token: string,
  source: CredentialProvider,
  now: number,
  network?: string,
): MaybePromise<VerifiedToken | Refusal> {
  const parsed = parseToken(token);
  if (!parsed.ok) return invalid(parsed.fault, parsed.reason);
  const issuer = issuerOf(parsed.claims, source.defaultIssuer);
  if (typeof issuer !== "string") return invalid("issuer-missing", "iss is missing or not a string");
  let found: MaybePromise<readonly TokenCredential[]>;
  try {
    found = source.findTokenCredentials({ issuer, keyId: parsed.keyId, network });
  } catch (error) {
    return failure(error);
  }
  const scene = { token, parsed, issuer, now };
  if (isList(found)) return decide(scene, found);
  return found.then((credentials) => decide(scene, credentials)).catch(failure);
}

/**
 * Whether the body is the one that the token's `bodyHashClaim` speaks of: SHA-256 of its bytes as lower-case hex,
 * base64url or base64. True for a credential without that claim in its policy. Takes the same time for any two hashes.
 */
export function bodyHashMatches(
  credential: TokenCredential,
  claims: JwtClaims,
  rawBody: Uint8Array,
): boolean {
  const claim = credential.policy.bodyHashClaim;
  if (claim === undefined) return true;
  const given = own(claims, claim);
  if (typeof given !== "string") return false;
  const digest = createHash("sha256").update(rawBody).digest();
  const forms = ["hex", "base64url", "base64"] as const;
  return forms.some((form) => sameText(given, digest.toString(form)));
}

/**
 * What tells a token apart from any other of its issuer: SHA-256 of `iss`, NUL and `jti` as base64url, and until when it
 * would pass, in milliseconds since the epoch. `claims` have passed the credential's policy.
 */
export function tokenUse(
  credential: TokenCredential,
  claims: JwtClaims,
): { readonly tokenId: string; readonly expiresAtMs: number } {
  const { issuer } = credential.policy;
  const tokenId = createHash("sha256").update(`${issuer}\0${claims.jti}`).digest("base64url");
  return { tokenId, expiresAtMs: tokenLifeMs(claims, credential.policy).untilMs };
}

function sameText(given: string, expected: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(expected);
  return a.length === b.length && timingSafeEqual(a, b);
}

/** A token under way. */
interface Scene {
  readonly token: string;
  readonly parsed: ParsedToken;
  /** `iss`, or the default issuer. */
  readonly issuer: string;
  readonly now: number;
}

/** What can be settled without a key is settled first, so that a bad token costs no signature check. */
function decide(
  scene: Scene,
  credentials: readonly TokenCredential[],
): MaybePromise<VerifiedToken | Refusal> {
  const { parsed, issuer, now } = scene;
  const candidates: TokenCredential[] = [];
  const faults: PolicyFault[] = [];
  for (const credential of credentials) {
    const fault = lifetimeFault(credential, now) ?? policyFault(parsed, credential.policy, now, issuer);
    if (fault === undefined) candidates.push(credential);
    else if (faults.length < maxKeysPerToken) {
      faults.push({ fault: fault.fault, reason: `credential "${credential.id}": ${fault.reason}` });
    }
  }
  if (candidates.length > 0) return tryKeys(scene, candidates, { all: credentials, faults });
  const [first] = faults;
  if (first !== undefined) return invalid(first.fault, reasonsOf(faults));
  return invalid("issuer-unknown", `no JWT credential has the issuer "${printable(issuer)}"`);
}

function lifetimeFault(credential: TokenCredential, now: number): PolicyFault | undefined {
  if (!credential.active) return { fault: "credential-inactive", reason: "it is inactive" };
  // Written so that NaN, from a source of somebody's own, refuses.
  if (!(now >= credential.notBeforeMs))
    return { fault: "credential-not-yet-valid", reason: "its notBefore has not come yet" };
  if (!(now < credential.expiresAtMs))
    return { fault: "credential-expired", reason: "its expiresAt has passed" };
  return undefined;
}

async function tryKeys(
  { token, parsed }: Scene,
  candidates: readonly TokenCredential[],
  others: { readonly all: readonly TokenCredential[]; readonly faults: readonly PolicyFault[] },
): Promise<VerifiedToken | Refusal> {
  let tried = 0;
  let unavailable: Refusal | undefined;
  for (const credential of candidates) {
    try {
      const keys = await credential.keys.find(parsed.keyId, parsed.algorithm);
      for (const key of keys) {
        if (!key.algorithms.includes(parsed.algorithm)) continue;
        if (tried === maxKeysPerToken)
          return invalid("signature", `none of the first ${tried} keys of the issuer verifies it`);
        tried += 1;
        if (await signatureHolds(token, key, parsed.algorithm)) return accepted(credential, key, parsed);
      }
    } catch (error) {
      const refusal = failure(error);
      if (refusal.code === "ERR_INTERNAL") return refusal;
      // A key set that is out of reach does not prevent another credential's key from being tried.
      unavailable ??= refusal;
    }
  }
  if (unavailable !== undefined) return unavailable;
  if (tried > 0)
    return invalid("signature", "the signature does not verify with the key of this issuer and kid");
  const fault = parsed.keyId === undefined ? "no-key" : "kid-unknown";
  return invalid(fault, reasonsOf([{ reason: noKey(parsed, others.all) }, ...others.faults]));
}

/**
 * Loads what signatures are verified with, at the latest for the first token. By their own paths: the whole of jose has four
 * times as many modules.
 */
export const loadJose = onFirstUse(async () => {
  const [{ compactVerify }, { JOSEError }] = await Promise.all([
    import("jose/jws/compact/verify"),
    import("jose/errors"),
  ]);
  return { compactVerify, JOSEError };
});

async function signatureHolds(token: string, key: VerificationKey, algorithm: string): Promise<boolean> {
  const { compactVerify, JOSEError } = await loadJose();
  const cryptoKey = await key.cryptoKey(algorithm);
  try {
    await compactVerify(token, cryptoKey, { algorithms: [algorithm] });
    return true;
  } catch (error) {
    if (error instanceof JOSEError) return false;
    throw error;
  }
}

function accepted(credential: TokenCredential, key: VerificationKey, parsed: ParsedToken): VerifiedToken {
  const { keyId, algorithm } = parsed;
  // Handlers are promised an issuer, also of senders who leave theirs out.
  const claims = { iss: credential.policy.issuer, ...parsed.claims };
  const life = tokenLifeMs(claims, credential.policy);
  return {
    credential,
    // policyFault has checked each registered claim against its type.
    claims: deepFreeze(claims) as JwtClaims,
    key,
    keyId,
    algorithm,
    notBeforeMs: Math.max(life.fromMs, credential.notBeforeMs),
    expiresAtMs: Math.min(life.untilMs, credential.expiresAtMs),
  };
}

/** The depth is bounded by the parser. */
function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const member of Object.values(value)) deepFreeze(member);
    Object.freeze(value);
  }
  return value;
}

function noKey({ keyId, algorithm }: ParsedToken, all: readonly TokenCredential[]): string {
  if (keyId === undefined) return `no key of the issuer checks ${printable(algorithm)}`;
  const what = `the token names kid "${printable(keyId)}", which no usable key of its issuer has; `;
  if (all.some(({ keys }) => keys.unnamed === true)) {
    return `${what}this issuer now has ${all.length === 2 ? "two" : all.length} keys; give each a kid`;
  }
  return `${what}set \`kid\` (or \`id\`) of the JWT credential to the kid that the sender uses`;
}

function isList(found: MaybePromise<readonly TokenCredential[]>): found is readonly TokenCredential[] {
  return Array.isArray(found);
}

function reasonsOf(faults: readonly Pick<PolicyFault, "reason">[]): string {
  return faults.map(({ reason }) => reason).join("; ");
}

function invalid(fault: string, reason: string): Refusal {
  return new Refusal("ERR_TOKEN_INVALID", reason, undefined, fault);
}

/** Fail closed: whatever was thrown, the token does not pass (ATTACKS A34). */
function failure(error: unknown): Refusal {
  if (error instanceof CredentialsUnavailableError)
    return new Refusal(error.code, error.message, error.cause);
  return new Refusal("ERR_INTERNAL", "the check of a token failed unexpectedly", error);
}
