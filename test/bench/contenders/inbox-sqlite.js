// The store that one writes by hand on SQLite: a table, WAL, a sync with every commit. The id is the primary key.
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(import.meta.url);
const { DatabaseSync } = process.getBuiltinModule?.("node:sqlite") ?? require("@photostructure/sqlite");

/** Opens it in `folder`: `insert(event)` says whether it is new, `group(events)` the same for many in one commit. */
export function openStore(folder) {
  const db = new DatabaseSync(join(folder, "inbox.db"));
  db.exec("PRAGMA journal_mode = WAL");
  db.exec("PRAGMA synchronous = FULL");
  db.exec(`CREATE TABLE IF NOT EXISTS events (
    id TEXT PRIMARY KEY, type TEXT NOT NULL, body BLOB NOT NULL, received_at INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting') WITHOUT ROWID`);
  const statement = db.prepare(
    "INSERT INTO events (id, type, body, received_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
  );
  const insert = ({ id, type, rawBody }) =>
    Number(statement.run(id, type, rawBody, Date.now()).changes) === 1;
  return {
    insert,
    group(events) {
      db.exec("BEGIN IMMEDIATE");
      try {
        const answers = events.map(insert);
        db.exec("COMMIT");
        return answers;
      } catch (error) {
        db.exec("ROLLBACK");
        throw error;
      }
    },
    count: () => Number(db.prepare("SELECT count(*) AS count FROM events").get().count),
    close: () => db.close(),
  };
}
