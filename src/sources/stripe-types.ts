/** @ts-ignore The package is optional: where it is not installed, the next types are `any`, and handlers get unknown data. */
import type Stripe from "stripe";
import type { AnyEventMap } from "../types/event.js";

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
