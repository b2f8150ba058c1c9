import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual, verify } from "node:crypto";
import { choiceOption, durationOption, OptionError, ownMembers } from "../lib/options.js";
import { repeated, singleHeader } from "../lib/request-head.js";
import type {
  CheckSignature,
  HeaderScheme,
  SignatureFault,
  SignatureHeaders,
  SignatureVariant,
  SignedContent,
  SigningKey,
} from "../types/signature.js";
import { compileSigned, type SignedParts } from "./signed-content.js";

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

type Verify = (pieces: SignedContent, signature: Buffer, key: SigningKey) => boolean;

interface Variant extends Readable {
  readonly keys: readonly SigningKey[];
  readonly verify: Verify;
}

/**
 * Prepares the check of a signature in a header of its own. Everything is compared over the raw bytes and in
 * constant time; nothing of the body is parsed. TypeError for a scheme that cannot be meant: a timestamp without
 * bounds, no keys, an unknown algorithm or encoding.
 */
export function createHeaderCheck(given: HeaderScheme, where: string): CheckSignature {
  const scheme = ownMembers({ ...given, headers: given.headers.map(ownMembers) });
  assertForms(scheme, where);
  const variants = scheme.variants
    .map((variant, at) => prepareVariant(variant, scheme, `${where}.variants[${at}]`))
    .sort((one, other) => other.label.length - one.label.length);
  if (variants.length === 0) throw new OptionError(`${where}.variants`, ` is empty: no signature could pass`);
  if (scheme.headers.length === 0)
    throw new OptionError(`${where}.headers`, ` is empty: there is no signature to read`);
  const hasTimestamp = bringsTimestamp(scheme, where);
  const checkTime = hasTimestamp ? timeCheck(scheme, where) : undefined;
  const contentOf = compileSigned(scheme, hasTimestamp, where);
  return (request, nowMs) => {
    const read = readSignature(scheme, variants, request.rawHeaders);
    if ("fault" in read) return read;
    const late = checkTime?.(read.parts.timestamp as string, nowMs);
    if (late !== undefined) return late;
    const content = contentOf(request, read.parts);
    if ("fault" in content) return content;
    const contents = "anyOf" in content ? content.anyOf : [content];
    return matchKey(read.candidates, contents, nowMs);
  };
}

function assertForms(scheme: HeaderScheme, where: string): void {
  const { encoding, hexCase, dsaEncoding, timestampUnit, parts } = scheme;
  // The fallback is no encoding: one must be given.
  choiceOption<string>(encoding ?? "", `${where}.encoding`, ["hex", "base64", "base64url"], "");
  choiceOption(hexCase, `${where}.hexCase`, ["lower", "upper", "any"], "lower");
  choiceOption(dsaEncoding, `${where}.dsaEncoding`, ["der", "ieee-p1363"], "der");
  choiceOption(timestampUnit, `${where}.timestampUnit`, ["seconds", "milliseconds"], "seconds");
  if (parts?.separator === "" || parts?.assign === "") {
    throw new OptionError(`${where}.parts`, ` needs a separator and an assign, such as "," and "="`);
  }
}

function prepareVariant(variant: SignatureVariant, scheme: HeaderScheme, where: string): Variant {
  const { label, algorithm, keys } = variant;
  const known = algorithms.get(algorithm);
  if (known === undefined) {
    throw new OptionError(`${where}.algorithm`, ` must be one of ${[...algorithms.keys()].join(", ")}`);
  }
  if (keys.length === 0) throw new OptionError(`${where}.keys`, ` is empty: no signature could pass`);
  const { hash, macBytes } = known;
  const type = macBytes > 0 ? "secret" : "public";
  if (keys.some(({ key }) => key.type !== type)) {
    throw new OptionError(`${where}.keys`, ` holds a key that is not ${type}, as ${algorithm} needs`);
  }
  return { label, keys, macBytes, verify: macBytes > 0 ? macOf(hash as string) : publicOf(hash, scheme) };
}

function macOf(hash: string): Verify {
  return (pieces, signature, { key }) => {
    const mac = createHmac(hash, key);
    for (const piece of pieces) mac.update(piece);
    // As text first: a digest as a Buffer has memory of its own, which costs more than all else here but the hash.
    return timingSafeEqual(Buffer.from(mac.digest("binary"), "latin1"), signature);
  };
}

function publicOf(hash: string | null, { dsaEncoding = "der" }: HeaderScheme): Verify {
  return (pieces, signature, { key }) => verify(hash, joined(pieces), { key, dsaEncoding }, signature);
}

function joined(pieces: SignedContent): Buffer {
  return Buffer.concat(pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece) : piece)));
}

/** Whether there is a timestamp; one that only some sets of headers bring could be left out by choosing another set. */
function bringsTimestamp({ headers, parts }: HeaderScheme, where: string): boolean {
  if (parts?.timestamp !== undefined) return true;
  const those = headers.filter(({ timestamp }) => timestamp !== undefined).length;
  if (those > 0 && those < headers.length) {
    throw new OptionError(
      `${where}.headers`,
      ` has sets with a timestamp and without: each needs one, or none`,
    );
  }
  return those > 0;
}

/** Bounds of the option `tolerance`. */
const toleranceBounds = { min: "1s", max: "1h", fallback: "5m" } as const;

/** Bounds on both sides (ATTACKS F02): a timestamp of next year is as wrong as one of last year. */
function timeCheck(
  { tolerance, timestampUnit = "seconds" }: HeaderScheme,
  where: string,
): (timestamp: string, nowMs: number) => SignatureFault | undefined {
  if (tolerance === undefined)
    throw new OptionError(`${where}.tolerance`, ` is missing: timestamps need bounds`);
  const toleranceSeconds = durationOption(tolerance, `${where}.tolerance`, toleranceBounds) / 1_000;
  const perSecond = timestampUnit === "milliseconds" ? 1_000 : 1;
  return (timestamp, nowMs) => {
    // A leading zero could be taken from the end of a value that is signed right before the timestamp.
    if (!/^[1-9]\d{0,14}$/.test(timestamp))
      return { fault: "malformed", reason: `the timestamp is not a whole number of ${timestampUnit}` };
    const skew = (Number(timestamp) - Math.floor((nowMs * perSecond) / 1_000)) / perSecond;
    if (Math.abs(skew) <= toleranceSeconds) return undefined;
    const side = skew < 0 ? "behind" : "ahead of";
    const reason = `the timestamp lies ${Math.abs(skew)} s ${side} our clock; ${toleranceSeconds} s are allowed (tolerance)`;
    return { fault: "timestamp", reason };
  };
}

function matchKey(
  candidates: readonly Candidate<Variant>[],
  contents: readonly SignedContent[],
  nowMs: number,
): ReturnType<CheckSignature> {
  let ended: string | undefined;
  for (const { variant, signature } of candidates) {
    for (const key of variant.keys) {
      if (!contents.some((content) => variant.verify(content, signature, key))) continue;
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

/** Signatures that one header may hold; every one costs a comparison (ATTACKS F04). */
const mostSignatures = 10;
const longestHeader = 8_192;

/** What reading a header asks of a variant of the scheme. */
interface Readable {
  readonly label: string;
  /** Bytes that a signature must have; 0: any number. */
  readonly macBytes: number;
}

/** A signature that was sent, and the variant that it claims to be. */
interface Candidate<Variant> {
  readonly variant: Variant;
  readonly signature: Buffer;
}

/** Signatures of a request, and what is signed in addition to its body. */
interface ReadSignature<Variant> {
  readonly candidates: readonly Candidate<Variant>[];
  readonly parts: SignedParts;
}

/**
 * Reads what the headers of a request say about its signature. A header that came twice is a fault (ATTACKS F01).
 * `variants` have the longest labels first: of `v1` and `v1a` the longer one is meant where both begin the header.
 */
function readSignature<Variant extends Readable>(
  scheme: HeaderScheme,
  variants: readonly Variant[],
  rawHeaders: readonly string[],
): ReadSignature<Variant> | SignatureFault {
  const set = presentSet(scheme.headers, rawHeaders);
  const header = singleValue(rawHeaders, set.signature);
  if (typeof header === "object") return header;
  const read =
    scheme.parts === undefined ? readPlain(header, variants, scheme) : readParts(header, variants, scheme);
  if ("fault" in read) return read;
  let timestamp = read.timestamp;
  if (set.timestamp !== undefined) {
    const value = singleValue(rawHeaders, set.timestamp);
    if (typeof value === "object") return value;
    timestamp = value;
  }
  const id = set.id === undefined ? undefined : singleValue(rawHeaders, set.id);
  return typeof id === "object" ? id : { candidates: read.candidates, parts: { timestamp, id } };
}

/** What a signature header says; the timestamp is from a part of it. */
interface ReadHeader<Variant> {
  readonly candidates: readonly Candidate<Variant>[];
  readonly timestamp: string | undefined;
}

/** The set that the sender speaks: one header of it makes it that one, so that no header of another can replace it. */
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
  const value = singleHeader(rawHeaders, name);
  if (value === repeated) return malformed(`the header ${name} came twice`);
  if (value === undefined)
    return { fault: "missing", reason: `the header ${name} is missing: the sender does not sign` };
  if (value === "") return { fault: "missing", reason: `the header ${name} is empty` };
  if (value.length > longestHeader)
    return malformed(`the header ${name} is longer than ${longestHeader} characters`);
  return value;
}

/** A header that is one signature, with or without a prefix. */
function readPlain<Variant extends Readable>(
  header: string,
  variants: readonly Variant[],
  scheme: HeaderScheme,
): ReadHeader<Variant> | SignatureFault {
  const label = variants.find((variant) => header.startsWith(variant.label))?.label;
  if (label === undefined) {
    return malformed(
      `the signature does not begin with ${variants.map((variant) => `"${variant.label}"`).join(" or ")}`,
    );
  }
  const named = variants.length === 1 ? variants : variants.filter((variant) => variant.label === label);
  const candidates = candidatesOf(header.slice(label.length), named, scheme);
  if (candidates.length > 0) return { candidates, timestamp: undefined };
  return malformed(`the signature is not ${named.map((variant) => form(scheme, variant)).join(" or ")}`);
}

/** A header of parts; those of unknown names are ignored, as a newer version of a scheme would be. */
function readParts<Variant extends Readable>(
  header: string,
  variants: readonly Variant[],
  scheme: HeaderScheme,
): ReadHeader<Variant> | SignatureFault {
  const { separator, assign, timestamp: timestampName } = scheme.parts as NonNullable<HeaderScheme["parts"]>;
  const candidates: Candidate<Variant>[] = [];
  let timestamp: string | undefined;
  let signatures = 0;
  for (const part of header.split(separator)) {
    const equals = part.indexOf(assign);
    if (equals < 1)
      return malformed(
        `the signature header is not a list of name${assign}value, separated by "${separator}"`,
      );
    const name = part.slice(0, equals);
    const value = part.slice(equals + assign.length);
    if (name === timestampName) {
      if (timestamp !== undefined) return malformed("the signature header names its timestamp twice");
      timestamp = value;
      continue;
    }
    const named = variants.filter(({ label }) => label === name);
    if (named.length === 0) continue;
    signatures += 1;
    if (signatures > mostSignatures)
      return malformed(`the header holds more than ${mostSignatures} signatures`);
    candidates.push(...candidatesOf(value, named, scheme));
  }
  if (timestampName !== undefined && timestamp === undefined)
    return malformed("the signature header has no timestamp");
  if (candidates.length > 0) return { candidates, timestamp };
  const wanted = variants.map((variant) => `"${variant.label}" (${form(scheme, variant)})`).join(" or ");
  return malformed(`the signature header has no signature ${wanted}`);
}

/** A text as each of the variants that it may be; those of one label are told apart by the length alone. */
function candidatesOf<Variant extends Readable>(
  text: string,
  variants: readonly Variant[],
  scheme: HeaderScheme,
): readonly Candidate<Variant>[] {
  const candidates: Candidate<Variant>[] = [];
  for (const variant of variants) {
    const signature = decodeSignature(text, scheme, variant.macBytes);
    if (signature !== undefined) candidates.push({ variant, signature });
  }
  return candidates;
}

function form({ encoding, hexCase = "lower" }: HeaderScheme, { macBytes }: Readable): string {
  const what = encoding === "hex" && hexCase !== "any" ? `${hexCase}-case hex` : encoding;
  return macBytes === 0 ? what : `${macBytes} bytes in ${what}`;
}

function malformed(reason: string): SignatureFault {
  return { fault: "malformed", reason };
}

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
