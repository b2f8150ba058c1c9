import type { LifetimeOptions } from "../keys/lifetime.js";
import type { Duration } from "../lib/duration.js";
import { assertOptions, flagOption, optionKeys, own, stringOption } from "../lib/options.js";

/** What Webex Connect shows of a service's JWT credential, and when it is valid. */
export interface WebexConnectServiceJwtOptions extends LifetimeOptions {
  /** Stable name, for logs and the command line. Default: `jwt-1`, `jwt-2` … */
  readonly id?: string | undefined;
  /** The Service ID: the `iss` of its tokens. */
  readonly serviceId: string | undefined;
  /** The service secret as Webex Connect shows it: base64. */
  readonly secret: string | undefined;
  /** Clock difference allowed, `"0s"` to `"5m"`. Default: `"5s"`. */
  readonly clockTolerance?: Duration | undefined;
  /** `true` accepts a secret of fewer than 32 bytes, which is easier to guess. Default: refused. */
  readonly insecureShortSecret?: boolean | undefined;
}

/** A service's JWT credential, as `jwt` of `auth` or of a service in `defineCredentials` takes it. */
export interface WebexConnectServiceJwt extends LifetimeOptions {
  /** Stable name, for logs and the command line. */
  readonly id?: string | undefined;
  /** The Service ID. */
  readonly issuer: string;
  /** The service secret. */
  readonly secret: {
    /** The bytes as base64. */
    readonly base64: string;
  };
  /** Always HS256. */
  readonly algorithms: readonly string[];
  /** 60 minutes, the vendor's limit. */
  readonly maxAge: Duration;
  /** Longer than any `exp` that is checked: `maxAge` limits the token. */
  readonly maxLifetime: Duration;
  /** Clock difference allowed. */
  readonly clockTolerance?: Duration | undefined;
  /** Whether a secret of fewer than 32 bytes is accepted. */
  readonly insecureShortSecret?: boolean | undefined;
}

const known = optionKeys<WebexConnectServiceJwtOptions>({
  id: true,
  serviceId: true,
  secret: true,
  clockTolerance: true,
  insecureShortSecret: true,
  state: true,
  notBefore: true,
  expiresAt: true,
});

/**
 * The vendor's rules for a service's JWTs (developers.webexconnect.io, Using JWT for API authentication): always HS256;
 * `iss` is the Service ID; the secret is decoded from base64; no `aud`, no `kid`; a token is good for 60 minutes from its
 * `iat`, which it must have, or until `exp` where that comes first. Two may be active at once; the token's signature
 * tells which one made it.
 *
 * @example
 * auth: { jwt: [webexConnectServiceJwt({ serviceId: "…", secret: process.env.SERVICE_SECRET })] }
 */
export function webexConnectServiceJwt(options: WebexConnectServiceJwtOptions): WebexConnectServiceJwt {
  const where = "webexConnectServiceJwt";
  assertOptions(options, known, where);
  const { serviceId, secret, ...rest }: WebexConnectServiceJwtOptions = options;
  flagOption(own(options, "insecureShortSecret"), `${where}.insecureShortSecret`);
  return {
    ...rest,
    issuer: stringOption(serviceId, `${where}.serviceId`),
    secret: { base64: stringOption(secret, `${where}.secret`) },
    algorithms: ["HS256"],
    maxAge: "60m",
    // A later `exp` is no reason to refuse: `iat` plus 60 minutes counts then.
    maxLifetime: "3650d",
  };
}
