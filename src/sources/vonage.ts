import type { Duration } from "../lib/duration.js";
import { assertOptions, durationOption, optionKeys, own, stringOption } from "../lib/options.js";
import type { SigningSecrets } from "../signatures/signing-keys.js";
import type { JwtClaims } from "../types/delivery.js";
import type {
  ComposedDelivery,
  ComposeEvent,
  ParsedDelivery,
  Source,
  SourceAnswer,
  SourceEvent,
  SourceFault,
  SourceOutcome,
} from "../types/source.js";
import { memberOf, secretCredentials, textOf, tokenTolerance } from "./settings.js";

/** The body of a webhook: an object, whose members go by the event's type. */
export interface VonageEvent {
  readonly [member: string]: unknown;
}

/** Options of `vonage`. */
export interface VonageOptions {
  /** The account's signature secret (not the API secret); several while it is rotated. At least 32 bytes. */
  readonly secret: SigningSecrets | undefined;
  /** `true` takes a secret of fewer than 32 bytes, which can be guessed the sooner. Default: refused. */
  readonly insecureShortSecret?: boolean | undefined;
  /** The account's API key, which tokens then must name in `api_key`. Default: any that signs with the secret. */
  readonly apiKey?: string | undefined;
  /** The application's id, which tokens then must name in `application_id`. Default: any of the account. */
  readonly applicationId?: string | undefined;
  /** Oldest token accepted, counted from its `iat`, `"1s"` to `"1d"`. Default: `"5m"`. */
  readonly maxAge?: Duration | undefined;
  /** How far the sender's clock may be ahead of ours, `"0s"` to `"5m"`. Default: `"5s"`. */
  readonly clockTolerance?: Duration | undefined;
}

/**
 * Vonage's signed webhooks (Messages, Dispatch, Voice, Verify): `Authorization: Bearer` with a JWT, HS256 by the account's
 * signature secret, `iss` "Vonage", at most 5 minutes old by its `iat`, whose `payload_hash` is the SHA-256 of the body.
 * Types: `message.received`, `message.` and the status of a message sent (`message.delivered`), `call.` and the status of
 * a call (`call.answered`), `verify.event` and `verify.summary`, else the body's own `type`. The id of a message received
 * is its `message_uuid`; other events get one from the body. JSON over POST: a webhook set to GET is refused. Vonage waits
 * 5 seconds for Voice and 15 for messages, and sends again on 429 and 5xx, messages for 24 hours. It may send an unsigned
 * delivery where its own signing fails, to be signed on the retry: such a one is answered 503 instead of 401.
 *
 * @example
 * createReceiver({ name: "sms", source: vonage({ secret: process.env.VONAGE_SIGNATURE_SECRET }) });
 */
export function vonage(options: VonageOptions): Source<{ readonly [type: string]: VonageEvent }> {
  const where = "vonage";
  assertOptions(
    options,
    optionKeys<VonageOptions>({
      secret: true,
      insecureShortSecret: true,
      apiKey: true,
      applicationId: true,
      maxAge: true,
      clockTolerance: true,
    }),
    where,
  );
  const maxAge = own(options, "maxAge");
  durationOption(maxAge, `${where}.maxAge`, { min: "1s", max: "1d", fallback: "5m" });
  const rules = {
    issuer: "Vonage",
    maxAge: maxAge ?? "5m",
    clockTolerance: tokenTolerance(options, where),
    bodyHashClaim: "payload_hash",
  };
  const expected = new Map<string, string>();
  for (const [claim, option] of [
    ["api_key", "apiKey"],
    ["application_id", "applicationId"],
  ] as const) {
    const value = own(options, option);
    if (value !== undefined) expected.set(claim, stringOption(value, `${where}.${option}`));
  }
  return {
    name: "vonage",
    bodies: ["json"],
    headers: [],
    events: readEvent,
    auth: {
      jwt: secretCredentials(options, where).map((credential) => ({ ...credential, ...rules })),
      check: (claims) => claimFault(claims, expected),
      claims: () => Object.fromEntries(expected),
    },
    deadline: "5s",
    answer: retryUnsigned,
    compose,
  };
}

function claimFault(claims: JwtClaims, expected: ReadonlyMap<string, string>): string | undefined {
  for (const [claim, value] of expected) {
    if (own(claims, claim) !== value) return `${claim} is not "${value}"`;
  }
  return undefined;
}

function readEvent({ body }: ParsedDelivery): readonly SourceEvent[] | SourceFault {
  const messageId = textOf(body, "message_uuid");
  const status = textOf(body, "status");
  const type = textOf(body, "type");
  if (messageId !== undefined && status === undefined && textOf(body, "message_type") !== undefined) {
    return [{ type: "message.received", id: messageId, data: body }];
  }
  if (messageId !== undefined && status !== undefined) return [{ type: `message.${status}`, data: body }];
  if (textOf(body, "request_id") !== undefined && (type === "event" || type === "summary")) {
    return [{ type: `verify.${type}`, data: body }];
  }
  if (status !== undefined && memberOf(body, "conversation_uuid") !== undefined) {
    return [{ type: `call.${status}`, data: body }];
  }
  if (type !== undefined) return [{ type, data: body }];
  return { fault: "the body is neither a message, a status, an event of a call nor of a verification" };
}

/** The members that the type is read from, and those of the data. */
function compose({ type, id, data }: ComposeEvent): ComposedDelivery {
  const dot = type.indexOf(".");
  const last = type.slice(dot + 1);
  const families: ReadonlyMap<string, object> = new Map<string, object>([
    ["message", { message_uuid: id, ...(last === "received" ? { message_type: "text" } : { status: last }) }],
    ["call", { uuid: id, conversation_uuid: `CON-${id}`, status: last }],
    ["verify", { request_id: id, type: last }],
  ]);
  const named = (dot === -1 ? undefined : families.get(type.slice(0, dot))) ?? { type };
  return {
    headers: {},
    contentType: "application/json",
    body: JSON.stringify({ ...named, ...Object(data) }),
  };
}

/** Vonage takes 401 for a last word. */
function retryUnsigned({ code }: SourceOutcome): SourceAnswer | undefined {
  return code === "ERR_CREDENTIAL_MISSING" ? { status: 503, headers: { "retry-after": "5" } } : undefined;
}
