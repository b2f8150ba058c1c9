import type { JwtOptions } from "hookgate";

/** What Webex Connect shows of a service's JWT credential, and when it is valid. */
export interface ServiceJwt {
  readonly serviceId: string;
  /** The service secret as it is shown: base64, to be decoded before use. */
  readonly secretBase64: string;
  readonly state?: "active" | "inactive";
  readonly expiresAt?: Date;
}

/**
 * The vendor's rules for a service's JWTs: always HS256; `iss` is the Service ID; no `aud`, no `kid`; a token is good
 * for 60 minutes from `iat`, or until `exp` where that comes first.
 */
export function serviceJwt({ serviceId, secretBase64, ...lifetime }: ServiceJwt): JwtOptions {
  return {
    issuer: serviceId,
    secret: { base64: secretBase64 },
    algorithms: ["HS256"],
    maxAgeSeconds: 3600,
    // A later `exp` is no reason to refuse: `iat` plus 60 minutes counts then.
    maxLifetimeSeconds: 10 * 365 * 86_400,
    ...lifetime,
  };
}
