/** The parts of the engine on a file that run beside it: the store's thread, and the processes for queries and copies. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { CopyHost, restoreFile } from "../../src/inbox/sqlite/backup.js";
import { loadDriver } from "../../src/inbox/sqlite/driver.js";
import { ThreadHost } from "../../src/inbox/sqlite/hosts.js";
import { packDeliveries } from "../../src/inbox/sqlite/protocol.js";
import { parseRead, QueryHost } from "../../src/inbox/sqlite/user-queries.js";
import { buildSources } from "../support/built-sources.js";
import { newDelivery } from "../support/inbox-parts.js";

let built: Awaited<ReturnType<typeof buildSources>>;
const program = (name: string): URL => pathToFileURL(join(built.folder, "inbox/sqlite", name));
beforeAll(async () => {
  built = await buildSources();
});
afterAll(() => built.remove());

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hookgate-programs-"));
  file = join(folder, "hooks.db");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const times = { wallMs: 1_000, storeMs: 1_000 };
const options = (path: string) => ({ path, readOnly: false, busyTimeoutMs: 2_000, setup: [] });

/** Makes the file of an inbox with these events. */
async function fill(...ids: readonly string[]): Promise<void> {
  const host = new ThreadHost(options(file), undefined, program("thread.js"));
  await host.open();
  const [reply] = await host.send([packDeliveries(ids.map((id) => newDelivery(id)))], times);
  expect(reply?.ok).toBe(true);
  await host.close();
}

describe("the store's thread", () => {
  it("answers requests, tells errors of SQLite by their code, and closes the file", async () => {
    await fill("a", "b");
    const host = new ThreadHost(options(file), undefined, program("thread.js"));
    expect(await host.open()).toEqual(expect.any(Number));
    const replies = await host.send(
      [
        packDeliveries([newDelivery("a")]),
        { op: "stats", receiver: undefined },
        { op: "get", recordId: "rec_2" },
      ],
      times,
    );
    expect(replies).toMatchObject([
      { ok: true, value: [{ status: "duplicate" }] },
      { ok: true },
      { ok: true, value: { id: "b", delivery: { rawBody: expect.any(Uint8Array) } } },
    ]);
    await host.close();
    await host.close();
    await expect(host.send([{ op: "stats", receiver: undefined }], times)).rejects.toThrow("ended");
    expect(existsSync(`${file}-wal`)).toBe(false);
  });

  it("rejects with the reason where the file cannot be opened", async () => {
    const host = new ThreadHost(options(folder), undefined, program("thread.js"));
    await expect(host.open()).rejects.toThrow(/is a folder/);
  });

  it("gives up what was asked when it is abandoned", async () => {
    await fill("a");
    const host = new ThreadHost(options(file), undefined, program("thread.js"));
    await host.open();
    const asked = host.send([{ op: "stats", receiver: undefined }], times).catch(String);
    await host.abandon();
    expect(await asked).toBe("Error: the engine was closed");
    await expect(host.send([{ op: "stats", receiver: undefined }], times)).rejects.toThrow("closed");
  });
});

describe("the process for queries", () => {
  const read = (host: QueryHost, sql: string, timeout: "5s" | "100ms" = "5s") => {
    const { query, timeoutMs } = parseRead(sql, [], { timeout });
    return host.read(query, timeoutMs);
  };
  const endless = "WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";

  it("answers one query after the other, and is replaced when one runs out of time", async () => {
    await fill("a", "b");
    const host = new QueryHost(file, program("query-process.js"));
    const count = "SELECT count(*) AS count FROM hookgate_events";
    const [counted, failed, late, after] = await Promise.all([
      read(host, count),
      read(host, "SELECT * FROM absent").catch(String),
      read(host, endless, "100ms").catch(String),
      read(host, count),
    ]);
    expect([counted, after]).toEqual([[{ count: 2 }], [{ count: 2 }]]);
    expect(failed).toContain("no such table: absent");
    expect(late).toContain("ran longer than 100 ms");
    await expect(read(host, "SELECT zeroblob(70000000)")).rejects.toThrow("64 MiB");
    const [running, waiting] = [read(host, endless).catch(String), read(host, count).catch(String)];
    host.close();
    expect([await running, await waiting]).toEqual([
      "Error: the engine was closed",
      "Error: the engine was closed",
    ]);
  });

  it("is named where its file is missing, and where it ends by itself", async () => {
    const missing = new QueryHost(file, program("absent.js"));
    await expect(read(missing, "SELECT 1")).rejects.toThrow(
      /engine\.read starts a process from .*absent\.js/,
    );
    // A program that ends without an answer.
    const ending = new QueryHost(file, program("task-state.js"));
    await expect(read(ending, "SELECT 1")).rejects.toThrow(Error);
    ending.close();
  });
});

describe("the process for copies", () => {
  it("makes a copy that can be restored, and says why it did not make one", async () => {
    await fill("a", "b");
    const host = new CopyHost(file, program("copy-process.js"));
    const copy = join(folder, "copy.db");
    expect(await host.copy(copy)).toMatchObject({ path: copy, sizeBytes: expect.any(Number) });
    await expect(host.copy(copy)).rejects.toThrow("exists already");
    const open = loadDriver();
    const target = join(folder, "restored.db");
    expect(restoreFile({ open, copy, target, setAside: undefined })).toMatchObject({ replaced: false });
    const setAside = join(folder, "before.db");
    expect(restoreFile({ open, copy, target, setAside })).toMatchObject({ replaced: true });
    expect(() => restoreFile({ open, copy, target, setAside })).toThrow("exists already");
    expect(existsSync(setAside)).toBe(true);
  });

  it("leaves nothing of a copy whose process ended or was ended", async () => {
    await fill("a");
    const host = new CopyHost(file, program("copy-process.js"));
    const made = host.copy(join(folder, "copy.db")).catch(String);
    host.end();
    expect(await made).toBe("Error: the engine was closed");
    await expect(new CopyHost(file, program("absent.js")).copy(join(folder, "b.db"))).rejects.toThrow(
      /inbox\.backup starts a process from .*absent\.js/,
    );
    expect(readdirSync(folder).filter((name) => !name.startsWith("hooks.db"))).toEqual([]);
  });
});
