/** @ts-ignore The package is optional: where it is not installed, the next types are `any`, and handlers get unknown data. */
import type Stripe from "stripe";
import type { Duration } from "../lib/duration.js";
import { assertOptions, optionKeys } from "../lib/options.js";
import type { SigningSecrets } from "../signatures/signing-keys.js";
import type { AnyEventMap } from "../types/event.js";
import type {
  ComposedDelivery,
  ComposeEvent,
  ParsedDelivery,
  Source,
  SourceEvent,
  SourceFault,
} from "../types/source.js";
import { memberOf, secretsOption, textOf, toleranceOption } from "./settings.js";

/** `any` where the package is missing, or too old to have them. */
type Snapshot = Stripe.Event;
/** @ts-ignore Versions before 19 do not have this type. */
type Notification = Stripe.V2.Core.EventNotification;

/** What the package adds to a notification when it parses one; it is not in the body. */
type Added = "fetchEvent" | "fetchRelatedObject" | "context";

/** Each event under its type. */
type ByType<Event extends { readonly type: string }> = {
  readonly [E in Event as E["type"]]: E;
};

type Sent<Event extends { readonly type: string }> = {
  readonly [E in Event as E["type"]]: Omit<E, Added> & { readonly context?: string };
};

// In brackets: a type of a missing package makes an error of a condition that it stands in by itself, not an answer.
type SnapshotMap = [unknown] extends [Snapshot] ? AnyEventMap : ByType<Snapshot>;
type NotificationMap = [unknown] extends [Notification] ? unknown : Sent<Notification>;

/**
 * Stripe's event types and their events: snapshot events, and the notifications of API v2 ("thin events"). Any type and
 * unknown data without the package `stripe`.
 */
export type StripeEventMap = SnapshotMap & NotificationMap;

/** Options of `stripe`. */
export interface StripeOptions {
  /** The endpoint's signing secret, `whsec_…`, as it is shown: it is used as text. Several while it is rolled. */
  readonly secret: SigningSecrets | undefined;
  /** How far the timestamp may be from our clock, before or after it, "1s" to "1h". Default: "5m". */
  readonly tolerance?: Duration | undefined;
  /** `true` takes a secret of fewer than 24 bytes, which can be guessed the sooner. Default: refused. */
  readonly insecureShortSecret?: boolean | undefined;
}

/**
 * Stripe's webhooks: `Stripe-Signature: t=…,v1=…`, HMAC-SHA-256 in hex over `{t}.{body}`; several `v1` while a secret is
 * rolled, other schemes ignored, and `t` at most `tolerance` (default "5m") away from our clock. Types are Stripe's,
 * such as `invoice.paid`, for snapshot events and for the notifications of API v2 ("thin events") alike. The id is the
 * event's, so a delivery of the same event with another body, such as a new count of `pending_webhooks`, is the same
 * event. `data` is the whole event, typed by the package `stripe` where that is installed.
 *
 * Stripe does not publish how long it waits; we reckon with 10 seconds. It sends again for three days, and the same event
 * to every endpoint that asked for it. `issuing_authorization.request` wants a decision as the answer, within 2 seconds:
 * that is not for a receiver of events.
 *
 * @example
 * createReceiver({ name: "billing", source: stripe({ secret: process.env.STRIPE_SECRET }) });
 */
export function stripe(options: StripeOptions): Source<StripeEventMap> {
  const where = "stripe";
  assertOptions(
    options,
    optionKeys<StripeOptions>({ secret: true, tolerance: true, insecureShortSecret: true }),
    where,
  );
  const keys = secretsOption(options, where);
  const tolerance = toleranceOption(options, where);
  return {
    name: "stripe",
    bodies: ["json"],
    headers: [],
    events: readEvent,
    signature: {
      kind: "header",
      headers: [{ signature: "stripe-signature" }],
      parts: { separator: ",", assign: "=", timestamp: "t" },
      variants: [{ label: "v1", algorithm: "hmac-sha256", keys }],
      encoding: "hex",
      signed: "{timestamp}.{body}",
      tolerance,
    },
    deduplicateBy: "id",
    deadline: "10s",
    compose,
  };
}

function readEvent({ body }: ParsedDelivery): readonly SourceEvent[] | SourceFault {
  const type = textOf(body, "type");
  const id = textOf(body, "id");
  if (type === undefined || id === undefined)
    return { fault: "the body has no `type` and `id`, as events have" };
  return [{ type, id, data: body }];
}

/** Data that is an event stays one; anything else becomes the object of a snapshot event. */
function compose({ type, id, data, nowMs }: ComposeEvent): ComposedDelivery {
  const isEvent = ["event", "v2.core.event"].some((object) => memberOf(data, "object") === object);
  const event = isEvent
    ? { ...(data as object), id, type }
    : {
        id,
        object: "event",
        api_version: null,
        created: Math.floor(nowMs / 1_000),
        data: { object: data },
        livemode: false,
        pending_webhooks: 1,
        request: null,
        type,
      };
  return { headers: {}, contentType: "application/json", body: JSON.stringify(event) };
}
