import type { LifetimeOptions } from "../../keys/lifetime.js";
import type { Duration } from "../../lib/duration.js";
import {
  assertOptions,
  choiceOption,
  flagOption,
  OptionError,
  optionKeys,
  own,
  stringOption,
} from "../../lib/options.js";
import { isHeaderName } from "../../lib/request-head.js";
import type { SigningSecrets } from "../../signatures/signing-keys.js";
import type { SignatureScheme } from "../../types/signature.js";
import type { CredentialPlaces, Source } from "../../types/source.js";
import { deadlineOption, secretsOption } from "../settings.js";
import type { WebexConnectAnswers } from "./answers.js";

/** The signature of an inbound webhook; its page in Webex Connect shows the header. */
export interface WebexConnectSignature {
  /** Header that the signature stands in; the public documentation names none, so there is no default. */
  readonly header: string;
  /** The webhook's secret; several while it is rotated. */
  readonly secret: SigningSecrets | undefined;
  /** HMAC with this hash. Default: sha256. */
  readonly algorithm?: "sha256" | "sha512" | undefined;
  /** How the signature is written; hex in either case. A prefix `sha256=` or `sha512=` may stand before it. Default: hex. */
  readonly encoding?: "hex" | "base64" | undefined;
  /** `true` takes a secret of fewer than 24 bytes, which can be guessed the sooner. Default: refused. */
  readonly insecureShortSecret?: boolean | undefined;
}

/** Options that all of Webex Connect's entrances share. */
export interface WebexConnectCommonOptions {
  /**
   * `webex`: the vendor's envelope and codes, most of them with status 200, for clients that read the code. Default:
   * `http`, real statuses.
   */
  readonly answers?: WebexConnectAnswers | undefined;
  /** Left out: bodies are not signed. */
  readonly signature?: WebexConnectSignature | undefined;
  /**
   * `true` also takes a JWT from the key header, as the page on inbound webhooks has it: a value of three parts between
   * dots. Default: JWTs stand in `Authorization: Bearer` alone.
   */
  readonly tokenInKeyHeader?: boolean | undefined;
  /** `true` also takes a bare key from `Authorization`, as clients of the sandbox send it. Default: the key header alone. */
  readonly sandbox?: boolean | undefined;
  /** How long your callers wait, "1ms" to "5m"; the vendor documents no limit. Default: "10s". */
  readonly deadline?: Duration | undefined;
}

/** The names of the common options. */
export const commonOptions = {
  answers: true,
  signature: true,
  tokenInKeyHeader: true,
  sandbox: true,
  deadline: true,
} as const;
const signatureNames = optionKeys<WebexConnectSignature>({
  header: true,
  secret: true,
  algorithm: true,
  encoding: true,
  insecureShortSecret: true,
});

/** The common options, resolved: how to answer, and the members of the source that they make. */
export interface WebexConnectCommon {
  readonly answers: WebexConnectAnswers;
  readonly members: Pick<Source, "signature" | "credentialPlaces" | "deadline">;
}

/** Reads the common options. TypeError that names option and fix. */
export function parseCommonOptions(options: WebexConnectCommonOptions, where: string): WebexConnectCommon {
  const signature = own(options, "signature");
  const places: CredentialPlaces = {
    tokenInKeyHeader: flagOption(own(options, "tokenInKeyHeader"), `${where}.tokenInKeyHeader`),
    keyInAuthorization: flagOption(own(options, "sandbox"), `${where}.sandbox`),
  };
  return {
    answers: choiceOption<WebexConnectAnswers>(
      own(options, "answers"),
      `${where}.answers`,
      ["http", "webex"],
      "http",
    ),
    members: {
      signature: signature === undefined ? undefined : parseSignature(signature, `${where}.signature`),
      credentialPlaces: places,
      deadline: deadlineOption(options, where, { min: "1ms", max: "5m" }),
    },
  };
}

function parseSignature(options: unknown, where: string): SignatureScheme {
  assertOptions(options, signatureNames, where);
  const keys = secretsOption(options, where);
  const hash = choiceOption(
    own(options, "algorithm"),
    `${where}.algorithm`,
    ["sha256", "sha512"] as const,
    "sha256",
  );
  const algorithm = `hmac-${hash}` as const;
  return {
    kind: "header",
    headers: [{ signature: parseHeader(own(options, "header"), `${where}.header`) }],
    variants: [
      { label: `${hash}=`, algorithm, keys },
      { label: "", algorithm, keys },
    ],
    encoding: choiceOption(own(options, "encoding"), `${where}.encoding`, ["hex", "base64"] as const, "hex"),
    hexCase: "any",
    signed: "{body}",
  };
}

/** The name of a header (RFC 9110 section 5.6.2), in lower case. */
function parseHeader(value: unknown, where: string): string {
  const header = stringOption(value, where).toLowerCase();
  if (!isHeaderName(header) || header === "authorization" || header === "key") {
    throw new OptionError(
      where,
      ` must be the name of the header that the webhook's page shows for its signature, not one that carries a credential`,
    );
  }
  return header;
}

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
