/** Copies of an inbox's file: made while it is in use, put back, moved, and the file without the room of what was purged. */
import { type ChildProcess, spawn } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readdirSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import type { InboxEngine } from "hookgate/engine";
import { memoryEngine } from "hookgate/testing";
import { sqliteEngine } from "../../src/inbox/sqlite/index.js";
import { buildSources } from "../support/built-sources.js";
import { idleEngine, newDelivery } from "../support/inbox-parts.js";
import { createInboxScene, type InboxScene, until } from "../support/inbox-scene.js";
import { runIn } from "../unit/cli/events/scene.js";
import { openDatabase, tablesOf, withDatabase, writeVersion1 } from "./version-1.js";

let built: Awaited<ReturnType<typeof buildSources>>;
let threaded: typeof sqliteEngine;
beforeAll(async () => {
  built = await buildSources();
  const url = pathToFileURL(join(built.folder, "inbox/sqlite/index.js")).href;
  ({ sqliteEngine: threaded } = await import(url));
});
afterAll(() => built.remove());

let scene: InboxScene;
let file: string;
let folder: string;
const processes: ChildProcess[] = [];
beforeEach(() => {
  scene = createInboxScene();
  file = scene.file();
  folder = dirname(file);
});
afterEach(async () => {
  for (const child of processes.splice(0)) {
    await killed(child);
  }
  await scene.end();
});

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await exited;
}

const body = (id: string) => ({ type: "order.paid", id });
const idsIn = (path: string): string[] =>
  withDatabase(path, (db) => db.prepare("SELECT id FROM hookgate_events ORDER BY event").all()).map(
    (row) => (row as { readonly id: string }).id,
  );

/** The command line in a process of its own. */
function cli(...args: readonly string[]): Promise<{ code: number | null; err: string }> {
  const child = spawn(process.execPath, [join(built.folder, "cli/main.js"), ...args], { cwd: folder });
  processes.push(child);
  let err = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    err += text;
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, err })));
}

/** A process that has the file open as an app has. */
async function startApp(): Promise<ChildProcess> {
  const program = `
    const { sqliteEngine } = await import(${JSON.stringify(pathToFileURL(join(built.folder, "inbox/sqlite/index.js")).href)});
    const engine = sqliteEngine("hooks.db");
    await engine.open({ note: () => {} });
    process.send("open");
    process.on("message", async () => { await engine.close(); process.exit(0); });`;
  const child = spawn(process.execPath, ["--input-type=module", "--no-warnings", "-e", program], {
    cwd: folder,
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  processes.push(child);
  await new Promise((resolve) => child.once("message", resolve));
  return child;
}

async function stopApp(child: ChildProcess): Promise<void> {
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.send("stop");
  await exited;
}

/** Makes the file of an inbox with these events. */
async function fill(...ids: readonly string[]): Promise<void> {
  const engine = threaded(file);
  await engine.open({ note: () => undefined });
  await engine.accept(ids.map((id) => newDelivery(id)));
  await engine.close();
}

describe("receiver.inbox.backup", () => {
  it("H17: does not hold up the end of the receiver; nothing is left of a copy that was not made", async () => {
    await fill("a");
    const engine = threaded(file);
    const receiver = scene.receiver({ engine, inbox: { workers: false } });
    receiver.on("order.paid", () => undefined);
    await receiver.start();
    const copy = join(folder, "copy.db");
    const made = receiver.inbox.backup(copy).catch(String);
    await receiver.close();
    expect(await made).toBe("Error: the engine was closed");
    expect(readdirSync(folder).filter((name) => /copy|partial/.test(name))).toEqual([]);
  });

  it("copies everything that was accepted before, while deliveries come in", async () => {
    const receiver = scene.receiver({ engine: threaded(file), inbox: { workers: false } });
    receiver.on("order.paid", () => undefined);
    await receiver.start();
    for (let at = 0; at < 20; at++)
      expect((await scene.send(receiver, body(`before-${at}`))).status).toBe(202);
    let over = false;
    const copy = join(folder, "copy.db");
    const made = receiver.inbox.backup(copy).finally(() => {
      over = true;
    });
    let meanwhile = 0;
    while (!over) expect((await scene.send(receiver, body(`meanwhile-${meanwhile++}`))).status).toBe(202);
    const { path, sizeBytes } = await made;
    expect({ path, sizeBytes, mode: statSync(copy).mode & 0o777 }).toEqual({
      path: copy,
      sizeBytes: statSync(copy).size,
      mode: 0o600,
    });
    expect(idsIn(copy)).toEqual(
      expect.arrayContaining(Array.from({ length: 20 }, (_, at) => `before-${at}`)),
    );
    expect(meanwhile).toBeGreaterThan(1);
    expect(readdirSync(folder).filter((name) => name.includes("partial"))).toEqual([]);
    // It is an inbox like any other.
    const other = scene.receiver({ engine: threaded(copy) });
    const ran: string[] = [];
    other.on("order.paid", (event) => void ran.push(event.id));
    await other.start();
    await until(() => ran.length >= 20);
  });

  it("never writes to a file that is there, nor under a name that SQLite uses itself", async () => {
    const receiver = scene.receiver({ engine: threaded(file) });
    await receiver.start();
    const copy = join(folder, "copy.db");
    writeFileSync(copy, "mine");
    await expect(receiver.inbox.backup(copy)).rejects.toThrow(/copy\.db exists already/);
    await expect(receiver.inbox.backup(file)).rejects.toThrow(/hooks\.db exists already/);
    await expect(receiver.inbox.backup(`${file}-journal`)).rejects.toThrow(/take another one/);
    writeFileSync(join(folder, "old.db-wal"), "left");
    await expect(receiver.inbox.backup(join(folder, "old.db"))).rejects.toThrow(/old\.db-wal exists without/);
    await expect(receiver.inbox.backup(join(folder, "no/copy.db"))).rejects.toThrow(
      /its folder does not exist/,
    );
    expect(statSync(copy).size).toBe(4);
    expect(readdirSync(folder).filter((name) => name.includes("partial"))).toEqual([]);
    expect((await scene.send(receiver, body("e1"))).status).toBe(202);
  });

  it("copies a store in memory, which goes on", async () => {
    const engine = memoryEngine();
    const receiver = scene.receiver({ engine: engine as never, inbox: { workers: false } });
    await receiver.start();
    await scene.send(receiver, body("e1"));
    const copy = join(folder, "copy.db");
    await receiver.inbox.backup(copy);
    await expect(receiver.inbox.backup(copy)).rejects.toThrow(/exists already/);
    expect(idsIn(copy)).toEqual(["e1"]);
    expect((await scene.send(receiver, body("e1"))).status).toBe(200);
  });

  it("is refused by name where the engine has none, without an inbox, and before the start", async () => {
    const bare: InboxEngine = idleEngine();
    const receiver = scene.receiver({ engine: bare as never });
    await expect(receiver.inbox.backup("copy.db")).rejects.toThrow(/not open/);
    await receiver.start();
    await expect(receiver.inbox.backup("copy.db")).rejects.toThrow(
      new TypeError("the inbox's engine has no backup; use the store's own tools"),
    );
    await expect(receiver.inbox.backup(7 as never)).rejects.toThrow(TypeError);
  });
});

describe("hookgate backup", () => {
  it("copies a file that an app has open, of whatever version", async () => {
    writeVersion1(file);
    const before = tablesOf(file);
    const app = openDatabase(file, { readOnly: false });
    try {
      const ran = await runIn(folder, "backup hooks.db copy.db");
      expect(ran).toMatchObject({
        code: 0,
        err: expect.stringMatching(/^copy\.db: \d+ KB, copied and checked in/),
      });
    } finally {
      app.close();
    }
    expect(tablesOf(join(folder, "copy.db"))).toEqual(before);
    expect(tablesOf(file)).toEqual(before);
  });

  it("says in one line what it does not do, and makes nothing", async () => {
    await fill("e1");
    writeFileSync(join(folder, "letter.txt"), "Dear database, ".repeat(100));
    writeFileSync(join(folder, "there.db"), "x");
    withDatabase(join(folder, "other.db"), (db) => db.exec("CREATE TABLE accounts(name TEXT)"));
    const before = readdirSync(folder);
    for (const [line, message] of [
      ["backup no.db copy.db", /^hookgate: there is no file "no\.db"; nothing was made\n$/],
      ["backup letter.txt copy.db", /^hookgate: letter\.txt: .*not a database.*\n$/],
      ["backup other.db copy.db", /^hookgate: other\.db: the file holds no inbox\n$/],
      [
        "backup hooks.db there.db",
        /^hookgate: hooks\.db: .*there\.db exists already; nothing was written to it\n$/,
      ],
      ["backup hooks.db no/copy.db", /^hookgate: hooks\.db: .*its folder does not exist\n$/],
    ] as const) {
      expect(await runIn(folder, line)).toMatchObject({
        code: 1,
        out: "",
        err: expect.stringMatching(message),
      });
    }
    for (const line of ["backup", "backup hooks.db", "backup a b c", "backup --to x hooks.db"]) {
      expect((await runIn(folder, line)).code).toBe(2);
    }
    expect(readdirSync(folder).filter((name) => !/-(wal|shm)$/.test(name))).toEqual(
      before.filter((name) => !/-(wal|shm)$/.test(name)),
    );
  });
});

describe("hookgate restore", () => {
  it("puts a copy where no file is: the same rows, for its owner alone", async () => {
    await fill("e1", "e2");
    await cli("backup", "hooks.db", "copy.db");
    const ran = await runIn(folder, "restore copy.db other.db");
    expect(ran).toMatchObject({
      code: 0,
      err: expect.stringMatching(/^other\.db: \d+ KB, restored and checked\.\n$/),
    });
    expect(tablesOf(join(folder, "other.db"))).toEqual(tablesOf(join(folder, "copy.db")));
    expect(statSync(join(folder, "other.db")).mode & 0o777).toBe(0o600);
  });

  it("is refused while a process has the file open; then it keeps that file under another name", async () => {
    await fill("e1");
    await cli("backup", "hooks.db", "copy.db");
    await fill("e2");
    expect(await runIn(folder, "restore copy.db hooks.db")).toMatchObject({
      code: 1,
      err: 'hookgate: "hooks.db" exists; with --replace it is kept under another name\n',
    });
    const app = await startApp();
    const refusal = await cli("restore", "copy.db", "hooks.db", "--replace");
    expect(refusal).toMatchObject({
      code: 1,
      err: expect.stringMatching(/hooks\.db is in use; stop every process/),
    });
    await stopApp(app);
    const done = await cli("restore", "copy.db", "hooks.db", "--replace");
    expect(done).toMatchObject({
      code: 0,
      err: expect.stringMatching(/What was there is (hooks\.db\.replaced-\w+) now/),
    });
    const kept = /What was there is (\S+) now/.exec(done.err)?.[1] ?? "";
    expect(idsIn(file)).toEqual(["e1"]);
    expect(idsIn(join(folder, kept))).toEqual(["e1", "e2"]);
    expect(existsSync(`${file}-wal`)).toBe(false);
  });

  it("brings in what a killed process left in the log before it keeps the file", async () => {
    await fill("e1");
    await cli("backup", "hooks.db", "copy.db");
    const app = await startApp();
    withDatabase(file, (db) => db.exec("UPDATE hookgate_events SET id = 'written late'"));
    await killed(app);
    expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
    const done = await cli("restore", "copy.db", "hooks.db", "--replace");
    const kept = /What was there is (\S+) now/.exec(done.err)?.[1] ?? "";
    expect(idsIn(join(folder, kept))).toEqual(["written late"]);
    expect(idsIn(file)).toEqual(["e1"]);
  });

  it("takes no copy that is corrupt, newer, or none of an inbox, and leaves the file", async () => {
    await fill(...Array.from({ length: 200 }, (_, at) => `e${at}`));
    await cli("backup", "hooks.db", "corrupt.db");
    copyFileSync(join(folder, "corrupt.db"), join(folder, "newer.db"));
    const bytes = Buffer.alloc(4096 * 3, 0xa5);
    withFile(join(folder, "corrupt.db"), bytes, 4096 * 4);
    withDatabase(join(folder, "newer.db"), (db) =>
      db.exec("INSERT INTO hookgate_ledger(version) VALUES (99)"),
    );
    withDatabase(join(folder, "other.db"), (db) => db.exec("CREATE TABLE accounts(name TEXT)"));
    const before = idsIn(file);
    for (const [copy, message] of [
      ["corrupt.db", /corrupt|malformed/],
      ["newer.db", /newer hookgate/],
      ["other.db", /holds no inbox/],
      ["hooks.db", /the copy and the file are the same/],
      ["no.db", /there is no file/],
    ] as const) {
      const ran = await cli("restore", copy, "hooks.db", "--replace");
      expect(ran).toMatchObject({ code: 1, err: expect.stringMatching(message) });
      expect(ran.err.trim().split("\n")).toHaveLength(1);
    }
    expect(idsIn(file)).toEqual(before);
    expect(readdirSync(folder).filter((name) => /partial|replaced/.test(name))).toEqual([]);
  });

  it("says what to do where the file is damaged, or where its log is there without it", async () => {
    await fill("e1");
    await cli("backup", "hooks.db", "copy.db");
    writeFileSync(join(folder, "damaged.db"), "x".repeat(8192));
    expect(await cli("restore", "copy.db", "damaged.db", "--replace")).toMatchObject({
      code: 1,
      err: expect.stringMatching(/damaged\.db is damaged.* stop the app, move .* away, and restore again/),
    });
    writeFileSync(join(folder, "gone.db-wal"), "left");
    expect(await cli("restore", "copy.db", "gone.db")).toMatchObject({
      code: 1,
      err: expect.stringMatching(/gone\.db-wal exists without its database/),
    });
  });
});

/** Overwrites a part of a file. */
function withFile(path: string, bytes: Buffer, at: number): void {
  const descriptor = openSync(path, "r+");
  writeSync(descriptor, bytes, 0, bytes.length, at);
  closeSync(descriptor);
}

describe("hookgate events compact", () => {
  it("gives the room of purged events back, and keeps the rest", async () => {
    const engine = sqliteEngine(file, { onCallersThread: true });
    await engine.open({ note: () => undefined });
    const big = (id: string) => newDelivery(id, { rawBody: Buffer.alloc(100_000, 120) });
    for (let at = 0; at < 30; at++) {
      const delivery = big(`e${at}`);
      await engine.accept([
        { ...delivery, events: delivery.events.map((e) => ({ ...e, digest: "", tasks: [] })) },
      ]);
    }
    await engine.accept([newDelivery("kept")]);
    expect(await engine.purge({ state: "done", limit: 500 })).toBe(30);
    const compact = (more: string) =>
      runIn(folder, `events compact --db hooks.db ${more}`, {
        engine: sqliteEngine(file, { onCallersThread: true }) as never,
      });
    const ran = await compact("--json");
    expect(ran).toMatchObject({ code: 0, err: "" });
    const { beforeBytes, afterBytes } = JSON.parse(ran.out);
    expect(beforeBytes).toBeGreaterThan(3_000_000);
    expect(afterBytes).toBeLessThan(300_000);
    expect(statSync(file).size).toBe(afterBytes);
    expect((await engine.list({})).items.map(({ id }) => id)).toEqual(["kept"]);
    expect(await engine.accept([newDelivery("kept")])).toMatchObject([{ status: "duplicate" }]);
    expect(await compact("")).toMatchObject({
      code: 0,
      err: expect.stringMatching(/^\d+ KB before, \d+ KB now\.\n$/),
    });
    await engine.close();
  });

  it("is refused by name where the engine does so by itself", async () => {
    await fill("e1");
    expect(
      await runIn(folder, "events compact --db hooks.db", { engine: idleEngine() as never }),
    ).toMatchObject({
      code: 1,
      err: "hookgate: the store of this inbox compacts by itself\n",
    });
  });
});
