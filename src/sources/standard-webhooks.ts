import type { Buffer } from "node:buffer";
import { base64Bytes } from "../keys/secret.js";
import type { Duration } from "../lib/duration.js";
import { isObject } from "../lib/json.js";
import { assertOptions, flagOption, OptionError, optionKeys, own, stringOption } from "../lib/options.js";
import {
  parsePublicKeys,
  parseSecrets,
  type SigningPublicKeys,
  type SigningSecrets,
} from "../signatures/signing-keys.js";
import type { SignatureVariant } from "../types/signature.js";
import type { ComposedDelivery, ComposeEvent, ParsedDelivery, Source } from "../types/source.js";
import { headerOf, memberOf, pathOption, textOf, toleranceOption, withMember } from "./settings.js";

/** Options of `standardWebhooks`: `secret`, `publicKey` or both. */
export interface StandardWebhooksOptions {
  /**
   * For signatures `v1`: secrets of 24 to 64 bytes. Text is base64, with `whsec_` before it or not; give bytes where the
   * sender uses other text.
   */
  readonly secret?: SigningSecrets | undefined;
  /** For signatures `v1a`: Ed25519 keys as `whpk_…`, that is 32 bytes in base64, or as PEM or a JWK. */
  readonly publicKey?: SigningPublicKeys | undefined;
  /** How far the timestamp may be from our clock, before or after it, "1s" to "1h". Default: "5m". */
  readonly tolerance?: Duration | undefined;
  /** Where the body holds the event's type: a member, or a path such as `event.name`. Default: `type`. */
  readonly type?: string | undefined;
  /** Where the body holds what becomes `event.data`. Default: the whole body. */
  readonly data?: string | undefined;
  /** Name of the source, which the inbox tells events apart by. Default: `standard-webhooks`. */
  readonly name?: string | undefined;
  /** `true` takes a secret of fewer than 24 bytes, which can be guessed the sooner. Default: refused. */
  readonly insecureShortSecret?: boolean | undefined;
}

const known = optionKeys<StandardWebhooksOptions>({
  secret: true,
  publicKey: true,
  tolerance: true,
  type: true,
  data: true,
  name: true,
  insecureShortSecret: true,
});

/**
 * Senders that follow Standard Webhooks 1.0 (standardwebhooks.com), and Svix: headers `webhook-id`, `webhook-timestamp`,
 * `webhook-signature`, or the same with `svix-`. Signed is `{id}.{timestamp}.{body}`, with HMAC-SHA-256 (`v1`) or Ed25519
 * (`v1a`), in base64; several signatures, separated by a space, while a secret is rotated. The timestamp is at most
 * `tolerance` (default "5m") away from our clock; an id with a dot is refused. The id is signed, and stays the same
 * when a delivery is sent again, with a new timestamp. Types are the body's `type`; `data` is the body, or what `data` names.
 *
 * Senders are asked to wait 15 to 30 seconds, and to send again for some days.
 *
 * @example
 * createReceiver({ name: "hooks", source: standardWebhooks({ secret: process.env.WEBHOOK_SECRET }) });
 */
export function standardWebhooks(options: StandardWebhooksOptions): Source {
  const where = "standardWebhooks";
  assertOptions(options, known, where);
  const typePath = pathOption(own(options, "type"), `${where}.type`) ?? "type";
  const dataPath = pathOption(own(options, "data"), `${where}.data`);
  const tolerance = toleranceOption(options, where);
  return {
    name: stringOption(own(options, "name") ?? "standard-webhooks", `${where}.name`),
    bodies: ["json"],
    headers: ["webhook-id", "svix-id"],
    events: (delivery) => {
      const type = textOf(delivery.body, typePath);
      if (type === undefined)
        return { fault: `the body has no text at \`${typePath}\`, where the type stands` };
      return [{ type, id: idOf(delivery), data: dataOf(delivery, dataPath) }];
    },
    signature: {
      kind: "header",
      headers: ["webhook", "svix"].map((prefix) => ({
        signature: `${prefix}-signature`,
        timestamp: `${prefix}-timestamp`,
        id: `${prefix}-id`,
      })),
      parts: { separator: " ", assign: "," },
      variants: readVariants(options, where),
      encoding: "base64",
      signed: "{id}.{timestamp}.{body}",
      tolerance,
    },
    deduplicateBy: "id",
    deadline: "15s",
    compose: (event) => compose(event, typePath, dataPath),
  };
}

function readVariants(options: Record<string, unknown>, where: string): readonly SignatureVariant[] {
  const secret = own(options, "secret");
  const publicKey = own(options, "publicKey");
  const insecureShortSecret = flagOption(own(options, "insecureShortSecret"), `${where}.insecureShortSecret`);
  // A member that is there but undefined is an environment variable that is missing: parseSecrets says so.
  const hasSecret = Object.hasOwn(options, "secret") && !(secret === undefined && publicKey !== undefined);
  if (!hasSecret && publicKey === undefined) {
    throw new OptionError(where, ` needs a secret (for signatures v1) or a publicKey (for v1a)`);
  }
  const variants: SignatureVariant[] = [];
  if (hasSecret) {
    const keys = parseSecrets(secret, `${where}.secret`, {
      maxBytes: 64,
      insecureShortSecret,
      decode: decodeSecret,
    });
    variants.push({ label: "v1", algorithm: "hmac-sha256", keys });
  }
  if (publicKey !== undefined) {
    const keys = parsePublicKeys(
      readableKeys(publicKey, `${where}.publicKey`),
      `${where}.publicKey`,
      "ed25519",
    );
    variants.push({ label: "v1a", algorithm: "ed25519", keys });
  }
  return variants;
}

function decodeSecret(text: string, where: string): Buffer {
  if (/^wh[sp]k_/.test(text)) {
    throw new OptionError(
      where,
      ` is a key for signatures v1a; give the public one, whpk_…, as \`publicKey\``,
    );
  }
  // Some senders show the version with it.
  const encoded = text.replace(/^(?:v1,)?whsec_/, "");
  try {
    return base64Bytes(encoded, where);
  } catch {
    throw new OptionError(
      where,
      ` is not base64, with whsec_ before it or not; where the sender uses other text as its secret, ` +
        'give its bytes: Buffer.from("…")',
    );
  }
}

/** Keys with `whpk_…` made JWKs; whatever is wrong otherwise is left for who reads them. */
function readableKeys(value: unknown, where: string): unknown {
  if (Array.isArray(value)) return value.map((each, at) => readableKeys(each, `${where}[${at}]`));
  if (typeof value === "string") return readableKey(value, where);
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, "publicKey")) return value;
  const named: Record<string, unknown> = { ...value };
  return { ...named, publicKey: readableKeys(named.publicKey, `${where}.publicKey`) };
}

function readableKey(text: string, where: string): unknown {
  if (text.startsWith("whsk_") || text.startsWith("whsec_")) {
    throw new OptionError(where, ` is a secret, not a public key; give the sender's public key, whpk_…`);
  }
  if (!text.startsWith("whpk_")) return text;
  const bytes = base64Bytes(text.slice("whpk_".length), where);
  if (bytes.length !== 32) throw new OptionError(where, ` has ${bytes.length} bytes; Ed25519 keys have 32`);
  return { kty: "OKP", crv: "Ed25519", x: bytes.toString("base64url") };
}

/** In the order in which the signature's headers are chosen, so that the id is the one that was signed. */
function idOf(delivery: ParsedDelivery): string | undefined {
  return headerOf(delivery, "webhook-id") ?? headerOf(delivery, "svix-id");
}

function dataOf({ body }: ParsedDelivery, path: string | undefined): unknown {
  return path === undefined ? body : memberOf(body, path);
}

function compose(
  { type, id, data, nowMs }: ComposeEvent,
  typePath: string,
  dataPath: string | undefined,
): ComposedDelivery {
  const timestamp = new Date(nowMs).toISOString();
  const body =
    dataPath === undefined
      ? withMember(isObject(data) ? data : { timestamp, data }, typePath, type)
      : withMember(withMember({ timestamp }, dataPath, data), typePath, type);
  return { headers: { "webhook-id": id }, contentType: "application/json", body: JSON.stringify(body) };
}
