import { createHmac, type KeyObject, sign } from "node:crypto";

/** base64url of text, bytes or a value's JSON. */
export function encode(part: unknown): string {
  if (part instanceof Uint8Array) return Buffer.from(part).toString("base64url");
  return Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url");
}

/** A compact JWS with whatever header and payload: text and bytes are taken as they are. */
export function signHs(header: unknown, payload: unknown, secret: Uint8Array, hash = "sha256"): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${createHmac(hash, secret).update(input).digest("base64url")}`;
}

/** The same with a private key; the signature is what `alter` makes of the true one. */
export function signWith(
  header: unknown,
  payload: unknown,
  key: KeyObject,
  options: {
    hash?: string | undefined;
    padding?: number;
    saltLength?: number;
    alter?: (signature: Buffer) => Buffer;
  } = {},
): string {
  const input = `${encode(header)}.${encode(payload)}`;
  const { hash = null, padding, saltLength, alter = (signature: Buffer) => signature } = options;
  const signature = sign(hash, Buffer.from(input), {
    key,
    dsaEncoding: "ieee-p1363",
    ...(padding === undefined ? {} : { padding }),
    ...(saltLength === undefined ? {} : { saltLength }),
  });
  return `${input}.${alter(signature).toString("base64url")}`;
}
