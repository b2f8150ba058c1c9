import { generateKeyPairSync, type KeyObject } from "node:crypto";

/** A JWK as an object whose members may be changed. */
export type Jwk = Record<string, unknown> & { kty: string };

/** A public key as a JWK, with further members. */
export function jwkOf(key: KeyObject, members: Record<string, unknown> = {}): Jwk {
  return { ...key.export({ format: "jwk" }), ...members } as Jwk;
}

/** A public key as SPKI in PEM. */
export function pemOf(key: KeyObject): string {
  return key.export({ type: "spki", format: "pem" }).toString();
}

export const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
export const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
export const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });
export const p521 = generateKeyPairSync("ec", { namedCurve: "P-521" });
export const ed25519 = generateKeyPairSync("ed25519");
