import type { Duration } from "../lib/duration.js";
import {
  assertOptions,
  choiceOption,
  describe,
  durationOption,
  nearest,
  numberOption,
  OptionError,
  optionKeys,
  own,
  stringOption,
} from "../lib/options.js";
import type { AnyEventMap, Handler, HandlerContext, HandlerResult, WebhookEvent } from "../types/event.js";
import type { EventsByName, EventUnion, NameOf } from "./event-map.js";
import { parseRetry, type RetryOptions, type RetryPolicy } from "./retry-policy.js";
import { type Catalog, quoted, typeNameFault } from "./schemas.js";

/** Options of a handler. */
export interface HandlerOptions {
  /** Stable name of 1 to 200 characters, unique in the receiver. Default: the types it is registered for, joined by ",". */
  readonly name?: string | undefined;
  /** How long one run may take, "1ms" to "24h". Default: the receiver's `handlerTimeout`. */
  readonly timeout?: Duration | undefined;
  /**
   * Runs that may be in progress at once, 1 to 1,000,000. Without an inbox a delivery beyond them is answered 503, and
   * the default is no limit; with one its task waits in the store, and the default is 20, in each process.
   */
  readonly concurrency?: number | undefined;
}

/** Options of a handler whose runs are tasks of an inbox. */
export interface TaskOptions<Event = WebhookEvent> extends HandlerOptions {
  /** Attempts after which a task is a dead letter, 1 to 10,000. Default: the inbox's. */
  readonly maxAttempts?: number | undefined;
  /** When a failed task is tried again. Default: the inbox's. */
  readonly retry?: RetryOptions | undefined;
  /**
   * What happens to later tasks of the same ordering key after a dead letter. "continue": they run. "block":
   * they wait until it is replayed, dropped or purged. Default: "continue".
   */
  readonly onDeadLetter?: "continue" | "block" | undefined;
  /**
   * Where the engine is ordered: tasks of this handler under one key run one at a time, in the order of their
   * acceptance; undefined: in any order. Called when the event is accepted. Data that breaks its schema is given as it
   * came, and what `orderingKey` throws for it counts as no key.
   */
  readonly orderingKey?: ((event: Event) => string | undefined) | undefined;
}

/** A handler as it was registered. */
export interface RegisteredHandler {
  readonly name: string;
  readonly handler: Handler;
  /** Undefined: the receiver's time limit applies. */
  readonly timeoutMs: number | undefined;
  /** `Infinity`: no limit. */
  readonly concurrency: number;
  /** Undefined: the inbox's. */
  readonly maxAttempts: number | undefined;
  /** Undefined: the inbox's. */
  readonly retry: RetryPolicy | undefined;
  readonly onDeadLetter: "continue" | "block";
  readonly orderingKey: ((event: WebhookEvent) => unknown) | undefined;
  /** Runs in progress. A run past its deadline no longer counts. */
  readonly load: { running: number };
}

/** What holds for handlers that are run from an inbox. */
export interface TaskRules {
  /** Whether the engine keeps an order. */
  readonly ordered: boolean;
}

/** Bounds of every option that limits the time of a handler. */
export const handlerTimeoutBounds = { min: "1ms", max: "24h" } as const;

/** Bounds of `maxAttempts`. */
export const attemptBounds = { min: 1, max: 10_000, integer: true } as const;

const taskOptions = ["maxAttempts", "retry", "orderingKey", "onDeadLetter"] as const;
const optionNames = optionKeys<TaskOptions>({
  name: true,
  timeout: true,
  concurrency: true,
  maxAttempts: true,
  retry: true,
  orderingKey: true,
  onDeadLetter: true,
});
const concurrencyBounds = { min: 1, max: 1_000_000, integer: true } as const;

/** Checks a handler and its options. Throws a TypeError that names the option and the fix; `label` stands before it. */
export function readHandler(
  label: string,
  defaultName: string,
  handler: unknown,
  given: { readonly options: unknown; readonly tasks: TaskRules | undefined },
): RegisteredHandler {
  if (typeof handler !== "function") {
    throw new OptionError(label, `: the handler must be a function, not ${describe(handler)}`, {
      option: "handler",
    });
  }
  const options: unknown = given.options === undefined ? {} : given.options;
  assertOptions(options, optionNames, `${label} options`);
  const name = own(options, "name");
  return Object.freeze({
    name: name === undefined ? defaultName : readName(name, `${label} name`),
    handler: handler as Handler,
    timeoutMs: readTimeout(own(options, "timeout"), `${label} timeout`),
    concurrency: readConcurrency(own(options, "concurrency"), `${label} concurrency`, given.tasks),
    ...readTaskOptions(label, options, given.tasks),
    load: { running: 0 },
  });
}

type TaskPolicy = Pick<RegisteredHandler, (typeof taskOptions)[number]>;

function readTaskOptions(
  label: string,
  options: Record<string, unknown>,
  tasks: TaskRules | undefined,
): TaskPolicy {
  const given = taskOptions.find((option) => own(options, option) !== undefined);
  if (tasks === undefined && given !== undefined) {
    throw new OptionError(
      `${label} ${given}`,
      ` is for handlers that are run from an inbox; give createReceiver one (\`inbox\`), or leave it out`,
    );
  }
  const maxAttempts = own(options, "maxAttempts");
  return {
    maxAttempts:
      maxAttempts === undefined
        ? undefined
        : numberOption(maxAttempts, `${label} maxAttempts`, {
            ...attemptBounds,
            fallback: attemptBounds.max,
          }),
    retry: parseRetry(own(options, "retry"), `${label} retry`),
    onDeadLetter: choiceOption(
      own(options, "onDeadLetter"),
      `${label} onDeadLetter`,
      ["continue", "block"],
      "continue",
    ),
    orderingKey: readOrderingKey(own(options, "orderingKey"), label, tasks),
  };
}

function readOrderingKey(
  value: unknown,
  label: string,
  tasks: TaskRules | undefined,
): TaskPolicy["orderingKey"] {
  if (value === undefined) return undefined;
  if (typeof value !== "function") {
    throw new OptionError(
      `${label} orderingKey`,
      ` must be a function that returns an event's key, not ${describe(value)}`,
    );
  }
  if (tasks?.ordered !== true) {
    throw new OptionError(
      `${label} orderingKey`,
      `: the inbox's engine does not support ordering; leave it out, or use another engine`,
    );
  }
  return value as TaskPolicy["orderingKey"];
}

function readConcurrency(value: unknown, where: string, tasks: TaskRules | undefined): number {
  if (value === undefined && tasks === undefined) return Number.POSITIVE_INFINITY;
  return numberOption(value, where, { ...concurrencyBounds, fallback: 20 });
}

function readTimeout(value: unknown, where: string): number | undefined {
  if (value === undefined) return undefined;
  return durationOption(value, where, { ...handlerTimeoutBounds, fallback: handlerTimeoutBounds.max });
}

/** Names end up in logs, metrics and stores, hence no control characters and a bound. */
function readName(value: unknown, where: string): string {
  const name = stringOption(value, where);
  if (name.length > 200 || /\p{Cc}/u.test(name)) {
    throw new OptionError(where, ` must have at most 200 characters and no control characters`);
  }
  return name;
}

/**
 * The part of a receiver that handlers are registered with. `EventMap` has an event type's data by its name; `Context`
 * is what handlers get in addition to the event. With an inbox `on`, `onAny` and `off` are for before `start()`. Misuse throws a TypeError that says what to write instead.
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

/** Which event types a handler is for. */
export interface Matcher {
  /** The name of a handler that is given none. */
  readonly defaultName: string;
  matches(type: string): boolean;
  /** Whether the type is spelled out, not only matched by a pattern. */
  names(type: string): boolean;
  /** The types that are spelled out. */
  readonly types: readonly string[];
}

/** Matches every type. */
export const matchAny: Matcher = Object.freeze({
  defaultName: "*",
  matches: () => true,
  names: () => false,
  types: [],
});

/**
 * The matcher of what `on` was given: an event type, a pattern, or a list of both. `*` stands for one or more
 * segments at the end of a pattern, as in `"order.*"`. Throws a TypeError where something cannot be matched, or
 * never would be because the catalog has no such type.
 */
export function createMatcher(types: unknown, catalog: Catalog): Matcher {
  const given: readonly unknown[] = Array.isArray(types) ? types : [types];
  if (given.length === 0) {
    throw typesError("on([])", " names no event type; name at least one, or use onAny(handler)");
  }
  const exact = new Set<string>();
  const prefixes = new Set<string>();
  for (const name of given) {
    assertName(name, catalog);
    if (name.endsWith("*")) prefixes.add(name.slice(0, -1));
    else exact.add(name);
  }
  const starts = [...prefixes];
  return Object.freeze({
    defaultName: [...new Set(given)].join(","),
    matches: (type: string) => exact.has(type) || starts.some((start) => type.startsWith(start)),
    names: (type: string) => exact.has(type),
    types: [...exact],
  });
}

function assertName(name: unknown, catalog: Catalog): asserts name is string {
  if (typeof name !== "string") {
    throw typesError("on", ` takes an event type, a pattern or a list of them, not ${describe(name)}`);
  }
  const label = `on(${quoted(name)})`;
  const fault = typeNameFault(name);
  if (fault !== undefined) throw typesError(label, `: ${fault}`);
  if (name === "*") throw typesError(label, `: for every event type use onAny(handler)`);
  const star = name.indexOf("*");
  if (star !== -1 && !(star === name.length - 1 && name.endsWith(".*"))) {
    throw typesError(label, `: "*" may stand only for the last segments, as in "order.*"`);
  }
  if (catalog.types !== undefined) assertKnown(name, catalog.types, label);
}

function assertKnown(name: string, types: readonly string[], label: string): void {
  if (name.endsWith("*")) {
    const start = name.slice(0, -1);
    if (types.some((type) => type.startsWith(start))) return;
    const patterns = new Set(types.flatMap(patternsOf));
    throw typesError(label, ` matches no event type in events; ${hint(name, [...patterns], types)}`);
  }
  if (types.includes(name)) return;
  throw typesError(label, `: events has no such type; ${hint(name, types, types)}`);
}

/** A mistake in the first argument of `on`. */
function typesError(label: string, text: string): OptionError {
  return new OptionError(label, text, { option: "types" });
}

/** Every pattern that matches a type: of `a.b.c`, `a.*` and `a.b.*`. */
function patternsOf(type: string): string[] {
  const segments = type.split(".");
  return segments.slice(1).map((_, index) => `${segments.slice(0, index + 1).join(".")}.*`);
}

const listed = 10;

function hint(name: string, candidates: readonly string[], types: readonly string[]): string {
  const near = nearest(name, candidates);
  if (near !== undefined) return `did you mean ${quoted(near)}?`;
  const more = types.length > listed ? `, … (${types.length} in all)` : "";
  return `it has ${types.slice(0, listed).map(quoted).join(", ")}${more}`;
}
