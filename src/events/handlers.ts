import { describe, OptionError } from "../lib/options.js";
import type { AnyEventMap, HandlerContext, HandlerResult } from "../types/event.js";
import type { EventsByName, EventUnion, NameOf } from "./event-map.js";
import { quoted } from "./event-name.js";
import {
  type HandlerOptions,
  type RegisteredHandler,
  readHandler,
  type TaskOptions,
  type TaskRules,
} from "./handler-options.js";
import { createMatcher, type Matcher, matchAny } from "./pattern.js";
import type { Catalog } from "./schemas.js";

/**
 * The part of a receiver that handlers are registered with. `EventMap` has an event type's data by its name; `Context`
 * is what handlers get beside the event. With an inbox `on`, `onAny` and `off` are for before `start()`. Misuse throws a TypeError that says what to write instead.
 */
export interface HandlerRegistration<EventMap, Context = HandlerContext> {
  /**
   * Registers a handler for an event type, for a pattern (`"order.*"`: everything below `order.`), or for a list of
   * both. It runs once per event, however many entries of its list match.
   */
  on<Name extends NameOf<EventMap>>(
    types: Name | readonly Name[],
    handler: (event: EventsByName<EventMap>[Name], context: Context) => HandlerResult,
    options?: HandlerOptions,
  ): void;
  /** Registers a handler for every event type; its default name is `"*"`. */
  onAny(
    handler: (event: EventUnion<EventMap>, context: Context) => HandlerResult,
    options?: HandlerOptions,
  ): void;
  /**
   * Removes the handler of this name, or every registration of this function; false where there is none.
   * Deliveries that are being handled are not affected.
   */
  off(handler: string | ((event: never, context: Context) => HandlerResult)): boolean;
}

/** As `HandlerRegistration`, for a receiver with an inbox: the options of tasks come with those of handlers. */
export interface TaskRegistration<EventMap, Context> extends HandlerRegistration<EventMap, Context> {
  /**
   * Registers a handler for an event type, for a pattern (`"order.*"`: everything below `order.`), or for a list of
   * both. It runs once per event, however many entries of its list match.
   */
  on<Name extends NameOf<EventMap>>(
    types: Name | readonly Name[],
    handler: (event: EventsByName<EventMap>[Name], context: Context) => HandlerResult,
    options?: TaskOptions<EventsByName<EventMap>[Name]>,
  ): void;
  /** Registers a handler for every event type; its default name is `"*"`. */
  onAny(
    handler: (event: EventUnion<EventMap>, context: Context) => HandlerResult,
    options?: TaskOptions<EventUnion<EventMap>>,
  ): void;
}

/** The handlers of one receiver. */
export interface HandlerRegistry<EventMap = AnyEventMap, Context = HandlerContext>
  extends TaskRegistration<EventMap, Context> {
  /**
   * The handlers for an event type, in the order of their registration. The list never changes: `on` and `off` show
   * in the next one (ATTACKS G09). A type that the catalog does not have has no handlers, not even those of `onAny`.
   */
  handlersFor(type: string): readonly RegisteredHandler[];
  /** All of them, in the order of their registration. */
  all(): readonly RegisteredHandler[];
  /** The event types that handlers are registered for by name. */
  types(): readonly string[];
  /** From now on registering and removing are TypeErrors, for this reason; undefined: they are not. */
  lock(reason: string | undefined): void;
}

/**
 * An empty registry. Types are held against the catalog where it names them. `tasks`: the handlers are run from an
 * inbox, by these rules.
 */
export function createHandlers<EventMap = AnyEventMap, Context = HandlerContext>(
  catalog: Catalog,
  tasks?: TaskRules,
): HandlerRegistry<EventMap, Context> {
  let locked: string | undefined;
  const registered: { readonly entry: RegisteredHandler; readonly matcher: Matcher }[] = [];
  const prepared = new Map<string, readonly RegisteredHandler[]>();

  function add(label: string, matcher: Matcher, handler: unknown, options: unknown): void {
    assertOpen(label);
    const entry = readHandler(label, matcher.defaultName, handler, { options, tasks });
    if (registered.some((other) => other.entry.name === entry.name)) {
      throw new OptionError(
        label,
        `: there is a handler named ${quoted(entry.name)} already; give this one a name of its own, as in on(types, handler, { name: "…" })`,
        { option: "name" },
      );
    }
    registered.push({ entry, matcher });
    prepared.clear();
  }

  function assertOpen(label: string): void {
    if (locked !== undefined) throw new TypeError(`${label}: ${locked}`);
  }

  function find(type: string): readonly RegisteredHandler[] {
    const found = registered.filter(({ matcher }) => matcher.matches(type)).map(({ entry }) => entry);
    return found.length === 0 ? none : Object.freeze(found);
  }

  return {
    on(types: unknown, handler: unknown, options?: unknown): void {
      const matcher = createMatcher(types, catalog);
      add(`on(${quoted(matcher.defaultName)})`, matcher, handler, options);
    },
    onAny(handler: unknown, options?: unknown): void {
      add("onAny", matchAny, handler, options);
    },
    off(handler: unknown): boolean {
      if (typeof handler !== "string" && typeof handler !== "function") {
        throw new TypeError(`off takes the handler's name or the handler itself, not ${describe(handler)}`);
      }
      assertOpen("off");
      const kept = registered.filter(({ entry }) => entry.name !== handler && entry.handler !== handler);
      if (kept.length === registered.length) return false;
      registered.splice(0, registered.length, ...kept);
      prepared.clear();
      return true;
    },
    handlersFor(type: string): readonly RegisteredHandler[] {
      const known = prepared.get(type);
      if (known !== undefined) return known;
      if (!catalog.has(type)) return none;
      const found = find(type);
      // Without named types the strings come from outside: only what a handler names is kept (ATTACKS I08).
      if (catalog.types !== undefined || registered.some(({ matcher }) => matcher.names(type))) {
        prepared.set(type, found);
      }
      return found;
    },
    all: () => registered.map(({ entry }) => entry),
    types: () => registered.flatMap(({ matcher }) => matcher.types),
    lock(reason: string | undefined): void {
      locked = reason;
    },
  };
}

const none: readonly RegisteredHandler[] = Object.freeze([]);
