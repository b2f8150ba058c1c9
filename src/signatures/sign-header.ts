import { createHmac, type KeyObject, sign as signWith } from "node:crypto";
import type {
  HeaderScheme,
  SignatureAlgorithm,
  SignatureHeaders,
  SignedContent,
} from "../types/signature.js";
import { parsePublicUrl } from "./public-url.js";
import { compileSigned } from "./signed-content.js";
import { asSignedRequest, keyInUse, privateKeyOf, type SigningOptions, type Unsigned } from "./signing.js";

/** The headers of a signature as a scheme wants them. TypeError where nothing given can sign. */
export function signHeader(
  scheme: HeaderScheme,
  delivery: Unsigned,
  options: SigningOptions,
): Readonly<Record<string, string>> {
  const { label, algorithm, key } = signerOf(scheme, options, delivery.nowMs);
  const set = presentSet(scheme.headers, delivery.headers);
  const seconds = scheme.timestampUnit === "milliseconds" ? delivery.nowMs : delivery.nowMs / 1_000;
  const timestamp = String(Math.floor(seconds));
  const id = set.id === undefined ? undefined : (delivery.headers[set.id] ?? delivery.id);
  const beside: Record<string, string> = {
    ...(set.timestamp === undefined ? {} : { [set.timestamp]: timestamp }),
    ...(set.id === undefined || id === undefined ? {} : { [set.id]: id }),
  };
  const signed = { ...delivery, headers: { ...delivery.headers, ...beside } };
  const signature = signatureOf(algorithm, key, contentOf(scheme, signed, { timestamp, id }), scheme);
  const { parts } = scheme;
  if (parts === undefined) return { ...beside, [set.signature]: `${label}${signature}` };
  const time = parts.timestamp === undefined ? [] : [`${parts.timestamp}${parts.assign}${timestamp}`];
  const header = [...time, `${label}${parts.assign}${signature}`].join(parts.separator);
  return { ...beside, [set.signature]: header };
}

/** Names of headers of sets in which the delivery is not signed; with them, it would be read as one of those. */
export function otherHeaders({ headers }: HeaderScheme, chosen: Readonly<Record<string, string>>): string[] {
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

function signerOf({ variants }: HeaderScheme, options: SigningOptions, nowMs: number): Signer {
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
