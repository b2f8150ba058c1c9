import { Refusal } from "../errors.js";
import { printable } from "../lib/printable.js";
import { isPromise } from "../lib/promises.js";
import { repeated, singleHeader } from "../lib/request-head.js";
import type {
  CredentialKind,
  CredentialProvider,
  KeyKind,
  MaybePromise,
  Owner,
  TokenCredential,
} from "../types/credential.js";
import type { Caller, JwtClaims } from "../types/delivery.js";
import type { CredentialPlaces, TokenCarrier } from "../types/source.js";
import type { VerifiedTokenCache } from "./jwt/cache.js";
import type { VerifiedToken } from "./jwt/verify.js";
import { findCaller } from "./service-key.js";

/** What a route accepts, prepared. */
export interface AuthPolicy {
  /** The kinds of key accepted, in the order in which they are tried. */
  readonly keyKinds: readonly KeyKind[];
  /** Lower-case name of the header that holds the key. */
  readonly keyHeader: string;
  /** Undefined only for a route that accepts anyone. */
  readonly credentials: CredentialProvider | undefined;
  /** Tokens checked against `credentials`; undefined where no JWT is accepted. */
  readonly tokens: VerifiedTokenCache | undefined;
  /** Where tokens are sent. Left out: `Authorization: Bearer`. */
  readonly tokenCarrier?: TokenCarrier | undefined;
  /** Further places of keys and tokens. Left out: none. */
  readonly places?: CredentialPlaces | undefined;
  /** Why a token that verified does not pass for this path and query, for the operator, or undefined. */
  readonly checkToken?: ((claims: JwtClaims, url: string) => string | undefined) | undefined;
  /** Uses of tokens are remembered: tokens can be taken that are good for one delivery alone. Left out: they cannot. */
  readonly remembersUses?: boolean | undefined;
}

/** A caller who was let in. */
export interface Authenticated {
  readonly caller: Caller;
  /** Whose allowlists apply now; undefined for a route that accepts anyone. */
  readonly owner: Owner | undefined;
  /** The credential of the token that decided, for the check of its body hash. */
  readonly tokenCredential: TokenCredential | undefined;
}

const anyone: Authenticated = { caller: { method: "none" }, owner: undefined, tokenCredential: undefined };

/** The kinds of credential that a policy accepts, for messages. */
export function acceptedKinds(policy: AuthPolicy): readonly CredentialKind[] {
  return policy.tokens !== undefined ? ["jwt", ...policy.keyKinds] : policy.keyKinds;
}

/**
 * Who sent a request. A JWT decides alone: where one is present, valid or not, the key header is never read
 * (docs/guides/authentication.md has the whole table). Answers without a promise where the credentials are at hand and the key decides.
 * `network`: what counts as the sender's address, for lookups that are rationed per address.
 * Refuses with ERR_CREDENTIAL_MISSING, ERR_CREDENTIAL_REPEATED, ERR_CREDENTIAL_IN_QUERY, ERR_HEADER_MALFORMED,
 * ERR_TOKEN_INVALID, ERR_KEY_INVALID, ERR_CREDENTIALS_UNAVAILABLE or ERR_INTERNAL.
 */
export function authenticate(
  url: string,
  rawHeaders: readonly string[],
  policy: AuthPolicy,
  nowMs: number,
  network?: string,
): MaybePromise<Authenticated | Refusal> {
  if (policy.credentials === undefined) return anyone;
  const { tokens, tokenCarrier = bearer } = policy;
  const inQuery = url.includes("?") ? refuseQuery(url, policy, tokenCarrier) : undefined;
  if (inQuery !== undefined) return inQuery;
  if (tokens !== undefined) {
    const sent = readToken(rawHeaders, tokenCarrier);
    if (sent instanceof Refusal) return keyUnread(sent, policy);
    const token = sent?.token ?? tokenInKeyHeader(rawHeaders, policy);
    if (token instanceof Refusal) return token;
    if (token !== undefined) {
      const decided = byToken(token, { url, policy, tokens, nowMs, network });
      return isPromise(decided)
        ? decided.then((settled) => keyUnread(settled, policy))
        : keyUnread(decided, policy);
    }
  }
  return byKey(rawHeaders, policy, policy.credentials, nowMs);
}

/** Says, where keys are accepted as well, that the key was not read: its sender wonders why it did not help. */
function keyUnread<T>(decided: T | Refusal, { keyKinds }: AuthPolicy): T | Refusal {
  if (!(decided instanceof Refusal) || decided.code !== "ERR_TOKEN_INVALID" || keyKinds.length === 0) {
    return decided;
  }
  const { code, reason, cause, fault } = decided;
  return new Refusal(code, `${reason}; a JWT takes precedence: the key was not read`, cause, fault);
}

/** A credential in the query string: a token, or, where keys are accepted, a key by whatever name it has. */
function refuseQuery(
  url: string,
  { keyKinds, keyHeader }: AuthPolicy,
  carrier: TokenCarrier,
): Refusal | undefined {
  const tokenNames = ["access_token", (carrier.refusedParameter ?? "access_token").toLowerCase()];
  const keyNames = keyKinds.length === 0 ? [] : ["key", keyHeader];
  const found = credentialInQuery(url, [...tokenNames, ...keyNames]);
  if (found === undefined) return undefined;
  const place = tokenNames.includes(found) ? tokenPlace(carrier) : keyHeader;
  const reason = `${printable(found)} is in the query string; send it in the header ${place}, and replace the one that was sent`;
  return new Refusal("ERR_CREDENTIAL_IN_QUERY", reason);
}

/** A JWT in the key header, told by its form alone: one that does not pass must not be tried as a key. */
function tokenInKeyHeader(
  rawHeaders: readonly string[],
  { places, keyHeader }: AuthPolicy,
): string | Refusal | undefined {
  if (places?.tokenInKeyHeader !== true) return undefined;
  const value = readKey(rawHeaders, keyHeader);
  if (value === undefined || value instanceof Refusal) return value;
  return value.split(".").length === 3 ? value : undefined;
}

/** The key of a request, from wherever this policy has keys. */
function presentedKey(
  rawHeaders: readonly string[],
  { places, keyHeader }: AuthPolicy,
): string | Refusal | undefined {
  const key = readKey(rawHeaders, keyHeader);
  if (places?.keyInAuthorization !== true || key instanceof Refusal) return key;
  const bare = readBareKey(rawHeaders);
  if (key === undefined || bare === undefined || bare instanceof Refusal) return bare ?? key;
  return new Refusal(
    "ERR_CREDENTIAL_REPEATED",
    `there is a key in authorization and another one in ${keyHeader}`,
  );
}

/** Where a carrier has its token, for messages. */
function tokenPlace({ header, scheme }: TokenCarrier): string {
  return scheme === undefined ? header : `${header}: ${scheme}`;
}

interface TokenRequest {
  readonly url: string;
  readonly policy: AuthPolicy;
  readonly tokens: VerifiedTokenCache;
  readonly nowMs: number;
  readonly network: string | undefined;
}

function byToken(token: string, request: TokenRequest): MaybePromise<Authenticated | Refusal> {
  const { url, policy, tokens, nowMs, network } = request;
  if (token === "") {
    const place = tokenPlace(policy.tokenCarrier ?? bearer);
    return new Refusal("ERR_TOKEN_INVALID", `there is no token after ${place}`, undefined, "empty");
  }
  const verified = tokens.verify(token, nowMs, network);
  return isPromise(verified)
    ? verified.then((settled) => asTokenCaller(settled, url, policy))
    : asTokenCaller(verified, url, policy);
}

function asTokenCaller(
  verified: VerifiedToken | Refusal,
  url: string,
  { remembersUses, checkToken }: AuthPolicy,
): Authenticated | Refusal {
  if (verified instanceof Refusal) return verified;
  const { credential, claims } = verified;
  const fault = checkToken?.(claims, url);
  if (fault !== undefined) return new Refusal("ERR_TOKEN_INVALID", fault, undefined, "source");
  const { id, owner } = credential;
  if (credential.policy.oneTimeUse === true && remembersUses !== true) {
    return new Refusal("ERR_INTERNAL", `JWT credential "${id}" has oneTimeUse: true, which needs an inbox`);
  }
  const { tenant, service } = owner;
  if (service === undefined) {
    return new Refusal("ERR_INTERNAL", `JWT credential "${id}" names no service; its lookup must name one`);
  }
  return {
    caller: { method: "jwt", tenant, service, credentialId: id, claims },
    owner,
    tokenCredential: credential,
  };
}

function byKey(
  rawHeaders: readonly string[],
  policy: AuthPolicy,
  credentials: CredentialProvider,
  nowMs: number,
): MaybePromise<Authenticated | Refusal> {
  if (policy.keyKinds.length === 0) {
    return new Refusal("ERR_CREDENTIAL_MISSING", "no JWT was sent, and nothing else is accepted here");
  }
  const key = presentedKey(rawHeaders, policy);
  if (key instanceof Refusal) return key;
  if (key === undefined) {
    const wanted = policy.tokens !== undefined ? "neither a JWT nor a key was sent" : "no key was sent";
    return new Refusal("ERR_CREDENTIAL_MISSING", `${wanted}; the key header is "${policy.keyHeader}"`);
  }
  const found = findCaller(key, policy.keyKinds, credentials, nowMs);
  return found instanceof Promise ? found.then(asCaller) : asCaller(found);
}

function asCaller(found: Awaited<ReturnType<typeof findCaller>>): Authenticated | Refusal {
  if (found instanceof Refusal) return found;
  const { id, kind, owner } = found;
  const { tenant, service } = owner;
  const caller: Caller =
    kind === "profile-key"
      ? { method: kind, tenant, credentialId: id }
      : // findCaller refuses a service key without service.
        { method: kind, tenant, service: service as string, credentialId: id };
  return { caller, owner, tokenCredential: undefined };
}

/** A token as it was sent and not checked yet; empty where the scheme came alone. */
interface SentToken {
  readonly token: string;
}

/** Where tokens are sent unless a source says otherwise (RFC 6750 section 2.1). */
const bearer: TokenCarrier = { header: "authorization", scheme: "Bearer" };

/** `readToken` of `Authorization: Bearer`. */
export function readBearer(rawHeaders: readonly string[]): SentToken | Refusal | undefined {
  return readToken(rawHeaders, bearer);
}

/**
 * The token of a request (RFC 6750 section 2.1, RFC 9110 section 11.4), undefined where there is none: no header, or
 * another scheme. Reads the raw header lines, because Node keeps only the first of two `Authorization` lines and says
 * nothing. Refuses: two lines (ERR_CREDENTIAL_REPEATED), control or non-ASCII bytes (ERR_HEADER_MALFORMED), a scheme
 * that no space ends (ERR_TOKEN_INVALID).
 */
export function readToken(
  rawHeaders: readonly string[],
  { header, scheme }: TokenCarrier,
): SentToken | Refusal | undefined {
  const value = credentialHeader(rawHeaders, header);
  if (value === undefined || value instanceof Refusal) return value;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code < 0x20 || code > 0x7e) {
      return new Refusal("ERR_HEADER_MALFORMED", `the header ${header} holds control or non-ASCII bytes`);
    }
  }
  return scheme === undefined ? { token: value } : tokenAfterScheme(value, scheme);
}

function tokenAfterScheme(value: string, scheme: string): SentToken | Refusal | undefined {
  const end = scheme.length;
  if (value.slice(0, end).toLowerCase() !== scheme.toLowerCase()) return undefined;
  if (value.length === end) return { token: "" };
  if (isTokenChar(value.charCodeAt(end))) return undefined;
  if (value.charCodeAt(end) !== 0x20) {
    return new Refusal(
      "ERR_TOKEN_INVALID",
      `the scheme ${scheme} is not followed by a space`,
      undefined,
      "scheme",
    );
  }
  // One space, although RFC 6750 has 1*SP: a second one belongs to a token that then is none.
  return { token: value.slice(end + 1) };
}

/**
 * The key of a request, undefined where the header is absent or empty. `header` is lower case. Two lines, or two
 * keys joined by a comma as proxies and Node do, are ERR_CREDENTIAL_REPEATED: which one counts must not be a guess.
 */
export function readKey(rawHeaders: readonly string[], header: string): string | Refusal | undefined {
  const value = credentialHeader(rawHeaders, header);
  if (value === undefined || value === "" || value instanceof Refusal) return value || undefined;
  if (value.includes(",")) {
    return new Refusal("ERR_CREDENTIAL_REPEATED", `the header ${header} holds more than one key`);
  }
  return value;
}

/**
 * A key sent in `Authorization` without a scheme, undefined where there is none: no header, or a scheme and
 * something after it. Two lines, or two values joined by a comma, are ERR_CREDENTIAL_REPEATED; control or non-ASCII
 * bytes ERR_HEADER_MALFORMED.
 */
export function readBareKey(rawHeaders: readonly string[]): string | Refusal | undefined {
  const value = readToken(rawHeaders, { header: "authorization" });
  if (value === undefined || value instanceof Refusal) return value;
  const { token } = value;
  if (token === "" || token.includes(" ")) return undefined;
  if (token.includes(",")) {
    return new Refusal("ERR_CREDENTIAL_REPEATED", "the header authorization holds more than one key");
  }
  return token;
}

/**
 * The first of these parameters that the query string carries, such as `access_token` (RFC 6750 section 2.3); undefined:
 * none. In any case, as header names are, and also percent-encoded. Such a URL has leaked into logs already, so the
 * request is refused whatever else it brings. `parameters` are in lower case.
 */
export function credentialInQuery(url: string, parameters: readonly string[]): string | undefined {
  const mark = url.indexOf("?");
  if (mark === -1) return undefined;
  for (const pair of url.slice(mark + 1).split("&")) {
    const equals = pair.indexOf("=");
    const written = equals === -1 ? pair : pair.slice(0, equals);
    const name = (written.includes("%") ? percentDecoded(written) : written)?.toLowerCase();
    if (name !== undefined && parameters.includes(name)) return name;
  }
  return undefined;
}

/** As `singleHeader`, with the refusal of a header that came twice. */
function credentialHeader(rawHeaders: readonly string[], name: string): string | Refusal | undefined {
  const value = singleHeader(rawHeaders, name);
  if (value !== repeated) return value;
  return new Refusal("ERR_CREDENTIAL_REPEATED", `the header ${name} came twice`);
}

function percentDecoded(name: string): string | undefined {
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}

/** RFC 9110 section 5.6.2 tchar: what may continue a scheme's name. */
function isTokenChar(code: number): boolean {
  return (
    (code >= 0x30 && code <= 0x39) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x5e && code <= 0x7a) ||
    "!#$%&'*+-.|~".includes(String.fromCharCode(code))
  );
}
