import { Buffer } from "node:buffer";

/**
 * The bytes of canonical base64url: not empty, no padding, white space or foreign alphabet, unused bits zero
 * (RFC 7515 section 2, RFC 4648 section 3.5). Anything else is undefined.
 */
export function decodeBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64url");
  // Node's decoder is lenient and its encoder is not: what does not come back the same was not canonical.
  return text !== "" && bytes.toString("base64url") === text ? bytes : undefined;
}
