import { assertOptions, optionKeys } from "../lib/options.js";
import type { SigningSecrets } from "../signatures/signing-keys.js";
import type {
  ComposedDelivery,
  ComposeEvent,
  ParsedDelivery,
  Source,
  SourceEvent,
  SourceFault,
} from "../types/source.js";
import { headerOf, secretsOption } from "./settings.js";

/** Options of `shopify`. */
export interface ShopifyOptions {
  /** The app's client secret, as it is shown; both while it is rotated, since Shopify takes up to an hour to change. */
  readonly secret: SigningSecrets | undefined;
  /** `true` takes a secret of fewer than 24 bytes, which can be guessed the sooner. Default: refused. */
  readonly insecureShortSecret?: boolean | undefined;
}

/**
 * Shopify's webhooks: `X-Shopify-Hmac-SHA256`, HMAC-SHA-256 in base64 over the body. Types are Shopify's topics with dots
 * for slashes, so that patterns work: `orders/create` is `orders.create`, and `on("orders.*")` takes all of orders. The id is
 * `X-Shopify-Webhook-Id`, which stays the same when Shopify sends again; `X-Shopify-Event-Id` does not tell the
 * subscriptions apart that one event is sent to. `data` is the payload, untyped: name schemas in `events`.
 *
 * Nothing but the body is signed, with one secret for all shops of an app: whoever has a valid delivery can change its
 * topic, shop and id. Take what matters from the body, or ask Shopify for it. Shopify waits 5 seconds, and sends again
 * eight times in four hours; then it may remove the subscription.
 *
 * @example
 * createReceiver({ name: "shop", source: shopify({ secret: process.env.SHOPIFY_CLIENT_SECRET }) });
 */
export function shopify(options: ShopifyOptions): Source {
  const where = "shopify";
  assertOptions(options, optionKeys<ShopifyOptions>({ secret: true, insecureShortSecret: true }), where);
  const keys = secretsOption(options, where);
  return {
    name: "shopify",
    bodies: ["json"],
    headers: [
      "x-shopify-topic",
      "x-shopify-webhook-id",
      "x-shopify-event-id",
      "x-shopify-shop-domain",
      "x-shopify-api-version",
      "x-shopify-triggered-at",
    ],
    events: readEvent,
    signature: {
      kind: "header",
      headers: [{ signature: "x-shopify-hmac-sha256" }],
      variants: [{ label: "", algorithm: "hmac-sha256", keys }],
      encoding: "base64",
      signed: "{body}",
    },
    deadline: "5s",
    compose,
  };
}

function readEvent(delivery: ParsedDelivery): readonly SourceEvent[] | SourceFault {
  const topic = headerOf(delivery, "x-shopify-topic");
  if (topic === undefined) return { fault: "the header X-Shopify-Topic is missing" };
  return [
    {
      type: topic.replaceAll("/", "."),
      id: headerOf(delivery, "x-shopify-webhook-id"),
      data: delivery.body,
    },
  ];
}

function compose({ type, id, data, nowMs }: ComposeEvent): ComposedDelivery {
  return {
    headers: {
      "x-shopify-topic": type.replaceAll(".", "/"),
      "x-shopify-webhook-id": id,
      "x-shopify-triggered-at": new Date(nowMs).toISOString(),
    },
    contentType: "application/json",
    body: JSON.stringify(data),
  };
}
