import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual, verify } from "node:crypto";
import type {
  HeaderScheme,
  SignatureFault,
  SignatureHeaders,
  SignatureVariant,
  SigningKey,
} from "../contracts/signature.js";
import { numberOption } from "../lib/options.js";
import type { CheckSignature } from "./signature.js";
import { decodeSignature } from "./signature-encoding.js";
import { compileSigned, type SignedParts } from "./signed-content.js";

/** Signatures that one header may hold; every one costs a comparison (ATTACKS F04). */
const mostSignatures = 10;
const longestHeader = 8_192;

/** The hash of each algorithm, and the length of its HMAC in bytes; 0: no HMAC. Ed25519 brings its own hash. */
const algorithms: ReadonlyMap<string, { readonly hash: string | null; readonly macBytes: number }> = new Map([
  ["hmac-sha256", { hash: "sha256", macBytes: 32 }],
  ["hmac-sha384", { hash: "sha384", macBytes: 48 }],
  ["hmac-sha512", { hash: "sha512", macBytes: 64 }],
  ["hmac-sha1", { hash: "sha1", macBytes: 20 }],
  ["ed25519", { hash: null, macBytes: 0 }],
  ["ecdsa-p256-sha256", { hash: "sha256", macBytes: 0 }],
  ["rsa-sha256", { hash: "sha256", macBytes: 0 }],
]);

type Verify = (pieces: readonly (string | Uint8Array)[], signature: Buffer, key: SigningKey) => boolean;

interface Variant {
  readonly label: string;
  readonly keys: readonly SigningKey[];
  /** Bytes that a signature must have; 0: any number. */
  readonly macBytes: number;
  readonly verify: Verify;
}

/** A signature that was sent, and the variant that it claims to be. */
interface Candidate {
  readonly variant: Variant;
  readonly signature: Buffer;
}

/** What a signature header says. */
interface ReadHeader {
  readonly candidates: readonly Candidate[];
  /** From a part of the header. */
  readonly timestamp: string | undefined;
}

/**
 * Prepares the check of a signature that stands in a header of its own. Everything is compared over the raw bytes and in
 * constant time; nothing of the body is parsed. TypeError for a scheme that cannot be meant: a timestamp without
 * bounds, no keys, an unknown algorithm.
 */
export function createHeaderCheck(scheme: HeaderScheme, where: string): CheckSignature {
  const variants = scheme.variants.map((variant, at) =>
    prepareVariant(variant, scheme, `${where}.variants[${at}]`),
  );
  if (variants.length === 0) throw new TypeError(`${where}.variants is empty: no signature could pass`);
  const sets = scheme.headers;
  if (sets.length === 0) throw new TypeError(`${where}.headers is empty: there is no signature to read`);
  const hasTimestamp =
    scheme.parts?.timestamp !== undefined || sets.some((set) => set.timestamp !== undefined);
  const checkTime = hasTimestamp ? timeCheck(scheme, where) : undefined;
  const contentOf = compileSigned(scheme, hasTimestamp, where);
  return (request, nowMs) => {
    const set = presentSet(sets, request.rawHeaders);
    const header = singleValue(request.rawHeaders, set.signature);
    if (typeof header === "object") return header;
    const read =
      scheme.parts === undefined ? readPlain(header, variants, scheme) : readParts(header, variants, scheme);
    if ("fault" in read) return read;
    const parts = partsOf(set, read, request.rawHeaders);
    if ("fault" in parts) return parts;
    const late = checkTime?.(parts.timestamp as string, nowMs);
    if (late !== undefined) return late;
    const content = contentOf(request, parts);
    return "fault" in content ? content : judge(read.candidates, content, nowMs);
  };
}

function prepareVariant(variant: SignatureVariant, scheme: HeaderScheme, where: string): Variant {
  const { label, algorithm, keys } = variant;
  const known = algorithms.get(algorithm);
  if (known === undefined) {
    throw new TypeError(`${where}.algorithm must be one of ${[...algorithms.keys()].join(", ")}`);
  }
  if (keys.length === 0) throw new TypeError(`${where}.keys is empty: no signature could pass`);
  const { hash, macBytes } = known;
  return { label, keys, macBytes, verify: macBytes > 0 ? macOf(hash as string) : publicOf(hash, scheme) };
}

function macOf(hash: string): Verify {
  return (pieces, signature, { key }) => {
    const mac = createHmac(hash, key);
    for (const piece of pieces) mac.update(piece);
    return timingSafeEqual(mac.digest(), signature);
  };
}

function publicOf(hash: string | null, { dsaEncoding = "der" }: HeaderScheme): Verify {
  return (pieces, signature, { key }) => verify(hash, joined(pieces), { key, dsaEncoding }, signature);
}

function joined(pieces: readonly (string | Uint8Array)[]): Buffer {
  return Buffer.concat(pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece) : piece)));
}

/** The set that the sender speaks: one header of it makes it that one, so that no header of another can stand in. */
function presentSet(sets: readonly SignatureHeaders[], rawHeaders: readonly string[]): SignatureHeaders {
  const [first] = sets as readonly [SignatureHeaders];
  if (sets.length === 1) return first;
  const sent = new Set<string>();
  for (let at = 0; at < rawHeaders.length; at += 2) sent.add((rawHeaders[at] as string).toLowerCase());
  const has = (name: string | undefined): boolean => name !== undefined && sent.has(name);
  return sets.find(({ signature, timestamp, id }) => has(signature) || has(timestamp) || has(id)) ?? first;
}

/** The value of a header that must be there once, and say something. */
function singleValue(rawHeaders: readonly string[], name: string): string | SignatureFault {
  let value: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const candidate = rawHeaders[at] as string;
    if (candidate.length !== name.length || candidate.toLowerCase() !== name) continue;
    if (value !== undefined) return malformed(`the header ${name} came twice`);
    value = rawHeaders[at + 1] as string;
  }
  if (value === undefined)
    return { fault: "missing", reason: `the header ${name} is missing: the sender does not sign` };
  if (value === "") return { fault: "missing", reason: `the header ${name} is empty` };
  if (value.length > longestHeader)
    return malformed(`the header ${name} is longer than ${longestHeader} characters`);
  return value;
}

/** A header that is one signature, behind a prefix or none. */
function readPlain(
  header: string,
  variants: readonly Variant[],
  scheme: HeaderScheme,
): ReadHeader | SignatureFault {
  const variant =
    variants.find(({ label }) => label !== "" && header.startsWith(label)) ??
    variants.find(({ label }) => label === "");
  if (variant === undefined) {
    return malformed(
      `the signature does not begin with ${variants.map(({ label }) => `"${label}"`).join(" or ")}`,
    );
  }
  const signature = decodeSignature(header.slice(variant.label.length), scheme, variant.macBytes);
  if (signature === undefined) return malformed(`the signature is not ${form(scheme, variant)}`);
  return { candidates: [{ variant, signature }], timestamp: undefined };
}

/** A header of parts; those of unknown names are ignored, as a newer version of a scheme would be. */
function readParts(
  header: string,
  variants: readonly Variant[],
  scheme: HeaderScheme,
): ReadHeader | SignatureFault {
  const { separator, assign, timestamp: timestampName } = scheme.parts as NonNullable<HeaderScheme["parts"]>;
  const candidates: Candidate[] = [];
  let timestamp: string | undefined;
  let signatures = 0;
  for (const part of header.split(separator)) {
    const equals = part.indexOf(assign);
    if (equals < 1)
      return malformed(`the signature header is no list of name${assign}value, separated by "${separator}"`);
    const name = part.slice(0, equals);
    const value = part.slice(equals + assign.length);
    if (name === timestampName) {
      if (timestamp !== undefined) return malformed("the signature header names its timestamp twice");
      timestamp = value;
    }
    const variant = variants.find(({ label }) => label === name);
    if (variant === undefined) continue;
    signatures += 1;
    if (signatures > mostSignatures)
      return malformed(`the header holds more than ${mostSignatures} signatures`);
    const signature = decodeSignature(value, scheme, variant.macBytes);
    if (signature !== undefined) candidates.push({ variant, signature });
  }
  if (timestampName !== undefined && timestamp === undefined)
    return malformed("the signature header has no timestamp");
  if (candidates.length > 0) return { candidates, timestamp };
  const wanted = variants.map((variant) => `"${variant.label}" (${form(scheme, variant)})`).join(" or ");
  return malformed(`the signature header holds no signature ${wanted}`);
}

function form({ encoding, hexCase = "lower" }: HeaderScheme, { macBytes }: Variant): string {
  const what = encoding === "hex" && hexCase !== "any" ? `${hexCase}-case hex` : encoding;
  return macBytes === 0 ? what : `${macBytes} bytes in ${what}`;
}

/** What the scheme reads beside the signature. */
function partsOf(
  set: SignatureHeaders,
  read: ReadHeader,
  rawHeaders: readonly string[],
): SignedParts | SignatureFault {
  let timestamp = read.timestamp;
  if (set.timestamp !== undefined) {
    const value = singleValue(rawHeaders, set.timestamp);
    if (typeof value === "object") return value;
    timestamp = value;
  }
  const id = set.id === undefined ? undefined : singleValue(rawHeaders, set.id);
  return typeof id === "object" ? id : { timestamp, id };
}

/** Bounds on both sides (ATTACKS F02): a timestamp of next year is as wrong as one of last year. */
function timeCheck(
  { toleranceSeconds, timestampUnit = "seconds" }: HeaderScheme,
  where: string,
): (timestamp: string, nowMs: number) => SignatureFault | undefined {
  if (toleranceSeconds === undefined)
    throw new TypeError(`${where}.toleranceSeconds is missing: timestamps need bounds`);
  const bounds = { min: 1, max: 3_600, fallback: 300, integer: true };
  const tolerance = numberOption(toleranceSeconds, `${where}.toleranceSeconds`, bounds);
  const perSecond = timestampUnit === "milliseconds" ? 1_000 : 1;
  return (timestamp, nowMs) => {
    if (!/^\d{1,15}$/.test(timestamp))
      return malformed(`the timestamp is no whole number of ${timestampUnit}`);
    const skew = (Number(timestamp) - Math.floor((nowMs * perSecond) / 1_000)) / perSecond;
    if (Math.abs(skew) <= tolerance) return undefined;
    const side = skew < 0 ? "behind" : "ahead of";
    const reason = `the timestamp lies ${Math.abs(skew)} s ${side} our clock; ${tolerance} s are allowed (toleranceSeconds)`;
    return { fault: "timestamp", reason };
  };
}

function judge(
  candidates: readonly Candidate[],
  content: readonly (string | Uint8Array)[],
  nowMs: number,
): ReturnType<CheckSignature> {
  let ended: string | undefined;
  for (const { variant, signature } of candidates) {
    for (const key of variant.keys) {
      if (!variant.verify(content, signature, key)) continue;
      if (key.active && nowMs >= key.notBeforeMs && nowMs < key.expiresAtMs) return { keyId: key.id };
      ended = key.id;
    }
  }
  const reason =
    ended === undefined
      ? "no secret matches the signature: another secret, or the body was changed on its way"
      : `the signature was made with "${ended}", which is inactive or outside its lifetime`;
  return { fault: "mismatch", reason };
}

function malformed(reason: string): SignatureFault {
  return { fault: "malformed", reason };
}
