import { existsSync, readFileSync } from "node:fs";
import { loadDriver, type SqliteDatabase } from "../../src/inbox/sqlite/driver.js";
import type { LogLine } from "./options.js";
import type { Promised } from "./sender.js";

const loadHandlers = ["effect", "log", "ordered"];

/** Rows of a query on a file that servers may have open. */
export function query<Row>(
  path: string,
  sql: string,
  ...params: readonly (string | number)[]
): readonly Row[] {
  return withFile(path, (db) => db.prepare(sql).all(...params) as Row[]);
}

function withFile<Result>(path: string, use: (db: SqliteDatabase) => Result): Result {
  const db = loadDriver()(path, { readOnly: false });
  try {
    db.exec("PRAGMA busy_timeout = 10000");
    return use(db);
  } finally {
    db.close();
  }
}

/** Whether somebody holds the file's write lock at this instant. */
export function isWriteLocked(path: string): boolean {
  const db = loadDriver()(path, { readOnly: false });
  try {
    db.exec("PRAGMA busy_timeout = 0");
    db.exec("BEGIN IMMEDIATE");
    db.exec("ROLLBACK");
    return false;
  } catch {
    return true;
  } finally {
    db.close();
  }
}

/** Tasks that wait or run. */
export function unfinished(path: string): number {
  const [row] = query<{ open: number }>(
    path,
    "SELECT count(*) AS open FROM hookgate_tasks WHERE state IN (0, 1, 2)",
  );
  return row?.open ?? 0;
}

/** The lines of a log; one that was cut off by a kill is left out. */
export function readLog(path: string): readonly LogLine[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .flatMap((line) => (line.endsWith("}") ? [JSON.parse(line) as LogLine] : []));
}

/**
 * Holds a file, when no task is left, against what senders were promised: every fault in words, none for a file in order.
 * Nothing acknowledged may be missing, every task must have ended well, and each effect must be there exactly once.
 */
export function faultsOf(path: string, log: string, promised: Promised): readonly string[] {
  return withFile(path, (db) => {
    const rows = <Row>(sql: string): Row[] => db.prepare(sql).all() as Row[];
    return [
      ...rows<{ integrity_check: string }>("PRAGMA integrity_check")
        .filter((row) => row.integrity_check !== "ok")
        .map((row) => `corrupt: ${row.integrity_check}`),
      ...eventFaults(rows, promised),
      ...taskFaults(rows),
      ...effectFaults(rows),
      ...orderFaults(rows),
      ...logFaults(rows, log),
    ];
  });
}

type Rows = <Row>(sql: string) => Row[];

function eventFaults(rows: Rows, { acknowledged, sent }: Promised): string[] {
  const counts = new Map<string, number>();
  for (const { id } of rows<{ id: string }>("SELECT id FROM hookgate_events")) {
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return [
    ...[...acknowledged].filter((id) => !counts.has(id)).map((id) => `${id} was acknowledged and is lost`),
    ...[...counts].filter(([, count]) => count > 1).map(([id, count]) => `${id} is there ${count} times`),
    ...[...counts.keys()].filter((id) => !sent.has(id)).map((id) => `${id} is there and was never sent`),
  ];
}

function taskFaults(rows: Rows): string[] {
  const wrong = rows<{ id: string; name: string; state: number; error: string | null }>(
    "SELECT e.id, h.name, t.state, t.error FROM hookgate_tasks t JOIN hookgate_events e ON e.event = t.event " +
      "JOIN hookgate_handlers h ON h.handler = t.handler WHERE t.state <> 3",
  );
  const uneven = rows<{ id: string; tasks: number }>(
    "SELECT e.id, count(t.handler) AS tasks FROM hookgate_events e LEFT JOIN hookgate_tasks t ON t.event = e.event " +
      `GROUP BY e.event HAVING tasks <> ${loadHandlers.length}`,
  );
  const backlogs = rows<{ backlog: number }>("SELECT backlog FROM hookgate_receivers WHERE backlog <> 0");
  return [
    ...wrong.map(({ id, name, state, error }) => `${name} of ${id} ended in state ${state}: ${error}`),
    ...uneven.map(({ id, tasks }) => `${id} has ${tasks} tasks`),
    ...backlogs.map(({ backlog }) => `nothing is left to do, and the backlog is counted as ${backlog}`),
  ];
}

function effectFaults(rows: Rows): string[] {
  const wrong = rows<{ id: string; name: string; effects: number }>(
    "SELECT e.id, h.name, (SELECT count(*) FROM effects x WHERE x.id = e.id AND x.handler = h.name) AS effects " +
      "FROM hookgate_events e JOIN hookgate_tasks t ON t.event = e.event JOIN hookgate_handlers h ON h.handler = t.handler " +
      "WHERE h.name IN ('effect', 'ordered') AND effects <> 1",
  );
  const strange = rows<{ id: string }>(
    "SELECT id FROM effects WHERE id NOT IN (SELECT id FROM hookgate_events)",
  );
  return [
    ...wrong.map(({ id, name, effects }) => `${name} of ${id} has ${effects} effects`),
    ...strange.map(({ id }) => `${id} has an effect and no event`),
  ];
}

/** Under one key, effects must have come in the order of acceptance. */
function orderFaults(rows: Rows): string[] {
  const effects = rows<{ id: string; event: number; key: string }>(
    "SELECT e.id, e.event, t.order_key AS key FROM effects x JOIN hookgate_events e ON e.id = x.id " +
      "JOIN hookgate_handlers h ON h.name = x.handler JOIN hookgate_tasks t ON t.event = e.event AND t.handler = h.handler " +
      "WHERE x.handler = 'ordered' AND t.order_key IS NOT NULL ORDER BY x.seq",
  );
  const last = new Map<string, number>();
  return effects.flatMap(({ id, event, key }) => {
    const before = last.get(key) ?? 0;
    last.set(key, event);
    return before > event ? [`${id} came behind a later one of its key ${key}`] : [];
  });
}

/** What is handled at least once, without an effect of the store's. */
function logFaults(rows: Rows, log: string): string[] {
  const ended = new Set(
    readLog(log).flatMap(({ what, id, handler }) => (what === "end" && handler === "log" ? [id] : [])),
  );
  return rows<{ id: string }>("SELECT id FROM hookgate_events")
    .filter(({ id }) => !ended.has(id))
    .map(({ id }) => `log of ${id} is done and never ran`);
}
