import {
  createSecretKey,
  generateKeyPair as generateKeyPairWithCallback,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { promisify } from "node:util";
import { type JWTPayload, SignJWT } from "jose";
import type { JwtOptions } from "../auth/jwt/options.js";

const generateKeyPair = promisify(generateKeyPairWithCallback);

/** The algorithms that hookgate verifies. */
export type SigningAlgorithm =
  | "HS256"
  | "HS384"
  | "HS512"
  | "RS256"
  | "RS384"
  | "RS512"
  | "PS256"
  | "PS384"
  | "PS512"
  | "ES256"
  | "ES384"
  | "ES512"
  | "EdDSA";

/** Signs tokens as a sender would, with a key made for this test. */
export interface TestSigner {
  /** The JWS algorithm of its tokens. */
  readonly algorithm: SigningAlgorithm;
  /** What goes into `auth.jwt` or a service's `jwt`, in addition to the issuer. */
  readonly verification: Pick<JwtOptions, "secret" | "publicKey" | "algorithms">;
  /**
   * A signed token. `claims` are taken as they are: give `iss` and, unless the rules say otherwise, `exp`; times
   * are seconds since the epoch. `header` adds to, or replaces, members of the header.
   */
  sign(
    claims: JWTPayload,
    header?: {
      /** The name of the key. Default: none. */
      readonly kid?: string | undefined;
      /** The token's type. Default: none. */
      readonly typ?: string | undefined;
    },
  ): Promise<string>;
}

/** A signer with a new key of the algorithm's family; for HMAC the secret may be given. */
export async function createTestSigner(
  algorithm: SigningAlgorithm,
  secret?: Uint8Array,
): Promise<TestSigner> {
  const sign =
    (key: KeyObject): TestSigner["sign"] =>
    (claims, header) =>
      new SignJWT(claims).setProtectedHeader({ alg: algorithm, ...header }).sign(key);

  if (algorithm.startsWith("HS")) {
    const bytes = secret ?? new Uint8Array(randomBytes(Number(algorithm.slice(2)) / 8));
    return {
      algorithm,
      verification: { secret: bytes, algorithms: [algorithm] },
      sign: sign(createSecretKey(bytes)),
    };
  }
  const { publicKey, privateKey } = await keyPair(algorithm);
  const jwk = publicKey.export({ format: "jwk" }) as JwtOptions["publicKey"] & object;
  return { algorithm, verification: { publicKey: jwk, algorithms: [algorithm] }, sign: sign(privateKey) };
}

function keyPair(algorithm: SigningAlgorithm): Promise<{ publicKey: KeyObject; privateKey: KeyObject }> {
  if (algorithm === "EdDSA") return generateKeyPair("ed25519");
  if (algorithm.startsWith("ES")) {
    const curves = { ES256: "P-256", ES384: "P-384", ES512: "P-521" };
    return generateKeyPair("ec", { namedCurve: curves[algorithm as keyof typeof curves] });
  }
  return generateKeyPair("rsa", { modulusLength: 2048 });
}
