import type { IncomingHttpHeaders } from "node:http";

/** The members of a JWT's payload (RFC 7519 section 4). */
export interface JwtClaims {
  /** Issuer; of a sender that leaves it out, the issuer of its credential. */
  readonly iss: string;
  /** Subject: whom or what the token is about. */
  readonly sub?: string;
  /** Audience: whom the token is meant for. */
  readonly aud?: string | readonly string[];
  /** End of its validity, in seconds since the epoch. */
  readonly exp?: number;
  /** Start of its validity, in seconds since the epoch. */
  readonly nbf?: number;
  /** When it was issued, in seconds since the epoch. */
  readonly iat?: number;
  /** Id of the token. */
  readonly jti?: string;
  /** Any other claim, as the token has it. */
  readonly [claim: string]: unknown;
}

/** Who a delivery proved to be. `method` tells which kind of credential decided. */
export type Caller =
  | {
      /** A JWT decided. */
      readonly method: "jwt";
      /** Name of the tenant; `"default"` for the one-line form of `auth`. */
      readonly tenant: string;
      /** Name of the service; the receiver's name for the one-line form of `auth`. */
      readonly service: string;
      /** Id of the credential that verified the token. */
      readonly credentialId: string;
      /** The token's payload, verified and frozen. */
      readonly claims: JwtClaims;
    }
  | {
      /** A service key decided. */
      readonly method: "service-key";
      /** Name of the tenant; `"default"` for the one-line form of `auth`. */
      readonly tenant: string;
      /** Name of the service; the receiver's name for the one-line form of `auth`. */
      readonly service: string;
      /** Id of the key. */
      readonly credentialId: string;
    }
  | {
      /** A profile key decided: it belongs to the tenant, not to a service. */
      readonly method: "profile-key";
      /** Name of the tenant. */
      readonly tenant: string;
      /** Id of the key. */
      readonly credentialId: string;
    }
  | {
      /** The body's signature decided, without a credential. */
      readonly method: "signature";
      /** Always `"default"`. */
      readonly tenant: string;
      /** Name of the receiver. */
      readonly service: string;
      /** Id of the secret or key that verified the signature. */
      readonly credentialId: string;
    }
  | {
      /** Nobody was asked: only with `auth: { dangerouslyAcceptAnyone: true }`. */
      readonly method: "none";
    };

/** One HTTP request from a sender. */
export interface Delivery {
  /** Our id of this request; also sent back as `X-Request-Id` and in every log line. */
  readonly requestId: string;
  /** The request's method, such as `"POST"`. */
  readonly method: string;
  /** Path and query as they came. With an inbox handlers see the path and the names of the query: `/hooks?a&b`. */
  readonly url: string;
  /** Headers by lower-case name. With an inbox, handlers get only those that were stored: see `keepHeaders`. */
  readonly headers: Readonly<IncomingHttpHeaders>;
  /** The sender's address in canonical form, found by `clientAddress`; undefined where it cannot be known. */
  readonly address: string | undefined;
  /** When the request arrived. */
  readonly receivedAt: Date;
  /** The body, byte for byte. */
  readonly rawBody: Buffer;
}
