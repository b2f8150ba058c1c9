import { Buffer } from "node:buffer";
import { constants, createHash, createHmac, type KeyObject, sign } from "node:crypto";
import type { MessageAlgorithm, MessageKey, MessageScheme } from "../../types/signature.js";
import { parsePublicUrl } from "../public-url.js";
import { keyInUse, privateKeyOf, type SigningOptions, type Unsigned } from "../signing-options.js";
import { type Component, createValues, fieldsOf, parseComponent } from "./components.js";
import { type BareItem, type InnerList, parseItem, serializeMember } from "./structured-fields.js";
import { signatureBase } from "./verify.js";

/** A request before it is signed. */
interface UnsignedMessage {
  readonly method: string;
  /** The whole URL, as the sender calls it. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** How a message is signed. */
export interface MessageSigning {
  readonly keyId: string;
  readonly algorithm: MessageAlgorithm;
  /** The secret, or the private key. */
  readonly key: KeyObject;
  /** Covered components, as the option `required` names them. A missing `Content-Digest` is made where it is covered. */
  readonly components: readonly string[];
  /** Seconds since the epoch; undefined leaves the parameter out. */
  readonly created?: number | undefined;
  readonly expires?: number | undefined;
  readonly nonce?: string | undefined;
  readonly tag?: string | undefined;
  /** `true` adds the parameter `alg`. */
  readonly alg?: boolean | undefined;
  /** Default: `sig1`. */
  readonly label?: string | undefined;
  /** Hash of a digest that is made. Default: `sha-256`. */
  readonly digest?: "sha-256" | "sha-512" | undefined;
}

/** Headers that sign a message, to be sent with its own. */
interface MessageHeaders {
  readonly "signature-input": string;
  readonly signature: string;
  readonly "content-digest"?: string;
}

/**
 * Signs a request as RFC 9421 says, for tests and `hookgate send`. Throws where a component cannot be covered: a header
 * that is not there, a derived component that does not exist.
 */
export function signMessage(message: UnsignedMessage, signing: MessageSigning): MessageHeaders {
  const components = signing.components.map(readable);
  const added = digestOf(message, components, signing.digest ?? "sha-256");
  const target = new URL(message.url);
  const find = createValues(
    { method: message.method, url: `${target.pathname}${target.search}`, publicUrl: message.url },
    fieldsOf(Object.entries({ ...message.headers, ...added }).flat()),
  );
  const input: InnerList = {
    items: components.map(({ identifier }) => itemOf(identifier)),
    parameters: parametersOf(signing),
  };
  const base = signatureBase(components, input, find);
  if (typeof base !== "string") throw new TypeError(`the message cannot be signed: ${base.absent}`);
  const signature = signBase(base, signing).toString("base64");
  const label = signing.label ?? "sig1";
  return {
    ...added,
    "signature-input": `${label}=${serializeMember(input)}`,
    signature: `${label}=:${signature}:`,
  };
}

/** What a scheme asks of a signature, for a request with or without a body. */
export function componentsFor(scheme: MessageScheme, hasBody: boolean): readonly string[] {
  const isNeeded = hasBody && scheme.insecureUnsignedBody !== true;
  return [...new Set([...scheme.required, ...(isNeeded ? ["content-digest"] : [])])];
}

function readable(text: string): Component {
  const component = parseComponent(text);
  if ("unusable" in component) throw new TypeError(`the message cannot be signed: ${component.unusable}`);
  return component;
}

function itemOf(identifier: string): InnerList["items"][number] {
  const item = parseItem(identifier);
  if ("malformed" in item) throw new TypeError(`the message cannot be signed: ${item.malformed}`);
  return item;
}

function digestOf(
  { headers, body }: UnsignedMessage,
  components: readonly Component[],
  name: "sha-256" | "sha-512",
): { readonly "content-digest"?: string } {
  const isThere = Object.keys(headers).some((header) => header.toLowerCase() === "content-digest");
  if (isThere || !components.some((component) => component.name === "content-digest")) return {};
  const digest = createHash(name.replace("-", "")).update(body).digest("base64");
  return { "content-digest": `${name}=:${digest}:` };
}

function parametersOf(signing: MessageSigning): ReadonlyMap<string, BareItem> {
  const { created, expires, nonce, alg, algorithm, keyId, tag } = signing;
  const parameters = new Map<string, BareItem>();
  if (created !== undefined) parameters.set("created", { type: "integer", value: created });
  if (expires !== undefined) parameters.set("expires", { type: "integer", value: expires });
  parameters.set("keyid", { type: "string", value: keyId });
  if (nonce !== undefined) parameters.set("nonce", { type: "string", value: nonce });
  if (alg === true) parameters.set("alg", { type: "string", value: algorithm });
  if (tag !== undefined) parameters.set("tag", { type: "string", value: tag });
  return parameters;
}

function signBase(base: string, { algorithm, key }: MessageSigning): Buffer {
  const bytes = Buffer.from(base, "latin1");
  switch (algorithm) {
    case "hmac-sha256":
      return createHmac("sha256", key).update(bytes).digest();
    case "ed25519":
      return sign(null, bytes, key);
    case "ecdsa-p256-sha256":
      return sign("sha256", bytes, { key, dsaEncoding: "ieee-p1363" });
    case "ecdsa-p384-sha384":
      return sign("sha384", bytes, { key, dsaEncoding: "ieee-p1363" });
    case "rsa-v1_5-sha256":
      return sign("sha256", bytes, key);
    case "rsa-pss-sha512":
      return sign("sha512", bytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 });
  }
}

/** Stands for the origin where none is configured; no component that is required can then name it. */
const anyOrigin = "http://localhost";

/**
 * The headers that sign a delivery with an HTTP message signature (RFC 9421) as a scheme wants it: over the components
 * that it requires, and the body's digest. TypeError where nothing given can sign.
 */
export function signMessageScheme(
  scheme: MessageScheme,
  { method, url, headers, rawBody, nowMs }: Unsigned,
  options: SigningOptions,
): Readonly<Record<string, string>> {
  const { key, signer } = signerOf(scheme.keys, options, nowMs);
  const publicUrl = parsePublicUrl(scheme.publicUrl ?? anyOrigin, "source.signature.publicUrl")?.(url);
  return {
    ...signMessage(
      { method, url: publicUrl as string, headers, body: rawBody },
      {
        keyId: key.id,
        algorithm: key.algorithm,
        key: signer,
        components: componentsFor(scheme, rawBody.length > 0),
        created: Math.floor(nowMs / 1_000),
        tag: scheme.tag,
      },
    ),
  };
}

/** HMAC keys sign themselves; of a public one the private one is given. */
function signerOf(
  keys: readonly MessageKey[],
  { keyId, privateKey }: SigningOptions,
  nowMs: number,
): { readonly key: MessageKey; readonly signer: KeyObject } {
  const signer = privateKey === undefined ? undefined : privateKeyOf(privateKey);
  const fitting = keys.filter(({ key }) =>
    signer === undefined ? key.type === "secret" : key.asymmetricKeyType === signer.asymmetricKeyType,
  );
  const key = keyInUse(fitting, keyId, nowMs);
  if (key !== undefined) return { key, signer: signer ?? key.key };
  if (signer !== undefined) throw new TypeError("this source has no key in use that fits the privateKey");
  if (keys.every((one) => one.key.type !== "secret")) {
    throw new TypeError("this source checks with public keys: give the privateKey");
  }
  throw new TypeError(
    keyId === undefined
      ? "no secret of this source is in use now: name one by keyId"
      : `this source has no secret with the id "${keyId}"`,
  );
}
