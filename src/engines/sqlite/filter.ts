import type { EventFilter, EventState } from "../../contracts/engine.js";
import { toStored } from "./text.js";

/** A condition on events, as SQL over hookgate_events e, hookgate_scopes s and hookgate_receivers r. */
export interface Condition {
  readonly sql: string;
  readonly values: readonly (string | number)[];
}

/** What every query of events reads from; purged ones are no longer there. */
export const eventTables =
  "hookgate_events e JOIN hookgate_scopes s ON s.scope = e.scope JOIN hookgate_receivers r ON r.receiver = s.receiver";

const tasksOf = "SELECT 1 FROM hookgate_tasks t WHERE t.event = e.event";
const open = `EXISTS (${tasksOf} AND t.state IN (0, 1, 2))`;

/** By the partial indexes where there is one: most events of a large file are done. */
const stateConditions: Readonly<Record<EventState, string>> = {
  pending:
    "e.event IN (SELECT event FROM hookgate_tasks WHERE state = 0 UNION ALL SELECT event FROM hookgate_tasks WHERE state = 2 UNION ALL " +
    "SELECT event FROM hookgate_tasks WHERE state = 1)",
  dead: `e.event IN (SELECT event FROM hookgate_tasks WHERE state = 4) AND NOT ${open}`,
  ignored: `NOT EXISTS (${tasksOf})`,
  done: `EXISTS (${tasksOf}) AND NOT EXISTS (${tasksOf} AND t.state IN (0, 1, 2, 4))`,
};

/** The condition of a filter. */
export function conditionOf(filter: EventFilter): Condition {
  const parts: string[] = ["e.delivery <> 0"];
  const values: (string | number)[] = [];
  const add = (sql: string, value: string | number | undefined): void => {
    if (value === undefined) return;
    parts.push(sql);
    values.push(value);
  };
  const text = (value: string | undefined): string | undefined =>
    value === undefined ? undefined : toStored(value);
  add("r.name = ?", text(filter.receiver));
  add("e.type = ?", text(filter.type));
  add("s.source = ?", text(filter.source));
  add("s.tenant = ?", text(filter.tenant));
  add("s.service = ?", text(filter.service));
  // Within the JSON form of an id its text stands as it is but for what JSON escapes.
  add("instr(e.id, ?) > 0", filter.idContains === undefined ? undefined : inner(filter.idContains));
  add("e.accepted_ms >= ?", filter.fromMs);
  add("e.accepted_ms < ?", filter.beforeMs);
  add(
    "EXISTS (SELECT 1 FROM hookgate_tasks t JOIN hookgate_handlers h ON h.handler = t.handler WHERE t.event = e.event AND h.name = ?)",
    text(filter.handler),
  );
  if (filter.state !== undefined) parts.push(stateConditions[filter.state]);
  return { sql: parts.join(" AND "), values };
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
