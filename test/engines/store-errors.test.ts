/** What an operator reads where the inbox's file cannot be used: which file, why, and what to do. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { explainError, SqliteError } from "../../src/inbox/sqlite/errors.js";
import { sqliteEngine } from "../../src/inbox/sqlite/index.js";
import { buildSources } from "../support/built-sources.js";
import { newDelivery } from "../support/inbox-parts.js";
import { openDatabase } from "./version-1.js";

let built: Awaited<ReturnType<typeof buildSources>>;
beforeAll(async () => {
  built = await buildSources();
});
afterAll(() => built.remove());

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hookgate-errors-"));
});
afterEach(() => {
  chmodSync(folder, 0o755);
  rmSync(folder, { recursive: true });
});

async function open(path: string): Promise<ReturnType<typeof sqliteEngine>> {
  const engine = sqliteEngine(path, { onCallersThread: true, busyTimeout: "20ms" });
  await engine.open({ note: () => undefined });
  return engine;
}

async function messageOf(path: string): Promise<string> {
  try {
    await (await open(path)).close();
  } catch (error) {
    expect((error as Error).message.split("\n")).toHaveLength(1);
    return (error as Error).message;
  }
  throw new Error("it was opened");
}

/** What a user who is not root reads, whom modes bind. */
function messageForNobody(path: string): string {
  const program = `
    const { sqliteEngine } = await import(${JSON.stringify(pathToFileURL(join(built.folder, "inbox/sqlite/index.js")).href)});
    await sqliteEngine(${JSON.stringify(path)}).open({ note: () => {} }).catch((error) => console.log(error.message));
    process.exit();`;
  const user = process.geteuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const args = ["--input-type=module", "--no-warnings", "-e", program];
  const { stdout, stderr } = spawnSync(process.execPath, args, {
    ...user,
    encoding: "utf8",
    timeout: 20_000,
  });
  expect(stderr).toBe("");
  return stdout;
}

describe("an inbox's file that cannot be opened", () => {
  it("in a folder that is not there: names the folder, and how to make it", async () => {
    const path = join(folder, "data/hooks.db");
    expect((await messageOf(path)).replace("Failed to open database: ", "")).toBe(
      `the inbox's file ${path} cannot be opened: the folder ${join(folder, "data")} does not exist; create it (mkdir -p ${join(folder, "data")}) (SQLite: unable to open database file)`,
    );
  });

  it("that is a folder, or below a file", async () => {
    expect(await messageOf(folder)).toMatch(
      /^the inbox's file .* is a folder; give sqliteEngine the path of a file/,
    );
    writeFileSync(join(folder, "file"), "x");
    expect(await messageOf(join(folder, "file/hooks.db"))).toMatch(/file is a file, not a folder/);
  });

  it("that may not be written, or whose folder may not: names the user", async () => {
    const path = join(folder, "hooks.db");
    await (await open(path)).close();
    chmodSync(path, 0o444);
    chmodSync(folder, 0o777);
    expect(messageForNobody(path)).toMatch(
      /hooks\.db cannot be used: the user of this process \(uid \d+\) may not read and write it; change its owner or mode/,
    );
    chmodSync(folder, 0o555);
    expect(messageForNobody(join(folder, "new.db"))).toMatch(
      /may not write to the folder .*; change its owner or mode/,
    );
  });

  it("that is no database, or corrupt: it is left as it was", async () => {
    const path = join(folder, "hooks.db");
    writeFileSync(path, "Dear database, ".repeat(1_000));
    expect(await messageOf(path)).toMatch(
      /hooks\.db is not a SQLite database, and was left as it is; give sqliteEngine another path/,
    );
    expect(statSync(path).size).toBe(15_000);
    rmSync(path);
    const db = openDatabase(path, { readOnly: false });
    db.exec("CREATE TABLE t(a); CREATE INDEX i ON t(a); INSERT INTO t VALUES (1), (2)");
    db.close();
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0xa5, 4096, 8192));
    expect(await messageOf(path)).toMatch(
      /hooks\.db is corrupt, and was left as it is; stop the app, and restore a backup/,
    );
  });

  it("with an index that does not match its table: a task missing from an index would never run", async () => {
    const path = join(folder, "hooks.db");
    const db = openDatabase(path, { readOnly: false });
    db.exec("CREATE TABLE t(a); CREATE INDEX i ON t(a); INSERT INTO t VALUES ('an entry of the index')");
    db.close();
    const bytes = readFileSync(path);
    // The page of the index comes after that of its table.
    const at = bytes.lastIndexOf("an entry");
    writeFileSync(path, bytes.fill("at entry", at, at + 8));
    expect(await messageOf(path)).toMatch(/hooks\.db is corrupt, .*row 1 missing from index i/);
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });
});

describe("an inbox's file that fails while it is in use", () => {
  it("locked by another process: names it, and the option", async () => {
    const path = join(folder, "hooks.db");
    const engine = await open(path);
    const other = openDatabase(path, { readOnly: false });
    other.exec("BEGIN IMMEDIATE");
    await expect(engine.accept([newDelivery("e1")])).rejects.toMatchObject({
      name: "SqliteError",
      errcode: 5,
      message: expect.stringMatching(/hooks\.db is locked by another process; .*busyTimeout/),
    });
    other.exec("ROLLBACK");
    other.close();
    await engine.close();
  });

  it.each([
    [
      13,
      /cannot grow: the disk is full; free some space, and deliveries are accepted again \(SQLite: what SQLite says\)$/,
    ],
    [10, /could not be read or written: an input\/output error; check the disk/],
    [14, /cannot be opened for reading and writing; is the disk mounted read-only/],
    [8, /cannot be opened for reading and writing/],
  ])("result code %i: the reason and the fix", (code, message) => {
    const path = join(folder, "hooks.db");
    const explained = explainError(new SqliteError("what SQLite says", code), path);
    expect(explained).toMatchObject({ errcode: code, message: expect.stringMatching(message) });
    expect((explained as Error).message).toContain(path);
  });

  it("an error of a user's own statement stays as it is", () => {
    const error = new SqliteError("UNIQUE constraint failed: effects.id", 19);
    expect(explainError(error, "hooks.db")).toBe(error);
    expect(explainError("thrown", "hooks.db")).toBe("thrown");
  });
});

describe("a bundle that lost the thread's program", () => {
  it("names the file, and onCallersThread", async () => {
    const bundle = `${built.folder}-bundle`;
    try {
      mkdirSync(dirname(bundle), { recursive: true });
      cpSync(built.folder, bundle, { recursive: true, filter: (path) => !path.endsWith("/thread.js") });
      const { sqliteEngine: bundled }: typeof import("hookgate/sqlite") = await import(
        pathToFileURL(join(bundle, "inbox/sqlite/index.js")).href
      );
      const engine = bundled(join(folder, "hooks.db"));
      await expect(engine.open({ note: () => undefined })).rejects.toThrow(
        /the store's thread cannot start: .*sqlite\/thread\.js is missing, because a bundler left it out\. .*onCallersThread: true/,
      );
      const local = bundled(join(folder, "hooks.db"), { onCallersThread: true });
      await local.open({ note: () => undefined });
      await local.close();
    } finally {
      rmSync(bundle, { recursive: true, force: true });
    }
  });
});
