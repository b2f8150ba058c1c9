import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { loadDriver } from "../../../../src/inbox/sqlite/driver.js";
import { sqliteEngine } from "../../../../src/inbox/sqlite/index.js";
import { db, deliveryOf, type Ran, runIn, tasks } from "./scene.js";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hookgate-events-file-"));
  file = join(folder, "hooks.db");
});
afterEach(() => rmSync(folder, { recursive: true }));

const dead = { name: "Error", message: "no" };

function sql(text: string): void {
  const database = loadDriver()(file, { readOnly: false });
  try {
    database.exec(text);
  } finally {
    database.close();
  }
}

function digest(): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

/** On this thread: another one would load what was built, not what is tried here. */
function open(): ReturnType<typeof sqliteEngine> {
  return sqliteEngine(file, { onCallersThread: true });
}

function run(line: string): Promise<Ran> {
  return runIn(folder, line, { engine: open() });
}

async function makeInbox(): Promise<void> {
  const engine = open();
  await engine.open({ note: () => {} });
  await engine.accept([deliveryOf({ id: "evt_1" }, Date.now())]);
  await engine.close();
}

describe("hookgate events on a file", () => {
  it("H22: works while the app has the file open", async () => {
    const app = open();
    await app.open({ note: () => {} });
    try {
      await app.accept([
        deliveryOf({ id: "evt_1", tasks: [{ handler: "ship", dead }] }, Date.now()),
        deliveryOf({ id: "evt_2", tasks: tasks("ship") }, Date.now()),
      ]);
      const listed = await run(`events list ${db} --state dead`);
      expect(listed).toMatchObject({ code: 0, out: expect.stringMatching(/evt_1 .* ship dead/) });
      expect(listed.out).not.toMatch(/evt_2/);
      expect(await run(`events replay evt_1 ${db} --yes`)).toMatchObject({ code: 0 });
      expect(await app.stats({})).toMatchObject({ dead: 0, waiting: 2 });
      expect(await run(`events drop ${db} --all --yes`)).toMatchObject({ code: 0 });
      expect(await app.stats({})).toMatchObject({ waiting: 0 });
    } finally {
      await app.close();
    }
  });

  it("makes no inbox in a database of something else", async () => {
    sql("CREATE TABLE accounts(name TEXT)");
    const untouched = digest();
    expect(await runIn(folder, `events list ${db}`)).toMatchObject({
      code: 1,
      out: "",
      err: expect.stringMatching(/^hookgate: hooks\.db: the file holds no inbox.*\n$/),
    });
    expect([digest(), readdirSync(folder)]).toEqual([untouched, ["hooks.db"]]);
  });

  it("H14: says in one line that a file is no database, or corrupt, and leaves it", async () => {
    writeFileSync(
      file,
      "This is a letter, and long enough to be read as the head of a database file.".repeat(10),
    );
    const letter = digest();
    expect(await runIn(folder, `events list ${db}`)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^hookgate: hooks\.db: [^\n]*is not a SQLite database[^\n]*\n$/),
    });
    expect(digest()).toBe(letter);
    rmSync(file);
    await makeInbox();
    sql("PRAGMA wal_checkpoint(TRUNCATE)");
    const bytes = readFileSync(file);
    bytes.fill(0xa5, 4096, 4096 * 6);
    writeFileSync(file, bytes);
    const corrupt = digest();
    expect(await runIn(folder, `events list ${db}`)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^hookgate: hooks\.db: [^\n]*(corrupt|malformed)[^\n]*\n$/),
    });
    expect(digest()).toBe(corrupt);
  });

  it("H18: leaves the file of a newer version alone", async () => {
    await makeInbox();
    sql("INSERT INTO hookgate_ledger(version) VALUES (99)");
    expect(await runIn(folder, `events list ${db}`)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^hookgate: hooks\.db: [^\n]*newer hookgate[^\n]*\n$/),
    });
  });

  it("H12: says in one line that another process holds the file", async () => {
    await makeInbox();
    const other = loadDriver()(file, { readOnly: false });
    other.exec("BEGIN IMMEDIATE; UPDATE hookgate_meta SET value = value");
    try {
      expect(await run(`events list ${db}`)).toMatchObject({ code: 0 });
      expect(await run(`events drop evt_1 ${db} --yes`)).toMatchObject({
        code: 1,
        err: expect.stringMatching(/\nhookgate: hooks\.db: [^\n]*locked[^\n]*\n$/),
      });
    } finally {
      other.exec("ROLLBACK");
      other.close();
    }
    expect(await run(`events drop evt_1 ${db} --yes`)).toMatchObject({ code: 0 });
  });
});
