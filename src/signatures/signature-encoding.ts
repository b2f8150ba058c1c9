import { Buffer } from "node:buffer";
import type { HeaderScheme } from "../types/signature.js";

/**
 * The bytes of a signature, or undefined where it is not exactly what its encoding makes of so many bytes: no white
 * space, no other alphabet, no missing padding, no unused bits (ATTACKS F01). `byteLength` 0: any length.
 */
export function decodeSignature(
  text: string,
  { encoding, hexCase = "lower" }: Pick<HeaderScheme, "encoding" | "hexCase">,
  byteLength: number,
): Buffer | undefined {
  const bytes = Buffer.from(text, encoding);
  if (bytes.length === 0 || (byteLength !== 0 && bytes.length !== byteLength)) return undefined;
  // Node decodes leniently; only what it would write itself is taken.
  const written = bytes.toString(encoding);
  if (encoding !== "hex" || hexCase === "lower") return written === text ? bytes : undefined;
  const asked = hexCase === "upper" ? text : text.toUpperCase();
  return written.toUpperCase() === asked ? bytes : undefined;
}
