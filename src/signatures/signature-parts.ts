import type { Buffer } from "node:buffer";
import type { HeaderScheme, SignatureFault, SignatureHeaders } from "../types/signature.js";
import { decodeSignature } from "./signature-encoding.js";
import type { SignedParts } from "./signed-content.js";

/** Signatures that one header may hold; every one costs a comparison (ATTACKS F04). */
const mostSignatures = 10;
const longestHeader = 8_192;

/** What reading a header asks of a variant of the scheme. */
export interface Readable {
  readonly label: string;
  /** Bytes that a signature must have; 0: any number. */
  readonly macBytes: number;
}

/** A signature that was sent, and the variant that it claims to be. */
export interface Candidate<Variant> {
  readonly variant: Variant;
  readonly signature: Buffer;
}

/** Signatures of a request, and what is signed beside its body. */
export interface ReadSignature<Variant> {
  readonly candidates: readonly Candidate<Variant>[];
  readonly parts: SignedParts;
}

/**
 * Reads what the headers of a request say about its signature. A header that came twice is a fault (ATTACKS F01).
 * `variants` have the longest labels first: of `v1` and `v1a` the longer one is meant where both begin the header.
 */
export function readSignature<Variant extends Readable>(
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
      return malformed(`the signature header is no list of name${assign}value, separated by "${separator}"`);
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
  return malformed(`the signature header holds no signature ${wanted}`);
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
