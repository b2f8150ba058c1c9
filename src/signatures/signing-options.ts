import { createPrivateKey, type KeyObject } from "node:crypto";
import type { MaybePromise } from "../types/credential.js";
import type { SignedRequest, SigningKey } from "../types/signature.js";

/** What signs a delivery, and when. */
export interface SigningOptions {
  /** When it is signed: a `Date`, or ISO 8601 text with its zone. Default: now. */
  readonly now?: Date | string | undefined;
  /** Path and query that it is sent to, which some senders sign. Default: `/`. */
  readonly path?: string | undefined;
  /** Further headers that it is sent with, which some senders sign. They win over those that the source gives. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Default: that of the source's bodies. */
  readonly contentType?: string | undefined;
  /**
   * The secret or key that signs, by its `id`, even where that is inactive or has expired; the `kid` of tokens. Default: the
   * first that is in use.
   */
  readonly keyId?: string | undefined;
  /** PEM text or a key: signs for a source that checks with public keys. */
  readonly privateKey?: string | KeyObject | undefined;
  /** The token's `iss`, where the source finds keys by it. */
  readonly issuer?: string | undefined;
  /** Claims of the token, in addition to its usual ones or in their place; undefined leaves one out. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
  /** The headers of the signature, for a source whose check is code. `publicUrl` as its scheme says. */
  readonly sign?:
    | ((request: SignedRequest, nowMs: number) => MaybePromise<Readonly<Record<string, string>>>)
    | undefined;
}

/** A delivery that is about to be signed. */
export interface Unsigned {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** By lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly rawBody: Buffer;
  /** The event's id, where its sender signs it in a header. */
  readonly id: string;
  readonly nowMs: number;
}

/** The delivery as its receiver will see it. */
export function asSignedRequest(
  { method, url, headers, rawBody }: Unsigned,
  publicUrl: string | undefined,
): SignedRequest {
  const rawHeaders = Object.entries(headers).flat();
  return { method, url, publicUrl, headers, rawHeaders, rawBody };
}

/** The private key of the options. TypeError for what is none. */
export function privateKeyOf(value: string | KeyObject): KeyObject {
  const key = typeof value === "string" ? createPrivateKey(value) : value;
  if (key.type !== "private") throw new TypeError(`privateKey is a ${key.type} key, which cannot sign`);
  return key;
}

/** The key that `keyId` names, or the first in use; undefined where there is none. */
export function keyInUse<Key extends Pick<SigningKey, "id" | "active" | "notBeforeMs" | "expiresAtMs">>(
  keys: readonly Key[],
  keyId: string | undefined,
  nowMs: number,
): Key | undefined {
  if (keyId !== undefined) return keys.find(({ id }) => id === keyId);
  return keys.find(
    ({ active, notBeforeMs, expiresAtMs }) => active && nowMs >= notBeforeMs && nowMs < expiresAtMs,
  );
}
