import type { Buffer } from "node:buffer";
import { maxKidLength } from "../../keys/public-key.js";
import { decodeBase64url } from "../../lib/base64.js";
import { isObject, parseStrictJsonBytes } from "../../lib/json.js";

import { own } from "../../lib/options.js";

/** Longest token that is looked at, in characters: all of them are ASCII in a token that passes. */
export const maxTokenLength = 8192;
/** Deepest nesting of a token's header and payload. */
export const maxTokenDepth = 32;

/** A compact JWS whose form is right. Nothing in it is trusted yet. */
export interface ParsedToken {
  readonly ok: true;
  readonly algorithm: string;
  readonly keyId: string | undefined;
  /** The header's `typ` in lower case, without "application/" (RFC 7515 section 4.1.9). */
  readonly typ: string | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** What is wrong with a token's form; for the operator, quotes nothing of the token. */
export interface TokenFault {
  readonly ok: false;
  /** A fixed name of the cause. */
  readonly fault: string;
  readonly reason: string;
}

/**
 * Header members that point at a key, nest another format or change what is signed. A token with one of them is
 * refused whatever its value: none is of use where keys are configured (RFC 8725 sections 3.1 and 3.10).
 */
const refusedMembers = ["crit", "b64", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "zip", "cty"] as const;

/**
 * Reads the form of a compact JWS (RFC 7515 section 7.1), stricter than the RFC's readers usually are: at most 8 KiB,
 * three parts of canonical base64url (RFC 4648 section 3.5), strict UTF-8 and JSON without repeated members.
 * The signature is not checked here.
 */
export function parseToken(token: string): ParsedToken | TokenFault {
  if (token.length > maxTokenLength) {
    return fault(
      "length",
      `the token has ${token.length} characters; at most ${maxTokenLength} are accepted`,
    );
  }
  const first = token.indexOf(".");
  const second = token.indexOf(".", first + 1);
  if (first < 0 || second < 0) return fault("parts", "the token does not have three parts joined by dots");
  if (token.includes(".", second + 1)) {
    return fault("encrypted", "the token has more than three parts: encrypted tokens (JWE) are not accepted");
  }
  const header = parsePart(token.slice(0, first), "header");
  if (typeof header === "string") return fault("header", header);
  const claims = parsePart(token.slice(first + 1, second), "payload");
  if (typeof claims === "string") return fault("payload", claims);
  // jose reads the header once more, with a JSON.parse that may misread a name with an escape (see parseJson).
  if (!header.bytes.includes('"alg"'))
    return fault("alg", 'the header\'s "alg" is missing or spelled with an escape');
  if (decodeBase64url(token.slice(second + 1)) === undefined) {
    return fault("unsigned", "the token's signature is empty or not canonical base64url");
  }
  return parseHeader(header.members, claims.members);
}

function parseHeader(
  header: Record<string, unknown>,
  claims: Record<string, unknown>,
): ParsedToken | TokenFault {
  const alg = own(header, "alg");
  const kid = own(header, "kid");
  const typ = own(header, "typ");
  if (typeof alg !== "string") return fault("alg", 'the header\'s "alg" is missing or not a string');
  for (const member of refusedMembers) {
    if (Object.hasOwn(header, member))
      return fault("header-member", `the header has "${member}", which is not accepted`);
  }
  if (kid !== undefined && (typeof kid !== "string" || kid === "" || kid.length > maxKidLength)) {
    return fault("kid", `the header's "kid" is not a string of 1 to ${maxKidLength} characters`);
  }
  if (typ !== undefined && typeof typ !== "string")
    return fault("typ", 'the header\'s "typ" is not a string');
  return {
    ok: true,
    algorithm: alg,
    keyId: kid,
    typ: typ === undefined ? undefined : normalizeTyp(typ),
    claims,
  };
}

/** A media type as `typ` has it: lower case, "application/" left out where no other "/" follows. */
export function normalizeTyp(typ: string): string {
  const lower = typ.toLowerCase();
  const prefix = "application/";
  return lower.startsWith(prefix) && !lower.includes("/", prefix.length) ? lower.slice(prefix.length) : lower;
}

interface Part {
  readonly bytes: Buffer;
  readonly members: Record<string, unknown>;
}

/** The JSON object of one part, or what is wrong with it. */
function parsePart(part: string, name: string): Part | string {
  const bytes = decodeBase64url(part);
  if (bytes === undefined) return `the token's ${name} is empty or not canonical base64url`;
  const parsed = parseStrictJsonBytes(bytes, { maxDepth: maxTokenDepth });
  if (!parsed.ok) return `the token's ${name} ${parsed.reason}`;
  if (!isObject(parsed.value)) return `the token's ${name} is not a JSON object`;
  // The bytes first: only a token that has the name, or an escape that may hide it, pays for the walk.
  if ((bytes.includes("__proto__") || bytes.includes(backslash)) && holdsProto(parsed.value)) {
    return `the token's ${name} has a member "__proto__"`;
  }
  return { bytes, members: parsed.value };
}

const backslash = 0x5c;

/** Whether any object in a value has a member `__proto__`; the parser has bounded the depth. */
function holdsProto(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.hasOwn(value, "__proto__") || Object.values(value).some(holdsProto);
}

function fault(name: string, reason: string): TokenFault {
  return { ok: false, fault: name, reason };
}
