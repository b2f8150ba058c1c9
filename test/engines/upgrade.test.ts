/** Files of an older version of the tables: nothing of them is lost, and processes of both versions may use them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { sqliteEngine } from "hookgate/sqlite";
import type { Consumer, InboxEngine, Task } from "../../src/types/engine.js";
import { newDelivery } from "../support/inbox-parts.js";
import { until } from "../support/inbox-scene.js";
import {
  plain,
  saidByVersion1,
  statementOf,
  steps,
  tablesOf,
  withDatabase,
  writeVersion1,
} from "./version-1.js";

let folder: string;
let file: string;
const engines: InboxEngine<never>[] = [];
const consumers: Consumer[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hookgate-upgrade-"));
  file = join(folder, "hooks.db");
  writeVersion1(file);
});
afterEach(async () => {
  for (const consumer of consumers.splice(0)) await consumer.stop();
  for (const engine of engines.splice(0)) await engine.close();
  rmSync(folder, { recursive: true });
});

async function open(): Promise<InboxEngine<never>> {
  const engine = sqliteEngine(file, { onCallersThread: true }) as InboxEngine<never>;
  await engine.open({ note: () => undefined });
  engines.push(engine);
  return engine;
}

/** Runs the tasks of these handlers; keeps what was run, as `record handler attempt`. */
function consume(engine: InboxEngine<never>, handlers: readonly string[], ran: string[] = []): string[] {
  const policy = { concurrency: 10, maxAttempts: 20 };
  const consumer = engine.consume({
    receiver: "orders",
    handlers: new Map(
      handlers.map((name) => [name, { ...policy, onDeadLetter: name === "hold" ? "block" : "continue" }]),
    ),
    leaseMs: 1_000,
    run: async ({ recordId, handler, attempt }: Task) => {
      ran.push(`${recordId} ${handler} ${attempt}`);
      return { outcome: "done" };
    },
    settled: () => undefined,
  });
  consumers.push(consumer);
  return ran;
}

const everyHandler = ["ship", "mail", "audit", "charge", "hold"];

/** Version 1 had one state for tasks that wait, whatever they wait for. */
function inWordsOfVersion1(state: string): string {
  return state === "retrying" || state === "blocked" ? "waiting" : state;
}

describe("a file of version 1", () => {
  it("H18: keeps every row when it is opened", async () => {
    const before = tablesOf(file);
    await open();
    const after = tablesOf(file);
    for (const [name, rows] of before) {
      const growing = ["hookgate_ledger", "hookgate_meta"].includes(name);
      expect({ name, rows: after.get(name) }).toEqual({
        name,
        rows: growing ? expect.arrayContaining([...rows]) : rows,
      });
    }
    expect([...before.values()].flat().length).toBeGreaterThan(120);
  });

  it("H18: has the same events, tasks, attempts and replays in the eyes of operators", async () => {
    const engine = await open();
    const { records, stats } = saidByVersion1;
    const { items } = await engine.list({ oldestFirst: true, limit: 1_000 });
    expect(items.map(({ recordId }) => recordId)).toEqual(records.map(({ recordId }) => recordId));
    for (const said of records) {
      const found = await engine.get(said.recordId);
      const tasks = said.tasks.map(({ dueAtMs, orderKey, ...task }) => ({
        ...task,
        // Version 1 called it `orderKey`.
        ...(orderKey === undefined ? {} : { orderingKey: orderKey }),
        dueAtMs: dueAtMs === null ? null : expect.any(Number),
        state: expect.anything(),
      }));
      expect(plain(found)).toMatchObject({ ...said, tasks });
      expect(found?.tasks.map(({ state }) => inWordsOfVersion1(state))).toEqual(
        said.tasks.map(({ state }) => state),
      );
    }
    const { waiting, running, dead } = stats;
    const found = await engine.stats({});
    expect(found.handlers.map(({ handler }) => handler)).toEqual(
      stats.handlers.map(({ handler }) => handler),
    );
    expect({ running: found.running, dead: found.dead }).toEqual({ running, dead });
    expect((await engine.list({ state: "pending", limit: 1_000 })).items.length).toBeGreaterThan(10);
    expect(waiting).toBeGreaterThan(10);
  });

  it("H07 H18: runs what is due, what a killed process had, and nothing else; attempts are counted on", async () => {
    const ran = consume(await open(), everyHandler);
    const expected = [
      ...["rec_27 ship 1", "rec_28 ship 1", "rec_35 ship 1"],
      ...["rec_34 mail 2", "rec_35 mail 1", "rec_15 mail 2"],
      ...["rec_9 audit 1", "rec_19 audit 1", "rec_29 audit 1", "rec_30 audit 1"],
      ...["rec_31 audit 1", "rec_32 audit 1", "rec_35 audit 1"],
      ...["rec_25 charge 2", "rec_26 charge 1"],
    ];
    await until(() => ran.length >= expected.length);
    expect([...ran].sort()).toEqual(expected.sort());
    const [engine] = engines;
    await until(async () => (await engine?.stats({}))?.running === 0);
    // What waits for a later attempt, behind such a task, or behind a dead letter that holds.
    const left = await engine?.list({ receiver: "orders", state: "pending", oldestFirst: true });
    expect(left?.items.map(({ recordId }) => recordId)).toEqual(["rec_12", "rec_21", "rec_22", "rec_24"]);
    expect(ran).toHaveLength(expected.length);
    expect(ran.indexOf("rec_28 ship 1")).toBeGreaterThan(ran.indexOf("rec_27 ship 1"));
    expect(ran.indexOf("rec_26 charge 1")).toBeGreaterThan(ran.indexOf("rec_25 charge 2"));
  });

  it("H05 H18: remembers ids and tokens, and gives no record's name twice", async () => {
    const engine = await open();
    const body = (id: string) => Buffer.from(JSON.stringify({ id }));
    const delivery = (id: string, more = {}) => {
      const given = newDelivery(id, { rawBody: body(id), ...more });
      return { ...given, events: given.events.map((e) => ({ ...e, digest: body(id).toString("base64") })) };
    };
    const tokenUse = { tokenId: "jti-1", expiresAtMs: Date.now() + 1_000, delivery: "another" };
    const answers = await engine.accept([
      delivery("waiting"),
      delivery("purged, remembered"),
      delivery("fresh", { tokenUse }),
      delivery("remembered no longer"),
      delivery("purged, forgotten"),
    ]);
    expect(answers).toMatchObject([
      { status: "duplicate" },
      { status: "duplicate" },
      { status: "replayed" },
      { status: "stored", recordIds: ["rec_36"] },
      { status: "stored", recordIds: ["rec_37"] },
    ]);
  });
});

describe("processes of version 1 and of this one on one file", () => {
  it("what version 1 asks of an updated file is answered as before the update", async () => {
    await open();
    withDatabase(file, (db) => {
      for (const [index, { sql, method, values, answer }] of steps.entries()) {
        const found = plain(db.prepare(sql)[method](...values));
        expect({ index, sql, found }).toEqual({ index, sql, found: answer });
      }
    });
    expect(steps.length).toBeGreaterThan(500);
  });

  it("an event that version 1 accepts is run here", async () => {
    const ran = consume(await open(), ["charge"]);
    acceptAsVersion1("by version 1", 36);
    await until(() => ran.includes("rec_36 charge 1"));
  });

  it("H08: a task is completed by one of them, whoever claimed it", async () => {
    const engine = await open();
    await engine.accept([
      newDelivery("e1", {
        events: [
          { id: "e1", type: "order.paid", digest: "", deduplicateBy: "id", tasks: [{ handler: "refund" }] },
        ],
      }),
    ]);
    const consumer = 99;
    const claimed = withDatabase(file, (db) => {
      const handler = db
        .prepare(statementOf("SELECT handler, receiver, name, hold FROM hookgate_handlers WHERE receiver"))
        .get(1, "refund") as { readonly handler: number };
      const due = db.prepare(statementOf("SELECT t.event, t.attempts, t.fence"));
      const [row] = due.all(handler.handler, Date.now() + 1_000, 1) as {
        readonly event: number;
        readonly fence: number;
      }[];
      if (row === undefined) throw new Error("version 1 finds no task");
      db.prepare(statementOf("UPDATE hookgate_tasks SET state = 2")).run(
        consumer,
        Date.now(),
        row.event,
        handler.handler,
      );
      return { ...row, handler: handler.handler };
    });
    expect(await engine.stats({})).toMatchObject({ running: 3 });
    // No sign of life of that consumer: the task is taken over, and what it completes after that is refused.
    const ran = consume(engine, ["refund"]);
    await until(() => ran.includes(`rec_${claimed.event} refund 2`));
    await until(async () => (await engine.get(`rec_${claimed.event}`))?.state === "done");
    const complete = (fence: number): unknown =>
      withDatabase(file, (db) =>
        db
          .prepare(statementOf("UPDATE hookgate_tasks SET state = 3"))
          .get(Date.now(), claimed.event, claimed.handler, fence),
      );
    expect(complete(claimed.fence + 1)).toBeUndefined();
    expect((await engine.get(`rec_${claimed.event}`))?.tasks).toMatchObject([{ attempts: 2 }]);
  });
});

/** The statements with which version 1 stores an event with one task of the handler `charge`. */
function acceptAsVersion1(id: string, number: number): void {
  withDatabase(file, (db) => {
    const run = (beginning: string, ...values: (string | number | Uint8Array | null)[]): void => {
      db.prepare(statementOf(beginning)).run(...values);
    };
    const now = Date.now();
    run("BEGIN IMMEDIATE");
    const last = db.prepare(statementOf("SELECT max(coalesce((SELECT max(event)")).get();
    expect(last).toEqual({ last: number - 1 });
    const head = { requestId: "r", method: "POST", url: "/", headers: {}, caller: { method: "none" } };
    run("INSERT INTO hookgate_deliveries", number, now, JSON.stringify(head), Buffer.from("{}"));
    run("INSERT INTO hookgate_events", number, number, 0, 1, id, "order.paid", "", now, now + 1e9);
    run("INSERT INTO hookgate_tasks(event, handler, state, due, order_key", number, 4, 0, now, null, null);
    run("UPDATE hookgate_receivers SET backlog", 1, 1);
    run("COMMIT");
  });
}
