import type { Handler, HandlerContext } from "../contracts/event.js";
import { assertOptions, describe, numberOption, own, stringOption } from "../lib/options.js";
import type { Catalog } from "./catalog.js";
import type { AnyEventMap, EventOf, EventsByName, NameOf } from "./event-map.js";
import { quoted } from "./event-name.js";
import { createMatcher, type Matcher, matchAny } from "./pattern.js";

/** What may be said about a handler when it is registered. */
export interface HandlerOptions {
  /** Stable name of 1 to 200 characters, unique in the receiver. Default: the types it is registered for, joined by ",". */
  readonly name?: string | undefined;
  /** Milliseconds that one run may take, 1 to 86,400,000. Default: the receiver's `handlerTimeoutMs`. */
  readonly timeoutMs?: number | undefined;
  /** Runs that may be in progress at once, 1 to 1,000,000; a delivery beyond them is answered 503. Default: no limit. */
  readonly concurrency?: number | undefined;
}

/**
 * The part of a receiver that handlers are registered with. `EventMap` has an event type's data by its name.
 * Misuse throws a TypeError that says what to write instead.
 */
export interface HandlerRegistration<EventMap> {
  /**
   * Registers a handler for an event type, for a pattern (`"order.*"`: everything below `order.`), or for a list of
   * both. It runs once per event, however many entries of its list match.
   */
  on<Name extends NameOf<EventMap>>(
    types: Name | readonly Name[],
    handler: (event: EventsByName<EventMap>[Name], context: HandlerContext) => unknown,
    options?: HandlerOptions,
  ): void;
  /** Registers a handler for every event type; its default name is `"*"`. */
  onAny(
    handler: (event: EventOf<EventMap>, context: HandlerContext) => unknown,
    options?: HandlerOptions,
  ): void;
  /**
   * Removes the handler of this name, or every registration of this function; false where there is none.
   * Deliveries that are being handled are not affected.
   */
  off(handler: string | ((event: never, context: HandlerContext) => unknown)): boolean;
}

/** A handler as it was registered. */
export interface RegisteredHandler {
  readonly name: string;
  readonly handler: Handler;
  /** Undefined: the receiver's time limit applies. */
  readonly timeoutMs: number | undefined;
  /** `Infinity`: no limit. */
  readonly concurrency: number;
  /** Runs in progress; `dispatch` counts them. A run past its deadline no longer counts. */
  readonly load: { running: number };
}

/** The handlers of one receiver. */
export interface HandlerRegistry<EventMap = AnyEventMap> extends HandlerRegistration<EventMap> {
  /**
   * The handlers for an event type, in the order of their registration. The list never changes: `on` and `off` show
   * in the next one (ATTACKS G09). A type that the catalog does not have has no handlers, not even those of `onAny`.
   */
  handlersFor(type: string): readonly RegisteredHandler[];
}

/** Bounds of every option that limits the time of a handler; whole milliseconds. */
export const handlerTimeoutBounds = { min: 1, max: 86_400_000, integer: true } as const;

/** An empty registry. Types are held against the catalog where it names them. */
export function createHandlers<EventMap = AnyEventMap>(catalog: Catalog): HandlerRegistry<EventMap> {
  const registered: { readonly entry: RegisteredHandler; readonly matcher: Matcher }[] = [];
  const prepared = new Map<string, readonly RegisteredHandler[]>();

  function add(label: string, matcher: Matcher, handler: unknown, options: unknown): void {
    const entry = readEntry(label, matcher.defaultName, handler, options);
    if (registered.some((other) => other.entry.name === entry.name)) {
      throw new TypeError(
        `${label}: there is a handler named ${quoted(entry.name)} already; give this one a name of its own, as in on(types, handler, { name: "…" })`,
      );
    }
    registered.push({ entry, matcher });
    prepared.clear();
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
  };
}

const none: readonly RegisteredHandler[] = Object.freeze([]);

function readEntry(
  label: string,
  defaultName: string,
  handler: unknown,
  options: unknown,
): RegisteredHandler {
  if (typeof handler !== "function") {
    throw new TypeError(`${label}: the handler must be a function, not ${describe(handler)}`);
  }
  const given = options === undefined ? {} : options;
  assertOptions(given, ["name", "timeoutMs", "concurrency"], `${label} options`);
  const name = own(given, "name");
  return Object.freeze({
    name: name === undefined ? defaultName : readName(name, `${label} name`),
    handler: handler as Handler,
    timeoutMs: readTimeout(own(given, "timeoutMs"), `${label} timeoutMs`),
    concurrency: numberOption(own(given, "concurrency"), `${label} concurrency`, {
      min: 1,
      max: 1_000_000,
      integer: true,
      fallback: Number.POSITIVE_INFINITY,
    }),
    load: { running: 0 },
  });
}

function readTimeout(value: unknown, where: string): number | undefined {
  if (value === undefined) return undefined;
  return numberOption(value, where, { ...handlerTimeoutBounds, fallback: handlerTimeoutBounds.max });
}

/** Names end up in logs, metrics and stores, hence no control characters and a bound. */
function readName(value: unknown, where: string): string {
  const name = stringOption(value, where);
  if (name.length > 200 || /\p{Cc}/u.test(name)) {
    throw new TypeError(`${where} must have at most 200 characters and no control characters`);
  }
  return name;
}
