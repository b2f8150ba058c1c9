import type { AnyEventMap, WebhookEvent } from "../types/event.js";
import type { SchemaOutput, StandardSchema } from "../types/standard-schema.js";

/** Event types and the schema of each one's data: any Standard Schema, so zod, valibot, arktype and others. */
export interface EventSchemas {
  readonly [type: string]: StandardSchema;
}

const marker: unique symbol = Symbol("hookgate.uncheckedTypes");

/** What `uncheckedTypes` makes. `types` is never there at run time: it carries `EventMap` for the compiler. */
export interface UncheckedTypes<EventMap extends object> {
  readonly [marker]: true;
  /** Carries the types for the compiler; never there at run time. */
  readonly types?: EventMap | undefined;
}

/** What the option `events` takes. */
export type EventsOption = EventSchemas | UncheckedTypes<object>;

/**
 * Event types by TypeScript alone, for the option `events`: handlers are typed, and nothing is checked at run time.
 * Any type comes in, and the data is whatever the sender sent. Use it only with senders whose word you would take.
 *
 * @example
 * createReceiver({ events: uncheckedTypes<{ "order.paid": { orderId: string } }>(), … })
 */
export function uncheckedTypes<EventMap extends object>(): UncheckedTypes<EventMap> {
  return Object.freeze({ [marker]: true as const });
}

/** Whether a value comes from `uncheckedTypes`. */
export function isUncheckedTypes(value: unknown): value is UncheckedTypes<object> {
  return typeof value === "object" && value !== null && Object.hasOwn(value, marker);
}

/**
 * From the option `events` to a map of event type to data, as handlers see it: `{ "order.paid": { … } }`; without it, the
 * map of the source.
 */
export type EventMapOf<Events, SourceEvents = AnyEventMap> =
  Events extends UncheckedTypes<infer EventMap>
    ? EventMap
    : Events extends EventSchemas
      ? { readonly [Type in keyof Events]: SchemaOutput<Events[Type]> }
      : SourceEvents;

/** `"a.b.c"` to `"a.*" | "a.b.*"`. */
type PatternsOf<Type extends string, Before extends string = ""> = Type extends `${infer Head}.${infer Rest}`
  ? `${Before}${Head}.*` | PatternsOf<Rest, `${Before}${Head}.`>
  : never;

/** Each event type's event. */
type EventsByType<EventMap> = {
  readonly [Type in keyof EventMap & string]: WebhookEvent<Type, EventMap[Type]>;
};

/**
 * Every name that `on` takes, with its events. The compiler works it out once per map; where several types fall on
 * one pattern it gives `Type` as their union, which the lookup in `EventsByType` turns into a union of events.
 */
export type EventsByName<EventMap> = {
  readonly [Type in keyof EventMap & string as Type | PatternsOf<Type>]: EventsByType<EventMap>[Type];
};

/** An event type of the map, or a pattern such as `"order.*"` that matches at least one of them. */
export type NameOf<EventMap> = keyof EventsByName<EventMap>;

/** The union of a map's events; `event.type` narrows it. */
export type EventUnion<EventMap> = EventsByType<EventMap>[keyof EventMap & string];
