import { hash, timingSafeEqual } from "node:crypto";
import { CredentialsUnavailableError, Refusal } from "../errors.js";
import { type Lifetime, type LifetimeOptions, parseLifetime } from "../keys/lifetime.js";
import { decodeBase64url } from "../lib/base64.js";
import {
  assertOptions,
  describe,
  flagOption,
  OptionError,
  optionKeys,
  own,
  stringOption,
} from "../lib/options.js";
import { printable } from "../lib/printable.js";
import { isPromise } from "../lib/promises.js";
import { isHeaderName } from "../lib/request-head.js";
import type { CredentialProvider, KeyCredential, KeyKind, MaybePromise } from "../types/credential.js";

/** The longest key that can be right, in bytes. Of a longer one, this much is hashed before it is refused. */
const maxKeyBytes = 512;

/** What a request presented in the key header, hashed. */
interface PresentedKey {
  /** SHA-256 of the value's bytes; of the first 512 where it is longer. */
  readonly digest: Buffer;
  /** Longer than any key that can be right. */
  readonly tooLong: boolean;
}

/**
 * Hashes the value of a key header with one SHA-256. `value` is a header as Node gives it, one character per byte:
 * the bytes count as they came, without trimming, case folding or normalisation.
 */
export function hashKey(value: string): PresentedKey {
  const tooLong = value.length > maxKeyBytes;
  const bytes = Buffer.from(tooLong ? value.slice(0, maxKeyBytes) : value, "latin1");
  return { digest: hash("sha256", bytes, "buffer"), tooLong };
}

/**
 * The key credential that a header value proves, or why none: ERR_KEY_INVALID for every bad key, with a reason that
 * only the operator sees; ERR_CREDENTIALS_UNAVAILABLE where the source cannot answer; ERR_INTERNAL where it breaks
 * its contract. `kinds` are tried in order. Answers without a promise where the source does.
 */
export function findCaller(
  header: string,
  kinds: readonly KeyKind[],
  source: CredentialProvider,
  nowMs: number,
): MaybePromise<KeyCredential | Refusal> {
  const presented = hashKey(header);
  const hex = presented.digest.toString("hex");
  try {
    for (let tried = 0; tried < kinds.length; tried++) {
      const kind = kinds[tried] as KeyKind;
      const found = source.findKey(hex, kind);
      if (isPromise(found)) return finishLater(found, { presented, hex, kinds, tried, source, nowMs });
      if (found !== undefined) return checkKey(found, kind, presented, nowMs);
    }
    return refuseKey(presented, otherKindOf(hex, kinds, source), kinds);
  } catch (error) {
    return refusalOf(error);
  }
}

interface Search {
  readonly presented: PresentedKey;
  readonly hex: string;
  readonly kinds: readonly KeyKind[];
  readonly tried: number;
  readonly source: CredentialProvider;
  readonly nowMs: number;
}

async function finishLater(
  first: Promise<KeyCredential | undefined>,
  search: Search,
): Promise<KeyCredential | Refusal> {
  const { presented, hex, kinds, source, nowMs } = search;
  try {
    let pending: MaybePromise<KeyCredential | undefined> = first;
    for (const kind of kinds.slice(search.tried)) {
      const found = await (pending ?? source.findKey(hex, kind));
      if (found !== undefined) return checkKey(found, kind, presented, nowMs);
      pending = undefined;
    }
    // Keys of other kinds are not asked for here: a guess would cost the user's database a second query.
    return refuseKey(presented, undefined, kinds);
  } catch (error) {
    return refusalOf(error);
  }
}

/**
 * Checks a key that the source found. The digests are compared once more in constant time, so that a source which
 * matches loosely lets nobody in (ATTACKS C01, C06). Times count to the millisecond: a key is refused from
 * `expiresAtMs` on (C08). ERR_KEY_INVALID, or ERR_INTERNAL where the source returned what it was not asked for.
 */
export function checkKey(
  found: KeyCredential,
  kind: KeyKind,
  presented: PresentedKey,
  nowMs: number,
): KeyCredential | Refusal {
  if (found.kind !== kind || (kind === "service-key" && found.owner.service === undefined)) {
    return new Refusal("ERR_INTERNAL", `the lookup of a ${kind} returned another kind of credential`);
  }
  const same = found.digest.length === 32 && timingSafeEqual(found.digest, presented.digest);
  if (!same || presented.tooLong) return refuseKey(presented, undefined, [kind]);
  if (!found.active) {
    return invalid("inactive", `${nameOf(found)} is inactive`);
  }
  // Written so that NaN, from a source of somebody's own, refuses.
  if (!(nowMs < found.expiresAtMs)) {
    return invalid("expired", `${nameOf(found)} expired at ${new Date(found.expiresAtMs).toISOString()}`);
  }
  if (!(nowMs >= found.notBeforeMs)) {
    return invalid(
      "not-yet-valid",
      `${nameOf(found)} is not valid before ${new Date(found.notBeforeMs).toISOString()}`,
    );
  }
  return found;
}

function refuseKey(
  presented: PresentedKey,
  other: KeyCredential | undefined,
  kinds: readonly KeyKind[],
): Refusal {
  // Compared although the answer is known: a key that is not found takes the steps of one that is (ATTACKS C07).
  timingSafeEqual(presented.digest, presented.digest);
  if (presented.tooLong) return invalid("length", `the key is longer than ${maxKeyBytes} bytes`);
  const wanted = kinds.join(" or ");
  if (other !== undefined) return invalid("kind", `${nameOf(other)} was sent where a ${wanted} is accepted`);
  return invalid("unknown", `no ${wanted} has the value that was sent`);
}

/** A key of a kind that the route does not take, for the operator's reason only. */
function otherKindOf(
  hex: string,
  kinds: readonly KeyKind[],
  source: CredentialProvider,
): KeyCredential | undefined {
  const other = (["service-key", "profile-key"] as const).find((kind) => !kinds.includes(kind));
  if (other === undefined) return undefined;
  const found = source.findKey(hex, other);
  if (!isPromise(found)) return found;
  found.catch(() => {
    // The answer is settled without it.
  });
  return undefined;
}

function nameOf(key: KeyCredential): string {
  const { tenant, service } = key.owner;
  const owner = service === undefined ? "" : `, service "${printable(service)}"`;
  return `${key.kind} "${printable(key.id)}" of tenant "${printable(tenant)}"${owner}`;
}

function invalid(fault: string, reason: string): Refusal {
  return new Refusal("ERR_KEY_INVALID", reason, undefined, fault);
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof CredentialsUnavailableError) {
    return new Refusal("ERR_CREDENTIALS_UNAVAILABLE", error.message, error);
  }
  return new Refusal("ERR_INTERNAL", "the lookup of a key failed unexpectedly", error);
}

/** The shortest key that is taken without `insecureShortKey`, in characters. */
const minKeyLength = 32;

interface KeyOptionsBase extends LifetimeOptions {
  /** Stable name, unique within its owner, in logs and on the command line; 1 to 100 printable ASCII characters. */
  readonly id: string;
}

/** A service key or profile key: the key itself, or its SHA-256. */
export type KeyOptions =
  | (KeyOptionsBase & {
      /** 32 to 512 printable ASCII characters without spaces and commas. Make one with `npx hookgate key new`. */
      readonly key: string | undefined;
      /** The key's SHA-256, instead of `key`. */
      readonly digest?: undefined;
      /** `true` accepts a `key` of fewer than 32 characters, which can be guessed. Default: refused. */
      readonly insecureShortKey?: boolean | undefined;
    })
  | (KeyOptionsBase & {
      /** SHA-256 of the key: `sha256:` and 64 hex digits, the digits alone, or base64url. */
      readonly digest: string | undefined;
      /** The key itself, instead of `digest`. */
      readonly key?: undefined;
    });

/** A key's options, resolved. */
export interface ParsedKey extends Lifetime {
  readonly id: string;
  readonly digest: Buffer;
}

const known = optionKeys<KeyOptions>({
  id: true,
  key: true,
  digest: true,
  insecureShortKey: true,
  state: true,
  notBefore: true,
  expiresAt: true,
});

/** How to get a good key: ends every message about a bad one. */
export const makeAKey =
  "make one with: npx hookgate key new, or: " +
  "node -e \"console.log(require('crypto').randomBytes(32).toString('base64url'))\"";

/**
 * Reads the options of one key. A TypeError names what is wrong and never quotes the key. `keyWhere` is the place of
 * the key's text where that is not the member `key`.
 */
export function parseKeyOptions(value: unknown, where: string, keyWhere = `${where}.key`): ParsedKey {
  if (typeof value === "string") {
    throw new OptionError(where, ` must be an object such as { id: "key-1", key: "…" }, not a string`);
  }
  assertOptions(value, known, where);
  const id = parseId(own(value, "id"), `${where}.id`);
  const lifetime = parseLifetime(value, where);
  const insecureShortKey = flagOption(own(value, "insecureShortKey"), `${where}.insecureShortKey`);
  const hasKey = Object.hasOwn(value, "key");
  const hasDigest = own(value, "digest") !== undefined;
  if (hasKey && hasDigest) throw new OptionError(where, ` has both key and digest; keep one of them`);
  if (!hasKey && !hasDigest) {
    throw new OptionError(where, ` needs key, or digest with the key's SHA-256; ${makeAKey}`);
  }
  if (hasDigest && insecureShortKey) {
    throw new OptionError(`${where}.insecureShortKey`, ` goes with key, not with digest; leave it out`);
  }
  const digest = hasDigest
    ? parseDigest(own(value, "digest"), `${where}.digest`)
    : parseKeyText(own(value, "key"), keyWhere, insecureShortKey);
  return { id, digest, ...lifetime };
}

/**
 * Checks the text of a key (ATTACKS C02) and returns its SHA-256. Refused: what is not a string, `"undefined"` and
 * `"null"` (an environment variable that was never set), fewer than 32 or more than 512 characters, and whatever a
 * header cannot carry unchanged or a proxy could take for two keys.
 */
function parseKeyText(value: unknown, where: string, insecureShortKey: boolean): Buffer {
  if (value === undefined || value === "undefined" || value === "null") {
    const found = value === undefined ? "undefined" : `the text "${value}"`;
    throw new OptionError(where, ` is ${found}: is its environment variable set?`);
  }
  if (typeof value !== "string") throw new OptionError(where, ` must be a string, not ${describe(value)}`);
  if (value === "") throw new OptionError(where, ` is an empty string; ${makeAKey}`);
  for (const char of value) {
    if (char > " " && char <= "~" && char !== ",") continue;
    throw new OptionError(
      where,
      ` holds ${characterName(char)}; a key is printable ASCII without spaces and commas; ${makeAKey}`,
    );
  }
  if (value.length < minKeyLength && !insecureShortKey) {
    throw new OptionError(
      where,
      ` has ${value.length} characters and must have ${minKeyLength} or more; ${makeAKey}; ` +
        "to accept a short key anyway: { id, key, insecureShortKey: true }",
    );
  }
  if (value.length > maxKeyBytes) {
    throw new OptionError(where, ` has ${value.length} characters and may have at most ${maxKeyBytes}`);
  }
  return hashKey(value).digest;
}

function characterName(char: string): string {
  if (char === " ") return "a space (a copied line end or indent?)";
  if (char === "\n" || char === "\r") return "a line end (was it read from a file? use .trim())";
  if (char === ",") return "a comma";
  return char < " " || char === "\x7f" ? "a control character" : "a character outside ASCII";
}

/** Reads a SHA-256 digest in one of its three spellings. */
function parseDigest(value: unknown, where: string): Buffer {
  const text = typeof value === "string" ? value : "";
  const hex = text.startsWith("sha256:") ? text.slice(7) : text;
  if (/^[0-9a-fA-F]{64}$/.test(hex)) return Buffer.from(hex, "hex");
  const bytes = /^[\w-]{43}$/.test(text) ? decodeBase64url(text) : undefined;
  if (bytes !== undefined) return bytes;
  throw new OptionError(
    where,
    ` must be the key's SHA-256 as "sha256:" and 64 hex digits, not ${describe(value)}` +
      `${text === "" ? "" : ` of ${text.length} characters`}; npx hookgate key new writes one`,
  );
}

/** Reads the id of a credential: 1 to 100 characters, none of them a control character. */
export function parseId(value: unknown, where: string): string {
  if (value === undefined)
    throw new OptionError(where, ` is missing; give the credential a name, such as "key-1"`);
  const id = stringOption(value, where);
  if (id.length > 100 || id !== id.trim() || printable(id) !== id) {
    throw new OptionError(
      where,
      ` must be 1 to 100 printable ASCII characters without leading or trailing spaces`,
    );
  }
  return id;
}

/** The key header unless configured. */
export const defaultKeyHeader = "key";

/** The lower-case name of the key header; `key` where it was left out. A TypeError says what is wrong with it. */
export function parseKeyHeader(value: unknown, where: string): string {
  if (value === undefined) return defaultKeyHeader;
  const header = stringOption(value, where).toLowerCase();
  if (!isHeaderName(header)) {
    throw new OptionError(where, ` is not a header name (RFC 9110 section 5.1)`);
  }
  if (header === "authorization" || header === "cookie") {
    throw new OptionError(
      where,
      `: a key cannot be sent in "${header}"; use a header of its own, such as "key" or "x-api-key"`,
    );
  }
  return header;
}
