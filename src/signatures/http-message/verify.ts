import { numberOption, OptionError, ownMembers, stringOption } from "../../lib/options.js";
import { printable } from "../../lib/printable.js";
import type {
  CheckSignature,
  MessageKey,
  MessageScheme,
  SignatureFault,
  SignatureMatch,
  SignedRequest,
} from "../../types/signature.js";
import { contentDigestFault, digestHashes } from "../content-digest.js";
import { assertFits, verifyMessage } from "./algorithms.js";
import { boundedField, type Candidate, candidatesOf } from "./candidates.js";
import { type Component, isCovered, needsPublicUrl, parseComponent, readComponent } from "./components.js";
import { type InnerList, type Parameters, serializeMember } from "./structured-fields.js";
import { type Absence, createValues, type Fields, fieldsOf, type ValueOf } from "./values.js";

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

function policyOf(scheme: MessageScheme, where: string): Policy {
  const { tag, toleranceSeconds, publicUrl, insecureUnsignedBody } = ownMembers(scheme);
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
    toleranceSeconds: numberOption(toleranceSeconds, `${where}.toleranceSeconds`, {
      min: 1,
      max: 3_600,
      fallback: 300,
      integer: true,
    }),
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
    if (type !== undefined && type !== "string") return reject(0, `its parameter ${name} is no string`);
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
    return reject(4, "it has no created, or one that is no whole number of seconds");
  if (expires !== undefined && expires.type !== "integer") {
    return reject(4, "its expires is no whole number of seconds");
  }
  const skew = created.value - Math.floor(nowMs / 1_000);
  if (Math.abs(skew) > toleranceSeconds) {
    const side = skew < 0 ? "behind" : "ahead of";
    const reason = `its created lies ${Math.abs(skew)} s ${side} our clock; ${toleranceSeconds} s are allowed (toleranceSeconds)`;
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
