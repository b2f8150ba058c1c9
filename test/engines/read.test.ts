/** Users' own queries and writes: what of the file they may see and change. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import type * as Sqlite from "hookgate/sqlite";
import { buildSources } from "../support/built-sources.js";
import { newDelivery } from "../support/inbox-parts.js";
import { createInboxScene, until } from "../support/inbox-scene.js";

let built: Awaited<ReturnType<typeof buildSources>>;
let sqliteEngine: typeof Sqlite.sqliteEngine;
beforeAll(async () => {
  built = await buildSources();
  const url = pathToFileURL(join(built.folder, "inbox/sqlite/index.js")).href;
  ({ sqliteEngine } = (await import(url)) as typeof Sqlite);
});
afterAll(() => built.remove());

const endless = "WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";

describe("engine.read", () => {
  let folder: string;
  let engine: Sqlite.SqliteInboxEngine;
  const setup = [
    "CREATE TABLE IF NOT EXISTS payments(id TEXT PRIMARY KEY, total INTEGER, bytes BLOB) STRICT",
  ];
  const fill =
    "INSERT OR REPLACE INTO payments VALUES ('a', 42, x'00ff'), ('b', 9007199254740993, NULL), ('c', -1, x'')";

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "hookgate-read-"));
    engine = sqliteEngine(join(folder, "hooks.db"), { setup: [...setup, fill] });
    await engine.open({ note: () => undefined });
  });
  afterEach(async () => {
    await engine.close();
    await rm(folder, { recursive: true, force: true });
  });

  it("gives rows with text, numbers, bytes, null, and bigints where a number would not be exact", async () => {
    expect(await engine.read("SELECT * FROM payments ORDER BY id")).toEqual([
      { id: "a", total: 42, bytes: new Uint8Array([0, 255]) },
      { id: "b", total: 9007199254740993n, bytes: null },
      { id: "c", total: -1, bytes: new Uint8Array() },
    ]);
    const byId = "-- one\nSELECT total FROM payments WHERE id = ? AND ?;";
    expect(await engine.read(byId, ["a", true])).toEqual([{ total: 42 }]);
    expect(await engine.read("VALUES (?, ?)", [1n, new Uint8Array([1])])).toEqual([
      { column1: 1, column2: new Uint8Array([1]) },
    ]);
    expect(await engine.read("SELECT 1 AS __proto__")).toHaveLength(1);
  });

  it("sees what was committed a moment ago, also while deliveries are stored", async () => {
    for (let i = 0; i < 20; i++) {
      const stored = engine.accept([newDelivery(`e${i}`)]);
      await stored;
      const rows = await engine.read("SELECT count(*) AS count FROM hookgate_events");
      expect(rows).toEqual([{ count: i + 1 }]);
    }
  });

  it.each([
    "VACUUM INTO 'copy.db'",
    "ATTACH 'other.db' AS other",
    "PRAGMA journal_mode = DELETE",
    "  /* SELECT */ PRAGMA user_version = 7",
    "EXPLAIN SELECT 1",
    "DELETE FROM payments",
    "BEGIN IMMEDIATE",
    "",
    ";",
  ])("refuses %j with a TypeError", async (sql) => {
    await expect(engine.read(sql)).rejects.toThrow(TypeError);
    expect((await readdir(folder)).filter((name) => !name.startsWith("hooks.db"))).toEqual([]);
  });

  it("refuses a second statement", async () => {
    await expect(engine.read("SELECT 1; DELETE FROM payments")).rejects.toThrow("more than one was given");
  });

  it("refuses to write by a WITH", async () => {
    const write = "WITH one AS (SELECT 1) DELETE FROM payments WHERE 1 IN (SELECT * FROM one)";
    await expect(engine.read(write)).rejects.toMatchObject({ name: "SqliteError", errcode: 8 });
    expect(await engine.read("SELECT count(*) AS count FROM payments")).toEqual([{ count: 3 }]);
  });

  it.each([
    ["params", ["SELECT ?", "a"]],
    ["a value", ["SELECT ?", [{}]]],
    ["the timeout", ["SELECT 1", [], { timeout: 5_000 }]],
    ["an option", ["SELECT 1", [], { timeout: 5_000 }]],
  ])("names a mistake in %s", async (_name, given) => {
    const read = engine.read.bind(engine) as (...all: unknown[]) => Promise<unknown>;
    await expect(read(...given)).rejects.toThrow(TypeError);
  });

  it("tells what SQLite says", async () => {
    await expect(engine.read("SELECT * FROM absent")).rejects.toMatchObject({
      name: "SqliteError",
      message: expect.stringContaining("no such table: absent"),
      errcode: 1,
    });
  });

  it("gives at most 10,000 rows and 64 MiB", async () => {
    const count = (rows: number) =>
      `WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c WHERE x < ${rows}) SELECT x FROM c`;
    expect(await engine.read(count(10_000))).toHaveLength(10_000);
    await expect(engine.read(count(10_001))).rejects.toThrow(RangeError);
    await expect(engine.read("SELECT zeroblob(70000000)")).rejects.toThrow("64 MiB");
  });

  it("ends an endless query at its time limit, and answers the next one", async () => {
    const first = engine.read(endless, [], { timeout: "200ms" });
    const second = engine.read("SELECT 1 AS one");
    await expect(first).rejects.toMatchObject({ name: "SqliteError", errcode: 9 });
    await expect(first).rejects.toThrow("the query ran longer than 200 ms and was ended");
    expect(await second).toEqual([{ one: 1 }]);
    // Nothing of it keeps the store from its work.
    expect(await engine.accept([newDelivery("after")])).toMatchObject([{ status: "stored" }]);
  });

  it("rejects what is under way and what waits when the engine is closed", async () => {
    const reads = [engine.read(endless), engine.read("SELECT 1")].map((read) => read.catch(String));
    await engine.close();
    expect(await Promise.all(reads)).toEqual([
      "Error: the engine was closed",
      "Error: the engine was closed",
    ]);
    await expect(engine.read("SELECT 1")).rejects.toThrow("the engine is not open");
    await engine.open({ note: () => undefined });
    expect(await engine.read("SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });
});

it("engine.read reads a store in memory, too, and writes nothing", async () => {
  const { sqliteEngine: make } = await import("hookgate/sqlite");
  const engine = make(":memory:", {
    setup: ["CREATE TABLE mine(id INTEGER)", "INSERT INTO mine VALUES (7)"],
  });
  await engine.open({ note: () => undefined });
  expect(await engine.read("SELECT id FROM mine WHERE id > ?", [1])).toEqual([{ id: 7 }]);
  await expect(engine.read("WITH a AS (SELECT 1) DELETE FROM mine")).rejects.toMatchObject({ errcode: 8 });
  await expect(engine.read("SELECT * FROM absent")).rejects.toThrow("no such table: absent");
  await expect(engine.read("DELETE FROM mine")).rejects.toThrow(TypeError);
  expect(await engine.accept([newDelivery("e1")])).toMatchObject([{ status: "stored" }]);
  await engine.close();
});

/** Processes of this machine whose command line has this text. */
function processesWith(text: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text);
      } catch {
        // It has ended meanwhile.
        return false;
      }
    })
    .map(Number);
}

const onLinux = process.platform === "linux" ? it : it.skip;

onLinux("leaves no process of an endless query behind when its own process is killed", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hookgate-orphan-"));
  const entry = pathToFileURL(join(built.folder, "inbox/sqlite/index.js")).href;
  const script = `
    import { sqliteEngine } from ${JSON.stringify(entry)};
    const engine = sqliteEngine("hooks.db");
    await engine.open({ note: () => undefined });
    await engine.read("SELECT 1");
    console.log("ready");
    await engine.read(${JSON.stringify(endless)}, [], { timeout: "10m" });`;
  const parent = spawn(process.execPath, ["--input-type=module", "-e", script], { cwd: folder });
  await once(parent.stdout, "data");
  const child = join(built.folder, "inbox/sqlite/query-process.js");
  expect(processesWith(child)).toHaveLength(1);
  parent.kill("SIGKILL");
  await until(() => processesWith(child).length === 0);
  await rm(folder, { recursive: true, force: true });
});

describe("tx.run", () => {
  const scene = createInboxScene();
  afterAll(scene.end);

  /** What a completion with this statement ends in, and what is left in the user's table. */
  async function completeWith(sql: string, setup: readonly string[] = []) {
    const file = scene.file();
    const { sqliteEngine: make } = await import("hookgate/sqlite");
    const engine = make(file, {
      onCallersThread: true,
      setup: ["CREATE TABLE IF NOT EXISTS mine(id INTEGER PRIMARY KEY, text TEXT)", ...setup],
    });
    const receiver = scene.receiver({ engine, inbox: { maxAttempts: 1 } });
    const ended: string[] = [];
    receiver.on("a", async (_event, context) => {
      const { complete } = context as unknown as {
        complete(write: (tx: Sqlite.SqliteTransaction) => void): Promise<void>;
      };
      try {
        await complete((tx) => tx.run(sql));
        ended.push("completed");
      } catch (error) {
        ended.push(String(error));
        throw error;
      }
    });
    await receiver.start();
    await scene.send(receiver, { id: "1", type: "a" });
    await until(async () => (await receiver.inbox.stats()).waiting === 0 && ended.length > 0);
    await until(async () => (await receiver.inbox.stats()).running === 0);
    const { items } = await receiver.inbox.list({ limit: 10 });
    await receiver.close();
    return { ended, states: items.map(({ state }) => state) };
  }

  it.each([
    ["a row", "INSERT INTO mine(text) VALUES ('a')"],
    ["what it read of our tables", "INSERT INTO mine(text) SELECT id FROM hookgate_events"],
    ["nothing, but names one of our tables in a text", "UPDATE mine SET text = 'DELETE FROM hookgate_tasks'"],
    ["a whole table that is the user's", "DELETE FROM mine"],
  ])("takes a statement that writes %s", async (_name, sql) => {
    expect(await completeWith(sql)).toEqual({ ended: ["completed"], states: ["done"] });
  });

  const trigger = (body: string): readonly string[] => [
    `CREATE TRIGGER IF NOT EXISTS sly AFTER INSERT ON mine BEGIN ${body}; END`,
  ];
  it.each([
    ["deletes our rows", "DELETE FROM hookgate_tasks WHERE event = 1", []],
    ["empties our table", "DELETE FROM hookgate_events", []],
    ["spells it in another way", 'WITH a AS (SELECT 1) UPDATE main . "HOOKGATE_tasks" SET state = 3', []],
    [
      "does so by a trigger",
      "INSERT INTO mine(text) VALUES ('a')",
      trigger("UPDATE hookgate_tasks SET state = 3"),
    ],
    [
      "does so by a trigger on a view",
      "INSERT INTO sight VALUES (1, 'a')",
      [
        "CREATE VIEW IF NOT EXISTS sight AS SELECT * FROM mine",
        "CREATE TRIGGER IF NOT EXISTS s INSTEAD OF INSERT ON sight BEGIN DELETE FROM hookgate_events; END",
      ],
    ],
  ])("refuses a statement that %s", async (_name, sql, setup) => {
    const { ended, states } = await completeWith(sql, setup);
    expect(ended).toEqual([expect.stringMatching(/writes to hookgate_(tasks|events), a table of the inbox/)]);
    expect(states).toEqual(["dead"]);
  });

  it("refuses a second statement before anything is committed", async () => {
    const { ended, states } = await completeWith("INSERT INTO mine(text) VALUES ('a'); DELETE FROM mine");
    expect(ended).toEqual(["TypeError: tx.run takes one statement, and more than one was given"]);
    expect(states).toEqual(["dead"]);
  });
});
