/** The log of writes beside the file: long while somebody reads, short again afterwards. */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { sqliteEngine } from "hookgate/sqlite";
import type { InboxEngine } from "../../src/types/engine.js";
import { newDelivery } from "../support/inbox-parts.js";
import { until } from "../support/inbox-scene.js";
import { openDatabase } from "./version-1.js";

const mega = 1024 * 1024;
let folder: string;
let file: string;
let engine: InboxEngine<never>;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "hookgate-log-"));
  file = join(folder, "hooks.db");
  engine = sqliteEngine(file, { onCallersThread: true }) as InboxEngine<never>;
  await engine.open({ note: () => undefined });
});
afterEach(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

const logBytes = (): number => statSync(`${file}-wal`).size;

/** Starts to read in another process's place; the result ends it. */
function read(): () => void {
  const reader = openDatabase(file, { readOnly: true });
  reader.exec("BEGIN");
  reader.prepare("SELECT count(*) FROM hookgate_events").get();
  return () => {
    // Without it the driver of Node.js 20 reads on until its statements are collected.
    reader.exec("COMMIT");
    reader.close();
  };
}

async function accept(prefix: string, count: number, bytes: number): Promise<void> {
  for (let at = 0; at < count; at++) {
    const delivery = newDelivery(`${prefix}-${at}`, { rawBody: Buffer.alloc(bytes, 120) });
    const events = delivery.events.map((event) => ({ ...event, digest: "" }));
    expect(await engine.accept([{ ...delivery, events }])).toMatchObject([{ status: "stored" }]);
  }
}

describe("the log of writes", () => {
  it("is short again with the next deliveries after a long reader", async () => {
    const endReading = read();
    await accept("meanwhile", 40, mega);
    expect(logBytes()).toBeGreaterThan(40 * mega);
    endReading();
    await accept("afterwards", 3, 10);
    expect(logBytes()).toBeLessThanOrEqual(16 * mega);
  });

  it("is short again without further deliveries where tasks are run", async () => {
    const endReading = read();
    await accept("meanwhile", 40, mega);
    const consumer = engine.consume({
      receiver: "orders",
      handlers: new Map([["other", { concurrency: 1, maxAttempts: 1, onDeadLetter: "continue" }]]),
      leaseMs: 1_000,
      run: async () => ({ outcome: "done" }),
      settled: () => undefined,
    });
    try {
      // A heartbeat while somebody still reads must not fail.
      await until(async () => (await engine.stats({})).waiting === 40);
      expect(logBytes()).toBeGreaterThan(40 * mega);
      endReading();
      await until(() => logBytes() <= 16 * mega);
      await accept("afterwards", 1, 10);
    } finally {
      await consumer.stop();
    }
  });
});
