/** A machine's clock that is wrong deletes nothing that was just handled, and one that is right is believed in the end. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { sqliteEngine } from "hookgate/sqlite";
import { memoryEngine } from "hookgate/testing";
import type { InboxEngine } from "../../src/types/engine.js";
import { newDelivery } from "../support/inbox-parts.js";
import { runIn } from "../unit/cli/events/scene.js";
import { writeVersion1 } from "./version-1.js";

const hour = 3_600_000;
const day = 24 * hour;
let folder: string;
let file: string;
let nowMs: number;
const engines: InboxEngine<never>[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hookgate-clock-"));
  file = join(folder, "hooks.db");
  nowMs = Date.parse("2026-03-01T12:00:00Z");
  jest.spyOn(Date, "now").mockImplementation(() => nowMs);
});
afterEach(async () => {
  jest.restoreAllMocks();
  for (const engine of engines.splice(0)) await engine.close();
  rmSync(folder, { recursive: true });
});

async function open(engine = sqliteEngine(file, { onCallersThread: true }) as InboxEngine<never>) {
  await engine.open({ note: () => undefined });
  engines.push(engine);
  return engine;
}

/** An event without tasks: it is done at once. */
async function handle(engine: InboxEngine<never>, id: string): Promise<void> {
  const delivery = newDelivery(id);
  const events = delivery.events.map((event) => ({ ...event, tasks: [] }));
  await engine.accept([{ ...delivery, events }]);
}

function purge(engine: InboxEngine<never>, more: { trustClock?: boolean; keep?: number } = {}) {
  return engine.purge({ state: "done", beforeMs: nowMs - 7 * day, limit: 100, ...more });
}

/** Retention asks once a minute. Resolves with the minutes until it was allowed to delete. */
async function minutesRefused(engine: InboxEngine<never>, most: number): Promise<number> {
  for (let minute = 0; minute < most; minute++) {
    try {
      await purge(engine);
      return minute;
    } catch (error) {
      expect(error).toMatchObject({ code: "ERR_CLOCK_AHEAD" });
    }
    nowMs += 60_000;
  }
  return most;
}

const ahead = { code: "ERR_CLOCK_AHEAD", message: expect.stringContaining("40 days ahead") };

describe("a machine's clock that is ahead", () => {
  it.each(["while the engine is open", "before it is opened"])(
    "deletes nothing by age, set %s",
    async (when) => {
      const first = await open();
      await handle(first, "a");
      nowMs += 40 * day;
      const engine = when === "before it is opened" ? await open() : first;
      await expect(purge(engine)).rejects.toMatchObject({ ...ahead, aheadMs: 40 * day });
      // Deliveries that come in do not make it right.
      await handle(engine, "b");
      await expect(purge(engine)).rejects.toMatchObject(ahead);
      expect((await engine.list({})).items).toHaveLength(2);
      // By number it goes on, and by age where the operator says so.
      expect(await engine.purge({ state: "done", keep: 2, limit: 100 })).toBe(0);
      expect(await purge(engine, { trustClock: true })).toBe(1);
      expect((await engine.list({})).items.map(({ id }) => id)).toEqual(["b"]);
      await expect(purge(engine)).rejects.toMatchObject(ahead);
    },
  );

  it("is believed at once when it is set right", async () => {
    const engine = await open();
    await handle(engine, "a");
    nowMs += 40 * day;
    await handle(engine, "b");
    nowMs -= 40 * day;
    expect(await purge(engine)).toBe(0);
    nowMs += 50 * 60_000;
    expect(await purge(engine)).toBe(0);
    expect((await engine.list({})).items).toHaveLength(2);
  });

  it("is believed when it is set back", async () => {
    const engine = await open();
    await handle(engine, "a");
    nowMs -= 40 * day;
    expect(await purge(engine)).toBe(0);
    // Against the clock that was set back, the first one is ahead.
    nowMs += 40 * day;
    await expect(purge(engine)).rejects.toMatchObject(ahead);
  });

  it("is believed while the store is in use, however long", async () => {
    const engine = await open();
    await handle(engine, "a");
    let purged = 0;
    for (let usedMs = 0; usedMs < 8 * day; usedMs += 59 * 60_000) {
      nowMs += 59 * 60_000;
      purged += await purge(engine);
    }
    expect(purged).toBe(1);
  });

  it("is believed after 6 hours of use in a store that was stopped for a week, also with breaks", async () => {
    const before = await open();
    await handle(before, "a");
    await before.close();
    engines.pop();
    nowMs += 8 * day;
    const engine = await open();
    // Three hours a day.
    expect(await minutesRefused(engine, 180)).toBe(180);
    nowMs += 21 * hour;
    const minutes = await minutesRefused(engine, 400);
    expect(minutes).toBeGreaterThan(175);
    expect(minutes).toBeLessThan(190);
    expect((await engine.list({})).items).toHaveLength(0);
  });

  it("proves nothing by leaping again", async () => {
    const engine = await open();
    await handle(engine, "a");
    for (let leaps = 0; leaps < 10; leaps++) {
      nowMs += 2 * hour;
      await expect(purge(engine)).rejects.toMatchObject({ code: "ERR_CLOCK_AHEAD" });
    }
  });

  it("stops the command line, which --trust-clock overrides", async () => {
    const engine = await open();
    await handle(engine, "a");
    nowMs += 40 * day;
    const run = (options: string) =>
      runIn(folder, `events purge --db hooks.db --state done ${options}`, {
        nowMs: () => nowMs,
        engine: sqliteEngine(file, { onCallersThread: true }) as InboxEngine<unknown>,
      });
    const refused = await run("--older-than 7d");
    expect(refused).toMatchObject({ code: 1, err: expect.stringMatching(/40 days ahead.*--trust-clock/s) });
    expect((await engine.list({})).items).toHaveLength(1);
    expect(await run("--keep 1")).toMatchObject({ code: 0, err: "0 events purged.\n" });
    expect(await run("--older-than 7d --trust-clock")).toMatchObject({ code: 0, err: "1 event purged.\n" });
  });

  it("is measured against the store's clock in a file of version 1", async () => {
    writeVersion1(file);
    const engine = await open();
    nowMs = Date.parse("2126-01-01T00:00:00Z");
    await expect(purge(engine)).rejects.toMatchObject({ code: "ERR_CLOCK_AHEAD" });
  });

  it("is not checked in memory", async () => {
    const engine = await open(memoryEngine() as InboxEngine<never>);
    await handle(engine, "a");
    nowMs += 40 * day;
    expect(await purge(engine)).toBe(1);
  });
});
