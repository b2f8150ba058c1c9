import type { TaskState } from "../../types/engine.js";
import type { SqliteDatabase, SqliteStatement } from "./driver.js";
import { isBusy, StoreEndedError } from "./errors.js";

interface Migration {
  readonly version: number;
  readonly sql: string;
}

/**
 * Every table is named hookgate_…, so that the user's own may stand beside them. A task is keyed by event and handler: its
 * event's tasks lie together without an index. An event whose delivery is 0 was purged and stands for its id alone. Times named due and remember follow the store's clock, which never goes
 * back; all others are the machine's.
 */
const migrations: readonly Migration[] = [
  {
    version: 1,
    sql: `
CREATE TABLE hookgate_meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO hookgate_meta VALUES ('clock', 0), ('lastEvent', 0);
CREATE TABLE hookgate_receivers(receiver INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, backlog INTEGER NOT NULL DEFAULT 0);
CREATE TABLE hookgate_scopes(
  scope INTEGER PRIMARY KEY, receiver INTEGER NOT NULL, source TEXT NOT NULL, tenant TEXT NOT NULL, service TEXT NOT NULL,
  UNIQUE(receiver, source, tenant, service));
CREATE TABLE hookgate_handlers(
  handler INTEGER PRIMARY KEY, receiver INTEGER NOT NULL, name TEXT NOT NULL, hold INTEGER NOT NULL DEFAULT 0,
  UNIQUE(receiver, name));
CREATE TABLE hookgate_deliveries(delivery INTEGER PRIMARY KEY, received_ms INTEGER NOT NULL, head TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE hookgate_events(
  event INTEGER PRIMARY KEY, delivery INTEGER NOT NULL, position INTEGER NOT NULL, scope INTEGER NOT NULL,
  id TEXT NOT NULL, type TEXT NOT NULL, digest TEXT NOT NULL, accepted_ms INTEGER NOT NULL,
  remember_until INTEGER NOT NULL, remembered INTEGER NOT NULL DEFAULT 1);
CREATE UNIQUE INDEX hookgate_events_by_id ON hookgate_events(scope, id) WHERE remembered = 1;
CREATE INDEX hookgate_events_further ON hookgate_events(delivery) WHERE event <> delivery;
CREATE INDEX hookgate_events_emptied ON hookgate_events(remember_until) WHERE delivery = 0;
CREATE TABLE hookgate_tasks(
  event INTEGER NOT NULL, handler INTEGER NOT NULL, state INTEGER NOT NULL, due INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, fence INTEGER NOT NULL DEFAULT 0, consumer INTEGER,
  started_ms INTEGER, duration_ms INTEGER, order_key TEXT, error TEXT,
  PRIMARY KEY(event, handler)) WITHOUT ROWID;
CREATE INDEX hookgate_tasks_waiting ON hookgate_tasks(handler, due, event) WHERE state = 0;
CREATE INDEX hookgate_tasks_running ON hookgate_tasks(consumer) WHERE state = 2;
CREATE INDEX hookgate_tasks_dead ON hookgate_tasks(handler, event) WHERE state = 4;
CREATE INDEX hookgate_tasks_in_order ON hookgate_tasks(handler, order_key, event)
  WHERE order_key IS NOT NULL AND state IN (0, 1, 2, 4);
CREATE TABLE hookgate_attempts(
  event INTEGER NOT NULL, handler INTEGER NOT NULL, number INTEGER NOT NULL, attempt INTEGER NOT NULL,
  started_ms INTEGER NOT NULL, duration_ms INTEGER, outcome TEXT NOT NULL, error TEXT,
  PRIMARY KEY(event, handler, number)) WITHOUT ROWID;
CREATE TABLE hookgate_replays(event INTEGER NOT NULL, at_ms INTEGER NOT NULL, handlers TEXT NOT NULL);
CREATE INDEX hookgate_replays_of_event ON hookgate_replays(event);
CREATE TABLE hookgate_consumers(
  consumer INTEGER PRIMARY KEY, receiver INTEGER NOT NULL, beat INTEGER NOT NULL, lease_ms INTEGER NOT NULL);
CREATE TABLE hookgate_tokens(token TEXT PRIMARY KEY, delivery TEXT NOT NULL, expires_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX hookgate_tokens_by_end ON hookgate_tokens(expires_ms);
CREATE TABLE hookgate_minutes(
  minute INTEGER PRIMARY KEY, accepted INTEGER NOT NULL DEFAULT 0, handled INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0);
`,
  },
  {
    version: 2,
    // What is done or dropped is in no one's way, hence not in the index of ordering keys. `tasks` of an event is how many it was
    // accepted with, NULL in what was there before, -1 where a running process of version 1 has stored it: the trigger does
    // for that one what the code of this version does by itself. The last heartbeat that version 1 knows is the store's clock.
    sql: `
DROP INDEX hookgate_tasks_in_order;
DROP INDEX hookgate_tasks_dead;
CREATE INDEX hookgate_tasks_by_key ON hookgate_tasks(handler, order_key, state, event)
  WHERE order_key IS NOT NULL AND state <> 3 AND state <> 5;
CREATE INDEX hookgate_tasks_blocked ON hookgate_tasks(handler, order_key, event, due) WHERE state = 1;
CREATE INDEX hookgate_tasks_dead_by_key ON hookgate_tasks(handler, order_key, event)
  WHERE order_key IS NOT NULL AND state = 4;
ALTER TABLE hookgate_handlers ADD COLUMN ordered INTEGER NOT NULL DEFAULT 0;
UPDATE hookgate_handlers SET ordered = 1 WHERE EXISTS (
  SELECT 1 FROM hookgate_tasks t
  WHERE t.handler = hookgate_handlers.handler AND t.order_key IS NOT NULL AND t.state <> 3 AND t.state <> 5);
ALTER TABLE hookgate_consumers ADD COLUMN beat_ms INTEGER;
CREATE INDEX hookgate_tasks_by_state ON hookgate_tasks(handler, state, event);
CREATE INDEX hookgate_events_by_type ON hookgate_events(scope, type, event) WHERE delivery <> 0;
ALTER TABLE hookgate_events ADD COLUMN tasks INTEGER;
UPDATE hookgate_events SET tasks = 0
  WHERE delivery <> 0 AND NOT EXISTS (SELECT 1 FROM hookgate_tasks t WHERE t.event = hookgate_events.event);
CREATE INDEX hookgate_events_ignored ON hookgate_events(scope, event) WHERE tasks <= 0 AND delivery <> 0;
INSERT INTO hookgate_meta SELECT 'wall', value FROM hookgate_meta WHERE name = 'clock';
INSERT INTO hookgate_meta VALUES ('doubtedAt', 0), ('doubtedMs', 0);
CREATE TABLE hookgate_times(span INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL);
INSERT INTO hookgate_times SELECT accepted_ms / 600000, min(event), max(event) FROM hookgate_events GROUP BY 1;
CREATE TRIGGER hookgate_events_of_version_1 AFTER INSERT ON hookgate_events WHEN NEW.tasks IS NULL BEGIN
  UPDATE hookgate_events SET tasks = -1 WHERE event = NEW.event;
  INSERT INTO hookgate_times VALUES (NEW.accepted_ms / 600000, NEW.event, NEW.event)
    ON CONFLICT(span) DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last);
END;
`,
  },
];

const latestVersion = migrations.length;

const ledger =
  "CREATE TABLE IF NOT EXISTS hookgate_ledger(version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)";

/** Milliseconds that another process may take to change the tables: an index over millions of rows takes a while. */
const maxWaitMs = 10 * 60_000;
/** The wait is split into steps, so that a thread can end between two of them. */
const waitStepMs = 250;

/**
 * Migrates the tables to this version, each step in its own transaction with its entry in the ledger. If several processes do so
 * at the same time, one does the work and the others wait. Leaves the busy timeout changed. Throws if a newer version wrote the
 * file, which would be misread.
 */
export function migrate(
  db: SqliteDatabase,
  {
    setBusyTimeout,
    isOver,
  }: {
    setBusyTimeout(ms: number): void;
    /** True: stop waiting. */
    isOver(): boolean;
  },
): void {
  for (const { version, sql } of migrations) {
    if (versionOf(db) >= version) continue;
    setBusyTimeout(waitStepMs);
    beginWithRetry(db, isOver);
    try {
      // Another process may have come first while this one waited.
      if (versionOf(db) < version) {
        db.exec(ledger);
        db.exec(sql);
        db.prepare("INSERT INTO hookgate_ledger(version) VALUES (?)").run(version);
      }
      db.exec("COMMIT");
    } catch (error) {
      db.exec("ROLLBACK");
      throw error;
    }
  }
  assertVersion(db);
}

function beginWithRetry(db: SqliteDatabase, isOver: () => boolean): void {
  const giveUpAt = performance.now() + maxWaitMs;
  for (;;) {
    try {
      db.exec("BEGIN IMMEDIATE");
      return;
    } catch (error) {
      if (!isBusy(error) || performance.now() > giveUpAt || isOver()) throw error;
    }
  }
}

/**
 * Throws a StoreEndedError if a newer process has migrated the tables since the file was opened. One read of the ledger, cheap
 * enough for every transaction.
 */
export function assertStillKnown(
  connection: { statement(sql: string): SqliteStatement },
  path: string,
): void {
  const { version } = connection.statement(latestApplied).get() as { version: number };
  if (version <= latestVersion) return;
  throw new StoreEndedError(
    `a newer hookgate has updated the tables of ${path} to version ${version}, and this process knows version ${latestVersion}: ` +
      "it no longer uses the file; restart it with the newer hookgate",
  );
}

const latestApplied = "SELECT max(version) AS version FROM hookgate_ledger";

/** Throws if the file has a newer version (a StoreEndedError), an older one, or no tables. */
export function assertVersion(db: SqliteDatabase): void {
  assertNotNewer(db);
  if (versionOf(db) < latestVersion)
    throw new Error("the file holds no inbox, or one of an older hookgate: start the receiver once");
}

/** Throws a StoreEndedError if the file has a newer version than this one. */
export function assertNotNewer(db: SqliteDatabase): void {
  const found = versionOf(db);
  if (found <= latestVersion) return;
  throw new StoreEndedError(
    `the file was written by a newer hookgate (its tables are version ${found}, this one knows ${latestVersion}); update hookgate, or use another file`,
  );
}

/** Throws if the file holds no inbox, of whatever version. */
export function assertInbox(db: SqliteDatabase): void {
  if (versionOf(db) === 0) throw new Error("the file holds no inbox");
}

function versionOf(db: SqliteDatabase): number {
  const there = db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'hookgate_ledger'").get();
  if (there === undefined) return 0;
  const row = db.prepare(latestApplied).get() as { version: number | null };
  return row.version ?? 0;
}

/** The states of a task as the file stores them. */
export const taskStates = { waiting: 0, blocked: 1, running: 2, done: 3, dead: 4, dropped: 5 } as const;

const names = new Map<number, TaskState>(
  (Object.keys(taskStates) as (keyof typeof taskStates)[]).map((name) => [taskStates[name], name]),
);

/** The state of a task as it is reported: one that waits after an attempt is retrying. */
export function taskStateOf({
  state,
  attempts,
}: {
  readonly state: number;
  readonly attempts: number;
}): TaskState {
  return state === taskStates.waiting && attempts > 0 ? "retrying" : (names.get(state) ?? "waiting");
}
