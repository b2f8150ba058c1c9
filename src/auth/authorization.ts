import { Refusal } from "../errors.js";
import type { TokenCarrier } from "../types/source.js";

/** A token as it was sent, not yet looked at; empty where nothing stood in its place. */
export interface SentToken {
  readonly token: string;
}

/** Where tokens stand unless a source says otherwise (RFC 6750 section 2.1). */
export const bearer: TokenCarrier = { header: "authorization", scheme: "Bearer" };

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
  const value = singleHeader(rawHeaders, header);
  if (value === undefined || value instanceof Refusal) return value;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code < 0x20 || code > 0x7e) {
      return new Refusal("ERR_HEADER_MALFORMED", `the header ${header} holds control or non-ASCII bytes`);
    }
  }
  return scheme === undefined ? { token: value } : behindScheme(value, scheme);
}

function behindScheme(value: string, scheme: string): SentToken | Refusal | undefined {
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
  const value = singleHeader(rawHeaders, header);
  if (value === undefined || value === "" || value instanceof Refusal) return value || undefined;
  if (value.includes(",")) {
    return new Refusal("ERR_CREDENTIAL_REPEATED", `the header ${header} holds more than one key`);
  }
  return value;
}

/**
 * A key that stands in `Authorization` without a scheme, undefined where there is none: no header, or a scheme with
 * something behind it. Two lines, or two values joined by a comma, are ERR_CREDENTIAL_REPEATED; control or non-ASCII
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

function singleHeader(rawHeaders: readonly string[], name: string): string | Refusal | undefined {
  let value: string | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const candidate = rawHeaders[i] as string;
    if (candidate.length !== name.length || candidate.toLowerCase() !== name) continue;
    if (value !== undefined) return new Refusal("ERR_CREDENTIAL_REPEATED", `the header ${name} came twice`);
    value = rawHeaders[i + 1] as string;
  }
  return value;
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
