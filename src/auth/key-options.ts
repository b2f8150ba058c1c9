import { type Lifetime, type LifetimeOptions, lifetimeOptionNames, parseLifetime } from "../keys/lifetime.js";
import { assertOptions, describe, flagOption, OptionError, own, stringOption } from "../lib/options.js";
import { printable } from "../lib/printable.js";
import { hashKey, maxKeyBytes } from "./service-key.js";

/** The shortest key that is taken without `insecureShortKey`, in characters. */
export const minKeyLength = 32;

interface KeyOptionsBase extends LifetimeOptions {
  /** Stable name, unique within its owner; stands in logs and on the command line. */
  readonly id: string;
}

/** A service key or profile key: the key itself, or its SHA-256. */
export type KeyOptions =
  | (KeyOptionsBase & {
      /** 32 or more printable ASCII characters without spaces and commas. */
      readonly key: string;
      readonly digest?: undefined;
      /** Takes a `key` of fewer than 32 characters: it can be guessed. Default: false. */
      readonly insecureShortKey?: boolean;
    })
  | (KeyOptionsBase & {
      /** SHA-256 of the key: `sha256:` and 64 hex digits, the digits alone, or base64url. */
      readonly digest: string;
      readonly key?: undefined;
    });

/** A key's options, resolved. */
export interface ParsedKey extends Lifetime {
  readonly id: string;
  readonly digest: Buffer;
}

const known = ["id", "key", "digest", "insecureShortKey", ...lifetimeOptionNames];

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
    throw new OptionError(`${where}.insecureShortKey`, ` goes with key, not with digest; take it out`);
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
export function parseKeyText(value: unknown, where: string, insecureShortKey: boolean): Buffer {
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
        "to take a short key all the same: { id, key, insecureShortKey: true }",
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
export function parseDigest(value: unknown, where: string): Buffer {
  const text = typeof value === "string" ? value : "";
  const hex = text.startsWith("sha256:") ? text.slice(7) : text;
  if (/^[0-9a-fA-F]{64}$/.test(hex)) return Buffer.from(hex, "hex");
  if (/^[\w-]{43}$/.test(text)) {
    const bytes = Buffer.from(text, "base64url");
    if (bytes.toString("base64url") === text) return bytes;
  }
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
