import { describe, expect, it } from "@jest/globals";
import type { InboxEngine, NewDelivery } from "hookgate/engine";
import { type SqliteTransaction, sqliteEngine } from "hookgate/sqlite";
import { memoryEngine } from "hookgate/testing";
import { loadDriver, type SqliteDatabase } from "../../../../src/inbox/sqlite/driver.js";
import { createMemoryEngine } from "../../../../src/inbox/sqlite/engine.js";
import { MemoryHost } from "../../../../src/inbox/sqlite/hosts.js";
import { deliveryOf, eventOf } from "../../../../src/testing/engine-conformance/scene.js";
import { until } from "../../../support/inbox-scene.js";

const silent = { note: () => undefined };

async function opened<Engine extends InboxEngine<SqliteTransaction>>(engine: Engine): Promise<Engine> {
  await engine.open(silent);
  return engine;
}

async function statusOf(
  engine: InboxEngine<SqliteTransaction>,
  delivery: NewDelivery,
): Promise<string | undefined> {
  return (await engine.accept([delivery]))[0]?.status;
}

describe('sqliteEngine(":memory:")', () => {
  it("promises what one connection in memory can: neither durable nor shared", () => {
    for (const engine of [sqliteEngine(":memory:"), memoryEngine()]) {
      expect(engine.capabilities).toEqual({
        durable: false,
        shared: false,
        atomicEffects: true,
        ordered: true,
        search: true,
      });
    }
    expect([sqliteEngine(":memory:").forTests, memoryEngine().forTests]).toEqual([false, true]);
  });

  it("keeps its content when it is closed and opened again, and shares it with no other engine", async () => {
    const engine = await opened(sqliteEngine(":memory:"));
    await engine.accept([deliveryOf([eventOf("one")])]);
    await engine.close();
    await expect(engine.list({})).rejects.toThrow("not open");
    await expect(engine.accept([])).rejects.toThrow("not open");
    await opened(engine);
    expect((await engine.list({})).items.map(({ id }) => id)).toEqual(["one"]);
    expect((await (await opened(sqliteEngine(":memory:"))).list({})).items).toEqual([]);
  });

  it("runs the statements of setup once, and commits what tx.run writes", async () => {
    // Without IF NOT EXISTS: a second run would fail.
    const engine = await opened(memoryEngine({ setup: ["CREATE TABLE mine(x UNIQUE)"] }));
    await engine.close();
    await opened(engine);
    await engine.accept([deliveryOf([eventOf("one"), eventOf("two")])]);
    const outcomes: string[] = [];
    const consumer = engine.consume({
      receiver: "receiver",
      handlers: new Map([["a", { concurrency: 1, maxAttempts: 1, onDeadLetter: "continue" }]]),
      leaseMs: 60_000,
      run: async (_task, lease) => {
        const written = lease.complete((tx) => tx.run("INSERT INTO mine VALUES (1)"));
        outcomes.push(
          await written.then(
            () => "written",
            (error: Error) => error.message,
          ),
        );
        return { outcome: "dead", error: { name: "Error", message: "no" } };
      },
      settled: () => undefined,
    });
    await until(() => outcomes.length === 2);
    await consumer.stop();
    expect(outcomes).toEqual(["written", expect.stringContaining("UNIQUE")]);
  });

  it("H13: is an error for good behind an error that leaves its connection in doubt, and no empty store", async () => {
    let fails = false;
    const open = loadDriver();
    const engine = await opened(
      createMemoryEngine([], {
        makeHost: (options) =>
          new MemoryHost(options, (...given) => {
            const db: SqliteDatabase = open(...given);
            return {
              exec: (sql) => db.exec(sql),
              close: () => db.close(),
              prepare: (sql) => {
                const statement = db.prepare(sql);
                if (sql !== "COMMIT") return statement;
                return {
                  ...{ get: statement.get, all: statement.all },
                  run: () => {
                    if (fails) throw Object.assign(new Error("disk I/O error"), { errcode: 10 });
                    return statement.run();
                  },
                };
              },
            };
          }),
      }),
    );
    await engine.accept([deliveryOf([eventOf("one")])]);
    fails = true;
    await expect(engine.accept([deliveryOf([eventOf("two")])])).rejects.toThrow("disk I/O error");
    fails = false;
    const gone = "the inbox in memory failed, and its data is lost: disk I/O error";
    await expect(engine.accept([deliveryOf([eventOf("three")])])).rejects.toThrow(gone);
    await expect(engine.list({})).rejects.toThrow(gone);
    await engine.close();
    await expect(engine.open(silent)).rejects.toThrow(gone);
  });
});

describe("memoryEngine", () => {
  it("goes by the clock it is given: due times, dates, remembered ids", async () => {
    let now = 1_000_000;
    const engine = await opened(memoryEngine({ now: () => now }));
    const delivery = deliveryOf([eventOf("one")], { rememberMs: 500 });
    await engine.accept([delivery]);
    expect((await engine.list({})).items[0]?.acceptedAtMs).toBe(1_000_000);
    let runs = 0;
    const settled: string[] = [];
    const consumer = engine.consume({
      receiver: "receiver",
      handlers: new Map([["a", { concurrency: 1, maxAttempts: 9, onDeadLetter: "continue" }]]),
      leaseMs: 60_000,
      run: async () => {
        runs++;
        const error = { name: "E", message: "m" };
        return runs === 1 ? { outcome: "retry", delayMs: 3_600_000, error } : { outcome: "done" };
      },
      settled: ({ event, verdict }) => settled.push(`${event.id} ${verdict.outcome}`),
    });
    await until(() => settled.length === 1);
    expect((await engine.list({})).items[0]?.tasks[0]?.dueAtMs).toBe(4_600_000);
    now += 499;
    expect(await statusOf(engine, delivery)).toBe("duplicate");
    now += 1;
    expect(await statusOf(engine, delivery)).toBe("stored");
    await until(() => settled.length === 2);
    expect(runs).toBe(2);
    now += 3_600_000;
    await until(() => settled.length === 3);
    expect(settled).toEqual(["one retry", "one done", "one done"]);
    await consumer.stop();
  });

  it("refuses options that it cannot go by", () => {
    expect(() => memoryEngine({ now: 5 as unknown as () => number })).toThrow("memoryEngine.now");
    expect(() => memoryEngine({ setup: "x" as unknown as string[] })).toThrow("memoryEngine.setup");
    expect(() => memoryEngine({ clock: 1 } as object)).toThrow("clock");
  });

  it("H19: purge forgets ids and tokens that need not be known any more", async () => {
    let now = 0;
    const engine = await opened(memoryEngine({ now: () => now }));
    const delivery = deliveryOf([eventOf("one", [])], {
      rememberMs: 10,
      tokenUse: { tokenId: "token", expiresAtMs: 10, delivery: "one" },
    });
    await engine.accept([delivery]);
    expect(await engine.purge({ state: "done", limit: 10 })).toBe(1);
    now = 10 * 3_600_000;
    await engine.purge({ state: "done", limit: 10 });
    const again = { ...delivery, tokenUse: { tokenId: "token", expiresAtMs: now + 10, delivery: "two" } };
    expect(await statusOf(engine, again)).toBe("stored");
  });
});
