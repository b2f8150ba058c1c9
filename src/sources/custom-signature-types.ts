import type { SigningPublicKeys, SigningSecrets } from "../signatures/signing-keys.js";
import type { MaybePromise } from "../types/credential.js";
import type {
  HeaderScheme,
  SignatureAlgorithm,
  SignatureFault,
  SignatureHeaders,
  SignatureMatch,
  SignedAlternatives,
  SignedContent,
  SignedRequest,
} from "../types/signature.js";

/** A signature in a header, as a provider documents it; see docs/guides/custom-source.md. */
export interface CustomSignatureOptions {
  /** The header that holds the signature, in any case. Or `headers`. */
  readonly header?: string | undefined;
  /** Sets of headers under which the signature is known; the first of which any header was sent counts. */
  readonly headers?: readonly SignatureHeaders[] | undefined;
  /**
   * What stands before the signature, such as `sha256=`; with `parts`, the name of its part, such as `v1`. A list where it may be
   * one of several. Default: nothing.
   */
  readonly prefix?: string | readonly string[] | undefined;
  /** Where the header is a list such as `t=1,v1=ab`; several parts may hold a signature. Default: separator `,`, assign `=`. */
  readonly parts?:
    | { readonly separator?: string | undefined; readonly assign?: string | undefined }
    | undefined;
  /** Default: hmac-sha256. */
  readonly algorithm?: SignatureAlgorithm | undefined;
  /** Default: hex. */
  readonly encoding?: HeaderScheme["encoding"] | undefined;
  /** Letters of hex that are accepted. Default: lower. */
  readonly hexCase?: HeaderScheme["hexCase"];
  /** How ECDSA signatures are written. Default: der. */
  readonly dsaEncoding?: HeaderScheme["dsaEncoding"];
  /**
   * The signed bytes: a template with `{body}`, `{timestamp}`, `{id}`, `{url}`, `{method}` and `{header:NAME}`, or a function
   * that gives the pieces in their order. Default: `{body}`.
   */
  readonly signed?:
    | string
    | ((request: SignedRequest) => SignedContent | SignedAlternatives | SignatureFault)
    | undefined;
  /** The header that holds the timestamp, or with `parts` the part that does. It must be signed. */
  readonly timestamp?: string | { readonly part: string } | undefined;
  /** Default: seconds. */
  readonly timestampUnit?: HeaderScheme["timestampUnit"];
  /** Seconds that the timestamp may lie before or behind our clock, 1 to 3,600. Default: 300. */
  readonly toleranceSeconds?: number | undefined;
  /** The header that holds the id, where `signed` has an `{id}`. */
  readonly id?: string | undefined;
  /** For HMAC; several while it is rotated. Text is taken as it is; bytes and `{ base64 }` where it is encoded. */
  readonly secret?: SigningSecrets | undefined;
  /** `true` takes a secret of fewer than 24 bytes. Default: refused. */
  readonly insecureShortSecret?: boolean | undefined;
  /** `true` takes `algorithm: "hmac-sha1"`, for providers that have nothing else. Default: refused. */
  readonly insecureSha1?: boolean | undefined;
  /** For Ed25519, ECDSA and RSA: PEM, a JWK, or the hex or base64 that the provider shows. */
  readonly publicKey?: SigningPublicKeys | undefined;
  /** Origin, or whole URL without query, under which the sender calls us. Needed where the URL is signed. */
  readonly publicUrl?: string | undefined;
}

/** A check of your own, for what cannot be declared. It sees what nobody vouches for yet. */
export interface CustomSignatureCheck {
  /** The id of the key that matched, or what is wrong. Compare in constant time (`timingSafeEqual`). */
  verify(request: SignedRequest, nowMs: number): MaybePromise<SignatureMatch | SignatureFault>;
  readonly publicUrl?: string | undefined;
}
