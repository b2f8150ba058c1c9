/** What processes do while another one changes the tables of the file, and after a newer version has changed them. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { buildSources } from "../support/built-sources.js";
import { createInboxScene, type InboxScene, until } from "../support/inbox-scene.js";
import { openDatabase, tablesOf, withDatabase } from "./version-1.js";

let scene: InboxScene;
let file: string;
beforeEach(() => {
  scene = createInboxScene();
  file = scene.file();
});
afterEach(() => scene.end());

const body = (id: string) => ({ type: "order.paid", id });

/** Changes the tables as a newer version would. */
function updateTables(): void {
  withDatabase(file, (db) =>
    db.exec(
      "BEGIN IMMEDIATE; ALTER TABLE hookgate_tasks ADD COLUMN priority INTEGER; " +
        "INSERT INTO hookgate_ledger(version) SELECT max(version) + 1 FROM hookgate_ledger; COMMIT",
    ),
  );
}

const aboutUpdate = /error a newer hookgate has updated the tables of .*hooks\.db to version \d+.*restart it/;

describe("a file whose tables a newer version updates while this one runs", () => {
  it.each([true, false])(
    "H18: is no longer used, workers: %s: 503, and one line says why",
    async (workers) => {
      const receiver = scene.receiver({ engine: scene.engine(file), inbox: { workers } });
      let runs = 0;
      receiver.on("order.paid", () => {
        runs++;
      });
      await receiver.start();
      expect((await scene.send(receiver, body("before"))).status).toBe(202);
      if (workers) await until(async () => (await receiver.inbox.stats()).throughput.handled === 1);
      updateTables();
      // Of the tables alone that tell of events: a heartbeat may come between the two.
      const tables = () => [...tablesOf(file)].filter(([name]) => /deliveries|events|tasks/.test(name));
      const before = tables();
      expect((await scene.send(receiver, body("after"))).status).toBe(503);
      expect((await scene.send(receiver, body("after"))).status).toBe(503);
      await expect(receiver.inbox.stats()).rejects.toThrow(/newer hookgate/);
      expect(tables()).toEqual(before);
      expect(scene.log.filter((line) => aboutUpdate.test(line))).toHaveLength(1);
      expect(runs).toBe(workers ? 1 : 0);
    },
  );

  it("H18: is not opened, and the message says what to do", async () => {
    const first = scene.receiver({ engine: scene.engine(file) });
    await first.start();
    await first.close();
    updateTables();
    const second = scene.receiver({ engine: scene.engine(file), inbox: {} });
    await expect(second.start()).rejects.toThrow(
      /written by a newer hookgate \(its tables are version \d+, this one knows \d+\); update hookgate, or use another file/,
    );
    expect((await scene.send(second, body("e1"))).status).toBe(503);
  });
});

describe("while another process changes the tables", () => {
  let built: Awaited<ReturnType<typeof buildSources>>;
  let threaded: typeof import("hookgate/sqlite").sqliteEngine;
  beforeAll(async () => {
    built = await buildSources();
    const url = pathToFileURL(join(built.folder, "inbox/sqlite/index.js")).href;
    ({ sqliteEngine: threaded } = await import(url));
  });
  afterAll(() => built.remove());

  it("H18: a start waits for it, however long it takes, and deliveries are answered 503", async () => {
    const busyTimeoutMs = 20;
    const other = openDatabase(file, { readOnly: false });
    other.exec("PRAGMA journal_mode = WAL; CREATE TABLE accounts(name TEXT); BEGIN IMMEDIATE");
    const receiver = scene.receiver({ engine: threaded(file, { busyTimeout: `${busyTimeoutMs}ms` }) });
    let over = false;
    const started = receiver.start().finally(() => {
      over = true;
    });
    const waitedUntil = performance.now() + 20 * busyTimeoutMs;
    while (performance.now() < waitedUntil) {
      expect((await scene.send(receiver, body("e1"))).status).toBe(503);
      expect(over).toBe(false);
      await new Promise((resolve) => setImmediate(resolve));
    }
    other.exec("COMMIT");
    other.close();
    await started;
    expect((await scene.send(receiver, body("e1"))).status).toBe(202);
  });

  it("H12 H18: a process that runs answers 503, and accepts again afterwards", async () => {
    const receiver = scene.receiver({ engine: threaded(file, { busyTimeout: "20ms" }) });
    await receiver.start();
    expect((await scene.send(receiver, body("before"))).status).toBe(202);
    const other = openDatabase(file, { readOnly: false });
    other.exec("BEGIN IMMEDIATE; CREATE INDEX another ON hookgate_events(type)");
    expect((await scene.send(receiver, body("meanwhile"))).status).toBe(503);
    other.exec("COMMIT");
    other.close();
    expect((await scene.send(receiver, body("meanwhile"))).status).toBe(202);
  });
});
