/** Every statement of the engine reads what it needs and no more, however many events the file holds. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { inboxEngineConformance } from "hookgate/testing";
import { loadDriver, type OpenDatabase, type SqliteDatabase } from "../../src/inbox/sqlite/driver.js";
import { SqliteEngine } from "../../src/inbox/sqlite/engine.js";
import { LocalHost } from "../../src/inbox/sqlite/hosts.js";
import type { SqliteTransaction } from "../../src/inbox/sqlite/index.js";
import { type MakeSqliteEngine, sqliteHarness } from "../support/engines.js";
import { everyFilter, fillLarge } from "./large-file.js";

/** Every SQL text that was prepared or run since the tests began. */
const texts = new Set<string>();
const open = loadDriver();

const collecting: OpenDatabase = (path, options) => {
  const db = open(path, options);
  return {
    exec(sql) {
      texts.add(sql);
      db.exec(sql);
    },
    prepare(sql) {
      texts.add(sql);
      return db.prepare(sql);
    },
    close: () => db.close(),
  };
};

const make: MakeSqliteEngine = (path, setup) =>
  new SqliteEngine(
    { path, setup, readOnly: false, busyTimeoutMs: 2_000 },
    (options) => new LocalHost(options, collecting),
  );

const suite = inboxEngineConformance<SqliteTransaction>(sqliteHarness(() => make));

describe("the engine suite, whose statements are collected", () => {
  it.each(suite)("$name", async ({ run }) => {
    await run();
  });
});

/** What may be read as a whole, or sorted, and how many rows that is at most. */
const allowed: readonly { readonly sql: RegExp; readonly step: RegExp; readonly bound: string }[] = [
  {
    sql: /./,
    step: /^SCAN (?:r|h|s|c|hookgate_(?:receivers|handlers|scopes|consumers))(?: |$)/,
    bound: "one row for each receiver, handler, consumer, or service of a receiver",
  },
  { sql: /./, step: /^SCAN CONSTANT ROW$/, bound: "no table at all" },
  {
    sql: /sqlite_(?:master|schema)/,
    step: /^SCAN (?:main\.)?sqlite_(?:master|schema)$/,
    bound: "one row for each table and index",
  },
  {
    sql: /e\.scope IN \(SELECT value FROM json_each\(\?\)\)/,
    step: /^SCAN json_each VIRTUAL TABLE/,
    bound: "the scopes of a filter: one for each service of a receiver",
  },
  { sql: /^WITH RECURSIVE types/, step: /^SCAN types$/, bound: "2,000 types, by the statement's limit" },
  { sql: /^DELETE FROM hookgate_times/, step: /^SCAN hookgate_times$/, bound: "one row for ten minutes" },
  {
    sql: /^SELECT consumer, beat/,
    step: /^SCAN hookgate_tasks USING COVERING INDEX hookgate_tasks_running$|^USE TEMP B-TREE FOR DISTINCT$/,
    bound: "the tasks that run: the concurrency of all consumers",
  },
  {
    sql: /FROM (?:hookgate_handlers h|hookgate_consumers c) JOIN hookgate_receivers r/,
    step: /^USE TEMP B-TREE FOR ORDER BY$/,
    bound: "one row for each handler, or consumer",
  },
  {
    sql: /GROUP BY d\.order_key\) d CROSS JOIN hookgate_tasks b/,
    step: /^SCAN d$/,
    bound: "the ordering keys of one handler that have a dead letter",
  },
];

interface Step {
  readonly sql: string;
  readonly step: string;
}

/** The steps that read all of something that grows, or sort it. */
function costlySteps(db: SqliteDatabase, sql: string): readonly Step[] {
  const rows = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { readonly detail: string }[];
  return rows
    .map(({ detail }) => ({ sql, step: detail }))
    .filter(({ step }) => /^SCAN |USE TEMP B-TREE|AUTOMATIC/.test(step));
}

const isPlanned = /^\s*(?:SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH)\b/i;

describe("every statement of the suite, on a file of 100,000 tasks", () => {
  let folder: string;
  let db: SqliteDatabase;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "hookgate-plans-"));
    const path = join(folder, "hooks.db");
    const engine = make(path, ["CREATE TABLE IF NOT EXISTS counts(name TEXT PRIMARY KEY, count INTEGER)"]);
    await engine.open({ note: () => undefined });
    fillLarge(path);
    for (const filter of everyFilter) {
      for (const oldestFirst of [true, false]) await engine.list({ ...filter, oldestFirst, limit: 2 });
    }
    await engine.close();
    db = open(path, { readOnly: false });
  });
  afterAll(() => {
    db.close();
    rmSync(folder, { recursive: true });
  });

  const planned = (): readonly string[] => [...texts].filter((sql) => isPlanned.test(sql));
  const seen: Step[] = [];
  const isAllowed = ({ sql, step }: Step): boolean =>
    allowed.some((entry) => entry.sql.test(sql) && entry.step.test(step));

  it("were collected", () => {
    expect(planned().length).toBeGreaterThan(60);
  });

  it("finds a scan and a sort that are planted", () => {
    const scan =
      "SELECT 1 FROM hookgate_tasks WHERE order_key = ? AND order_key IS NOT NULL AND state IN (0, 2) LIMIT 1";
    const sort = "SELECT event FROM hookgate_tasks WHERE event = ? ORDER BY due";
    expect(costlySteps(db, scan)).toMatchObject([{ step: "SCAN hookgate_tasks" }]);
    expect(costlySteps(db, sort)).toMatchObject([{ step: "USE TEMP B-TREE FOR ORDER BY" }]);
    expect([...costlySteps(db, scan), ...costlySteps(db, sort)].some(isAllowed)).toBe(false);
  });

  describe.each(["as SQLite plans by itself", "after ANALYZE"])("%s", (how) => {
    beforeAll(() => {
      if (how === "after ANALYZE") db.exec("ANALYZE");
    });

    it("none reads or sorts what grows with the events", () => {
      const steps = planned().flatMap((sql) => costlySteps(db, sql));
      seen.push(...steps);
      expect(steps.filter((step) => !isAllowed(step))).toEqual([]);
    });
  });

  it("every exception is needed", () => {
    const idle = allowed.filter(({ sql, step }) => !seen.some((s) => sql.test(s.sql) && step.test(s.step)));
    expect(idle).toEqual([]);
  });
});
