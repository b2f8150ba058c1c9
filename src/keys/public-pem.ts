import { createPublicKey, type KeyObject } from "node:crypto";
import { OptionError } from "../lib/options.js";
import type { KeyShape } from "./algorithms.js";
import { assertStrongKey, type PublicKey } from "./public-jwk.js";

const labels: readonly string[] = ["PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"];

/**
 * Reads a public key in PEM (RFC 7468): SPKI, PKCS #1, or an X.509 certificate, of which only the key counts: neither
 * its dates nor its issuer are looked at. TypeError for private keys, several blocks and weak keys.
 */
export function readPublicPem(pem: string, where: string): PublicKey {
  const begin = "-----BEGIN ";
  const blocks = pem.split(begin).slice(1);
  if (blocks.some((block) => labelOf(block).endsWith("PRIVATE KEY"))) {
    throw new OptionError(
      where,
      ` is a private key; give the public one (\`openssl pkey -pubout\` makes it), ` +
        "and replace the key if others could read it here",
    );
  }
  const [block] = blocks;
  if (block === undefined || blocks.length > 1 || !labels.includes(labelOf(block))) {
    throw new OptionError(
      where,
      ` must hold one PEM block, "${begin}PUBLIC KEY-----" and so on, or be a JWK object`,
    );
  }
  let key: KeyObject;
  try {
    key = createPublicKey({ key: pem, format: "pem" });
  } catch (cause) {
    throw new OptionError(
      where,
      ` has the frame of a PEM key but cannot be read: is it cut, or are its line breaks lost? ` +
        'In an environment variable they may stand as \\n: .replaceAll("\\\\n", "\\n")',
      { cause },
    );
  }
  const shape = shapeOf(key, where);
  assertStrongKey(key, where);
  return { kid: undefined, ...shape, bound: undefined, key };
}

function labelOf(block: string): string {
  return block.slice(0, block.indexOf("-----"));
}

/** OpenSSL's names of the curves that JWS uses. */
const curves: ReadonlyMap<string | undefined, string> = new Map([
  ["prime256v1", "P-256"],
  ["secp384r1", "P-384"],
  ["secp521r1", "P-521"],
]);

function shapeOf(key: KeyObject, where: string): KeyShape {
  const type = key.asymmetricKeyType;
  if (type === "rsa") return { kty: "RSA", curve: undefined };
  if (type === "ed25519") return { kty: "OKP", curve: "Ed25519" };
  const curve = type === "ec" ? curves.get(key.asymmetricKeyDetails?.namedCurve) : undefined;
  if (curve !== undefined) return { kty: "EC", curve };
  const hint =
    type === "rsa-pss" ? "; give this RSA key without its PSS parameters, and PS256 in `algorithms`" : "";
  throw new OptionError(
    where,
    ` is a key of type ${type}, or on a curve, that no JWS algorithm here uses; ` +
      `known are RSA, P-256, P-384, P-521 and Ed25519${hint}`,
  );
}
