import type { Connection } from "./connection.js";
import { type Condition, conditionOf, handlersOf, type SearchFilter, scopesOf } from "./filter.js";
import { state } from "./schema.js";
import { timeSpanMs } from "./tally.js";
import { toStored } from "./text.js";

/** Which events are searched for, in which order and from where on. */
export interface SearchRequest {
  readonly filter: SearchFilter;
  readonly oldestFirst: boolean;
  /** The event after which the search goes on. Left out: from the first one in its order. */
  readonly after?: number | undefined;
  readonly limit: number;
}

/** Numbers of events in the order of the search; `next` is where it goes on, undefined when it is complete. */
export interface Found {
  readonly events: readonly number[];
  readonly next: number | undefined;
}

/** A part of an index in which events lie in order. */
interface Stream {
  readonly from: string;
  readonly where: string;
  /** The column with the event's number. */
  readonly key: string;
  readonly values: readonly (string | number)[];
}

/** Numbers of events, both included. */
interface Range {
  readonly low: number;
  readonly high: number;
}

/** Milliseconds after which a search returns what it has, so that others get their turn on the connection. */
const sliceMs = 20;
/** How many numbers of events are searched at once: more after a window that took less than `quickMs`. */
const window = { first: 5_000, most: 40_000, quickMs: 3 } as const;
/** With more streams than these, the events themselves are read. */
const mostStreams = 2_000;

const rows: Stream = { from: "hookgate_events e NOT INDEXED", where: "1", key: "e.event", values: [] };

function streamOfTasks(handler: number, inState: number): Stream {
  return {
    // CROSS JOIN: the index comes first whatever ANALYZE has found.
    from: "hookgate_tasks x INDEXED BY hookgate_tasks_by_state CROSS JOIN hookgate_events e ON e.event = x.event",
    where: "x.handler = ? AND x.state = ?",
    key: "x.event",
    values: [handler, inState],
  };
}

function streamOfType(scope: number, type: string): Stream {
  return {
    from: "hookgate_events e INDEXED BY hookgate_events_by_type",
    where: "e.scope = ? AND e.type = ?",
    key: "e.event",
    values: [scope, type],
  };
}

function streamOfIgnored(scope: number): Stream {
  return {
    from: "hookgate_events e INDEXED BY hookgate_events_ignored",
    where: "e.tasks <= 0 AND e.scope = ?",
    key: "e.event",
    values: [scope],
  };
}

/**
 * Finds events by filter, in the order of their acceptance. It reads the part of an index that the filter needs, or
 * merges several, and goes through it in windows: a filter that few events match costs its time in slices.
 */
export class Search {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The next events; at most `limit`, and fewer where the slice of time is over. */
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
    const streams = isEmpty(left) ? [] : this.#streams(filter, scopes);
    const events: number[] = [];
    let size: number = window.first;
    while (streams.length > 0 && !isEmpty(left)) {
      const begun = performance.now();
      const part = oldestFirst
        ? { low: left.low, high: Math.min(left.high, left.low + size - 1) }
        : { low: Math.max(left.low, left.high - size + 1), high: left.high };
      events.push(...this.#read({ streams, condition, part, oldestFirst, limit: limit - events.length }));
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
    readonly streams: readonly Stream[];
    readonly condition: Condition;
    readonly part: Range;
    readonly oldestFirst: boolean;
    readonly limit: number;
  }): readonly number[] {
    const { streams, condition, part, oldestFirst, limit } = given;
    const merged = new Set<number>();
    for (const { from, where, key, values } of streams) {
      const found = this.#connection
        .statement(
          `SELECT e.event FROM ${from} WHERE ${where} AND ${key} BETWEEN ? AND ? AND ${condition.sql} ` +
            `ORDER BY ${key} ${oldestFirst ? "ASC" : "DESC"} LIMIT ?`,
        )
        .all(...values, part.low, part.high, ...condition.values, limit) as { readonly event: number }[];
      for (const { event } of found) merged.add(event);
    }
    return [...merged].sort((a, b) => (oldestFirst ? a - b : b - a)).slice(0, limit);
  }

  /** The events among which are all that were accepted in the time of the filter. */
  #range({ fromMs, beforeMs }: SearchFilter): Range {
    const none = { low: 1, high: 0 };
    if (fromMs === undefined && beforeMs === undefined) {
      const row = this.#connection.statement("SELECT max(event) AS last FROM hookgate_events").get();
      const { last } = row as { readonly last: number | null };
      return last === null ? none : { low: 1, high: last };
    }
    const row = this.#connection
      .statement("SELECT min(first) AS low, max(last) AS high FROM hookgate_times WHERE span BETWEEN ? AND ?")
      .get(
        Math.floor((fromMs ?? 0) / timeSpanMs),
        Math.floor((beforeMs ?? Number.MAX_SAFE_INTEGER) / timeSpanMs),
      );
    const { low, high } = row as { readonly low: number | null; readonly high: number | null };
    return low === null || high === null ? none : { low, high };
  }

  /** The narrowest part of the indexes that holds all events of a filter. */
  #streams(filter: SearchFilter, scopes: readonly number[] | undefined): readonly Stream[] {
    const streams = this.#narrowStreams(filter, scopes);
    return streams === undefined || streams.length > mostStreams ? [rows] : streams;
  }

  #narrowStreams(filter: SearchFilter, scopes: readonly number[] | undefined): Stream[] | undefined {
    const { type } = filter;
    const ignored = (): Stream[] => this.#scopes(scopes).map(streamOfIgnored);
    const tasks = (handler: string | undefined, ...states: readonly number[]): Stream[] =>
      handlersOf(this.#connection, filter.receiver, handler).flatMap((number) =>
        states.map((inState) => streamOfTasks(number, inState)),
      );
    if (filter.state === "dead") return tasks(undefined, state.dead);
    if (filter.state === "pending") return tasks(undefined, state.waiting, state.blocked, state.running);
    if (filter.state === "ignored") return ignored();
    if (type !== undefined) return this.#scopes(scopes).map((scope) => streamOfType(scope, toStored(type)));
    if (filter.state !== undefined) {
      const ended = tasks(filter.handler, state.done, state.dropped);
      return filter.state === "finished" ? [...ended, ...ignored()] : ended;
    }
    if (filter.handler !== undefined) return tasks(filter.handler, ...Object.values(state));
    return scopes === undefined ? undefined : this.#streamsOfScopes(scopes);
  }

  #scopes(scopes: readonly number[] | undefined): readonly number[] {
    return scopes ?? scopesOf(this.#connection, {}, true) ?? [];
  }

  /** By the types that each scope has: they are few, and need no index of their own. Undefined where they are many. */
  #streamsOfScopes(scopes: readonly number[]): Stream[] | undefined {
    const streams: Stream[] = [];
    for (const scope of scopes) {
      const types = this.#connection.statement(typesOfScope).all(scope, mostStreams) as {
        readonly type: string;
      }[];
      streams.push(...types.map(({ type }) => streamOfType(scope, type)));
      if (streams.length > mostStreams) return undefined;
    }
    return streams;
  }
}

/** Steps from one type to the next in the index, whatever the number of events. */
const typesOfScope = `WITH RECURSIVE types(type) AS (
  SELECT min(type) FROM hookgate_events INDEXED BY hookgate_events_by_type WHERE delivery <> 0 AND scope = ?1
  UNION ALL SELECT (
    SELECT min(e.type) FROM hookgate_events e INDEXED BY hookgate_events_by_type
    WHERE e.delivery <> 0 AND e.scope = ?1 AND e.type > types.type)
  FROM types WHERE types.type IS NOT NULL
) SELECT type FROM types WHERE type IS NOT NULL LIMIT ?2`;

function isEmpty({ low, high }: Range): boolean {
  return low > high;
}
