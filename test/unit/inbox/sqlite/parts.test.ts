import { describe, expect, it } from "@jest/globals";
import { StoreClock } from "../../../../src/inbox/sqlite/clocks.js";
import { sqliteEngine } from "../../../../src/inbox/sqlite/index.js";
import { fromStored, toStored } from "../../../../src/inbox/sqlite/query-context.js";
import { openTransaction } from "../../../../src/inbox/sqlite/user-writes.js";

describe("text of strangers", () => {
  it.each(["plain", "", "nul\0x", "nul\0y", "\ud800", "\ud801", "\u0001mark", '\u0001"mark"', "😀"])(
    "E20: %j comes back as it was, in a form without NUL and lone surrogates",
    (text) => {
      const stored = toStored(text);
      expect(fromStored(stored)).toBe(text);
      expect(Buffer.from(stored).toString()).toBe(stored);
      expect(stored).not.toContain("\0");
    },
  );
});

describe("the store's clock", () => {
  it("H15: goes by the monotonic clock, follows one that is ahead, and never goes back", () => {
    let monotonicMs = 100;
    const clock = new StoreClock(1_000, () => monotonicMs);
    monotonicMs += 50;
    expect(clock.now()).toBe(1_050);
    clock.follow(900);
    expect(clock.now()).toBe(1_050);
    clock.follow(5_000);
    monotonicMs += 1;
    expect(clock.now()).toBe(5_001);
  });
});

describe("tx.run", () => {
  it("records statements that write rows, with values of its own", () => {
    const { tx, writes } = openTransaction();
    const bytes = new Uint8Array([1]);
    tx.run("-- why\n/* how */ insert into t values (?, ?, ?, ?, ?)", ["a", 1, 2n, true, bytes]);
    tx.run("WITH x AS (SELECT 1) UPDATE t SET a = 1", [null, false]);
    bytes[0] = 9;
    expect(writes.map(({ params }) => params)).toEqual([
      ["a", 1, 2n, 1, new Uint8Array([1])],
      [null, 0],
    ]);
  });

  it.each(["COMMIT", "ROLLBACK", "SELECT 1", "PRAGMA x", "", "-- insert", "insertion", "ATTACH 'x' AS y"])(
    "refuses %j: it would end the transaction of others, or writes nothing",
    (sql) => expect(() => openTransaction().tx.run(sql)).toThrow(TypeError),
  );

  it.each([[["a\0b"]], [[undefined]], [[{}]], ["x"]])(
    "refuses values that SQLite does not store: %j",
    (params) => {
      expect(() => openTransaction().tx.run("INSERT INTO t VALUES (?)", params as never)).toThrow(TypeError);
    },
  );
});

describe("sqliteEngine", () => {
  it.each([
    ["", {}],
    [":memory:", { setup: "x" }],
    ["file:x.db", {}],
    ["x.db", { setup: "CREATE TABLE t(a)" }],
    ["x.db", { setup: [1] }],
    ["x.db", { busyTimeout: "-1s" }],
    ["x.db", { busyTimeout: 5 }],
    ["x.db", { onCallersThread: "yes" }],
  ])("refuses %j with %j", (path, options) => {
    expect(() => sqliteEngine(path, options as never)).toThrow(TypeError);
  });
});
