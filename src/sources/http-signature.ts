import type { LifetimeOptions } from "../keys/lifetime.js";
import type { PublicJwk } from "../keys/public-key.js";
import type { SecretMaterial } from "../keys/secret.js";
import type { Duration } from "../lib/duration.js";
import {
  assertOptions,
  choiceOption,
  describe,
  flagOption,
  OptionError,
  optionKeys,
  own,
  stringOption,
} from "../lib/options.js";
import { isHeaderName } from "../lib/request-head.js";
import { createMessageCheck, messageAlgorithms } from "../signatures/http-message/verify.js";
import { parsePublicUrl } from "../signatures/public-url.js";
import { parsePublicKeys, parseSecrets } from "../signatures/signing-keys.js";
import type { MessageAlgorithm, MessageKey, MessageScheme } from "../types/signature.js";
import type {
  ComposedDelivery,
  ComposeEvent,
  ParsedDelivery,
  Source,
  SourceEvent,
  SourceFault,
} from "../types/source.js";
import { deadlineOption, headerOf, memberOf, pathOption, withMember } from "./settings.js";

export { createMessageCheck } from "../signatures/http-message/verify.js";

/** A key of `httpMessageSignatures`. Several while they are rotated, each with its own `id`. */
export interface HttpMessageKey extends LifetimeOptions {
  /** The `keyid` by which signatures name the key. */
  readonly id: string;
  /** By its name in RFC 9421's registry. A signature's `alg` must be the same, where there is one. */
  readonly algorithm: MessageAlgorithm;
  /** For `hmac-sha256`: at least 32 bytes. */
  readonly secret?: SecretMaterial | undefined;
  /** For the other algorithms: PEM text or a JWK. */
  readonly publicKey?: string | PublicJwk | undefined;
}

/** Where something is: a member path of the body such as `meta.type`, or a header, which must then be signed. */
export type EventPlace =
  | string
  | {
      /** Name of the header. */
      readonly header: string;
    };

/** Options of `httpMessageSignatures`. */
export interface HttpMessageSignaturesOptions {
  /** The senders' keys; `keyid` of a signature names one by its `id`. */
  readonly keys: readonly HttpMessageKey[];
  /**
   * Origin under which the sender calls you, or whole URL without query where a proxy rewrites paths. It alone tells
   * `@authority`, `@scheme` and `@target-uri`: nothing of them is taken from the request's Host.
   */
  readonly publicUrl?: string | undefined;
  /**
   * Components that a signature must cover: derived ones, headers, or whole identifiers such as
   * `"@query-param";name="id"`. `content-digest` is always among them where there is a body, and so are headers that
   * `type` and `id` name. `@target-uri` covers `@authority`, `@scheme`, `@path` and `@query` as well, `@request-target`
   * the latter two. Default: `@method`, `@authority` and `@path`, which needs `publicUrl`.
   */
  readonly required?: readonly string[] | undefined;
  /** `tag` that a signature must have. Default: any, or none. */
  readonly tag?: string | undefined;
  /** How far `created` may be from our clock, before or after it, "1s" to "1h". Default: "5m". */
  readonly tolerance?: Duration | undefined;
  /** Where the event's type is. Default: the member `type`. */
  readonly type?: EventPlace | undefined;
  /** Where the event's id is. Default: the member `id`; without one, the id is made from the body. */
  readonly id?: EventPlace | undefined;
  /** Member path of what becomes `event.data`. Default: the whole body. */
  readonly data?: string | undefined;
  /** How long the sender waits for the answer, "100ms" to "10m". Default: "10s". */
  readonly deadline?: Duration | undefined;
  /** Name of the source, which the inbox tells events apart by. Default: `http-signature`. */
  readonly name?: string | undefined;
  /** `true` takes an HMAC secret of fewer than 32 bytes, which can be guessed the sooner. Default: refused. */
  readonly insecureShortSecret?: boolean | undefined;
  /** `true` takes signatures that leave the body out: who sees one may replace the body. Default: refused. */
  readonly insecureUnsignedBody?: boolean | undefined;
}

const known = optionKeys<HttpMessageSignaturesOptions>({
  keys: true,
  publicUrl: true,
  required: true,
  tag: true,
  tolerance: true,
  type: true,
  id: true,
  data: true,
  deadline: true,
  name: true,
  insecureShortSecret: true,
  insecureUnsignedBody: true,
});

const keyNames = optionKeys<HttpMessageKey>({
  id: true,
  algorithm: true,
  secret: true,
  publicKey: true,
  state: true,
  notBefore: true,
  expiresAt: true,
});
const defaultRequired: readonly string[] = ["@method", "@authority", "@path"];
const mostKeys = 10;
const mostRequired = 32;

/**
 * Senders that sign as RFC 9421 (HTTP Message Signatures) says: headers `Signature-Input` and `Signature`, over the
 * components that the signature names, and the body by `Content-Digest` (RFC 9530) with sha-256 or sha-512. Of several
 * signatures one is enough that names a configured key, is made by that key's algorithm, covers what is required, and
 * was created at most `tolerance` (default "5m") from our clock; `expires` is honoured. Type and id are the body's
 * `type` and `id`, and signed with it; `data` is the body, or what `data` names. JSON. How long senders wait and what they
 * send again is theirs to say.
 *
 * @example
 * createReceiver({
 *   name: "partners",
 *   source: httpMessageSignatures({
 *     keys: [{ id: "partner-2030", algorithm: "ed25519", publicKey: process.env.PARTNER_PUBLIC_KEY }],
 *     publicUrl: "https://hooks.example.com",
 *   }),
 * });
 */
export function httpMessageSignatures(options: HttpMessageSignaturesOptions): Source {
  const where = "httpMessageSignatures";
  assertOptions(options, known, where);
  const type = placeOption(own(options, "type") ?? "type", `${where}.type`);
  const id = placeOption(own(options, "id") ?? "id", `${where}.id`);
  const data = own(options, "data");
  const dataPath = pathOption(data, `${where}.data`);
  const headers = [type, id].flatMap((place) => (typeof place === "string" ? [] : [place.header]));
  return {
    name: stringOption(own(options, "name") ?? "http-signature", `${where}.name`),
    bodies: ["json"],
    headers,
    events: (delivery) => readEvent(delivery, type, id, dataPath),
    signature: readScheme(options, headers, where),
    deadline: deadlineOption(options, where),
    compose: (event) => compose(event, type, id, dataPath),
  };
}

function readScheme(
  options: Record<string, unknown>,
  headers: readonly string[],
  where: string,
): MessageScheme {
  const publicUrl = own(options, "publicUrl") as string | undefined;
  parsePublicUrl(publicUrl, `${where}.publicUrl`);
  const scheme: MessageScheme = {
    kind: "http-message",
    createCheck: createMessageCheck,
    keys: readKeys(options, where),
    required: [...readRequired(own(options, "required"), publicUrl, where), ...headers],
    insecureUnsignedBody: flagOption(own(options, "insecureUnsignedBody"), `${where}.insecureUnsignedBody`),
    tag: own(options, "tag") as string | undefined,
    tolerance: (own(options, "tolerance") ?? "5m") as Duration,
    publicUrl,
  };
  // Its own checks, made here where the options have their names.
  createMessageCheck(scheme, where);
  return scheme;
}

function readRequired(value: unknown, publicUrl: unknown, where: string): readonly string[] {
  if (value === undefined) {
    if (publicUrl !== undefined) return defaultRequired;
    throw new OptionError(
      `${where}.publicUrl`,
      ` is missing: signatures must cover @authority, so that one for another receiver does not ` +
        'pass here, and only you know under which URL you are called. For senders that do not sign it: required: ["@method", "@path"]',
    );
  }
  if (!Array.isArray(value) || value.length > mostRequired) {
    throw new OptionError(
      `${where}.required`,
      ` must be a list of at most ${mostRequired} components such as "@method", not ${describe(value)}`,
    );
  }
  return value;
}

function readKeys(options: Record<string, unknown>, where: string): readonly MessageKey[] {
  const keys = own(options, "keys");
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > mostKeys) {
    throw new OptionError(
      `${where}.keys`,
      ` must be a list of 1 to ${mostKeys} keys, { id, algorithm, secret or publicKey }, not ${describe(keys)}`,
    );
  }
  const insecureShortSecret = flagOption(own(options, "insecureShortSecret"), `${where}.insecureShortSecret`);
  return keys.map((key: unknown, at) => readKey(key, insecureShortSecret, `${where}.keys[${at}]`));
}

function readKey(key: unknown, insecureShortSecret: boolean, where: string): MessageKey {
  assertOptions(key, keyNames, where);
  const id = stringOption(own(key, "id"), `${where}.id`);
  if (!/^[\x20-\x7e]+$/.test(id))
    throw new OptionError(`${where}.id`, ` must be printable ASCII, as a keyid is`);
  const given = own(key, "algorithm");
  const algorithm = choiceOption<MessageAlgorithm | "">(
    given ?? "",
    `${where}.algorithm`,
    messageAlgorithms,
    "",
  );
  const isHmac = algorithm === "hmac-sha256";
  const [wanted, other] = isHmac ? (["secret", "publicKey"] as const) : (["publicKey", "secret"] as const);
  if (own(key, other) !== undefined) {
    throw new OptionError(where, `.${other} is of no use to ${algorithm}; give ${wanted} alone`);
  }
  const material = own(key, wanted);
  if (material === undefined) {
    throw new OptionError(where, `.${wanted} is undefined: is an environment variable missing?`);
  }
  const { algorithm: _algorithm, [other]: _other, ...named } = key;
  const [read] = isHmac
    ? parseSecrets(named, where, { minBytes: 32, insecureShortSecret })
    : parsePublicKeys(named, where, algorithm as MessageAlgorithm);
  assertBound(material, algorithm, where);
  return { ...(read as MessageKey), algorithm: algorithm as MessageAlgorithm };
}

/** What a JWK says in `alg` of its use (RFC 7518 section 3.1). */
const joseNames: ReadonlyMap<string, string> = new Map([
  ["ed25519", "EdDSA or Ed25519"],
  ["ecdsa-p256-sha256", "ES256"],
  ["ecdsa-p384-sha384", "ES384"],
  ["rsa-v1_5-sha256", "RS256"],
  ["rsa-pss-sha512", "PS512"],
]);

/** A JWK that is bound to one algorithm is not used with another (ATTACKS A11). */
function assertBound(material: unknown, algorithm: string, where: string): void {
  const alg = memberOf(material, "alg");
  const names = joseNames.get(algorithm);
  if (typeof alg !== "string" || names === undefined || names.split(" or ").includes(alg)) return;
  throw new OptionError(
    `${where}.publicKey`,
    ` says in its "alg" that it is not for ${algorithm}, which is ${names}`,
  );
}

function placeOption(value: unknown, where: string): EventPlace {
  if (typeof value === "string") return pathOption(value, where) as string;
  assertOptions(value, optionKeys<Exclude<EventPlace, string>>({ header: true }), where);
  const header = stringOption(own(value, "header"), `${where}.header`).toLowerCase();
  if (!isHeaderName(header)) throw new OptionError(`${where}.header`, ` is not a header name`);
  return { header };
}

function readEvent(
  delivery: ParsedDelivery,
  type: EventPlace,
  id: EventPlace,
  dataPath: string | undefined,
): readonly SourceEvent[] | SourceFault {
  const found = find(delivery, type);
  if (typeof found !== "string" || found === "") {
    const place = typeof type === "string" ? `member ${type} of the body` : `header ${type.header}`;
    return { fault: `the ${place} holds no text, where the event's type stands` };
  }
  const data = dataPath === undefined ? delivery.body : memberOf(delivery.body, dataPath);
  return [{ type: found, id: find(delivery, id) as string | number | undefined, data }];
}

function find(delivery: ParsedDelivery, place: EventPlace): unknown {
  return typeof place === "string" ? memberOf(delivery.body, place) : headerOf(delivery, place.header);
}

function compose(
  event: ComposeEvent,
  type: EventPlace,
  id: EventPlace,
  dataPath: string | undefined,
): ComposedDelivery {
  const headers: Record<string, string> = {};
  let body: unknown = dataPath === undefined ? event.data : withMember({}, dataPath, event.data);
  for (const [place, value] of [
    [type, event.type],
    [id, event.id],
  ] as const) {
    if (typeof place === "string") body = withMember(body, place, value);
    else headers[place.header] = value;
  }
  return { headers, contentType: "application/json", body: JSON.stringify(body) };
}
