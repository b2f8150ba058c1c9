import { own } from "../../lib/options.js";
import type { TokenPolicy } from "../../types/credential.js";
import type { ParsedToken } from "./parse.js";

/** No date beyond this, in seconds (the year 5138): it would be milliseconds, or past what a double counts exactly. */
const latestDate = 100_000_000_000;

const longestTokenId = 255;

type Claims = ParsedToken["claims"];

/** What in a token breaks a policy. */
export interface PolicyFault {
  /** A fixed name of the cause; never text from outside. */
  readonly fault: string;
  /** For the operator. */
  readonly reason: string;
}

function broken(fault: string, reason: string): PolicyFault {
  return { fault, reason };
}

/**
 * What in a token breaks a policy, for the operator, or undefined. Needs no key. Covers the claims of RFC 7519 section
 * 4.1 and `typ` (RFC 8725 section 3.11); all comparisons of text are exact. `nowMs`: milliseconds since the epoch.
 * `issuer`: from `issuerOf`, where tokens may leave it out.
 */
export function policyFault(
  token: ParsedToken,
  policy: TokenPolicy,
  nowMs: number,
  issuer: unknown = own(token.claims, "iss"),
): PolicyFault | undefined {
  const { claims } = token;
  if (!policy.algorithms.includes(token.algorithm)) {
    return broken("alg", `the token's alg is not among the accepted: ${policy.algorithms.join(", ")}`);
  }
  if (token.typ !== policy.typ && !(token.typ === undefined && policy.typ === "jwt")) {
    return broken("typ", `the token's typ is not "${policy.typ}"`);
  }
  if (issuer !== policy.issuer) return broken("issuer", `iss is not exactly "${policy.issuer}"`);
  return (
    audienceFault(own(claims, "aud"), policy.audience) ??
    textFault(claims) ??
    timeFault(claims, policy, nowMs / 1000) ??
    requiredFault(claims, policy)
  );
}

/** `iss`, whatever it is; the default only where there is none at all. */
export function issuerOf(claims: Claims, defaultIssuer: string | undefined): unknown {
  return Object.hasOwn(claims, "iss") ? claims.iss : defaultIssuer;
}

/**
 * Between which instants, in milliseconds since the epoch, a token that passed would pass again: from the later of
 * `nbf` and `iat` until the earlier of `exp` and `iat` plus the maximum age, each with the tolerance.
 */
export function tokenLifeMs(
  claims: Claims,
  policy: TokenPolicy,
): { readonly fromMs: number; readonly untilMs: number } {
  const exp = own(claims, "exp");
  const iat = own(claims, "iat");
  const nbf = own(claims, "nbf");
  let from = Number.NEGATIVE_INFINITY;
  let until = Number.POSITIVE_INFINITY;
  if (typeof exp === "number") until = exp;
  if (typeof nbf === "number") from = nbf;
  if (typeof iat === "number") {
    from = Math.max(from, iat);
    if (policy.maxAgeSeconds !== undefined) until = Math.min(until, iat + policy.maxAgeSeconds);
  }
  const { clockToleranceSeconds } = policy;
  return { fromMs: (from - clockToleranceSeconds) * 1000, untilMs: (until + clockToleranceSeconds) * 1000 };
}

function audienceFault(aud: unknown, accepted: readonly string[] | undefined): PolicyFault | undefined {
  const list: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (aud !== undefined && !list.every((entry) => typeof entry === "string")) {
    return broken("audience", "aud is not a string or an array of strings");
  }
  if (accepted === undefined || list.some((entry) => accepted.includes(entry as string))) return undefined;
  return broken("audience", `aud does not contain ${accepted.map((entry) => `"${entry}"`).join(" or ")}`);
}

function textFault(claims: Claims): PolicyFault | undefined {
  const sub = own(claims, "sub");
  const jti = own(claims, "jti");
  if (sub !== undefined && typeof sub !== "string") return broken("claim-type", "sub is not a string");
  if (jti !== undefined && typeof jti !== "string") return broken("claim-type", "jti is not a string");
  return undefined;
}

function timeFault(claims: Claims, policy: TokenPolicy, now: number): PolicyFault | undefined {
  const exp = own(claims, "exp");
  const nbf = own(claims, "nbf");
  const iat = own(claims, "iat");
  const { maxAgeSeconds, maxLifetimeSeconds, clockToleranceSeconds } = policy;
  if (!isDate(exp)) return dateFault("exp");
  if (!isDate(nbf)) return dateFault("nbf");
  if (!isDate(iat)) return dateFault("iat");
  if (iat !== undefined && iat > now + clockToleranceSeconds)
    return broken("issued-in-the-future", `iat is in the future: ${iat}, now ${now}`);
  if (maxAgeSeconds !== undefined) {
    if (iat === undefined) return broken("issue-time-missing", "iat is missing; maxAge requires it");
    if (now >= iat + maxAgeSeconds + clockToleranceSeconds) {
      return broken("too-old", `the token is older than ${maxAgeSeconds} s: iat ${iat}, now ${now}`);
    }
  }
  if (nbf !== undefined && nbf > now + clockToleranceSeconds)
    return broken("not-yet-valid", `the token is not valid yet: nbf ${nbf}, now ${now}`);
  if (exp === undefined)
    return maxAgeSeconds === undefined ? broken("no-expiry", "exp is missing") : undefined;
  if (now >= exp + clockToleranceSeconds)
    return broken("expired", `the token has expired: exp ${exp}, now ${now}`);
  if (iat !== undefined && iat > exp) return broken("dates", "iat is after exp");
  if (exp - (iat ?? now) > maxLifetimeSeconds + clockToleranceSeconds) {
    return broken(
      "lifetime",
      `the token claims a lifetime of more than ${maxLifetimeSeconds} s (maxLifetime)`,
    );
  }
  return undefined;
}

/** A NumericDate (RFC 7519 section 2) that can be meant, or nothing. The parser has refused infinite numbers. */
function isDate(value: unknown): value is number | undefined {
  return value === undefined || (typeof value === "number" && value >= 0 && value <= latestDate);
}

function dateFault(claim: string): PolicyFault {
  return broken(
    "dates",
    `${claim} is not a number of seconds since 1970 (milliseconds, text and null are refused)`,
  );
}

function isTokenId(jti: unknown): boolean {
  return typeof jti === "string" && jti !== "" && jti.length <= longestTokenId;
}

function requiredFault(claims: Claims, policy: TokenPolicy): PolicyFault | undefined {
  for (const claim of policy.requiredClaims) {
    if ((own(claims, claim) ?? null) === null)
      return broken("claim-missing", `the claim "${claim}" is missing`);
  }
  if (policy.oneTimeUse === true && !isTokenId(own(claims, "jti"))) {
    return broken(
      "token-id",
      `jti is missing, empty or longer than ${longestTokenId} characters; oneTimeUse requires it`,
    );
  }
  const { bodyHashClaim } = policy;
  if (bodyHashClaim === undefined) return undefined;
  return typeof own(claims, bodyHashClaim) === "string"
    ? undefined
    : broken("body-hash", `the claim "${bodyHashClaim}" (bodyHashClaim) is missing or not a string`);
}
