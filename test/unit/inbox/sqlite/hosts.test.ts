import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { loadDriver, type OpenDatabase, type SqliteDatabase } from "../../../../src/inbox/sqlite/driver.js";

import { EndFlag } from "../../../../src/inbox/sqlite/end-flag.js";
import { resultCode } from "../../../../src/inbox/sqlite/errors.js";
import { LocalHost } from "../../../../src/inbox/sqlite/hosts.js";
import type { Request } from "../../../../src/inbox/sqlite/protocol.js";
import { Store } from "../../../../src/inbox/sqlite/store.js";

let folder: string;
const ends: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hookgate-host-"));
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  rmSync(folder, { recursive: true, force: true });
});

const times = { wallMs: 0, storeMs: 0 };
const joining: Request = { op: "join", consumer: 1, receiver: "orders", leaseMs: 1_000, handlers: [] };
const stats: Request = { op: "stats", receiver: undefined };

const optionsOf = (busyTimeoutMs: number) => ({
  ...{ path: join(folder, "hooks.db"), readOnly: false, busyTimeoutMs, setup: [] },
});

async function openHost(busyTimeoutMs: number): Promise<LocalHost> {
  const host = new LocalHost(optionsOf(busyTimeoutMs));
  await host.open();
  ends.push(() => host.close());
  return host;
}

/** Another connection's transaction. Returns the function that ends it. */
function lock(): () => void {
  const db = loadDriver()(join(folder, "hooks.db"), { readOnly: false });
  db.exec("BEGIN IMMEDIATE");
  ends.push(() => db.close());
  return () => db.exec("COMMIT");
}

/** Tells of every statement before it runs. */
function listening(hear: (sql: string) => void): OpenDatabase {
  const open = loadDriver();
  return (path, options) => {
    const db = open(path, options);
    return {
      exec: (sql) => {
        hear(sql);
        db.exec(sql);
      },
      prepare: (sql) => {
        const statement = db.prepare(sql);
        const told =
          <Values extends readonly unknown[], Result>(call: (...values: Values) => Result) =>
          (...values: Values): Result => {
            hear(sql);
            return call(...values);
          };
        return {
          run: told(statement.run.bind(statement)),
          get: told(statement.get.bind(statement)),
          all: told(statement.all.bind(statement)),
        };
      },
      close: () => {
        hear("close");
        db.close();
      },
      open: () => db.open?.(),
    } satisfies SqliteDatabase;
  };
}

describe("a file that another process writes to", () => {
  it("waits for its transaction, and lets the event loop go on", async () => {
    const host = await openHost(60_000);
    const unlock = lock();
    const sent = host.send([joining, stats], times);
    await new Promise((resolve) => setTimeout(resolve, 1));
    unlock();
    expect((await sent).map(({ ok }) => ok)).toEqual([true, true]);
  });

  it("waits for it before the next message is carried out", async () => {
    const host = await openHost(60_000);
    const unlock = lock();
    const answered: string[] = [];
    const sent = [
      host.send([joining], times).then(() => answered.push("first")),
      host.send([stats], times).then(() => answered.push("second")),
    ];
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(answered).toEqual([]);
    unlock();
    await Promise.all(sent);
    expect(answered).toEqual(["first", "second"]);
  });

  it("gives up after the time that it was given; what needs no lock is carried out", async () => {
    const host = await openHost(10);
    lock();
    const [joined, counted] = await host.send([joining, stats], times);
    expect(joined).toMatchObject({ ok: false });
    expect(resultCode(joined?.ok === false && joined.error)).toBe(5);
    expect(counted).toMatchObject({ ok: true });
  });

  it("H17: is not waited for any more once the host is abandoned", async () => {
    const host = await openHost(86_400_000);
    lock();
    const sent = host.send([joining], times);
    await host.abandon();
    expect(await sent).toMatchObject([{ ok: false }]);
    expect(await host.send([stats], times)).toMatchObject([{ ok: false }]);
  });

  it("H17: is not waited for when it is opened, either", async () => {
    const holder = loadDriver()(join(folder, "hooks.db"), { readOnly: false });
    ends.push(() => holder.close());
    holder.exec("PRAGMA locking_mode = EXCLUSIVE; CREATE TABLE mine(a)");
    const host = new LocalHost(optionsOf(86_400_000));
    const opened = host.open();
    await host.abandon();
    await expect(opened).rejects.toThrow();
  });
});

describe("H17: a store whose time is up", () => {
  it.each([
    ["before it begins", (sql: string) => sql === "never", []],
    ["within a transaction", (sql: string) => sql.startsWith("INSERT"), ["BEGIN IMMEDIATE", "ROLLBACK"]],
    ["within a commit", (sql: string) => sql === "COMMIT", ["BEGIN IMMEDIATE", "COMMIT"]],
  ])("%s begins no further system call", (_when, isUp, expected) => {
    const end = new EndFlag();
    const heard: string[] = [];
    let going = false;
    const store = new Store(
      optionsOf(0),
      listening((sql) => {
        heard.push(sql);
        if (going && isUp(sql)) end.raise();
      }),
      { end },
    );
    store.open();
    heard.length = 0;
    going = true;
    if (expected.length === 0) end.raise();
    store.handle([joining], times);
    expect(store.handle([stats, joining], times)).toMatchObject([{ ok: false }, { ok: false }]);
    expect(heard.filter((sql) => /^(BEGIN|COMMIT|ROLLBACK|PRAGMA|close)/.test(sql))).toEqual(expected);
    store.close();
    // The log stays: what moved it into the file would sync twice.
    const db = loadDriver()(join(folder, "hooks.db"), { readOnly: true });
    ends.push(() => db.close());
    expect(db.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    const count = db.prepare("SELECT count(*) AS count FROM hookgate_consumers").get();
    expect(count).toEqual({ count: expected.includes("COMMIT") ? 1 : 0 });
  });
});
