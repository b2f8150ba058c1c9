import { describe, OptionError } from "../lib/options.js";
import type { HandshakeRequest, SourceAnswer } from "../types/source.js";
import { headerOf } from "./reading.js";

/** Who may send, as the abuse protection of the webhook specification (section 4) tells it to senders. */
export interface AbuseProtection {
  /** Names in lower case. */
  readonly origins: ReadonlySet<string>;
  readonly anyOrigin: boolean;
  /** Deliveries per minute, or `*`. */
  readonly rate: string;
}

/** Reads the option `allowedOrigins`: DNS names, as senders give them in `WebHook-Request-Origin`. */
export function parseOrigins(value: unknown, where: string): ReadonlySet<string> {
  if (value === undefined) return new Set();
  if (!Array.isArray(value))
    throw new OptionError(where, ` must be a list of DNS names, not ${describe(value)}`);
  return new Set(
    value.map((origin: unknown, at) => {
      if (origin === "*") {
        throw new OptionError(
          `${where}[${at}]`,
          ` is "*"; to let any sender in, set dangerouslyAllowAnyOrigin`,
        );
      }
      if (typeof origin !== "string" || !/^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/.test(origin)) {
        throw new OptionError(
          `${where}[${at}]`,
          ` must be a DNS name without scheme, port and path: "events.example.com"`,
        );
      }
      return origin.toLowerCase();
    }),
  );
}

/**
 * Grants what a validation request asks for, where its origin may send; undefined for all else, whose answer then has
 * no header that could be read as consent (section 4.2). The callback URL is nowhere used: a request to an address that
 * a stranger names is what others abuse.
 */
export function answerHandshake(
  request: HandshakeRequest,
  { origins, anyOrigin, rate }: AbuseProtection,
): SourceAnswer | undefined {
  const origin = headerOf(request, "webhook-request-origin");
  if (request.method !== "OPTIONS" || origin === undefined) return undefined;
  if (!anyOrigin && !origins.has(origin.toLowerCase())) return undefined;
  return {
    status: 200,
    headers: {
      allow: "POST",
      "webhook-allowed-origin": anyOrigin ? "*" : origin,
      "webhook-allowed-rate": rate,
    },
  };
}
