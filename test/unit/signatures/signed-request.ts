import { createHmac, createSecretKey } from "node:crypto";
import { Refusal } from "../../../src/errors.js";
import { SignatureRefusal, type UnsignedRequest } from "../../../src/signatures/signature.js";
import type { SignatureFault, SignatureMatch, SigningKey } from "../../../src/types/signature.js";

/** Names and values of headers; a list sends one more than once. */
export type SentHeaders = Readonly<Record<string, string | readonly string[]>>;

/** A request as Node gives it: names as they came in `rawHeaders`, in lower case and joined in `headers`. */
export function requestOf(
  sent: SentHeaders,
  body: string | Uint8Array,
  more: { readonly url?: string; readonly method?: string } = {},
): UnsignedRequest {
  const rawHeaders: string[] = [];
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(sent)) {
    const values = typeof value === "string" ? [value] : value;
    for (const each of values) rawHeaders.push(name, each);
    headers[name.toLowerCase()] = values.join(", ");
  }
  return { method: "POST", url: "/", ...more, headers, rawHeaders, rawBody: Buffer.from(body) };
}

/** The id of the key that matched, or the fault; any other refusal by its code. */
export function wordOf(found: SignatureMatch | SignatureFault | Refusal): string {
  if (found instanceof SignatureRefusal) return found.fault;
  if (found instanceof Refusal) return found.code;
  return "fault" in found ? found.fault : found.keyId;
}

export function hmac(secret: string | Uint8Array, ...pieces: readonly (string | Uint8Array)[]): Buffer {
  const mac = createHmac("sha256", secret);
  for (const piece of pieces) mac.update(piece);
  return mac.digest();
}

/** A key that always counts. */
export function secretKey(secret: string | Uint8Array, id = "secret-1"): SigningKey {
  const key = createSecretKey(Buffer.from(secret));
  return {
    id,
    active: true,
    notBeforeMs: Number.NEGATIVE_INFINITY,
    expiresAtMs: Number.POSITIVE_INFINITY,
    key,
  };
}
