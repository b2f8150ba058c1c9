import { Buffer } from "node:buffer";
import { parseKeySet } from "../auth/jwt/jwks.js";
import { parseAlgorithms } from "../keys/algorithms.js";
import type { PublicJwk } from "../keys/public-key.js";
import { decodeBase64 } from "../lib/base64.js";
import { type Duration, durationText } from "../lib/duration.js";
import { parseStrictJsonBytes } from "../lib/json.js";
import {
  assertOptions,
  choiceOption,
  durationOption,
  flagOption,
  OptionError,
  optionKeys,
  own,
  stringOption,
} from "../lib/options.js";
import type { JwtClaims } from "../types/delivery.js";
import type {
  ComposedDelivery,
  ComposeEvent,
  ParsedDelivery,
  Source,
  SourceEvent,
  SourceFault,
} from "../types/source.js";
import { headerOf, memberOf, textOf, tokenTolerance } from "./settings.js";

/** A message as Pub/Sub pushed it. */
export interface PubSubMessage {
  /** Unique within the topic. */
  readonly messageId: string | undefined;
  /** When Pub/Sub received the message, RFC 3339. */
  readonly publishTime: string | undefined;
  /** The key by which the publisher orders messages. */
  readonly orderingKey: string | undefined;
  /** Attributes that the publisher set. */
  readonly attributes: Readonly<Record<string, string>>;
  /** The message's data in base64; empty where it has attributes alone. */
  readonly data: string;
  /** The data where it is strict JSON in UTF-8, else undefined. */
  readonly json: unknown;
  /** Full name of the subscription: `projects/…/subscriptions/…`. */
  readonly subscription: string | undefined;
  /** Counted only where the subscription has a dead-letter topic. */
  readonly deliveryAttempt: number | undefined;
}

/** Options of `googlePubSub`. */
export interface GooglePubSubOptions {
  /** The subscription's audience: the push endpoint's URL unless it was set otherwise. Compared exactly. */
  readonly audience: string | readonly string[];
  /** E-mail address of the service account that the subscription's tokens name; several for several subscriptions. */
  readonly serviceAccount: string | readonly string[];
  /** Attribute that holds the event type. Default: `eventType`. Where a message has none, the type is `message`. */
  readonly typeAttribute?: string | undefined;
  /**
   * `message`: handlers get the whole message, a `PubSubMessage`. `json`: its data, which must be JSON. Default: `message`.
   */
  readonly data?: "message" | "json" | undefined;
  /**
   * `true` for a subscription with payload unwrapping: the body is the data; id and type come from headers, which the
   * subscription sends with "write metadata". Default: wrapped messages.
   */
  readonly unwrapped?: boolean | undefined;
  /** The subscription's acknowledgement deadline, "10s" to "10m". Default: "10s". */
  readonly ackDeadline?: Duration | undefined;
  /** How far the sender's clock may differ from ours, "0s" to "5m". Default: "30s". */
  readonly clockTolerance?: Duration | undefined;
  /** Keys in place of those that Google publishes: for tests, and for emulators that sign. */
  readonly jwks?:
    | {
        /** The keys of the set. */
        readonly keys: readonly PublicJwk[];
      }
    | undefined;
}

const algorithms = ["RS256"];
const googleKeys = "https://www.googleapis.com/oauth2/v3/certs";

/**
 * Push subscriptions of Google Cloud Pub/Sub that authenticate: `Authorization: Bearer` with an OpenID Connect token, RS256
 * by Google's published keys, `iss` "https://accounts.google.com", `aud` the subscription's audience, and `email`, verified,
 * the service account's: anyone may have Google sign a token for any audience, so the address is the proof. The body
 * is not signed, TLS alone protects it. The type is the attribute `eventType`, else `message`; the id is the subscription
 * and the message's id. Pub/Sub waits for the acknowledgement deadline, takes 102, 200, 201, 202 and 204 for one, and sends
 * again whatever else was answered until the message expires: give the subscription a dead-letter topic.
 *
 * @example
 * googlePubSub({ audience: "https://hooks.example.com/pubsub", serviceAccount: "push@project.iam.gserviceaccount.com" })
 */
export function googlePubSub(options: GooglePubSubOptions & { readonly data: "json" }): Source;
export function googlePubSub(
  options: GooglePubSubOptions,
): Source<{ readonly [type: string]: PubSubMessage }>;
export function googlePubSub(options: GooglePubSubOptions): Source {
  const where = "googlePubSub";
  assertOptions(
    options,
    optionKeys<GooglePubSubOptions>({
      audience: true,
      serviceAccount: true,
      typeAttribute: true,
      data: true,
      unwrapped: true,
      ackDeadline: true,
      clockTolerance: true,
      jwks: true,
    }),
    where,
  );
  const accounts = textList(own(options, "serviceAccount"), `${where}.serviceAccount`);
  const typeAttribute = stringOption(own(options, "typeAttribute") ?? "eventType", `${where}.typeAttribute`);
  const asJson =
    choiceOption(own(options, "data"), `${where}.data`, ["message", "json"], "message") === "json";
  const reading = { typeAttribute, asJson };
  const unwrapped = flagOption(own(options, "unwrapped"), `${where}.unwrapped`);
  if (unwrapped && own(options, "data") === "message") {
    throw new OptionError(
      `${where}.data`,
      ` cannot be "message" when unwrapped is true: only the data is sent`,
    );
  }
  const ackMs = durationOption(own(options, "ackDeadline"), `${where}.ackDeadline`, {
    min: "10s",
    max: "10m",
    fallback: "10s",
  });
  return {
    name: "google-pubsub",
    bodies: unwrapped ? ["json", "bytes"] : ["json"],
    headers: unwrapped ? [...metadataHeaders, typeAttribute.toLowerCase()] : [],
    events: (delivery) =>
      unwrapped ? readUnwrapped(delivery, typeAttribute) : readWrapped(delivery.body, reading),
    auth: {
      jwt: {
        issuer: "https://accounts.google.com",
        audience: textList(own(options, "audience"), `${where}.audience`),
        algorithms,
        clockTolerance: tokenTolerance(options, where, "30s"),
        requiredClaims: ["iat", "email"],
        ...keysOf(own(options, "jwks"), `${where}.jwks`),
      },
      check: (claims) => emailFault(claims, accounts),
      claims: () => ({ email: accounts[0], email_verified: true }),
    },
    // Each further attempt has another deliveryAttempt in its body.
    deduplicateBy: "id",
    deadline: durationText(ackMs),
    compose: (event) => (unwrapped ? composeUnwrapped(event, typeAttribute) : composeWrapped(event, reading)),
  };
}

const metadataHeaders = [
  "x-goog-pubsub-message-id",
  "x-goog-pubsub-publish-time",
  "x-goog-pubsub-subscription-name",
  "x-goog-pubsub-ordering-key",
];

function textList(value: unknown, where: string): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) throw new OptionError(where, ` is empty, so no token could pass; name at least one`);
  return list.map((entry, at) => stringOption(entry, Array.isArray(value) ? `${where}[${at}]` : where));
}

function keysOf(jwks: unknown, where: string): { readonly jwks: unknown } | { readonly jwksUri: string } {
  if (jwks === undefined) return { jwksUri: googleKeys };
  if (parseKeySet(jwks, { where, algorithms: parseAlgorithms(algorithms, where) }).length === 0) {
    throw new OptionError(where, ` has no key that can check RS256`);
  }
  return { jwks };
}

function emailFault(claims: JwtClaims, accounts: readonly string[]): string | undefined {
  const email = own(claims, "email");
  if (typeof email !== "string" || !accounts.includes(email)) {
    return `email is not ${accounts.map((account) => `"${account}"`).join(" or ")}`;
  }
  return own(claims, "email_verified") === true ? undefined : "email_verified is not true";
}

interface Reading {
  readonly typeAttribute: string;
  readonly asJson: boolean;
}

function readWrapped(
  body: unknown,
  { typeAttribute, asJson }: Reading,
): readonly SourceEvent[] | SourceFault {
  const message = messageOf(body);
  if ("fault" in message) return message;
  if (asJson && message.json === undefined) return { fault: "the message's data is not JSON" };
  const { messageId, subscription, attributes } = message;
  return [
    {
      type: typeOf(own(attributes, typeAttribute)),
      id: idOf(subscription, messageId),
      data: asJson ? message.json : message,
    },
  ];
}

function messageOf(body: unknown): PubSubMessage | SourceFault {
  const message = memberOf(body, "message");
  if (typeof message !== "object" || message === null) return { fault: "the body has no `message`" };
  const data = memberOf(message, "data") ?? "";
  const bytes = typeof data === "string" ? decodeBase64(data) : undefined;
  if (bytes === undefined) return { fault: "message.data is not base64" };
  const attributes = memberOf(message, "attributes") ?? {};
  if (!isAttributes(attributes)) return { fault: "message.attributes is not an object of strings" };
  const parsed = bytes.length === 0 ? undefined : parseStrictJsonBytes(bytes);
  const attempt = memberOf(body, "deliveryAttempt");
  return {
    messageId: textOf(message, "messageId") ?? textOf(message, "message_id"),
    publishTime: textOf(message, "publishTime") ?? textOf(message, "publish_time"),
    orderingKey: textOf(message, "orderingKey"),
    attributes,
    data: bytes.toString("base64"),
    json: parsed?.ok === true ? parsed.value : undefined,
    subscription: textOf(body, "subscription"),
    deliveryAttempt: typeof attempt === "number" ? attempt : undefined,
  };
}

function isAttributes(value: unknown): value is Readonly<Record<string, string>> {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.values(value).every((entry) => typeof entry === "string")
  );
}

function readUnwrapped(delivery: ParsedDelivery, typeAttribute: string): readonly SourceEvent[] {
  const messageId = headerOf(delivery, "x-goog-pubsub-message-id");
  const subscription = headerOf(delivery, "x-goog-pubsub-subscription-name");
  const type = typeOf(headerOf(delivery, typeAttribute.toLowerCase()));
  return [{ type, id: idOf(subscription, messageId), data: delivery.body }];
}

function typeOf(attribute: string | undefined): string {
  return attribute === undefined || attribute === "" ? "message" : attribute;
}

/** A message's id is unique within its topic alone. */
function idOf(subscription: string | undefined, messageId: string | undefined): string | undefined {
  if (messageId === undefined || subscription === undefined) return messageId;
  return `${subscription}/${messageId}`;
}

const composedSubscription = "projects/example/subscriptions/example";

function composeWrapped(
  { type, id, data, nowMs }: ComposeEvent,
  { typeAttribute, asJson }: Reading,
): ComposedDelivery {
  const json = asJson ? data : (memberOf(data, "json") ?? data);
  const message = {
    attributes: type === "message" ? {} : { [typeAttribute]: type },
    data: Buffer.from(JSON.stringify(json ?? null)).toString("base64"),
    messageId: id,
    publishTime: new Date(nowMs).toISOString(),
  };
  return {
    headers: {},
    contentType: "application/json",
    body: JSON.stringify({ message, subscription: composedSubscription }),
  };
}

function composeUnwrapped({ type, id, data, nowMs }: ComposeEvent, typeAttribute: string): ComposedDelivery {
  return {
    headers: {
      "x-goog-pubsub-message-id": id,
      "x-goog-pubsub-publish-time": new Date(nowMs).toISOString(),
      "x-goog-pubsub-subscription-name": composedSubscription,
      ...(type === "message" ? {} : { [typeAttribute.toLowerCase()]: type }),
    },
    contentType: "application/json",
    body: JSON.stringify(data ?? null),
  };
}
