/**
 * Every SQL statement of the engine, but for the tables themselves (schema.ts). A partial index is used only by a query that
 * repeats its condition word for word, so states stand in the text as numbers; INDEXED BY and CROSS JOIN keep the plan whatever
 * ANALYZE has found.
 */
import { taskStates } from "./schema.js";

const { waiting, blocked, running, done, dead, dropped } = taskStates;
const isOpen = `IN (${waiting}, ${blocked}, ${running})`;
const isOpenOrDead = `IN (${waiting}, ${blocked}, ${running}, ${dead})`;

/** A connection and its file. */
export const file = {
  begin: "BEGIN IMMEDIATE",
  commit: "COMMIT",
  rollback: "ROLLBACK",
  /** Keeps every other process out, with the log moved into the file. */
  beginAlone: "PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE",
  walMode: "PRAGMA journal_mode = WAL",
  // FULL: every commit is synced before it counts. The cache holds the upper pages of an inbox of millions.
  settings: "PRAGMA synchronous = FULL; PRAGMA cache_size = -16384; PRAGMA wal_autocheckpoint = 2000",
  logLimit: (bytes: number) => `PRAGMA journal_size_limit = ${bytes}`,
  busyTimeout: (ms: number) => `PRAGMA busy_timeout = ${ms}`,
  cacheKib: (kib: number) => `PRAGMA cache_size = -${kib}`,
  heapLimit: (bytes: number) => `PRAGMA hard_heap_limit = ${bytes}`,
  queryOnly: (on: boolean) => `PRAGMA query_only = ${on ? 1 : 0}`,
  check: (kind: "quick_check" | "integrity_check") => `PRAGMA ${kind}(1)`,
  pageCount: "PRAGMA page_count",
  pageSize: "PRAGMA page_size",
  schemaVersion: "PRAGMA schema_version",
  truncateLog: "PRAGMA wal_checkpoint(TRUNCATE)",
  vacuum: "VACUUM",
  copyInto: "VACUUM INTO ?",
  /** Opens a file whose connection was made without. */
  touch: "SELECT 1 FROM sqlite_master",
  /** Changes nothing, and fails where the file may not be written. */
  testWrite: "DELETE FROM hookgate_meta WHERE name = ''",
  explain: (sql: string) => `EXPLAIN ${sql}`,
  tableAtPage: "SELECT lower(tbl_name) AS name FROM main.sqlite_schema WHERE rootpage = ?",
};

/** Single values: the store's clock, the machine's clock as far as it is believed, the last number of an event. */
export const meta = {
  clock: "SELECT value FROM hookgate_meta WHERE name = 'clock'",
  advanceClock: "UPDATE hookgate_meta SET value = max(value, ?) WHERE name = 'clock' RETURNING value",
  /** A write that changes nothing. */
  probe: "UPDATE hookgate_meta SET value = value WHERE name = 'clock'",
  wallClock: "SELECT name, value FROM hookgate_meta WHERE name IN ('wall', 'doubtedAt', 'doubtedMs')",
  set: "UPDATE hookgate_meta SET value = ? WHERE name = ?",
  lastEvent:
    "SELECT max(coalesce((SELECT max(event) FROM hookgate_events), 0), (SELECT value FROM hookgate_meta WHERE name = 'lastEvent')) AS last",
  keepLastEvent:
    "UPDATE hookgate_meta SET value = max(value, coalesce((SELECT max(event) FROM hookgate_events), 0)) WHERE name = 'lastEvent'",
};

const handlerColumns = "SELECT handler, receiver, name, hold, ordered FROM hookgate_handlers";

/** Receivers, scopes and handlers, which have numbers in the file. */
export const ids = {
  addReceiver: "INSERT OR IGNORE INTO hookgate_receivers(name) VALUES (?)",
  receiver: "SELECT receiver AS number FROM hookgate_receivers WHERE name = ?",
  addScope: "INSERT OR IGNORE INTO hookgate_scopes(receiver, source, tenant, service) VALUES (?, ?, ?, ?)",
  scope:
    "SELECT scope AS number FROM hookgate_scopes WHERE receiver = ? AND source = ? AND tenant = ? AND service = ?",
  addHandler: "INSERT OR IGNORE INTO hookgate_handlers(receiver, name, hold) VALUES (?, ?, ?)",
  handlerByName: `${handlerColumns} WHERE receiver = ? AND name = ?`,
  handler: `${handlerColumns} WHERE handler = ?`,
  setOrdered: "UPDATE hookgate_handlers SET ordered = 1 WHERE handler = ?",
  setPolicy: "UPDATE hookgate_handlers SET hold = ?, ordered = max(ordered, ?) WHERE handler = ?",
};

/** What is accepted: deliveries, their events, and the tokens that they used up. */
export const events = {
  remembered:
    "SELECT event, digest, remember_until FROM hookgate_events WHERE scope = ? AND id = ? AND remembered = 1",
  forgetId: "UPDATE hookgate_events SET remembered = 0 WHERE event = ?",
  tokenOfOther: "SELECT 1 FROM hookgate_tokens WHERE token = ? AND delivery <> ?",
  addToken: "INSERT OR IGNORE INTO hookgate_tokens(token, delivery, expires_ms) VALUES (?, ?, ?)",
  addDelivery: "INSERT INTO hookgate_deliveries(delivery, received_ms, head, body) VALUES (?, ?, ?, ?)",
  add: "INSERT INTO hookgate_events(event, delivery, position, scope, id, type, digest, accepted_ms, remember_until, tasks) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  noteTasks: "UPDATE hookgate_events SET tasks = 1 WHERE event = ? AND tasks <= 0",
  addReplay: "INSERT INTO hookgate_replays(event, at_ms, handlers) VALUES (?, ?, ?)",
};

/** A row of `tasks.ofEvent`, and more, of `records.tasks`. */
export interface TaskRow {
  readonly handler: number;
  readonly state: number;
  readonly due: number;
  readonly attempts: number;
  readonly started_ms: number | null;
  readonly duration_ms: number | null;
  readonly order_key: string | null;
}

/** Tasks, from their acceptance to their end. */
export const tasks = {
  add: "INSERT INTO hookgate_tasks(event, handler, state, due, order_key, error) VALUES (?, ?, ?, ?, ?, ?)",
  ofEvent:
    "SELECT handler, state, due, attempts, started_ms, duration_ms, order_key FROM hookgate_tasks WHERE event = ?",
  /** With all that a run needs, in the order in which they fall due. */
  due:
    "SELECT t.event, t.attempts, t.fence, t.order_key, t.started_ms, e.id, e.type, e.position, d.received_ms, d.head, d.body " +
    "FROM hookgate_tasks t INDEXED BY hookgate_tasks_waiting CROSS JOIN hookgate_events e ON e.event = t.event " +
    "CROSS JOIN hookgate_deliveries d ON d.delivery = e.delivery " +
    `WHERE t.state = ${waiting} AND t.handler = ? AND t.due <= ? ORDER BY t.due, t.event LIMIT ?`,
  /** The same without bodies. */
  dueHeads:
    "SELECT t.event, t.attempts, t.order_key, e.id, e.type FROM hookgate_tasks t INDEXED BY hookgate_tasks_waiting " +
    `CROSS JOIN hookgate_events e ON e.event = t.event WHERE t.state = ${waiting} AND t.handler = ? AND t.due <= ? ORDER BY t.due, t.event LIMIT ?`,
  nextDue: `SELECT due FROM hookgate_tasks INDEXED BY hookgate_tasks_waiting WHERE state = ${waiting} AND handler = ? ORDER BY due LIMIT 1`,
  claim: `UPDATE hookgate_tasks SET state = ${running}, attempts = attempts + 1, fence = fence + 1, consumer = ?, started_ms = ? WHERE event = ? AND handler = ?`,
  claimed: `SELECT attempts, started_ms, order_key FROM hookgate_tasks WHERE event = ? AND handler = ? AND fence = ? AND state = ${running}`,
  complete: `UPDATE hookgate_tasks SET state = ${done}, consumer = NULL, error = NULL, duration_ms = max(0, ? - started_ms) WHERE event = ? AND handler = ? AND fence = ? AND state = ${running} RETURNING order_key`,
  end: "UPDATE hookgate_tasks SET state = ?, due = ?, attempts = ?, consumer = NULL, error = coalesce(?, error) WHERE event = ? AND handler = ?",
  bury: `UPDATE hookgate_tasks SET state = ${dead}, error = ? WHERE event = ? AND handler = ? AND state = ${waiting}`,
  setDue: "UPDATE hookgate_tasks SET due = ? WHERE event = ? AND handler = ?",
  restart:
    "UPDATE hookgate_tasks SET state = ?, due = ?, attempts = 0, fence = fence + 1, order_key = ? WHERE event = ? AND handler = ?",
  drop: `UPDATE hookgate_tasks SET state = ${dropped} WHERE event = ? AND handler = ?`,
  block: `UPDATE hookgate_tasks SET state = ${blocked} WHERE event = ? AND handler = ?`,
  unblock: `UPDATE hookgate_tasks SET state = ${waiting}, due = max(due, ?) WHERE event = ? AND handler = ?`,
  runningOf: `SELECT event, handler, attempts, started_ms FROM hookgate_tasks WHERE state = ${running} AND consumer = ?`,
  takeBack: `UPDATE hookgate_tasks SET state = ${waiting}, due = ?, consumer = NULL WHERE state = ${running} AND consumer = ?`,
};

/**
 * Open and dead tasks of one ordering key. The two conditions on the state are those of the index: `IN` instead of them would make
 * SQLite sort.
 */
const ofKey = `hookgate_tasks INDEXED BY hookgate_tasks_by_key WHERE state <> ${done} AND state <> ${dropped} AND handler = ? AND order_key = ?`;
const blockedKeys = `FROM hookgate_tasks INDEXED BY hookgate_tasks_blocked WHERE handler = ? AND state = ${blocked} AND order_key`;
const deadKeys = `FROM hookgate_tasks INDEXED BY hookgate_tasks_dead_by_key WHERE handler = ? AND order_key IS NOT NULL AND state = ${dead} AND order_key`;

/** The tasks of one ordering key. */
export const keys = {
  lead: `SELECT event, state FROM ${ofKey} ORDER BY state, event LIMIT 1`,
  oldest: `SELECT event FROM ${ofKey} AND state = ? ORDER BY event LIMIT 1`,
  blockedAfter: `SELECT 1 FROM ${ofKey} AND state = ${blocked} AND event > ? LIMIT 1`,
  /** The next key of a handler with a blocked task, or with a dead letter; the least of all keys is the empty text. */
  next: (state: "blocked" | "dead", included: boolean) =>
    `SELECT order_key AS key ${state === "blocked" ? blockedKeys : deadKeys} ${included ? ">=" : ">"} ? ORDER BY order_key LIMIT 1`,
};

/** The attempts of a task. */
export const attempts = {
  last: "SELECT coalesce(max(number), 0) AS last FROM hookgate_attempts WHERE event = ? AND handler = ?",
  add: "INSERT INTO hookgate_attempts(event, handler, number, attempt, started_ms, duration_ms, outcome, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
  dropUpTo: "DELETE FROM hookgate_attempts WHERE event = ? AND handler = ? AND number <= ?",
};

/** Consumers and their heartbeats. */
export const consumers = {
  join: "INSERT OR REPLACE INTO hookgate_consumers(consumer, receiver, beat, lease_ms, beat_ms) VALUES (?, ?, 0, ?, ?)",
  beat: "UPDATE hookgate_consumers SET beat = beat + 1, beat_ms = ? WHERE consumer = ?",
  /** With those that have claimed without having joined. */
  others:
    "SELECT consumer, beat, lease_ms AS leaseMs FROM hookgate_consumers WHERE consumer <> ?1 UNION ALL " +
    `SELECT DISTINCT consumer, -1, 0 FROM hookgate_tasks WHERE state = ${running} AND consumer <> ?1 AND consumer NOT IN (SELECT consumer FROM hookgate_consumers)`,
  beatOf: "SELECT beat FROM hookgate_consumers WHERE consumer = ?",
  remove: "DELETE FROM hookgate_consumers WHERE consumer = ?",
};

/** Counts that are kept up to date with each transaction. */
export const counters = {
  backlog: "SELECT backlog FROM hookgate_receivers WHERE receiver = ?",
  addBacklog: "UPDATE hookgate_receivers SET backlog = backlog + ? WHERE receiver = ?",
  addSpan:
    "INSERT INTO hookgate_times VALUES (?, ?, ?) ON CONFLICT(span) DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last)",
  addMinute:
    "INSERT INTO hookgate_minutes(minute, accepted, handled, failed, dead) VALUES (?, ?, ?, ?, ?) ON CONFLICT(minute) DO UPDATE SET " +
    "accepted = accepted + excluded.accepted, handled = handled + excluded.handled, failed = failed + excluded.failed, dead = dead + excluded.dead",
  dropMinutes: "DELETE FROM hookgate_minutes WHERE minute < ?",
};

/** The end of an event. */
export const purging = {
  openTask: `SELECT 1 FROM hookgate_tasks WHERE event = ? AND state ${isOpen} LIMIT 1`,
  event: "SELECT delivery, remembered, remember_until FROM hookgate_events WHERE event = ? AND delivery <> 0",
  deadWithKey: `SELECT handler, order_key AS key FROM hookgate_tasks WHERE event = ? AND state = ${dead} AND order_key IS NOT NULL`,
  removeTasks: "DELETE FROM hookgate_tasks WHERE event = ?",
  removeAttempts: "DELETE FROM hookgate_attempts WHERE event = ?",
  removeReplays: "DELETE FROM hookgate_replays WHERE event = ?",
  /** Leaves the row of the id. */
  empty: "UPDATE hookgate_events SET delivery = 0 WHERE event = ?",
  removeEvent: "DELETE FROM hookgate_events WHERE event = ?",
  /** Once none of its events is left. */
  removeDelivery:
    "DELETE FROM hookgate_deliveries WHERE delivery = ?1 AND NOT EXISTS (SELECT 1 FROM hookgate_events WHERE event = ?1 AND delivery = ?1) " +
    "AND NOT EXISTS (SELECT 1 FROM hookgate_events WHERE delivery = ?1 AND event <> delivery AND delivery <> 0)",
  removeIds:
    "DELETE FROM hookgate_events WHERE event IN (SELECT event FROM hookgate_events INDEXED BY hookgate_events_emptied WHERE delivery = 0 AND remember_until <= ? LIMIT ?)",
  removeTokens:
    "DELETE FROM hookgate_tokens WHERE token IN (SELECT token FROM hookgate_tokens INDEXED BY hookgate_tokens_by_end WHERE expires_ms < ? LIMIT ?)",
  removeSpans: "DELETE FROM hookgate_times WHERE last < (SELECT min(event) FROM hookgate_events)",
};

/** What operators look at: one event with all that belongs to it. */
export const records = {
  event:
    "SELECT e.event, e.delivery, e.position, e.id, e.type, e.accepted_ms, r.name AS receiver, s.source, s.tenant, s.service " +
    "FROM hookgate_events e JOIN hookgate_scopes s ON s.scope = e.scope JOIN hookgate_receivers r ON r.receiver = s.receiver " +
    "WHERE e.event = ? AND e.delivery <> 0",
  tasks:
    "SELECT t.handler, h.name, h.hold, t.state, t.due, t.attempts, t.started_ms, t.duration_ms, t.order_key, t.error FROM hookgate_tasks t JOIN hookgate_handlers h ON h.handler = t.handler WHERE t.event = ? ORDER BY t.handler",
  attempts:
    "SELECT attempt, started_ms, duration_ms, outcome, error FROM hookgate_attempts WHERE event = ? AND handler = ? ORDER BY number",
  delivery: "SELECT received_ms, head, body FROM hookgate_deliveries WHERE delivery = ?",
  replays: "SELECT at_ms, handlers FROM hookgate_replays WHERE event = ? ORDER BY rowid",
};

const deadOfHandler = `FROM hookgate_tasks d INDEXED BY hookgate_tasks_dead_by_key WHERE d.handler = ?1 AND d.order_key IS NOT NULL AND d.state = ${dead}`;
const afterDead = `b.handler = ?1 AND b.order_key = d.order_key AND b.state = ${blocked} AND b.event > d.event`;

/** Counts, read from indexes: tasks that are done are not touched. */
export const stats = {
  handlers:
    "SELECT h.handler, h.name, h.hold, h.ordered, r.name AS receiver FROM hookgate_handlers h JOIN hookgate_receivers r ON r.receiver = h.receiver WHERE ?1 IS NULL OR r.name = ?1 ORDER BY r.name, h.handler",
  inState:
    "SELECT count(*) AS count FROM hookgate_tasks INDEXED BY hookgate_tasks_by_state WHERE handler = ? AND state = ?",
  blocked: `SELECT count(*) AS count, min(due) AS due FROM hookgate_tasks INDEXED BY hookgate_tasks_blocked WHERE state = ${blocked} AND handler = ?`,
  /** Blocked tasks after the first dead letter of their key. */
  blockedByDead:
    `SELECT count(*) AS count, min(b.due) AS due FROM (SELECT d.order_key, min(d.event) AS event ${deadOfHandler} GROUP BY d.order_key) d ` +
    `CROSS JOIN hookgate_tasks b INDEXED BY hookgate_tasks_blocked ON ${afterDead}`,
  /** Dead letters with a blocked task after them. */
  blockingDead: `SELECT count(*) AS count ${deadOfHandler} AND EXISTS (SELECT 1 FROM hookgate_tasks b INDEXED BY hookgate_tasks_blocked WHERE ${afterDead})`,
  consumers:
    "SELECT c.consumer, r.name AS receiver, c.lease_ms, c.beat_ms, " +
    `(SELECT count(*) FROM hookgate_tasks t WHERE t.state = ${running} AND t.consumer = c.consumer) AS running ` +
    "FROM hookgate_consumers c JOIN hookgate_receivers r ON r.receiver = c.receiver WHERE ?1 IS NULL OR r.name = ?1 ORDER BY r.name, c.consumer",
  throughput:
    "SELECT coalesce(sum(accepted), 0) AS accepted, coalesce(sum(handled), 0) AS handled, coalesce(sum(failed), 0) AS failed, coalesce(sum(dead), 0) AS dead FROM hookgate_minutes WHERE minute >= ?",
};

/** A part of an index in which events lie in order. */
export interface EventIndex {
  readonly from: string;
  readonly where: string;
  /** The column with the event's number. */
  readonly key: string;
}

/** Where events are searched; the values of the conditions are given in the comment of each. */
export const eventIndexes = {
  /** None. */
  all: { from: "hookgate_events e NOT INDEXED", where: "1", key: "e.event" },
  /** Handler, state. */
  byTaskState: {
    from: "hookgate_tasks x INDEXED BY hookgate_tasks_by_state CROSS JOIN hookgate_events e ON e.event = x.event",
    where: "x.handler = ? AND x.state = ?",
    key: "x.event",
  },
  /** Scope, type. */
  byType: {
    from: "hookgate_events e INDEXED BY hookgate_events_by_type",
    where: "e.scope = ? AND e.type = ?",
    key: "e.event",
  },
  /** Scope. */
  ignored: {
    from: "hookgate_events e INDEXED BY hookgate_events_ignored",
    where: "e.tasks <= 0 AND e.scope = ?",
    key: "e.event",
  },
} satisfies Record<string, EventIndex>;

/** Finding events. */
export const search = {
  /** Events of an index between two numbers that meet a condition. */
  find: ({ from, where, key }: EventIndex, condition: string, oldestFirst: boolean) =>
    `SELECT e.event FROM ${from} WHERE ${where} AND ${key} BETWEEN ? AND ? AND ${condition} ` +
    `ORDER BY ${key} ${oldestFirst ? "ASC" : "DESC"} LIMIT ?`,
  /** One event with its receiver, where it meets a condition. */
  matching: (condition: string) =>
    "SELECT e.event, s.receiver, r.name FROM hookgate_events e CROSS JOIN hookgate_scopes s ON s.scope = e.scope " +
    `CROSS JOIN hookgate_receivers r ON r.receiver = s.receiver WHERE e.event = ? AND ${condition}`,
  last: "SELECT max(event) AS last FROM hookgate_events",
  span: "SELECT min(first) AS low, max(last) AS high FROM hookgate_times WHERE span BETWEEN ? AND ?",
  scopes:
    "SELECT s.scope, (?1 IS NULL OR r.name = ?1) AND (?2 IS NULL OR s.source = ?2) AND (?3 IS NULL OR s.tenant = ?3) AND (?4 IS NULL OR s.service = ?4) AS taken " +
    "FROM hookgate_scopes s JOIN hookgate_receivers r ON r.receiver = s.receiver",
  handlers:
    "SELECT h.handler FROM hookgate_handlers h JOIN hookgate_receivers r ON r.receiver = h.receiver WHERE (?1 IS NULL OR r.name = ?1) AND (?2 IS NULL OR h.name = ?2)",
  /** Steps from one type to the next in the index, whatever the number of events. */
  typesOfScope: `WITH RECURSIVE types(type) AS (
  SELECT min(type) FROM hookgate_events INDEXED BY hookgate_events_by_type WHERE delivery <> 0 AND scope = ?1
  UNION ALL SELECT (
    SELECT min(e.type) FROM hookgate_events e INDEXED BY hookgate_events_by_type
    WHERE e.delivery <> 0 AND e.scope = ?1 AND e.type > types.type)
  FROM types WHERE types.type IS NOT NULL
) SELECT type FROM types WHERE type IS NOT NULL LIMIT ?2`,
};

const tasksOf = "SELECT 1 FROM hookgate_tasks t WHERE t.event = e.event";
const hasOpen = `EXISTS (${tasksOf} AND t.state ${isOpen})`;
const hasOpenOrDead = `EXISTS (${tasksOf} AND t.state ${isOpenOrDead})`;

/**
 * Conditions on an event `e`. The unary plus keeps SQLite from choosing an index by a condition: the index of a search is chosen
 * before.
 */
export const conditions = {
  notPurged: "e.delivery <> 0",
  scopes: "+e.scope IN (SELECT value FROM json_each(?))",
  type: "+e.type = ?",
  idContains: "instr(e.id, ?) > 0",
  from: "+e.accepted_ms >= ?",
  before: "+e.accepted_ms < ?",
  handler:
    "EXISTS (SELECT 1 FROM hookgate_tasks t CROSS JOIN hookgate_handlers h ON h.handler = t.handler WHERE t.event = e.event AND h.name = ?)",
  state: {
    pending: hasOpen,
    dead: `EXISTS (${tasksOf} AND t.state = ${dead}) AND NOT ${hasOpen}`,
    ignored: `NOT EXISTS (${tasksOf})`,
    done: `EXISTS (${tasksOf}) AND NOT ${hasOpenOrDead}`,
    /** Done or ignored. */
    finished: `NOT ${hasOpenOrDead}`,
  },
  /** Has a dead letter that blocks others. */
  blocking:
    `EXISTS (SELECT 1 FROM hookgate_tasks d CROSS JOIN hookgate_handlers h ON h.handler = d.handler WHERE d.event = e.event AND d.state = ${dead} AND h.hold = 1 ` +
    `AND EXISTS (SELECT 1 FROM hookgate_tasks b INDEXED BY hookgate_tasks_blocked WHERE b.handler = d.handler AND b.order_key = d.order_key AND b.state = ${blocked} AND b.event > d.event))`,
};
