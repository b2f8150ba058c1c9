import type { EventFilter, EventState } from "../../types/engine.js";
import type { Connection } from "./connection.js";
import { timeSpanMs } from "./counters.js";
import { toStored } from "./id-table.js";
import { state } from "./schema.js";

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
  /** True: none with a dead letter that holds others back. */
  readonly noHolding?: boolean | undefined;
};

const tasksOf = "SELECT 1 FROM hookgate_tasks t WHERE t.event = e.event";
const open = `EXISTS (${tasksOf} AND t.state IN (0, 1, 2))`;
const openOrDead = `EXISTS (${tasksOf} AND t.state IN (0, 1, 2, 4))`;

const holding =
  "EXISTS (SELECT 1 FROM hookgate_tasks d CROSS JOIN hookgate_handlers h ON h.handler = d.handler WHERE d.event = e.event AND d.state = 4 AND h.hold = 1 " +
  "AND EXISTS (SELECT 1 FROM hookgate_tasks b INDEXED BY hookgate_tasks_blocked WHERE b.handler = d.handler AND b.order_key = d.order_key AND b.state = 1 AND b.event > d.event))";

const stateConditions: Readonly<Record<SearchState, string>> = {
  pending: open,
  dead: `EXISTS (${tasksOf} AND t.state = 4) AND NOT ${open}`,
  ignored: `NOT EXISTS (${tasksOf})`,
  done: `EXISTS (${tasksOf}) AND NOT ${openOrDead}`,
  finished: `NOT ${openOrDead}`,
};

/**
 * The condition of a filter; `scopes` is what `scopesOf` says of it. A purged event matches none. The unary plus keeps
 * SQLite from choosing an index by a condition: whoever uses it has chosen one.
 */
export function conditionOf(filter: SearchFilter, scopes: readonly number[] | undefined): Condition {
  const parts: string[] = ["e.delivery <> 0"];
  const values: (string | number)[] = [];
  const add = (sql: string, value: string | number | undefined): void => {
    if (value === undefined) return;
    parts.push(sql);
    values.push(value);
  };
  const text = (value: string | undefined): string | undefined =>
    value === undefined ? undefined : toStored(value);
  add("+e.scope IN (SELECT value FROM json_each(?))", scopes && JSON.stringify(scopes));
  add("+e.type = ?", text(filter.type));
  // Within the JSON form of an id its text stands as it is but for what JSON escapes.
  add("instr(e.id, ?) > 0", filter.idContains === undefined ? undefined : inner(filter.idContains));
  add("+e.accepted_ms >= ?", filter.fromMs);
  add("+e.accepted_ms < ?", filter.beforeMs);
  add(
    "EXISTS (SELECT 1 FROM hookgate_tasks t CROSS JOIN hookgate_handlers h ON h.handler = t.handler WHERE t.event = e.event AND h.name = ?)",
    text(filter.handler),
  );
  if (filter.state !== undefined) parts.push(stateConditions[filter.state]);
  if (filter.noHolding === true) parts.push(`NOT ${holding}`);
  return { sql: parts.join(" AND "), values };
}

/** The scopes of a filter: each is a receiver, source, tenant and service. Undefined where the filter takes all of them. */
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
  const found = connection
    .statement(
      "SELECT s.scope, (?1 IS NULL OR r.name = ?1) AND (?2 IS NULL OR s.source = ?2) AND (?3 IS NULL OR s.tenant = ?3) AND (?4 IS NULL OR s.service = ?4) AS taken " +
        "FROM hookgate_scopes s JOIN hookgate_receivers r ON r.receiver = s.receiver",
    )
    .all(...given) as { readonly scope: number; readonly taken: number }[];
  const taken = found.filter((row) => row.taken === 1);
  // One receiver in a file is the rule; whoever asks for its events asks for all.
  if (!always && taken.length === found.length) return undefined;
  return taken.map(({ scope }) => scope);
}

/** The numbers of the handlers of a name, or of all; of one receiver, or of all. */
export function handlersOf(
  connection: Connection,
  receiver: string | undefined,
  handler: string | undefined,
): readonly number[] {
  const rows = connection
    .statement(
      "SELECT h.handler FROM hookgate_handlers h JOIN hookgate_receivers r ON r.receiver = h.receiver WHERE (?1 IS NULL OR r.name = ?1) AND (?2 IS NULL OR h.name = ?2)",
    )
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
