import type { TokenPolicy } from "../contracts/credential.js";
import { own } from "../lib/options.js";
import type { ParsedToken } from "./token-format.js";

/** No date beyond this, in seconds (the year 5138): it would be milliseconds, or past what a double counts exactly. */
const latestDate = 100_000_000_000;

const longestTokenId = 255;

type Claims = ParsedToken["claims"];

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
): string | undefined {
  const { claims } = token;
  if (!policy.algorithms.includes(token.algorithm)) {
    return `the token's alg is not among the accepted: ${policy.algorithms.join(", ")}`;
  }
  if (token.typ !== policy.typ && !(token.typ === undefined && policy.typ === "jwt")) {
    return `the token's typ is not "${policy.typ}"`;
  }
  if (issuer !== policy.issuer) return `iss is not exactly "${policy.issuer}"`;
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
  const { toleranceSeconds } = policy;
  return { fromMs: (from - toleranceSeconds) * 1000, untilMs: (until + toleranceSeconds) * 1000 };
}

function audienceFault(aud: unknown, accepted: readonly string[] | undefined): string | undefined {
  const list: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (aud !== undefined && !list.every((entry) => typeof entry === "string")) {
    return "aud is not a string or an array of strings";
  }
  if (accepted === undefined || list.some((entry) => accepted.includes(entry as string))) return undefined;
  return `aud does not hold ${accepted.map((entry) => `"${entry}"`).join(" or ")}`;
}

function textFault(claims: Claims): string | undefined {
  const sub = own(claims, "sub");
  const jti = own(claims, "jti");
  if (sub !== undefined && typeof sub !== "string") return "sub is not a string";
  if (jti !== undefined && typeof jti !== "string") return "jti is not a string";
  return undefined;
}

function timeFault(claims: Claims, policy: TokenPolicy, now: number): string | undefined {
  const exp = own(claims, "exp");
  const nbf = own(claims, "nbf");
  const iat = own(claims, "iat");
  const { maxAgeSeconds, maxLifetimeSeconds, toleranceSeconds } = policy;
  if (!isDate(exp)) return dateFault("exp");
  if (!isDate(nbf)) return dateFault("nbf");
  if (!isDate(iat)) return dateFault("iat");
  if (iat !== undefined && iat > now + toleranceSeconds) return `iat lies in the future: ${iat}, now ${now}`;
  if (maxAgeSeconds !== undefined) {
    if (iat === undefined) return "iat is missing; maxAgeSeconds asks for it";
    if (now >= iat + maxAgeSeconds + toleranceSeconds) {
      return `the token is older than ${maxAgeSeconds} s: iat ${iat}, now ${now}`;
    }
  }
  if (nbf !== undefined && nbf > now + toleranceSeconds)
    return `the token is not valid yet: nbf ${nbf}, now ${now}`;
  if (exp === undefined) return maxAgeSeconds === undefined ? "exp is missing" : undefined;
  if (now >= exp + toleranceSeconds) return `the token has expired: exp ${exp}, now ${now}`;
  if (iat !== undefined && iat > exp) return "iat lies after exp";
  if (exp - (iat ?? now) > maxLifetimeSeconds + toleranceSeconds) {
    return `the token claims a life of more than ${maxLifetimeSeconds} s (maxLifetimeSeconds)`;
  }
  return undefined;
}

/** A NumericDate (RFC 7519 section 2) that can be meant, or nothing. The parser has refused infinite numbers. */
function isDate(value: unknown): value is number | undefined {
  return value === undefined || (typeof value === "number" && value >= 0 && value <= latestDate);
}

function dateFault(claim: string): string {
  return `${claim} is not a number of seconds since 1970 (milliseconds, text and null are refused)`;
}

function isTokenId(jti: unknown): boolean {
  return typeof jti === "string" && jti !== "" && jti.length <= longestTokenId;
}

function requiredFault(claims: Claims, policy: TokenPolicy): string | undefined {
  for (const claim of policy.requiredClaims) {
    if ((own(claims, claim) ?? null) === null) return `the claim "${claim}" is missing`;
  }
  if (policy.replay === "refuse" && !isTokenId(own(claims, "jti"))) {
    return `jti is missing, empty or longer than ${longestTokenId} characters; replay: "refuse" asks for it`;
  }
  const { bodyHashClaim } = policy;
  if (bodyHashClaim === undefined) return undefined;
  return typeof own(claims, bodyHashClaim) === "string"
    ? undefined
    : `the claim "${bodyHashClaim}" (bodyHashClaim) is missing or no string`;
}
