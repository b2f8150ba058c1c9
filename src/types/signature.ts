import type { KeyObject } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Duration } from "../lib/duration.js";
import type { MaybePromise } from "./credential.js";

/** How a signature is made. SHA-1 only where the provider has nothing else. */
export type SignatureAlgorithm =
  | "hmac-sha256"
  | "hmac-sha384"
  | "hmac-sha512"
  | "hmac-sha1"
  | "ed25519"
  | "ecdsa-p256-sha256"
  | "rsa-sha256";

/** One key that signatures are checked with. Times are milliseconds since the epoch. */
export interface SigningKey {
  /** Stable name, for reports; never secret. */
  readonly id: string;
  /** False: switched off; nothing that it signed passes. */
  readonly active: boolean;
  /** Valid from this instant on; `-Infinity` for no start. */
  readonly notBeforeMs: number;
  /** Valid until just before this instant; `Infinity` for no end. */
  readonly expiresAtMs: number;
  /** A secret key for HMAC, else a public one. */
  readonly key: KeyObject;
}

/** A request as its signature sees it. */
export interface SignedRequest {
  /** The request's method. */
  readonly method: string;
  /** Path and query as they came, before Express took a mount path off. */
  readonly url: string;
  /** The URL that the sender called, made of the configured public URL; undefined where none is configured. */
  readonly publicUrl?: string | undefined;
  /** Headers by lower-case name. */
  readonly headers: Readonly<IncomingHttpHeaders>;
  /** Names and values in turn, as they came: a header that came twice shows here alone. */
  readonly rawHeaders: readonly string[];
  /** The body, byte for byte. */
  readonly rawBody: Buffer;
}

/** What is wrong with a signature; `reason` is for the operator and holds no secret. */
export interface SignatureFault {
  /** The kind of fault. */
  readonly fault: "missing" | "malformed" | "timestamp" | "mismatch";
  /** What is wrong, for the operator. */
  readonly reason: string;
}

/** A signature that holds. */
export interface SignatureMatch {
  /** `id` of the key that verified it. */
  readonly keyId: string;
}

/** The headers of a scheme, in lower case. */
export interface SignatureHeaders {
  /** Header with the signature. */
  readonly signature: string;
  /** Header with the timestamp. */
  readonly timestamp?: string | undefined;
  /** Header with the id of the event. */
  readonly id?: string | undefined;
}

/** The pieces of what is signed, in their order. */
export type SignedContent = readonly (string | Uint8Array)[];

/** For senders that sign one of a few forms of the same request. Whoever signs takes the first. */
export interface SignedAlternatives {
  /** The forms; a signature over any of them passes. */
  readonly anyOf: readonly SignedContent[];
}

/** One way in which the header may be signed. */
export interface SignatureVariant {
  /**
   * What comes before the signature: a prefix such as `sha256=`, or with `parts` the name of the part, such as `v1`.
   * Empty: nothing.
   */
  readonly label: string;
  /** How the signature is made. */
  readonly algorithm: SignatureAlgorithm;
  /** Keys that may have made it. */
  readonly keys: readonly SigningKey[];
}

/** A signature in a header of its own, over bytes that a template or a function names. */
export interface HeaderScheme {
  /** A signature in a header. */
  readonly kind: "header";
  /** Sets of headers under which the scheme is known; the first of which any header was sent is the one that counts. */
  readonly headers: readonly SignatureHeaders[];
  /**
   * Where the header is a list of parts, such as `t=1,v1=ab` (separator ",", assign "=") or `v1,ab v1,cd` (separator " ",
   * assign ","). Several parts may hold a signature; parts of other names are ignored.
   */
  readonly parts?:
    | {
        /** What separates the parts. */
        readonly separator: string;
        /** What separates the name of a part from its value. */
        readonly assign: string;
        /** Name of the part with the timestamp. */
        readonly timestamp?: string | undefined;
      }
    | undefined;
  /** Ways in which the header may be signed; any one that verifies is enough. */
  readonly variants: readonly SignatureVariant[];
  /** How the signature is written. */
  readonly encoding: "hex" | "base64" | "base64url";
  /** Letters of hex that are accepted. Default: lower. */
  readonly hexCase?: "lower" | "upper" | "any" | undefined;
  /** How ECDSA signatures are written. Default: der. */
  readonly dsaEncoding?: "der" | "ieee-p1363" | undefined;
  /**
   * The signed bytes: a template with `{body}`, `{timestamp}`, `{id}`, `{url}` (the public one), `{method}` and
   * `{header:NAME}`; or a function that gives the pieces in their order.
   */
  readonly signed: string | ((request: SignedRequest) => SignedContent | SignedAlternatives | SignatureFault);
  /** Default: seconds. */
  readonly timestampUnit?: "seconds" | "milliseconds" | undefined;
  /** How far the timestamp may be from our clock, before or after it, "1s" to "1h". Required if there is a timestamp. */
  readonly tolerance?: Duration | undefined;
  /** Origin, or whole URL without query, under which the sender calls us. Needed where the URL is signed. */
  readonly publicUrl?: string | undefined;
}

/** How a message signature is made (RFC 9421 section 3.3), by its name in the registry. */
export type MessageAlgorithm =
  | "hmac-sha256"
  | "ed25519"
  | "ecdsa-p256-sha256"
  | "ecdsa-p384-sha384"
  | "rsa-v1_5-sha256"
  | "rsa-pss-sha512";

/** A key of message signatures: its `id` is the `keyid` that names it, and it has one algorithm. */
export interface MessageKey extends SigningKey {
  /** The only algorithm that the key may verify. */
  readonly algorithm: MessageAlgorithm;
}

/** HTTP message signatures (RFC 9421) with `Content-Digest` (RFC 9530). */
export interface MessageScheme {
  /** HTTP message signatures. */
  readonly kind: "http-message";
  /** `createMessageCheck` of `hookgate/http-signature`: given here, so that no other receiver loads it. */
  readonly createCheck: (scheme: MessageScheme, where: string) => CheckSignature;
  /** Keys that may have signed. */
  readonly keys: readonly MessageKey[];
  /**
   * Components that a signature must cover: names such as `@method` and `content-type`, or whole identifiers such as
   * `"@query-param";name="id"`. `content-digest` is always among them where there is a body.
   */
  readonly required: readonly string[];
  /** `true`: takes signatures that leave the body out. Anyone who sees one may then replace the body. */
  readonly insecureUnsignedBody?: boolean | undefined;
  /** `tag` that a signature must have (RFC 9421 section 2.3); undefined: any. */
  readonly tag?: string | undefined;
  /** How far `created` may be from our clock, before or after it, "1s" to "1h". */
  readonly tolerance: Duration;
  /** Origin, or whole URL without query, under which the sender calls us; alone tells `@authority` and the like. */
  readonly publicUrl?: string | undefined;
}

/** A check in code, for what cannot be declared. */
export interface CustomScheme {
  /** A check in code. */
  readonly kind: "custom";
  /** Checks the signature; `nowMs` in milliseconds since the epoch. */
  verify(request: SignedRequest, nowMs: number): MaybePromise<SignatureMatch | SignatureFault>;
  /** Origin, or whole URL without query, under which the sender calls us. Needed if the URL is signed. */
  readonly publicUrl?: string | undefined;
}

/** How the signature of a delivery is checked. */
export type SignatureScheme = HeaderScheme | MessageScheme | CustomScheme;

/** Checks the signature of one request; `nowMs` in milliseconds since the epoch. */
export type CheckSignature = (
  request: SignedRequest,
  nowMs: number,
) => MaybePromise<SignatureMatch | SignatureFault>;
