import type { KeyObject } from "node:crypto";
import type { MessageKey, MessageScheme } from "../../types/signature.js";
import { parsePublicUrl } from "../public-url.js";
import { keyInUse, privateKeyOf, type SigningOptions, type Unsigned } from "../signing.js";
import { componentsFor, signMessage } from "./sign.js";

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
