import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { StoreClock } from "../../../../src/inbox/sqlite/clocks.js";
import { SqliteEngine } from "../../../../src/inbox/sqlite/engine.js";
import { LocalHost } from "../../../../src/inbox/sqlite/hosts.js";
import type { Pulse, Request } from "../../../../src/inbox/sqlite/protocol.js";
import type { StoreClient } from "../../../../src/inbox/sqlite/store-client.js";
import { SqliteTaskQueue, WorkSignal } from "../../../../src/inbox/sqlite/task-queue.js";
import { newDelivery } from "../../../support/inbox-parts.js";
import { until } from "../../../torture/until.js";

/** A consumer with a lease of a second, among others whose signs of life the test makes up. */
function watcher() {
  let nowMs = 0;
  let others: Pulse["others"] = [];
  const expired: number[] = [];
  const ask = async (request: Request): Promise<unknown> => {
    if (request.op === "heartbeat") return { alive: true, clockMs: 0, others };
    if (request.op === "expire") expired.push(request.consumer);
    return 1;
  };
  const parts = { client: { ask } as StoreClient, clock: new StoreClock(0), work: new WorkSignal() };
  const options = { receiver: "orders", handlers: new Map(), leaseMs: 1_000 };
  const queue = new SqliteTaskQueue(parts, options, () => nowMs);
  return {
    expired,
    async look(afterMs: number, beat: number, leaseMs = 1_000): Promise<void> {
      nowMs += afterMs;
      others = [{ consumer: 7, beat, leaseMs }];
      await queue.heartbeat();
    },
  };
}

describe("who watches others' signs of life", () => {
  it("H07: takes over from one that is silent for its lease", async () => {
    const { look, expired } = watcher();
    for (let at = 0; at <= 9; at++) await look(100, 1);
    expect(expired).toEqual([]);
    await look(100, 1);
    expect(expired).toEqual([7]);
  });

  it("takes over where every look is late, and not from one that shows signs of life", async () => {
    const { look, expired } = watcher();
    for (let beat = 0; beat < 20; beat++) await look(650, beat);
    expect(expired).toEqual([]);
    await look(650, 19);
    expect(expired).toEqual([]);
    await look(650, 19);
    expect(expired).toEqual([7]);
  });

  it.each([[1_000], [300], [60_000]])(
    "H15: was stopped itself: does not count that against one with a lease of %i ms",
    async (leaseMs) => {
      const { look, expired } = watcher();
      await look(100, 1, leaseMs);
      await look(3_600_000, 1, leaseMs);
      await look(100, 1, leaseMs);
      expect(expired).toEqual([]);
      await look(100, 2, leaseMs);
      await look(3_600_000, 2, leaseMs);
      expect(expired).toEqual([]);
    },
  );
});

describe("a disk whose syncs take longer than half a lease", () => {
  let folder: string;
  const ends: (() => Promise<unknown>)[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "hookgate-takeover-"));
  });
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
    rmSync(folder, { recursive: true, force: true });
  });

  it("H07: the tasks of a process that ended are taken over", async () => {
    const path = join(folder, "hooks.db");
    let gone = false;
    const open = async (delayMs: number) => {
      const engine = new SqliteEngine(
        { path, setup: [], readOnly: false, busyTimeoutMs: 2_000 },
        (options) => {
          const host = new LocalHost(options);
          return {
            open: () => host.open(),
            close: () => host.close(),
            abandon: () => host.abandon(),
            async send(...request) {
              if (delayMs === 0 && gone) return new Promise(() => {});
              const replies = await host.send(...request);
              if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
              return replies;
            },
          };
        },
      );
      await engine.open({ note() {} });
      return engine;
    };
    const runs: string[] = [];
    const consume = (engine: SqliteEngine, name: string) =>
      engine.consume({
        receiver: "orders",
        handlers: new Map([["ship", { concurrency: 1, maxAttempts: 5, onDeadLetter: "continue" }]]),
        leaseMs: 1_000,
        run: async () => {
          runs.push(name);
          return name === "first" ? new Promise(() => {}) : { outcome: "done" };
        },
        settled() {},
      });
    const first = await open(0);
    await first.accept([newDelivery("e1")]);
    consume(first, "first");
    await until("the first run", () => runs.length === 1);
    gone = true;
    const second = await open(600);
    const consumer = consume(second, "second");
    ends.push(async () => {
      await consumer.stop();
      await second.close();
    });
    await until("a takeover", () => runs.length === 2, 25_000);
    expect(runs).toEqual(["first", "second"]);
  });
});
