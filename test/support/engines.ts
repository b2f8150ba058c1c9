import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { InboxEngine } from "hookgate/engine";
import type { SqliteTransaction } from "hookgate/sqlite";
import type { ConformanceEffects, ConformanceHarness } from "hookgate/testing";
import type { ConnectionOptions } from "../../src/inbox/sqlite/connection.js";
import { loadDriver, type SqliteDatabase } from "../../src/inbox/sqlite/driver.js";
import { createMemoryEngine, SqliteEngine } from "../../src/inbox/sqlite/engine.js";
import { LocalHost, MemoryHost } from "../../src/inbox/sqlite/hosts.js";

export type SqliteTestEngine = InboxEngine<SqliteTransaction>;

/** How a harness comes to an engine on a file. */
export type MakeSqliteEngine = (path: string, setup: readonly string[]) => SqliteTestEngine;

/** SQLite on a thread of its own, as its users have it; `make` is that of the built package: a thread does not compile. */
export function sqliteHarness(make: () => MakeSqliteEngine): ConformanceHarness<SqliteTransaction> {
  return {
    create: () => createStore(make()),
  };
}

/** SQLite on the thread of the test, whose requests can be held up as if its process were stopped. */
export const stoppableSqliteHarness: ConformanceHarness<SqliteTransaction> = {
  async create() {
    const stops = new Map<SqliteTestEngine, Stop>();
    const store = await createStore((path, setup) => {
      const stop = new Stop();
      const engine = new SqliteEngine({ path, setup, readOnly: false, busyTimeoutMs: 2_000 }, (options) => {
        const host = new LocalHost(options);
        return {
          open: () => host.open(),
          close: () => host.close(),
          abandon: () => host.abandon(),
          send: async (...request) => {
            await stop.over;
            return host.send(...request);
          },
        };
      });
      stops.set(engine, stop);
      return engine;
    });
    return {
      ...store,
      async freeze(engine) {
        const thaw = stops.get(engine)?.begin();
        return async () => thaw?.();
      },
    };
  },
};

/** A time in which nothing goes on. */
class Stop {
  over: Promise<void> | undefined;

  begin(): () => void {
    let end: () => void = () => undefined;
    this.over = new Promise((resolve) => {
      end = resolve;
    });
    return () => end();
  }
}

/** SQLite in memory; what `effects.read` reads is read through the engine's own connection, which is the only one. */
export const memoryHarness: ConformanceHarness<SqliteTransaction> = {
  async create() {
    const open = loadDriver();
    let db: SqliteDatabase | undefined;
    const makeHost = (options: ConnectionOptions): MemoryHost =>
      new MemoryHost(options, (...given) => {
        db = open(...given);
        return db;
      });
    return {
      engine: createMemoryEngine([countsTable], { makeHost }),
      effects: {
        ...writes,
        read: async (key) => countIn(db, key),
      },
      dispose: async () => undefined,
    };
  },
};

async function createStore(
  make: MakeSqliteEngine,
): ReturnType<ConformanceHarness<SqliteTransaction>["create"]> {
  const folder = await mkdtemp(join(tmpdir(), "hookgate-engine-"));
  const path = join(folder, "hooks.db");
  const setup = [countsTable];
  return {
    engine: make(path, setup),
    reopen: async () => make(path, setup),
    effects: effectsIn(path),
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
}

const countsTable = "CREATE TABLE IF NOT EXISTS counts(name TEXT PRIMARY KEY, count INTEGER NOT NULL)";

const writes: Pick<ConformanceEffects<SqliteTransaction>, "add" | "refuse"> = {
  add: (tx, key) =>
    tx.run("INSERT INTO counts VALUES (?, 1) ON CONFLICT(name) DO UPDATE SET count = count + 1", [key]),
  refuse: (tx) => tx.run("INSERT INTO counts VALUES ('refused', NULL)"),
};

function effectsIn(path: string): ConformanceEffects<SqliteTransaction> {
  return {
    ...writes,
    read: async (key) => {
      const db = loadDriver()(path, { readOnly: true });
      try {
        return countIn(db, key);
      } finally {
        db.close();
      }
    },
  };
}

function countIn(db: SqliteDatabase | undefined, key: string): number {
  const row = db?.prepare("SELECT count FROM counts WHERE name = ?").get(key);
  return (row as { count: number } | undefined)?.count ?? 0;
}
