import {
  createHash,
  createHmac,
  createSecretKey,
  type KeyObject,
  randomUUID,
  sign as signWith,
} from "node:crypto";
import { type JWTPayload, SignJWT } from "jose";
import { parseLifetime } from "../keys/lifetime.js";
import { secretBytes } from "../keys/secret.js";
import { millisecondsOf } from "../lib/duration.js";
import { instantOption, own } from "../lib/options.js";
import type {
  HeaderScheme,
  SignatureAlgorithm,
  SignatureHeaders,
  SignatureScheme,
  SignedContent,
} from "../types/signature.js";
import type { ComposedDelivery, Source, SourceAuth } from "../types/source.js";
import { signMessageScheme } from "./http-message/sign.js";
import { parsePublicUrl } from "./public-url.js";
import { compileSigned } from "./signed-content.js";
import {
  asSignedRequest,
  keyInUse,
  privateKeyOf,
  type SigningOptions,
  type Unsigned,
} from "./signing-options.js";

/** An event to be sent. */
export interface EventToSend {
  /** As handlers know it: `issues.opened`. */
  readonly type: string;
  /** Default: a random one. */
  readonly id?: string | undefined;
  /** The event's data. Default: none. */
  readonly data?: unknown;
}

/** What signs a delivery, and what of it is not as its source would write it. */
export interface SignedDeliveryOptions extends SigningOptions {
  /** Sent and signed as it is, in place of what the source makes of the event's data. */
  readonly body?: string | Uint8Array | undefined;
}

/** A delivery with its signature, as `sendDelivery` takes it. */
export interface SignedDelivery {
  /** Path and query. */
  readonly path: string;
  /** The body, byte for byte. */
  readonly body: Buffer;
  /** The content type of the body. */
  readonly contentType: string;
  /** By lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * A delivery as the source's senders would send it: written by the source, signed with the source's own secrets, or with
 * `privateKey` where those are public keys. Where the receiver asks for a key or a token of its own (`auth`), add it.
 * TypeError where the source does not say how an event is written, and where nothing given can sign.
 *
 * @example
 * const delivery = await signedDelivery(github({ secret }), { type: "push", data: { ref: "refs/heads/main" } }, { path: "/hooks" });
 * const answer = await sendDelivery(app, delivery);
 */
export async function signedDelivery<EventMap>(
  source: Source<EventMap>,
  event: EventToSend,
  options: SignedDeliveryOptions = {},
): Promise<SignedDelivery> {
  const nowMs = instantOption(options.now, "signedDelivery.now", Date.now());
  const id = event.id ?? randomUUID();
  const composed = composedOf(source, { ...event, id, nowMs }, options);
  return sign(source, composed, { ...options, nowMs, id });
}

/**
 * The headers that sign bytes as they are, with the content type among them: for deliveries that no source would write.
 * `id` is that of the event, where its sender signs it in a header. TypeErrors as `signedDelivery`.
 */
export async function signBody<EventMap>(
  source: Source<EventMap>,
  rawBody: string | Uint8Array,
  options: SigningOptions & {
    /** The event's id. Default: a random one. */
    readonly id?: string | undefined;
  } = {},
): Promise<Readonly<Record<string, string>>> {
  const contentType = options.contentType ?? "application/json";
  const unsigned = { headers: {}, contentType, rawBody: Buffer.from(rawBody as string) };
  const { id = randomUUID() } = options;
  const nowMs = instantOption(options.now, "signBody.now", Date.now());
  const signed = await sign(source, unsigned, { ...options, nowMs, id });
  return { "content-type": signed.contentType, ...signed.headers };
}

interface Written extends Omit<ComposedDelivery, "body"> {
  readonly rawBody: Buffer;
}

function composedOf<EventMap>(
  source: Source<EventMap>,
  event: EventToSend & { readonly id: string; readonly nowMs: number },
  { body, contentType }: SignedDeliveryOptions,
): Written {
  const composed = source.compose?.({ ...event, data: event.data });
  const text = body ?? composed?.body;
  if (text === undefined) {
    throw new TypeError(`the source ${source.name} does not say how an event is written: give the body`);
  }
  return {
    headers: composed?.headers ?? {},
    contentType: contentType ?? composed?.contentType ?? "application/json",
    rawBody: Buffer.from(text as string),
  };
}

async function sign<EventMap>(
  source: Source<EventMap>,
  written: Written,
  options: SigningOptions & { readonly nowMs: number; readonly id: string },
): Promise<SignedDelivery> {
  const { path = "/", id, nowMs } = options;
  const given = lowerCased(options.headers ?? {});
  const { rawBody } = written;
  const contentType = given["content-type"] ?? written.contentType;
  const url = source.composeUrl?.(path, { contentType, rawBody }) ?? path;
  const headers: Record<string, string> = { ...lowerCased(written.headers), ...given };
  if (source.signature?.kind === "header") {
    for (const name of otherHeaders(source.signature, given))
      if (!Object.hasOwn(given, name)) delete headers[name];
  }
  const length = { "content-type": contentType, "content-length": String(rawBody.length) };
  const unsigned: Unsigned = { method: "POST", url, headers: { ...headers, ...length }, rawBody, id, nowMs };
  const token = source.auth === undefined ? {} : await signTokenHeader(source.auth, unsigned, options);
  const signature =
    source.signature === undefined ? {} : await signScheme(source.signature, unsigned, options);
  const { "content-type": _, ...others } = headers;
  return { path: url, body: rawBody, contentType, headers: { ...others, ...token, ...signature } };
}

async function signScheme(
  scheme: SignatureScheme,
  delivery: Unsigned,
  options: SigningOptions,
): Promise<Readonly<Record<string, string>>> {
  switch (scheme.kind) {
    case "header":
      return signHeader(scheme, delivery, options);
    case "http-message":
      return signMessageScheme(scheme, delivery, options);
    case "custom": {
      if (options.sign === undefined) {
        throw new TypeError(
          "this source checks signatures by code, which only you know how to make: give `sign`",
        );
      }
      const publicUrl = parsePublicUrl(scheme.publicUrl, "source.signature.publicUrl")?.(delivery.url);
      return options.sign(asSignedRequest(delivery, publicUrl), delivery.nowMs);
    }
  }
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** The headers of a signature as a scheme wants them. TypeError where nothing given can sign. */
function signHeader(
  scheme: HeaderScheme,
  delivery: Unsigned,
  options: SigningOptions,
): Readonly<Record<string, string>> {
  const { label, algorithm, key } = headerSigner(scheme, options, delivery.nowMs);
  const set = presentSet(scheme.headers, delivery.headers);
  const seconds = scheme.timestampUnit === "milliseconds" ? delivery.nowMs : delivery.nowMs / 1_000;
  const timestamp = String(Math.floor(seconds));
  const id = set.id === undefined ? undefined : (delivery.headers[set.id] ?? delivery.id);
  const extra: Record<string, string> = {
    ...(set.timestamp === undefined ? {} : { [set.timestamp]: timestamp }),
    ...(set.id === undefined || id === undefined ? {} : { [set.id]: id }),
  };
  const signed = { ...delivery, headers: { ...delivery.headers, ...extra } };
  const signature = signatureOf(algorithm, key, contentOf(scheme, signed, { timestamp, id }), scheme);
  const { parts } = scheme;
  if (parts === undefined) return { ...extra, [set.signature]: `${label}${signature}` };
  const time = parts.timestamp === undefined ? [] : [`${parts.timestamp}${parts.assign}${timestamp}`];
  const header = [...time, `${label}${parts.assign}${signature}`].join(parts.separator);
  return { ...extra, [set.signature]: header };
}

/** Names of headers of sets in which the delivery is not signed; with them, it would be read as one of those. */
function otherHeaders({ headers }: HeaderScheme, chosen: Readonly<Record<string, string>>): string[] {
  const set = presentSet(headers, chosen);
  return headers
    .filter((other) => other !== set)
    .flatMap(({ signature, timestamp, id }) => [signature, timestamp, id])
    .filter((name) => name !== undefined);
}

function presentSet(
  sets: readonly SignatureHeaders[],
  headers: Readonly<Record<string, string>>,
): SignatureHeaders {
  const has = (name: string | undefined): boolean => name !== undefined && Object.hasOwn(headers, name);
  const [first] = sets as readonly [SignatureHeaders];
  return sets.find(({ signature, timestamp, id }) => has(signature) || has(timestamp) || has(id)) ?? first;
}

interface Signer {
  readonly label: string;
  readonly algorithm: SignatureAlgorithm;
  readonly key: KeyObject;
}

function headerSigner({ variants }: HeaderScheme, options: SigningOptions, nowMs: number): Signer {
  if (options.privateKey !== undefined) {
    const key = privateKeyOf(options.privateKey);
    const variant = variants.find(({ algorithm }) => keyTypes.get(algorithm) === key.asymmetricKeyType);
    if (variant !== undefined) return { ...variant, key };
    throw new TypeError(
      `privateKey is of kind ${key.asymmetricKeyType}, with which this source checks nothing`,
    );
  }
  const shared = variants.filter(({ algorithm }) => algorithm.startsWith("hmac-"));
  if (shared.length === 0) throw new TypeError("this source checks with public keys: give the privateKey");
  for (const variant of shared) {
    const found = keyInUse(variant.keys, options.keyId, nowMs);
    if (found !== undefined) return { ...variant, key: found.key };
  }
  throw new TypeError(
    options.keyId === undefined
      ? "no secret of this source is in use now: name one by keyId"
      : `this source has no secret with the id "${options.keyId}"`,
  );
}

const keyTypes: ReadonlyMap<SignatureAlgorithm, string> = new Map([
  ["ed25519", "ed25519"],
  ["ecdsa-p256-sha256", "ec"],
  ["rsa-sha256", "rsa"],
]);

function contentOf(
  scheme: HeaderScheme,
  delivery: Unsigned,
  parts: { readonly timestamp: string; readonly id: string | undefined },
): SignedContent {
  const where = "source.signature";
  const hasTimestamp =
    scheme.parts?.timestamp !== undefined || scheme.headers.some(({ timestamp }) => timestamp !== undefined);
  const publicUrl = parsePublicUrl(scheme.publicUrl, `${where}.publicUrl`)?.(delivery.url);
  const content = compileSigned(scheme, hasTimestamp, where)(asSignedRequest(delivery, publicUrl), parts);
  if ("fault" in content) throw new TypeError(`this delivery cannot be signed: ${content.reason}`);
  return "anyOf" in content ? (content.anyOf[0] as SignedContent) : content;
}

function signatureOf(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  content: SignedContent,
  { encoding, hexCase, dsaEncoding = "der" }: HeaderScheme,
): string {
  const bytes = Buffer.concat(content.map((piece) => Buffer.from(piece as string)));
  const hash = algorithm === "ed25519" ? null : algorithm.slice(algorithm.lastIndexOf("-") + 1);
  const signature =
    hash !== null && algorithm.startsWith("hmac-")
      ? createHmac(hash, key).update(bytes).digest()
      : signWith(hash, bytes, { key, dsaEncoding });
  const text = signature.toString(encoding);
  return encoding === "hex" && hexCase === "upper" ? text.toUpperCase() : text;
}

/** The options of a JWT credential, of which only some are looked at. */
type Credential = Readonly<Record<string, unknown>>;

/** Seconds that tokens are good for, as far as `exp` says. */
const lifeSeconds = 60;

/** The header that brings a token as a source's senders would send it. TypeError where nothing given can sign. */
async function signTokenHeader(
  auth: SourceAuth,
  delivery: Unsigned,
  options: SigningOptions,
): Promise<Readonly<Record<string, string>>> {
  const credential = await credentialOf(auth, options, delivery.nowMs);
  const { algorithm, key } = tokenSigner(credential, options);
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

function tokenSigner(
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
