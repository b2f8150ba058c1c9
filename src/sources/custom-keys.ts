import { Buffer } from "node:buffer";
import { own } from "../lib/options.js";
import type { SignatureAlgorithm } from "../types/signature.js";

/**
 * Public keys as providers show them, in the forms that are read elsewhere: 32 bytes of Ed25519 in hex or base64 become a
 * JWK, base64 without the frame of PEM gets it. Whatever else it is comes back as it was, to be refused by name.
 */
export function withEncodings(given: unknown, algorithm: SignatureAlgorithm): unknown {
  if (Array.isArray(given)) return given.map((each: unknown) => framedMember(each, algorithm));
  return framed(given, algorithm);
}

function framedMember(given: unknown, algorithm: SignatureAlgorithm): unknown {
  const isNamed = typeof given === "object" && given !== null && Object.hasOwn(given, "publicKey");
  if (!isNamed) return framed(given, algorithm);
  return { ...given, publicKey: framed(own(given as { publicKey?: unknown }, "publicKey"), algorithm) };
}

function framed(given: unknown, algorithm: SignatureAlgorithm): unknown {
  if (typeof given !== "string" || given.includes("-----BEGIN")) return given;
  const bytes = /^[0-9a-f]{64}$/i.test(given) ? Buffer.from(given, "hex") : Buffer.from(given, "base64");
  if (bytes.length === 32 && algorithm === "ed25519") {
    return { kty: "OKP", crv: "Ed25519", x: bytes.toString("base64url") };
  }
  // 0x30 begins every key in DER.
  if (bytes[0] !== 0x30 || bytes.toString("base64") !== given) return given;
  const lines = given.replace(/(.{64})(?=.)/g, "$1\n");
  return `-----BEGIN PUBLIC KEY-----\n${lines}\n-----END PUBLIC KEY-----\n`;
}
