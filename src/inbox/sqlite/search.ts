import type { EventFilter, EventState } from "../../types/engine.js";
import type { Connection } from "./connection.js";
import { timeSpanMs, toStored } from "./query-context.js";
import { taskStates } from "./schema.js";
import * as sql from "./statements.js";

export interface SearchRequest {
  readonly filter: SearchFilter;
  readonly oldestFirst: boolean;
  /** The event after which the search continues. Left out: it starts with the first one. */
  readonly after?: number | undefined;
  readonly limit: number;
}

/** Numbers of events in the order of the search; `next` is where it goes on, undefined when it is complete. */
export interface Found {
  readonly events: readonly number[];
  readonly next: number | undefined;
}

/** A part of an index, in which events are in order. */
interface IndexPart {
  readonly index: sql.EventIndex;
  readonly values: readonly (string | number)[];
}

/** Numbers of events, both included. */
interface Range {
  readonly low: number;
  readonly high: number;
}

/** Milliseconds after which a search returns what it has, so that others can use the connection. */
const sliceMs = 20;
/** How many numbers of events are searched at once: more after a window that took less than `quickMs`. */
const window = { first: 5_000, most: 40_000, quickMs: 3 } as const;
/** With more parts than these, the events themselves are read. */
const maxParts = 2_000;

const { all, byTaskState, byType, ignored } = sql.eventIndexes;

/**
 * Finds events by filter, in the order of their acceptance. It reads the part of an index that the filter needs, or
 * merges several, and goes through it in windows: a filter that few events match costs its time in slices.
 */
export class EventSearch {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The next events; at most `limit`, fewer if the slice of time is over. */
  find({ filter, oldestFirst, after, limit }: SearchRequest): Found {
    const began = performance.now();
    const scopes = scopesOf(this.#connection, filter);
    let left = this.#range(filter);
    if (after !== undefined) {
      left = oldestFirst
        ? { low: Math.max(left.low, after + 1), high: left.high }
        : { low: left.low, high: Math.min(left.high, after - 1) };
    }
    const condition = conditionOf(filter, scopes);
    const parts = isEmpty(left) ? [] : this.#parts(filter, scopes);
    const events: number[] = [];
    let size: number = window.first;
    while (parts.length > 0 && !isEmpty(left)) {
      const begun = performance.now();
      const part = oldestFirst
        ? { low: left.low, high: Math.min(left.high, left.low + size - 1) }
        : { low: Math.max(left.low, left.high - size + 1), high: left.high };
      events.push(...this.#read({ parts, condition, part, oldestFirst, limit: limit - events.length }));
      if (events.length >= limit) return { events, next: events.at(-1) };
      left = oldestFirst ? { ...left, low: part.high + 1 } : { ...left, high: part.low - 1 };
      const now = performance.now();
      if (now - began > sliceMs && !isEmpty(left))
        return { events, next: oldestFirst ? part.high : part.low };
      if (now - begun < window.quickMs) size = Math.min(window.most, size * 2);
    }
    return { events, next: undefined };
  }

  #read(given: {
    readonly parts: readonly IndexPart[];
    readonly condition: Condition;
    readonly part: Range;
    readonly oldestFirst: boolean;
    readonly limit: number;
  }): readonly number[] {
    const { parts, condition, part, oldestFirst, limit } = given;
    const merged = new Set<number>();
    for (const { index, values } of parts) {
      const found = this.#connection
        .statement(sql.search.find(index, condition.sql, oldestFirst))
        .all(...values, part.low, part.high, ...condition.values, limit) as { readonly event: number }[];
      for (const { event } of found) merged.add(event);
    }
    return [...merged].sort((a, b) => (oldestFirst ? a - b : b - a)).slice(0, limit);
  }

  /** A range with all events that were accepted in the time of the filter. */
  #range({ fromMs, beforeMs }: SearchFilter): Range {
    const none = { low: 1, high: 0 };
    if (fromMs === undefined && beforeMs === undefined) {
      const row = this.#connection.statement(sql.search.last).get();
      const { last } = row as { readonly last: number | null };
      return last === null ? none : { low: 1, high: last };
    }
    const row = this.#connection
      .statement(sql.search.span)
      .get(
        Math.floor((fromMs ?? 0) / timeSpanMs),
        Math.floor((beforeMs ?? Number.MAX_SAFE_INTEGER) / timeSpanMs),
      );
    const { low, high } = row as { readonly low: number | null; readonly high: number | null };
    return low === null || high === null ? none : { low, high };
  }

  /** The narrowest part of the indexes that holds all events of a filter. */
  #parts(filter: SearchFilter, scopes: readonly number[] | undefined): readonly IndexPart[] {
    const parts = this.#narrowParts(filter, scopes);
    return parts === undefined || parts.length > maxParts ? [{ index: all, values: [] }] : parts;
  }

  #narrowParts(filter: SearchFilter, scopes: readonly number[] | undefined): IndexPart[] | undefined {
    const { type } = filter;
    const ignoredEvents = (): IndexPart[] =>
      this.#scopes(scopes).map((scope) => ({ index: ignored, values: [scope] }));
    const tasks = (handler: string | undefined, ...states: readonly number[]): IndexPart[] =>
      handlersOf(this.#connection, filter.receiver, handler).flatMap((number) =>
        states.map((state) => ({ index: byTaskState, values: [number, state] })),
      );
    if (filter.state === "dead") return tasks(undefined, taskStates.dead);
    if (filter.state === "pending")
      return tasks(undefined, taskStates.waiting, taskStates.blocked, taskStates.running);
    if (filter.state === "ignored") return ignoredEvents();
    if (type !== undefined)
      return this.#scopes(scopes).map((scope) => ({ index: byType, values: [scope, toStored(type)] }));
    if (filter.state !== undefined) {
      const ended = tasks(filter.handler, taskStates.done, taskStates.dropped);
      return filter.state === "finished" ? [...ended, ...ignoredEvents()] : ended;
    }
    if (filter.handler !== undefined) return tasks(filter.handler, ...Object.values(taskStates));
    return scopes === undefined ? undefined : this.#partsOfScopes(scopes);
  }

  #scopes(scopes: readonly number[] | undefined): readonly number[] {
    return scopes ?? scopesOf(this.#connection, {}, true) ?? [];
  }

  /** By the types of each scope, which are few: no index of scopes is needed. Undefined if there are many. */
  #partsOfScopes(scopes: readonly number[]): IndexPart[] | undefined {
    const parts: IndexPart[] = [];
    for (const scope of scopes) {
      const types = this.#connection.statement(sql.search.typesOfScope).all(scope, maxParts) as {
        readonly type: string;
      }[];
      parts.push(...types.map(({ type }) => ({ index: byType, values: [scope, type] })));
      if (parts.length > maxParts) return undefined;
    }
    return parts;
  }
}

function isEmpty({ low, high }: Range): boolean {
  return low > high;
}

/** A condition as SQL over hookgate_events e. */
export interface Condition {
  readonly sql: string;
  readonly values: readonly (string | number)[];
}

/** `finished`: done or ignored. */
export type SearchState = EventState | "finished";

/** The filter of a search. */
export type SearchFilter = Omit<EventFilter, "state"> & {
  readonly state?: SearchState | undefined;
  /** True: none with a dead letter that blocks others. */
  readonly noBlocking?: boolean | undefined;
};

/** The condition of a filter; `scopes` is what `scopesOf` says of it. A purged event matches none. */
export function conditionOf(filter: SearchFilter, scopes: readonly number[] | undefined): Condition {
  const { conditions } = sql;
  const parts: string[] = [conditions.notPurged];
  const values: (string | number)[] = [];
  const add = (condition: string, value: string | number | undefined): void => {
    if (value === undefined) return;
    parts.push(condition);
    values.push(value);
  };
  const text = (value: string | undefined): string | undefined =>
    value === undefined ? undefined : toStored(value);
  add(conditions.scopes, scopes && JSON.stringify(scopes));
  add(conditions.type, text(filter.type));
  // The JSON form of an id contains its text, apart from what JSON escapes.
  add(conditions.idContains, filter.idContains === undefined ? undefined : inner(filter.idContains));
  add(conditions.from, filter.fromMs);
  add(conditions.before, filter.beforeMs);
  add(conditions.handler, text(filter.handler));
  if (filter.state !== undefined) parts.push(conditions.state[filter.state]);
  if (filter.noBlocking === true) parts.push(`NOT ${conditions.blocking}`);
  return { sql: parts.join(" AND "), values };
}

/** The scopes of a filter: each is a receiver, source, tenant and service. Undefined if the filter takes all of them. */
export function scopesOf(
  connection: Connection,
  filter: SearchFilter,
  always = false,
): readonly number[] | undefined {
  const { receiver, source, tenant, service } = filter;
  const given = [receiver, source, tenant, service].map((name) =>
    name === undefined ? null : toStored(name),
  );
  if (!always && given.every((name) => name === null)) return undefined;
  const found = connection.statement(sql.search.scopes).all(...given) as {
    readonly scope: number;
    readonly taken: number;
  }[];
  const taken = found.filter((row) => row.taken === 1);
  // A file usually has one receiver: its events are all events.
  if (!always && taken.length === found.length) return undefined;
  return taken.map(({ scope }) => scope);
}

/** The numbers of the handlers of a name, or of all; of one receiver, or of all. */
function handlersOf(
  connection: Connection,
  receiver: string | undefined,
  handler: string | undefined,
): readonly number[] {
  const rows = connection
    .statement(sql.search.handlers)
    .all(
      receiver === undefined ? null : toStored(receiver),
      handler === undefined ? null : toStored(handler),
    ) as { readonly handler: number }[];
  return rows.map((row) => row.handler);
}

function inner(text: string): string {
  const stored = toStored(text);
  return stored === text ? text : JSON.stringify(text).slice(1, -1);
}
