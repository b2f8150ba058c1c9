import { describe, expect, jest, test } from "@jest/globals";
import { memoryEngine } from "hookgate/testing";
import { Consumers } from "../../../src/engines/memory/consumers.js";
import { MemoryTaskSource } from "../../../src/engines/memory/source.js";
import { MemoryStore } from "../../../src/engines/memory/store.js";
import { deliveryOf, eventOf } from "../../../src/testing/engine-conformance-scene.js";

const policy = { concurrency: 5, maxAttempts: 2, deadHead: "skip" } as const;
const wants = [{ handler: "a", limit: 5 }];

/** Consumers of one store whose signs of life the test gives itself. */
function stage(now?: () => number) {
  const store = new MemoryStore(now);
  const consumers = new Consumers(store);
  let fence = 0;
  const join = (leaseMs = 1_000): MemoryTaskSource =>
    new MemoryTaskSource(
      store,
      consumers,
      { receiver: "receiver", handlers: new Map([["a", policy]]), leaseMs },
      () => ++fence,
    );
  return { store, join };
}

/** Sets the monotonic clock. */
function clockAt(): { at: number; restore(): void } {
  const clock = { at: 1_000, restore: () => spy.mockRestore() };
  const spy = jest.spyOn(performance, "now").mockImplementation(() => clock.at);
  return clock;
}

describe("leases in memory", () => {
  test("H07 H08: a silent consumer's tasks go to another, and its late steps are refused", async () => {
    const clock = clockAt();
    try {
      const { store, join } = stage(() => 0);
      store.accept([deliveryOf([eventOf("one")])]);
      const [silent, alive] = [join(), join()];
      const [first] = (await silent.claim(wants)).tasks;
      for (clock.at = 1_000; clock.at < 2_000; clock.at += 250) expect(await alive.heartbeat()).toBe(true);
      expect((await alive.claim(wants)).tasks).toEqual([]);
      clock.at = 2_000;
      await alive.heartbeat();
      const [second] = (await alive.claim(wants)).tasks;
      if (first === undefined || second === undefined) throw new Error("both claimed it");
      expect([first.attempt, second.attempt, second.fence > first.fence]).toEqual([1, 2, true]);
      const applied: string[] = [];
      expect(await silent.settle(first, { outcome: "done" })).toBe(false);
      expect(await silent.complete(first, [() => applied.push("late")])).toBe(false);
      expect(applied).toEqual([]);
      // It has lost what it had; from its next sign of life on it is one like any other.
      expect((await silent.claim(wants)).tasks).toEqual([]);
      expect(await silent.heartbeat()).toBe(false);
      expect(await silent.heartbeat()).toBe(true);
      expect(await alive.complete(second, [() => applied.push("own")])).toBe(true);
      expect(applied).toEqual(["own"]);
    } finally {
      clock.restore();
    }
  });

  test("H15: one that slept itself takes no other for dead", async () => {
    const clock = clockAt();
    try {
      const { store, join } = stage(() => 0);
      store.accept([deliveryOf([eventOf("one")])]);
      const [one, other] = [join(), join()];
      const [task] = (await one.claim(wants)).tasks;
      if (task === undefined) throw new Error("it was claimed");
      await other.heartbeat();
      // The process stood still for a minute; the other wakes first.
      clock.at += 60_000;
      await other.heartbeat();
      expect(await one.heartbeat()).toBe(true);
      expect(await one.settle(task, { outcome: "done" })).toBe(true);
    } finally {
      clock.restore();
    }
  });

  test("H09: attempts that came to no end count, until the task is a dead letter", async () => {
    const { store, join } = stage();
    store.accept([deliveryOf([eventOf("one")])]);
    for (const attempt of [1, 2]) {
      const source = join();
      expect((await source.claim(wants)).tasks.map((task) => task.attempt)).toEqual([attempt]);
      await source.leave();
    }
    const { tasks, dead } = await join().claim(wants);
    expect(tasks).toEqual([]);
    expect(dead).toMatchObject([{ recordId: "rec_1", attempt: 2, kept: true, verdict: { outcome: "dead" } }]);
  });

  test("H08: a claim is not good for the next run of its task by the same consumer", async () => {
    const { store, join } = stage();
    store.accept([deliveryOf([eventOf("one")])]);
    const source = join();
    const [first] = (await source.claim(wants)).tasks;
    if (first === undefined) throw new Error("it was claimed");
    expect(await source.settle(first, { outcome: "release" })).toBe(true);
    const [second] = (await source.claim(wants)).tasks;
    expect(second?.attempt).toBe(1);
    expect(await source.settle(first, { outcome: "done" })).toBe(false);
  });
});

describe("memoryEngine", () => {
  test("goes by the clock it is given: due times, dates, remembered ids", async () => {
    let now = 1_000_000;
    const { store, join } = stage(() => now);
    const delivery = deliveryOf([eventOf("one")], { rememberMs: 500 });
    store.accept([delivery]);
    const source = join();
    const [task] = (await source.claim(wants)).tasks;
    if (task === undefined) throw new Error("it was claimed");
    const error = { name: "E", message: "m" };
    await source.settle(task, { outcome: "retry", delayMs: 3_600_000, error });
    expect(await source.claim(wants)).toMatchObject({ tasks: [], nextDueMs: 3_600_000 });
    now += 499;
    expect(store.accept([delivery])[0]?.status).toBe("duplicate");
    now += 1;
    expect(store.accept([delivery])[0]?.status).toBe("stored");
    now += 3_600_000;
    expect((await source.claim(wants)).tasks).toHaveLength(2);
  });

  test("refuses a now that is no function, and every call while it is closed", async () => {
    expect(() => memoryEngine({ now: 5 as unknown as () => number })).toThrow(TypeError);
    const engine = memoryEngine();
    await expect(engine.list({})).rejects.toThrow("not open");
    await engine.open({ note: () => undefined });
    await engine.close();
    await expect(engine.accept([])).rejects.toThrow("not open");
    await expect(engine.list({})).rejects.toThrow("not open");
  });

  test("refuses a cursor of its own invention", async () => {
    const engine = memoryEngine();
    await engine.open({ note: () => undefined });
    await expect(engine.list({ cursor: "x" })).rejects.toThrow(TypeError);
  });

  test("H19: purge forgets ids and tokens that need not be known any more", async () => {
    let now = 0;
    const engine = memoryEngine({ now: () => now });
    await engine.open({ note: () => undefined });
    const delivery = deliveryOf([eventOf("one", [])], {
      rememberMs: 10,
      tokenUse: { tokenId: "token", expiresAtMs: 10, delivery: "one" },
    });
    await engine.accept([delivery]);
    expect(await engine.purge({ state: "done", limit: 10 })).toBe(1);
    now = 10 * 3_600_000;
    await engine.purge({ state: "done", limit: 10 });
    const again = { ...delivery, tokenUse: { tokenId: "token", expiresAtMs: now + 10, delivery: "two" } };
    expect(await engine.accept([again])).toEqual([
      { status: "stored", recordIds: ["rec_2"], positions: [0] },
    ]);
  });
});
