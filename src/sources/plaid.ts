import { type PublicJwk, readPublicJwk } from "../keys/public-key.js";
import type { Duration } from "../lib/duration.js";
import { assertOptions, describe, OptionError, optionKeys, own } from "../lib/options.js";
import { isPromise } from "../lib/promises.js";
import type { MaybePromise } from "../types/credential.js";
import type {
  ComposedDelivery,
  ParsedDelivery,
  Source,
  SourceEvent,
  SourceFault,
  TokenHint,
} from "../types/source.js";
import { textOf, tokenTolerance } from "./settings.js";

/** A key as `/webhook_verification_key/get` has it in `key`. */
export interface PlaidKey extends PublicJwk {
  readonly kid: string;
  /** Seconds since the epoch, null while the key is in use. */
  readonly expired_at?: number | null;
}

/** What every webhook of Plaid's holds; the rest goes by its type. */
export interface PlaidWebhook {
  /** Product that the webhook is about, such as `"TRANSACTIONS"`. */
  readonly webhook_type: string;
  /** What happened, such as `"SYNC_UPDATES_AVAILABLE"`. */
  readonly webhook_code: string;
  /** Whatever else this type of webhook has. */
  readonly [member: string]: unknown;
}

/** Options of `plaid`. */
export interface PlaidOptions {
  /**
   * Asks Plaid's `/webhook_verification_key/get` for a key by its id: the answer's `key`, or undefined where Plaid knows none.
   * `keyId` comes from a token that nobody has checked yet. What it answers is remembered for 10 minutes, that there is
   * none for one; unknown ids are looked up at most 10 times a minute: 3 for one address, and 3 reserved for
   * addresses that have sent a genuine delivery. Where it throws, or takes more than 5
   * seconds, the delivery is answered 503, and Plaid sends it again.
   */
  readonly key: (keyId: string) => MaybePromise<PlaidKey | undefined>;
  /** How far the sender's clock may differ from ours, `"0s"` to `"5m"`. Default: `"5s"`. */
  readonly clockTolerance?: Duration | undefined;
}

/** Stands for the issuer that Plaid's tokens do not name. */
const issuer = "plaid";

/**
 * Plaid's webhooks: the header `Plaid-Verification` is a JWT, ES256 by a key of Plaid's that its `kid` names, at most 5
 * minutes old by its `iat`, whose `request_body_sha256` is the SHA-256 of the body in hex. The type is `webhook_type`, a
 * dot and `webhook_code` as Plaid spells them: `TRANSACTIONS.SYNC_UPDATES_AVAILABLE`. Plaid gives no id: it is made of the
 * body. Plaid waits 10 seconds and sends again for up to 24 hours, at growing intervals from 30 seconds on, whatever was
 * answered but 200: with an inbox the answer to the first delivery is 202, which the source turns into 200.
 *
 * @example
 * plaid({ key: async (key_id) => (await client.webhookVerificationKeyGet({ key_id })).data.key })
 */
export function plaid(options: PlaidOptions): Source<{ readonly [type: string]: PlaidWebhook }> {
  const where = "plaid";
  assertOptions(options, optionKeys<PlaidOptions>({ key: true, clockTolerance: true }), where);
  const key: unknown = own(options, "key");
  if (typeof key !== "function") {
    throw new OptionError(
      `${where}.key`,
      ` must be a function that asks Plaid's /webhook_verification_key/get for a key, not ${describe(key)}`,
    );
  }
  const find = key as PlaidOptions["key"];
  const clockTolerance = tokenTolerance(options, where);
  return {
    name: "plaid",
    bodies: ["json"],
    headers: [],
    events: readEvent,
    auth: {
      carrier: { header: "plaid-verification" },
      defaultIssuer: issuer,
      token({ keyId }: TokenHint): unknown {
        if (keyId === undefined) return undefined;
        const found: unknown = find(keyId);
        return isPromise(found)
          ? found.then((answer) => credentialOf(answer, keyId, clockTolerance))
          : credentialOf(found, keyId, clockTolerance);
      },
      tokenMemory: { found: "10m", missing: "1m", unknownPerMinute: 10 },
    },
    deadline: "10s",
    answer: ({ httpStatus }) => (httpStatus === 202 ? { status: 200 } : undefined),
    compose,
  };
}

/** The options of the JWT credential of a key. TypeErrors become ERR_CREDENTIALS_UNAVAILABLE, for the operator. */
function credentialOf(found: unknown, keyId: string, clockTolerance: Duration): object | undefined {
  if (found === undefined) return undefined;
  const where = "plaid.key's answer";
  const jwk = readPublicJwk(found, where);
  if (jwk.kid !== keyId) throw new OptionError(where, ` is not the key that was asked for`);
  const ended = own(found as { expired_at?: unknown }, "expired_at") ?? null;
  if (ended !== null && (typeof ended !== "number" || !(ended >= 0 && ended <= 100_000_000_000))) {
    throw new OptionError(
      `${where}.expired_at`,
      ` must be null or seconds since the epoch, not ${describe(ended)}`,
    );
  }
  return {
    id: keyId,
    issuer,
    publicKey: found,
    algorithms: ["ES256"],
    maxAge: "5m",
    clockTolerance,
    bodyHashClaim: "request_body_sha256",
    ...(ended === null ? {} : { expiresAt: new Date(ended * 1_000) }),
  };
}

function readEvent({ body }: ParsedDelivery): readonly SourceEvent[] | SourceFault {
  const type = textOf(body, "webhook_type");
  const code = textOf(body, "webhook_code");
  if (type === undefined || code === undefined) return { fault: "webhook_type or webhook_code is missing" };
  return [{ type: `${type}.${code}`, data: body }];
}

function compose({ type, data }: { readonly type: string; readonly data: unknown }): ComposedDelivery {
  const dot = type.indexOf(".");
  const named = {
    webhook_type: dot === -1 ? type : type.slice(0, dot),
    webhook_code: dot === -1 ? type : type.slice(dot + 1),
  };
  return {
    headers: {},
    contentType: "application/json",
    body: JSON.stringify({ ...named, ...Object(data) }),
  };
}
