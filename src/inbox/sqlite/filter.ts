import type { EventFilter, EventState } from "../../types/engine.js";
import type { Connection } from "./connection.js";
import { toStored } from "./text.js";

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

/** The number behind a record id; undefined where it is none. */
export function eventNumber(recordId: string): number | undefined {
  const digits = /^rec_([1-9]\d{0,15})$/.exec(recordId)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function inner(text: string): string {
  const stored = toStored(text);
  return stored === text ? text : JSON.stringify(text).slice(1, -1);
}
