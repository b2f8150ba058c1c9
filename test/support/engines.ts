import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { type SqliteTransaction, sqliteEngine } from "hookgate/sqlite";
import { type ConformanceHarness, type MemoryTransaction, memoryEngine } from "hookgate/testing";

/** The engine in memory; the user's part of its store is a map. */
export const memoryHarness: ConformanceHarness<MemoryTransaction> = {
  async create() {
    const counts = new Map<string, number>();
    return {
      engine: memoryEngine(),
      effects: {
        add: (tx, key) =>
          tx.run(() => {
            const before = counts.get(key) ?? 0;
            counts.set(key, before + 1);
            return () => counts.set(key, before);
          }),
        refuse: (tx) =>
          tx.run(() => {
            throw new Error("refused");
          }),
        read: async (key) => counts.get(key) ?? 0,
      },
      dispose: async () => undefined,
    };
  },
};

/** SQLite in a file of its own for each case; the user's part of the store is a table. */
export function sqliteHarness(
  options: { readonly onCallersThread?: boolean } = {},
): ConformanceHarness<SqliteTransaction> {
  return {
    async create() {
      const folder = await mkdtemp(join(tmpdir(), "hookgate-engine-"));
      const path = join(folder, "hooks.db");
      const setup = ["CREATE TABLE IF NOT EXISTS counts(name TEXT PRIMARY KEY, count INTEGER NOT NULL)"];
      return {
        engine: sqliteEngine(path, { setup, ...options }),
        reopen: async () => sqliteEngine(path, { setup, ...options }),
        effects: {
          add: (tx, key) =>
            tx.run("INSERT INTO counts VALUES (?, 1) ON CONFLICT(name) DO UPDATE SET count = count + 1", [
              key,
            ]),
          refuse: (tx) => tx.run("INSERT INTO counts VALUES ('refused', NULL)"),
          read: async (key) => {
            const db = new DatabaseSync(path, { readOnly: true });
            try {
              const row = db.prepare("SELECT count FROM counts WHERE name = ?").get(key);
              return (row as { count: number } | undefined)?.count ?? 0;
            } finally {
              db.close();
            }
          },
        },
        dispose: () => rm(folder, { recursive: true, force: true }),
      };
    },
  };
}
