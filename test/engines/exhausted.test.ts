/** Tasks that are out of attempts when they come up: after a crash in their last run, or with a smaller `maxAttempts`. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { SqliteEngine } from "../../src/inbox/sqlite/engine.js";
import { LocalHost } from "../../src/inbox/sqlite/hosts.js";
import type { Consumer, SettledReport } from "../../src/types/engine.js";
import { newDelivery } from "../support/inbox-parts.js";
import { until } from "../support/inbox-scene.js";
import { withDatabase } from "./version-1.js";

let folder: string;
let file: string;
let engine: SqliteEngine;
let consumer: Consumer | undefined;
/** Claims that the store was asked for. */
let claims: number;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "hookgate-exhausted-"));
  file = join(folder, "hooks.db");
  claims = 0;
  const options = { path: file, setup: [], readOnly: false, busyTimeoutMs: 2_000 };
  engine = new SqliteEngine(options, (given) => {
    const host = new LocalHost(given);
    const send = host.send.bind(host);
    return Object.assign(host, {
      send: (...[requests, ...rest]: Parameters<typeof send>) => {
        claims += requests.filter(({ op }) => op === "claim").length;
        return send(requests, ...rest);
      },
    });
  });
  await engine.open({ note: () => undefined });
});

afterEach(async () => {
  await consumer?.stop();
  await engine.close();
  rmSync(folder, { recursive: true });
});

function consume(given: { readonly ran: string[]; readonly reports: SettledReport[] }): void {
  consumer = engine.consume({
    receiver: "orders",
    handlers: new Map([["ship", { concurrency: 1, maxAttempts: 3, onDeadLetter: "continue" }]]),
    leaseMs: 10_000,
    run: async ({ event }) => {
      given.ran.push(event.id);
      return { outcome: "done" };
    },
    settled: (report) => given.reports.push(report),
  });
}

describe("tasks that are out of attempts", () => {
  it("H12: 1,000 of them take a few claims, whatever the concurrency, and those behind them run", async () => {
    const ids = Array.from({ length: 1_000 }, (_, index) => `e${index}`);
    await engine.accept(ids.map((id) => newDelivery(id, { maxBacklog: 10_000 })));
    withDatabase(file, (db) => db.exec("UPDATE hookgate_tasks SET attempts = 3"));
    await engine.accept([newDelivery("healthy", { maxBacklog: 10_000 })]);
    const ran: string[] = [];
    const reports: SettledReport[] = [];
    claims = 0;
    consume({ ran, reports });
    await until(() => reports.length === 1_001);
    expect(ran).toEqual(["healthy"]);
    const dead = reports.filter(({ verdict }) => verdict.outcome === "dead");
    expect(dead.map(({ event }) => event.id)).toEqual(ids);
    expect(dead[0]).toMatchObject({ attempt: 3, kept: true, verdict: { error: { code: "ERR_LEASE_LOST" } } });
    // One for 500, one more for the rest and the healthy one, and what the end of its run asks for.
    expect(claims).toBeLessThan(8);
    expect(await engine.stats({})).toMatchObject({ dead: 1_000, waiting: 0, throughput: { dead: 1_000 } });
  });

  it("H11: those of one ordering key make room for the next ones in order", async () => {
    const ids = Array.from({ length: 20 }, (_, index) => `e${index}`);
    const tasks = [{ handler: "ship", orderingKey: "key" }];
    await engine.accept(
      ids.map((id) => {
        const delivery = newDelivery(id);
        return { ...delivery, events: delivery.events.map((event) => ({ ...event, tasks })) };
      }),
    );
    withDatabase(file, (db) => db.exec("UPDATE hookgate_tasks SET attempts = 3 WHERE event <= 10"));
    const ran: string[] = [];
    consume({ ran, reports: [] });
    await until(() => ran.length === 10);
    expect(ran).toEqual(ids.slice(10));
    expect((await engine.stats({})).dead).toBe(10);
  });
});
