import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual, verify } from "node:crypto";
import { choiceOption, numberOption, OptionError, ownMembers } from "../lib/options.js";
import type {
  CheckSignature,
  HeaderScheme,
  SignatureFault,
  SignatureVariant,
  SignedContent,
  SigningKey,
} from "../types/signature.js";
import { type Candidate, type Readable, readSignature } from "./signature-parts.js";
import { compileSigned } from "./signed-content.js";

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
 * Prepares the check of a signature that stands in a header of its own. Everything is compared over the raw bytes and in
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
    return judge(read.candidates, contents, nowMs);
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

/** Bounds on both sides (ATTACKS F02): a timestamp of next year is as wrong as one of last year. */
function timeCheck(
  { toleranceSeconds, timestampUnit = "seconds" }: HeaderScheme,
  where: string,
): (timestamp: string, nowMs: number) => SignatureFault | undefined {
  if (toleranceSeconds === undefined)
    throw new OptionError(`${where}.toleranceSeconds`, ` is missing: timestamps need bounds`);
  const bounds = { min: 1, max: 3_600, fallback: 300, integer: true };
  const tolerance = numberOption(toleranceSeconds, `${where}.toleranceSeconds`, bounds);
  const perSecond = timestampUnit === "milliseconds" ? 1_000 : 1;
  return (timestamp, nowMs) => {
    // A leading zero could be taken from the end of a value that is signed right before the timestamp.
    if (!/^[1-9]\d{0,14}$/.test(timestamp))
      return { fault: "malformed", reason: `the timestamp is no whole number of ${timestampUnit}` };
    const skew = (Number(timestamp) - Math.floor((nowMs * perSecond) / 1_000)) / perSecond;
    if (Math.abs(skew) <= tolerance) return undefined;
    const side = skew < 0 ? "behind" : "ahead of";
    const reason = `the timestamp lies ${Math.abs(skew)} s ${side} our clock; ${tolerance} s are allowed (toleranceSeconds)`;
    return { fault: "timestamp", reason };
  };
}

function judge(
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
