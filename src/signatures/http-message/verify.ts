import { Buffer } from "node:buffer";
import { constants, createHash, createHmac, type KeyObject, timingSafeEqual, verify } from "node:crypto";
import { durationOption, OptionError, ownMembers, stringOption } from "../../lib/options.js";
import { printable } from "../../lib/printable.js";
import type {
  CheckSignature,
  MessageAlgorithm,
  MessageKey,
  MessageScheme,
  SignatureFault,
  SignatureMatch,
  SignedRequest,
} from "../../types/signature.js";
import {
  type Absence,
  type Component,
  createValues,
  type Fields,
  fieldLines,
  fieldsOf,
  isCovered,
  needsPublicUrl,
  parseComponent,
  readComponent,
  type ValueOf,
} from "./components.js";
import {
  type Dictionary,
  type InnerList,
  type Parameters,
  parseDictionary,
  serializeMember,
} from "./structured-fields.js";

/** Components of one signature. */
const mostComponents = 32;

interface Policy {
  readonly keys: ReadonlyMap<string, MessageKey>;
  readonly required: readonly Component[];
  /** Whether the body must be covered, where there is one or always. */
  readonly digest: "always" | "with-body" | "never";
  readonly tag: string | undefined;
  readonly toleranceSeconds: number;
}

/** Why a signature does not count, and how many checks it passed before. */
interface Rejection extends SignatureFault {
  readonly passed: number;
}

/** One request while its signatures are checked. */
interface Examined {
  readonly request: SignedRequest;
  readonly fields: Fields;
  readonly find: ValueOf;
  readonly nowMs: number;
}

/**
 * Prepares the check of HTTP message signatures (RFC 9421). Of several signatures one that meets every demand is enough;
 * labels say nothing. `created` and a `keyid` that is configured are required, the algorithm is the key's, and the body
 * is checked against the covered `Content-Digest` (RFC 9530). TypeError for a scheme that cannot be meant.
 */
export function createMessageCheck(scheme: MessageScheme, where: string): CheckSignature {
  const policy = policyOf(scheme, where);
  return (request, nowMs) => {
    const fields = fieldsOf(request.rawHeaders);
    const candidates = candidatesOf(fields);
    if ("fault" in candidates) return candidates;
    const examined: Examined = { request, fields, find: createValues(request, fields), nowMs };
    let furthest: Rejection = { passed: -1, fault: "missing", reason: "the message has no signature in it" };
    for (const candidate of candidates) {
      const found = examine(candidate, examined, policy);
      if ("keyId" in found) return found;
      const reason =
        candidates.length > 1 ? `"${printable(candidate.label, 40)}": ${found.reason}` : found.reason;
      if (found.passed > furthest.passed) furthest = { ...found, reason };
    }
    const { fault, reason } = furthest;
    const count = candidates.length;
    return {
      fault,
      reason: count > 1 ? `none of ${count} signatures counts; the nearest, ${reason}` : reason,
    };
  };
}

const toleranceBounds = { min: "1s", max: "1h", fallback: "5m" } as const;

function policyOf(scheme: MessageScheme, where: string): Policy {
  const { tag, tolerance, publicUrl, insecureUnsignedBody } = ownMembers(scheme);
  if (scheme.keys.length === 0) throw new OptionError(`${where}.keys`, ` is empty: no signature could pass`);
  const keys = new Map<string, MessageKey>();
  for (const [at, key] of scheme.keys.entries()) {
    assertFits(key, `${where}.keys[${at}]`);
    if (keys.has(key.id)) throw new OptionError(`${where}.keys`, ` has two keys with the id "${key.id}"`);
    keys.set(key.id, key);
  }
  const required = scheme.required.map((text, at) => requiredOf(text, publicUrl, `${where}.required[${at}]`));
  const others = required.filter(({ identifier }) => identifier !== '"content-digest"');
  return {
    keys,
    required: others,
    digest:
      others.length < required.length ? "always" : insecureUnsignedBody === true ? "never" : "with-body",
    tag: tag === undefined ? undefined : stringOption(tag, `${where}.tag`),
    toleranceSeconds: durationOption(tolerance, `${where}.tolerance`, toleranceBounds) / 1_000,
  };
}

function requiredOf(text: unknown, publicUrl: string | undefined, where: string): Component {
  const component = parseComponent(stringOption(text, where));
  if ("unusable" in component) throw new OptionError(where, `: ${component.unusable}`);
  if (needsPublicUrl(component) && publicUrl === undefined) {
    throw new OptionError(
      where,
      ` is ${component.name}, which publicUrl alone can tell: give the URL under which the sender calls you`,
    );
  }
  return component;
}

function examine(candidate: Candidate, examined: Examined, policy: Policy): SignatureMatch | Rejection {
  const { input, signature } = candidate;
  const key = keyOf(input.parameters, policy);
  if ("fault" in key) return key;
  const late = timeFault(input.parameters, policy, examined.nowMs);
  if (late !== undefined) return late;
  const components = componentsOf(input);
  if ("fault" in components) return components;
  const uncovered = coverageFault(components, examined.request, policy);
  if (uncovered !== undefined) return uncovered;
  const base = signatureBase(components, input, examined.find);
  if (typeof base !== "string") return { passed: 6, fault: "malformed", reason: base.absent };
  if (!verifyMessage(base, key, signature)) {
    // A well-known signer takes the longest salt instead of the 64 bytes of RFC 9421 section 3.3.1.
    const salt = key.algorithm === "rsa-pss-sha512" ? ", or its salt is not 64 bytes long" : "";
    const reason = `"${key.id}" does not match the signature: another key, or a covered component was changed${salt}`;
    return { passed: 7, fault: "mismatch", reason };
  }
  if (!key.active || examined.nowMs < key.notBeforeMs || examined.nowMs >= key.expiresAtMs) {
    const reason = `the signature was made with "${key.id}", which is inactive or outside its lifetime`;
    return { passed: 8, fault: "mismatch", reason };
  }
  const altered = bodyFault(examined);
  return altered === undefined ? { keyId: key.id } : { passed: 9, ...altered };
}

/**
 * What is signed (RFC 9421 section 2.5), or why a component has no value. `input` must be what `components` were read
 * from.
 */
export function signatureBase(
  components: readonly Component[],
  input: InnerList,
  find: ValueOf,
): string | Absence {
  let base = "";
  for (const component of components) {
    const value = find(component);
    if (typeof value !== "string") return value;
    base += `${component.identifier}: ${value}\n`;
  }
  return `${base}"@signature-params": ${serializeMember(input)}`;
}

/** The key that a signature names, if the signature is for us (ATTACKS A03, A09: its algorithm is the key's). */
function keyOf(parameters: Parameters, { keys, tag }: Policy): MessageKey | Rejection {
  for (const name of ["keyid", "alg", "tag", "nonce"]) {
    const type = parameters.get(name)?.type;
    if (type !== undefined && type !== "string") return reject(0, `its parameter ${name} is not a string`);
  }
  if (tag !== undefined && parameters.get("tag")?.value !== tag) {
    return reject(1, `it lacks tag="${printable(tag, 60)}", which the option tag asks for`);
  }
  const id = parameters.get("keyid")?.value;
  if (typeof id !== "string") return reject(2, "it has no keyid");
  const key = keys.get(id);
  if (key === undefined) {
    return {
      passed: 3,
      fault: "mismatch",
      reason: `no key with the id "${printable(id, 60)}" is configured`,
    };
  }
  const algorithm = parameters.get("alg")?.value;
  if (algorithm === undefined || algorithm === key.algorithm) return key;
  return {
    passed: 3,
    fault: "mismatch",
    reason: `its alg is not "${key.algorithm}", the one of the key "${key.id}"`,
  };
}

/** Bounds on both sides (ATTACKS F02); `expires` is the sender's own bound. */
function timeFault(
  parameters: Parameters,
  { toleranceSeconds }: Policy,
  nowMs: number,
): Rejection | undefined {
  const created = parameters.get("created");
  const expires = parameters.get("expires");
  if (created?.type !== "integer")
    return reject(4, "it has no created, or one that is not a whole number of seconds");
  if (expires !== undefined && expires.type !== "integer") {
    return reject(4, "its expires is not a whole number of seconds");
  }
  const skew = created.value - Math.floor(nowMs / 1_000);
  if (Math.abs(skew) > toleranceSeconds) {
    const side = skew < 0 ? "behind" : "ahead of";
    const reason = `its created lies ${Math.abs(skew)} s ${side} our clock; ${toleranceSeconds} s are allowed (tolerance)`;
    return { passed: 4, fault: "timestamp", reason };
  }
  if (expires === undefined || (expires.value >= created.value && expires.value * 1_000 >= nowMs))
    return undefined;
  return { passed: 4, fault: "timestamp", reason: "its expires has passed" };
}

function componentsOf({ items }: InnerList): readonly Component[] | Rejection {
  if (items.length > mostComponents) return reject(5, `it covers more than ${mostComponents} components`);
  const components: Component[] = [];
  const seen = new Set<string>();
  for (const item of items) {
    const component = readComponent(item);
    if ("unusable" in component) return reject(5, component.unusable);
    if (seen.has(component.identity)) return reject(5, "it covers a component twice");
    seen.add(component.identity);
    components.push(component);
  }
  return components;
}

/** What a signature had to cover and does not (ATTACKS F09). */
function coverageFault(
  components: readonly Component[],
  { rawBody }: SignedRequest,
  { required, digest }: Policy,
): Rejection | undefined {
  const left = required
    .filter((component) => !isCovered(component, components))
    .map(({ identifier }) => identifier);
  const isDigestNeeded = digest === "always" || (digest === "with-body" && rawBody.length > 0);
  if (isDigestNeeded && !components.some(coversBody)) left.push('"content-digest"');
  return left.length === 0 ? undefined : reject(5, `it does not cover ${left.join(", ")}`);
}

function coversBody({ name, member }: Component): boolean {
  return name === "content-digest" && (member === undefined || digestHashes.has(member));
}

function bodyFault({ fields, request }: Examined): SignatureFault | undefined {
  if (!fields.has("content-digest")) return undefined;
  const digest = boundedField(fields, "content-digest");
  return typeof digest === "string" ? contentDigestFault(digest, request.rawBody) : digest;
}

function reject(passed: number, reason: string): Rejection {
  return { passed, fault: "malformed", reason };
}

/** Signatures of one message (ATTACKS F04). */
const mostSignatures = 10;
const longestHeader = 8_192;

/** A signature that was sent. */
interface Candidate {
  readonly label: string;
  /** The covered components and the parameters. */
  readonly input: InnerList;
  readonly signature: Buffer;
}

/** The signatures of a message; labels must be in both headers (RFC 9421 section 4). */
function candidatesOf(fields: Fields): readonly Candidate[] | SignatureFault {
  const inputs = dictionaryOf(fields, "signature-input");
  if ("fault" in inputs) return inputs as SignatureFault;
  const signatures = dictionaryOf(fields, "signature");
  if ("fault" in signatures) return signatures as SignatureFault;
  if (inputs.size !== signatures.size) {
    return malformed("the headers signature and signature-input do not have the same labels");
  }
  if (inputs.size > mostSignatures)
    return malformed(`the message has more than ${mostSignatures} signatures`);
  const candidates: Candidate[] = [];
  for (const [label, input] of inputs) {
    const signature = signatures.get(label);
    if (signature === undefined) {
      return malformed("the headers signature and signature-input do not have the same labels");
    }
    if (!("items" in input)) return malformed("a member of the header signature-input is not an inner list");
    if (!("bare" in signature) || signature.bare.type !== "bytes") {
      return malformed("a member of the header signature is not a byte sequence");
    }
    candidates.push({ label, input, signature: signature.bare.value });
  }
  return candidates;
}

function dictionaryOf(fields: Fields, name: string): Dictionary | SignatureFault {
  if (!fields.has(name)) {
    return {
      fault: "missing",
      reason: `the header ${name} is missing: the sender does not sign as RFC 9421 says`,
    };
  }
  const text = boundedField(fields, name);
  if (typeof text !== "string") return text;
  const dictionary = parseDictionary(text);
  if ("malformed" in dictionary) {
    return malformed(`the header ${name} is not a dictionary: ${dictionary.malformed}`);
  }
  if (dictionary.size === 0) return { fault: "missing", reason: `the header ${name} is empty` };
  return dictionary;
}

/** The lines of a header that is there as one value of bounded length. */
function boundedField(fields: Fields, name: string): string | SignatureFault {
  const lines = fieldLines(fields, name);
  if ("absent" in lines) return malformed(lines.absent);
  const text = lines.join(", ");
  if (text.length <= longestHeader) return text;
  return malformed(`the header ${name} is longer than ${longestHeader} characters`);
}

function malformed(reason: string): SignatureFault {
  return { fault: "malformed", reason };
}

/** The digests that count, and their hashes. The others of the registry are deprecated: anyone can forge them. */
const digestHashes: ReadonlyMap<string, string> = new Map([
  ["sha-256", "sha256"],
  ["sha-512", "sha512"],
]);

/**
 * Checks a body against its `Content-Digest` (RFC 9530 section 2): sha-256 and sha-512, at least one, and every one that
 * is there must match. Other algorithms are not looked at. Undefined: the digest is the body's.
 */
export function contentDigestFault(field: string, body: Uint8Array): SignatureFault | undefined {
  const digests = parseDictionary(field);
  if ("malformed" in digests) {
    return {
      fault: "malformed",
      reason: `the header content-digest is not a dictionary: ${digests.malformed}`,
    };
  }
  let checked = 0;
  for (const [name, member] of digests) {
    const hash = digestHashes.get(name);
    if (hash === undefined) continue;
    if (!("bare" in member) || member.bare.type !== "bytes") {
      return {
        fault: "malformed",
        reason: `the ${name} of the header content-digest is not a byte sequence`,
      };
    }
    const actual = createHash(hash).update(body).digest();
    const claimed = member.bare.value;
    if (claimed.length !== actual.length || !timingSafeEqual(claimed, actual)) {
      return {
        fault: "mismatch",
        reason: `the body does not match its ${name} in the header content-digest: it was changed on its way`,
      };
    }
    checked += 1;
  }
  if (checked > 0) return undefined;
  return {
    fault: "malformed",
    reason: `the header content-digest has no digest that counts: ${[...digestHashes.keys()].join(" or ")} is needed`,
  };
}

interface Algorithm {
  /** Type of the key, as Node calls it. */
  readonly keyType: "secret" | "ed25519" | "ec" | "rsa";
  readonly curve?: string;
  /** Bytes of a signature; undefined: as many as the key's modulus. */
  readonly bytes?: number;
  verify(base: Buffer, key: KeyObject, signature: Buffer): boolean;
}

/** The algorithms of RFC 9421 section 3.3. */
const algorithms: ReadonlyMap<MessageAlgorithm, Algorithm> = new Map<MessageAlgorithm, Algorithm>([
  [
    "hmac-sha256",
    {
      keyType: "secret",
      bytes: 32,
      verify: (base, key, signature) =>
        timingSafeEqual(createHmac("sha256", key).update(base).digest(), signature),
    },
  ],
  [
    "ed25519",
    { keyType: "ed25519", bytes: 64, verify: (base, key, signature) => verify(null, base, key, signature) },
  ],
  ["ecdsa-p256-sha256", ecdsa("prime256v1", "sha256", 64)],
  ["ecdsa-p384-sha384", ecdsa("secp384r1", "sha384", 96)],
  [
    "rsa-v1_5-sha256",
    { keyType: "rsa", verify: (base, key, signature) => verify("sha256", base, key, signature) },
  ],
  [
    "rsa-pss-sha512",
    {
      keyType: "rsa",
      verify: (base, key, signature) =>
        verify("sha512", base, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 }, signature),
    },
  ],
]);

/** Names of the algorithms. */
export const messageAlgorithms: readonly MessageAlgorithm[] = [...algorithms.keys()];

/** TypeError for an unknown algorithm, and for a key that is not of its kind: no key serves two (ATTACKS A03). */
function assertFits({ algorithm, key }: MessageKey, where: string): void {
  const known = algorithms.get(algorithm);
  if (known === undefined) {
    throw new OptionError(`${where}.algorithm`, ` must be one of ${messageAlgorithms.join(", ")}`);
  }
  const keyType = key.type === "public" ? key.asymmetricKeyType : key.type;
  if (keyType !== known.keyType || key.asymmetricKeyDetails?.namedCurve !== known.curve) {
    throw new OptionError(where, ` has a key of another kind than ${algorithm} needs`);
  }
}

/** Whether a signature is the key's over a signature base, by the key's algorithm; in constant time for secrets. */
function verifyMessage(base: string, { algorithm, key }: MessageKey, signature: Buffer): boolean {
  const known = algorithms.get(algorithm) as Algorithm;
  if (known.bytes !== undefined && signature.length !== known.bytes) return false;
  return known.verify(Buffer.from(base, "latin1"), key, signature);
}

function ecdsa(curve: string, hash: string, bytes: number): Algorithm {
  return {
    keyType: "ec",
    curve,
    bytes,
    verify: (base, key, signature) => verify(hash, base, { key, dsaEncoding: "ieee-p1363" }, signature),
  };
}
