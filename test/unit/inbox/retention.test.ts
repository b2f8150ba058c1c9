import { describe, expect, it } from "@jest/globals";
import { startRetention } from "../../../src/inbox/retention.js";
import { createFakeClock } from "../../../src/testing/fake-clock.js";
import type { PurgeOptions } from "../../../src/types/engine.js";
import { listen } from "../../support/inbox-parts.js";

const keepAll = { doneMs: 1_000, deadMs: 2_000, maxDone: undefined, maxDead: undefined };

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function scene(
  retention: Parameters<typeof startRetention>[0]["retention"],
  counts: readonly (number | Error)[],
) {
  const clock = createFakeClock();
  const told = listen();
  const asked: PurgeOptions[] = [];
  const left = [...counts];
  const purge = async (options: PurgeOptions): Promise<number> => {
    asked.push(options);
    const count = left.shift() ?? 0;
    if (count instanceof Error) throw count;
    return count;
  };
  let looks = 0;
  const heldTasks = {
    async check() {
      looks++;
    },
  };
  const end = startRetention({
    blockedTasks: heldTasks,
    engine: { purge },
    receiver: "orders",
    retention,
    clock,
    reporter: told.reporter,
  });
  return { clock, asked, end, looks: () => looks, ...told };
}

describe("retention", () => {
  it("deletes once a minute what is done, then what is dead, by age", async () => {
    const { clock, asked, looks } = scene(keepAll, []);
    clock.advance("59999ms");
    await turn();
    expect(asked).toEqual([]);
    clock.advance("1ms");
    await turn();
    const rule = { receiver: "orders", keepBlocking: true, limit: 500 };
    expect(asked).toEqual([
      { ...rule, state: "done", beforeMs: clock.now() - 1_000 },
      { ...rule, state: "dead", beforeMs: clock.now() - 2_000 },
    ]);
    // Then it looks for tasks that are held.
    expect(looks()).toBe(1);
    clock.advance("1m");
    await turn();
    expect(asked).toHaveLength(4);
  });

  it("deletes by count where a count is given", async () => {
    const { clock, asked } = scene({ ...keepAll, maxDone: 10, maxDead: 0 }, []);
    clock.advance("1m");
    await turn();
    expect(asked.map(({ state, keep }) => [state, keep])).toEqual([
      ["done", undefined],
      ["done", 10],
      ["dead", undefined],
      ["dead", 0],
    ]);
  });

  it("H19 deletes in batches of 500 and leaves the store to others between them", async () => {
    const { clock, asked } = scene(keepAll, [500, 500, 3]);
    clock.advance("1m");
    await turn();
    expect(asked).toHaveLength(1);
    clock.advance("100ms");
    await turn();
    expect(asked).toHaveLength(2);
    clock.advance("100ms");
    await turn();
    expect(asked.map(({ state }) => state)).toEqual(["done", "done", "done", "dead"]);
  });

  it("H12 notes what fails, and tries again the next time", async () => {
    const { clock, asked, lines } = scene(keepAll, [new Error("disk full"), 0, 0]);
    clock.advance("1m");
    await turn();
    expect(lines).toEqual([expect.stringMatching(/^warn old events could not be deleted.*disk full/s)]);
    clock.advance("1m");
    await turn();
    expect(asked).toHaveLength(3);
  });

  it("says once an hour that the clock is not believed, and deletes by count all the while", async () => {
    const ahead = Object.assign(new Error("40 days ahead"), { code: "ERR_CLOCK_AHEAD" });
    const { clock, asked, lines, looks } = scene(
      { ...keepAll, maxDone: 10, maxDead: 5 },
      Array.from({ length: 61 }, () => [ahead, 0, ahead, 0]).flat(),
    );
    const minutes = async (count: number): Promise<void> => {
      for (let minute = 0; minute < count; minute++) {
        clock.advance("1m");
        await turn();
      }
    };
    await minutes(1);
    expect(asked.map(({ state, keep }) => [state, keep])).toEqual([
      ["done", undefined],
      ["done", 10],
      ["dead", undefined],
      ["dead", 5],
    ]);
    expect(lines).toEqual([expect.stringMatching(/^warn old events are not deleted.*40 days ahead/s)]);
    expect(looks()).toBe(1);
    await minutes(59);
    expect(lines).toHaveLength(1);
    await minutes(1);
    expect(lines).toHaveLength(2);
    expect(asked.every(({ trustClock }) => trustClock !== true)).toBe(true);
    // Believed again, nothing is said any more.
    await minutes(120);
    expect(lines).toHaveLength(2);
  });

  it("ends at once, between two looks and between two batches, and leaves no timer", async () => {
    const idle = scene(keepAll, []);
    idle.end();
    expect(idle.clock.pending).toBe(0);
    const busy = scene(keepAll, [500, 500]);
    busy.clock.advance("1m");
    await turn();
    busy.end();
    await turn();
    expect([busy.asked.length, busy.clock.pending]).toEqual([1, 0]);
  });
});
