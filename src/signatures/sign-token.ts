import { createHash, createSecretKey, type KeyObject, randomUUID } from "node:crypto";
import { type JWTPayload, SignJWT } from "jose";
import { parseLifetime } from "../keys/lifetime.js";
import { secretBytes } from "../keys/secret.js";
import { millisecondsOf } from "../lib/duration.js";
import { own } from "../lib/options.js";
import type { SourceAuth } from "../types/source.js";
import { keyInUse, privateKeyOf, type SigningOptions, type Unsigned } from "./signing.js";

/** The options of a JWT credential, of which only some are looked at. */
type Credential = Readonly<Record<string, unknown>>;

/** Seconds that tokens are good for, as far as `exp` says. */
const lifeSeconds = 60;

/** The header that brings a token as a source's senders would send it. TypeError where nothing given can sign. */
export async function signTokenHeader(
  auth: SourceAuth,
  delivery: Unsigned,
  options: SigningOptions,
): Promise<Readonly<Record<string, string>>> {
  const credential = await credentialOf(auth, options, delivery.nowMs);
  const { algorithm, key } = signerOf(credential, options);
  const issuedAt = Math.floor(delivery.nowMs / 1_000);
  const bodyHashClaim = own(credential, "bodyHashClaim");
  const claims: JWTPayload = {
    ...(auth.defaultIssuer === undefined ? { iss: own(credential, "issuer") as string } : {}),
    ...audienceOf(credential),
    iat: issuedAt,
    exp: issuedAt + Math.min(lifeSeconds, longestLifeSeconds(credential)),
    jti: randomUUID(),
    ...(typeof bodyHashClaim === "string"
      ? { [bodyHashClaim]: createHash("sha256").update(delivery.rawBody).digest("hex") }
      : {}),
    ...auth.claims?.(delivery.url),
    ...options.claims,
  };
  const kid = options.keyId;
  const typ = String(own(credential, "typ") ?? "JWT");
  const token = await new SignJWT(claims)
    .setProtectedHeader({ alg: algorithm, typ, ...(kid === undefined ? {} : { kid }) })
    .sign(key);
  const { header, scheme } = auth.carrier ?? { header: "authorization", scheme: "Bearer" };
  return { [header]: scheme === undefined ? token : `${scheme} ${token}` };
}

function longestLifeSeconds(credential: Credential): number {
  const longestMs = millisecondsOf(own(credential, "maxLifetime"));
  return longestMs === undefined ? lifeSeconds : Math.floor(longestMs / 1_000);
}

async function credentialOf(auth: SourceAuth, options: SigningOptions, nowMs: number): Promise<Credential> {
  if (auth.token !== undefined) {
    const issuer = options.issuer ?? auth.defaultIssuer ?? "";
    const found = await auth.token({ issuer, keyId: options.keyId });
    if (typeof found === "object" && found !== null) return found as Credential;
    throw new TypeError("this source's lookup finds no credential for the issuer and keyId given");
  }
  const all = (Array.isArray(auth.jwt) ? auth.jwt : [auth.jwt]) as readonly Credential[];
  const keys = all.map((credential, at) => ({
    ...parseLifetime(credential, "source.auth.jwt"),
    id: String(own(credential, "id") ?? `jwt-${at + 1}`),
    credential,
  }));
  // A keyId that names no credential is a key of one of them.
  const found = keys.find(({ id }) => id === options.keyId) ?? keyInUse(keys, undefined, nowMs);
  if (found !== undefined) return found.credential;
  throw new TypeError("no JWT credential of this source is in use now: name one by keyId");
}

function signerOf(
  credential: Credential,
  options: SigningOptions,
): { readonly algorithm: string; readonly key: KeyObject } {
  const [named] = (own(credential, "algorithms") ?? []) as readonly string[];
  const secret = own(credential, "secret");
  if (secret !== undefined && options.privateKey === undefined) {
    return { algorithm: named ?? "HS256", key: createSecretKey(secretBytes(secret, "secret")) };
  }
  if (options.privateKey === undefined)
    throw new TypeError("this source checks tokens with public keys: give the privateKey");
  const key = privateKeyOf(options.privateKey);
  return { algorithm: named ?? algorithmOf(key), key };
}

function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string {
  if (asymmetricKeyType === "rsa") return "RS256";
  if (asymmetricKeyType === "ed25519") return "EdDSA";
  const curve = asymmetricKeyDetails?.namedCurve;
  return curve === "secp384r1" ? "ES384" : curve === "secp521r1" ? "ES512" : "ES256";
}

function audienceOf(credential: Credential): { readonly aud?: string } {
  const audience = own(credential, "audience");
  const first: unknown = Array.isArray(audience) ? audience[0] : audience;
  return typeof first === "string" ? { aud: first } : {};
}
