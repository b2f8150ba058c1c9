import { Buffer } from "node:buffer";
import { describe, OptionError, own } from "../lib/options.js";

/** An HMAC secret: text (its UTF-8 bytes are the secret), bytes, or bytes written as base64 or base64url. */
export type SecretMaterial =
  | string
  | Uint8Array
  | {
      /** The bytes as base64 or base64url. */
      readonly base64: string | undefined;
    };

/** The bytes of a secret. TypeError for what is no secret material. */
export function secretBytes(secret: unknown, where: string): Buffer {
  if (typeof secret === "string") return Buffer.from(secret, "utf8");
  if (secret instanceof Uint8Array) return Buffer.from(secret);
  const base64 =
    typeof secret === "object" && secret !== null ? own(secret as { base64?: unknown }, "base64") : undefined;
  if (typeof base64 !== "string") {
    throw new OptionError(
      where,
      ` must be text, a Uint8Array or { base64: "…" }, not ${describe(secret)}; ` +
        "is an environment variable missing?",
    );
  }
  return base64Bytes(base64, `${where}.base64`);
}

/** Strict base64 or base64url: one alphabet, padding right or absent, unused bits zero (RFC 4648 section 3). */
export function base64Bytes(text: string, where: string): Buffer {
  const bytes = Buffer.from(text, "base64");
  const padded = bytes.toString("base64");
  const forms = [padded, padded.replaceAll("=", ""), bytes.toString("base64url")];
  if (forms.includes(text) || text === padded.replaceAll("+", "-").replaceAll("/", "_")) return bytes;
  throw new OptionError(
    where,
    ` is not base64 or base64url: look for white space, a cut end or other characters, ` +
      "or give the secret as text if it was not encoded",
  );
}

/** A public key as the secret would let anyone sign who knows it (CVE-2016-10555). */
export function assertNotPublicKey(bytes: Buffer, where: string): void {
  const isPem = bytes.includes("-----BEGIN ");
  if (isPem || (bytes[0] === 0x7b && bytes.includes('"kty"'))) {
    throw new OptionError(
      where,
      ` holds a ${isPem ? "PEM" : "JWK"} key, not a shared secret; give public keys as \`publicKey\``,
    );
  }
}

/** Text that begins or ends with white space was most likely read from a file with its line end. */
export function assertTrimmed(secret: unknown, where: string): void {
  if (typeof secret === "string" && secret !== secret.trim()) {
    throw new OptionError(
      where,
      ` begins or ends with white space, perhaps the line end of a file: trim it, ` +
        "or give bytes where it belongs to the secret",
    );
  }
}
