import { Buffer } from "node:buffer";

/**
 * The bytes of canonical base64: padded, without white space or foreign alphabet, unused bits zero (RFC 4648 sections 4
 * and 3.5). Anything else is undefined.
 */
export function decodeBase64(text: string): Buffer | undefined {
  return decode(text, "base64");
}

/** The bytes of canonical base64url, not empty and without padding (RFC 7515 section 2). Anything else is undefined. */
export function decodeBase64url(text: string): Buffer | undefined {
  return text === "" ? undefined : decode(text, "base64url");
}

/** Node's decoder is lenient and its encoder is not: what does not come back the same was not canonical. */
function decode(text: string, encoding: "base64" | "base64url"): Buffer | undefined {
  const bytes = Buffer.from(text, encoding);
  return bytes.toString(encoding) === text ? bytes : undefined;
}
