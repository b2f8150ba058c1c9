import type { IncomingHttpHeaders } from "node:http";

/** The members of a JWT's payload (RFC 7519 section 4). */
export interface JwtClaims {
  readonly iss: string;
  readonly sub?: string;
  readonly aud?: string | readonly string[];
  readonly exp?: number;
  readonly nbf?: number;
  readonly iat?: number;
  readonly jti?: string;
  readonly [claim: string]: unknown;
}

/** Who a delivery proved to be. `method` tells which kind of credential decided. */
export type Caller =
  | {
      readonly method: "jwt";
      readonly tenant: string;
      readonly service: string;
      readonly credentialId: string;
      readonly claims: JwtClaims;
    }
  | {
      readonly method: "service-key";
      readonly tenant: string;
      readonly service: string;
      readonly credentialId: string;
    }
  | { readonly method: "profile-key"; readonly tenant: string; readonly credentialId: string }
  /** The body's signature alone decided; `credentialId` names the secret or key that verified it. */
  | {
      readonly method: "signature";
      readonly tenant: string;
      readonly service: string;
      readonly credentialId: string;
    }
  /** Only with `auth: { dangerouslyAcceptAnyone: true }`. */
  | { readonly method: "none" };

/** One HTTP request from a sender. */
export interface Delivery {
  /** Our id of this request; also sent back as `X-Request-Id` and in every log line. */
  readonly requestId: string;
  readonly method: string;
  /** Path and query as they came. With an inbox handlers see the path and the names of the query: `/hooks?a&b`. */
  readonly url: string;
  readonly headers: Readonly<IncomingHttpHeaders>;
  /** The sender's address in canonical form, found by `clientAddress`; undefined where it cannot be known. */
  readonly address: string | undefined;
  readonly receivedAt: Date;
  /** The body, byte for byte. */
  readonly rawBody: Buffer;
}
