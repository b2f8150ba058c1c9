/** Runs the conformance suite over SQLite on its own thread, which needs built files; prints what failed as JSON. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { type SqliteTransaction, sqliteEngine } from "../../src/inbox/sqlite/index.js";
import { type ConformanceHarness, inboxEngineConformance } from "../../src/testing/index.js";

const setup = ["CREATE TABLE IF NOT EXISTS counts(name TEXT PRIMARY KEY, count INTEGER NOT NULL)"];

const harness: ConformanceHarness<SqliteTransaction> = {
  async create() {
    const folder = await mkdtemp(join(tmpdir(), "hookgate-engine-"));
    const path = join(folder, "hooks.db");
    return {
      engine: sqliteEngine(path, { setup }),
      reopen: async () => sqliteEngine(path, { setup }),
      effects: {
        add: (tx, key) => {
          tx.run("INSERT INTO counts VALUES (?, 1) ON CONFLICT(name) DO UPDATE SET count = count + 1", [key]);
        },
        refuse: (tx) => tx.run("INSERT INTO counts VALUES ('refused', NULL)"),
        read: async (key) => {
          const db = new DatabaseSync(path, { readOnly: true });
          const row = db.prepare("SELECT count FROM counts WHERE name = ?").get(key);
          db.close();
          return (row as { count: number } | undefined)?.count ?? 0;
        },
      },
      dispose: () => rm(folder, { recursive: true, force: true }),
    };
  },
};

const failures: string[] = [];
const cases = inboxEngineConformance(harness);
for (const { name, run } of cases) {
  try {
    await run();
  } catch (error) {
    failures.push(`${name}: ${error instanceof Error ? error.stack : String(error)}`);
  }
}
process.stdout.write(JSON.stringify({ cases: cases.length, failures }));
