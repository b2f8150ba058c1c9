/** A receiver with an inbox, as its sender and its handlers see it. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import {
  type EventRecord,
  type HandlerOptions,
  type InboxReceiver,
  NonRetriableError,
  RetryAfterError,
} from "hookgate";
import { z } from "zod";
import { createInboxScene, type InboxScene, until } from "../support/inbox-scene.js";

let scene: InboxScene;
beforeEach(() => {
  scene = createInboxScene();
});
afterEach(() => scene.end());

/** The only event of a receiver, with its history. */
async function onlyEvent(receiver: InboxReceiver): Promise<EventRecord> {
  const { items } = await receiver.inbox.list();
  const [first] = items;
  if (items.length !== 1 || first === undefined) throw new Error(`there are ${items.length} events`);
  const record = await receiver.inbox.get(first.recordId);
  if (record === undefined) throw new Error("gone");
  return record;
}

async function stateOf(receiver: InboxReceiver): Promise<string> {
  return (await onlyEvent(receiver)).state;
}

describe("accepting", () => {
  it("answers 202 once it is stored, and runs the handler behind that", async () => {
    const receiver = scene.receiver({ engine: scene.engine() });
    const seen: unknown[] = [];
    receiver.on("order.paid", (event, context) => {
      seen.push(event, context.caller, String(context.delivery.rawBody), context.delivery.headers);
    });
    await receiver.start();
    const answer = await scene.send(receiver, { id: "e1", type: "order.paid", total: 5 });
    expect([answer.status, answer.json()]).toEqual([202, { status: "accepted", id: "e1" }]);
    await until(() => seen.length > 0);
    expect(seen).toEqual([
      { id: "e1", type: "order.paid", data: { id: "e1", type: "order.paid", total: 5 } },
      { method: "service-key", tenant: "default", service: "orders", credentialId: "key-1" },
      '{"id":"e1","type":"order.paid","total":5}',
      { "content-type": "application/json" },
    ]);
    await until(async () => (await stateOf(receiver)) === "done");
  });

  it("H03 answers 200 duplicate for the same id and body, 409 for another body, and keeps the first", async () => {
    const receiver = scene.receiver({ engine: scene.engine() });
    let runs = 0;
    receiver.on("order.paid", () => {
      runs++;
    });
    await receiver.start();
    const body = { id: "e1", type: "order.paid", total: 5 };
    await scene.send(receiver, body);
    const again = await scene.send(receiver, body);
    expect([again.status, again.json()]).toEqual([200, { status: "duplicate", id: "e1" }]);
    const other = await scene.send(receiver, { ...body, total: 6 });
    expect([other.status, other.json()]).toMatchObject([409, { code: "ERR_EVENT_CONFLICT" }]);
    expect(scene.log.some((line) => line.startsWith("warn refused ERR_EVENT_CONFLICT"))).toBe(true);
    await until(async () => (await stateOf(receiver)) === "done");
    expect(runs).toBe(1);
    expect(String((await onlyEvent(receiver)).delivery?.rawBody)).toBe(JSON.stringify(body));
  });

  it("H04 makes one event of a thousand copies at once: only 200 and 202, one run", async () => {
    const receiver = scene.receiver({ engine: scene.engine() });
    let runs = 0;
    receiver.on("order.paid", () => {
      runs++;
    });
    await receiver.start();
    const body = { id: "e1", type: "order.paid" };
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => scene.send(receiver, body)));
    const counts = new Map<number, number>();
    for (const { status } of answers) counts.set(status, (counts.get(status) ?? 0) + 1);
    expect([...counts].sort()).toEqual([
      [200, 999],
      [202, 1],
    ]);
    await until(async () => (await stateOf(receiver)) === "done");
    expect(runs).toBe(1);
  });

  it("H06 takes equal bodies without an id for one event", async () => {
    const receiver = scene.receiver({ engine: scene.engine() });
    receiver.on("order.paid", () => {});
    await receiver.start();
    const first = await scene.send(receiver, { type: "order.paid", total: 5 });
    const again = await scene.send(receiver, { type: "order.paid", total: 5 });
    const other = await scene.send(receiver, { type: "order.paid", total: 6 });
    expect([first.status, again.status, other.status]).toEqual([202, 200, 202]);
  });

  it("keeps an event without a handler as ignored: 202", async () => {
    const receiver = scene.receiver({
      engine: scene.engine(),
      more: { events: { "order.paid": z.object({}) } },
    });
    receiver.on("order.paid", () => {});
    await receiver.start();
    for (const type of ["order.lost", "constructor"]) {
      const answer = await scene.send(receiver, { id: type, type });
      expect([answer.status, answer.json()]).toEqual([202, { status: "ignored", id: type }]);
    }
    const { items } = await receiver.inbox.list({ state: "ignored" });
    expect(items.map(({ type, tasks }) => [type, tasks])).toEqual([
      ["constructor", []],
      ["order.lost", []],
    ]);
  });

  it("answers 503 with Retry-After where maxBacklog tasks wait or run, and takes more when they are done", async () => {
    let finish = (): void => {};
    const held = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const receiver = scene.receiver({ engine: scene.engine(), inbox: { maxBacklog: 2 } });
    receiver.on("order.paid", () => held);
    await receiver.start();
    const send = (id: string) => scene.send(receiver, { id, type: "order.paid" });
    expect([(await send("a")).status, (await send("b")).status]).toEqual([202, 202]);
    const full = await send("c");
    expect([full.status, full.headers["retry-after"]]).toEqual([503, "1"]);
    expect(
      scene.log.some((line) => /ERR_OVERLOADED: 2 tasks wait or run; inbox.maxBacklog is 2/.test(line)),
    ).toBe(true);
    // What is there already adds nothing.
    expect((await send("a")).status).toBe(200);
    finish();
    await until(async () => (await send("c")).status === 202);
  });

  it("keeps the headers that it is told to, and never a credential", async () => {
    const receiver = scene.receiver({
      engine: scene.engine(),
      inbox: { keepHeaders: ["X-Topic"] },
      more: { id: { header: "x-topic" } },
    });
    receiver.on("order.paid", () => {});
    await receiver.start();
    const { sendDelivery } = await import("hookgate/testing");
    const { key } = await import("../support/inbox-scene.js");
    const headers = {
      "X-Topic": "t1",
      "User-Agent": "shop/1",
      Cookie: "a=secret-cookie",
      Authorization: "Basic c2VjcmV0",
    };
    await sendDelivery(receiver.requestListener("/"), { key, headers, body: { type: "order.paid" } });
    const { delivery, id } = await onlyEvent(receiver);
    expect(id).toBe("t1");
    expect(delivery?.headers).toEqual({
      "content-type": "application/json",
      "user-agent": "shop/1",
      "x-topic": "t1",
    });
  });
});

describe("running", () => {
  it("retries only the handler that failed, with its attempt counted", async () => {
    const receiver = scene.receiver({ engine: scene.engine() });
    const runs: string[] = [];
    for (const name of ["a", "b", "c"]) {
      receiver.on(
        "order.paid",
        (_event, { attempt }) => {
          runs.push(`${name}${attempt}`);
          if (name === "b" && attempt < 3) throw new Error("not yet");
        },
        { name },
      );
    }
    await receiver.start();
    await scene.send(receiver, { id: "e1", type: "order.paid" });
    await until(async () => (await stateOf(receiver)) === "done");
    expect(runs.sort()).toEqual(["a1", "b1", "b2", "b3", "c1"]);
    const { tasks } = await onlyEvent(receiver);
    const task = tasks.find(({ handler }) => handler === "b");
    expect(task?.history?.map(({ outcome, error }) => [outcome, error?.message])).toEqual([
      ["failed", "not yet"],
      ["failed", "not yet"],
      ["done", undefined],
    ]);
  });

  it("gives every handler data of its own", async () => {
    const receiver = scene.receiver({ engine: scene.engine() });
    const seen: unknown[] = [];
    for (const name of ["a", "b"]) {
      receiver.on(
        "order.paid",
        (event) => {
          const data = event.data as { total: number };
          seen.push(data.total);
          data.total = 0;
        },
        { name },
      );
    }
    await receiver.start();
    await scene.send(receiver, { id: "e1", type: "order.paid", total: 5 });
    await until(() => seen.length === 2);
    expect(seen).toEqual([5, 5]);
  });

  it("H09 makes a dead letter of a task that is out of attempts, and replays it to all or one handler", async () => {
    let broken = true;
    const runs: string[] = [];
    const receiver = scene.receiver({ engine: scene.engine(), inbox: { maxAttempts: 2 } });
    receiver.on(
      "order.paid",
      (_event, { attempt }) => {
        runs.push(`ship${attempt}`);
        if (broken) throw new TypeError("no address");
      },
      { name: "ship" },
    );
    receiver.on("order.paid", () => void runs.push("audit"), { name: "audit" });
    await receiver.start();
    await scene.send(receiver, { id: "e1", type: "order.paid" });
    await until(async () => (await stateOf(receiver)) === "dead");
    await until(() => runs.includes("audit"));
    expect([...runs].sort()).toEqual(["audit", "ship1", "ship2"]);
    const dead = (await onlyEvent(receiver)).tasks.find(({ handler }) => handler === "ship");
    expect(dead).toMatchObject({
      state: "dead",
      attempts: 2,
      lastError: { name: "TypeError", message: "no address" },
    });
    expect(await receiver.inbox.stats()).toMatchObject({ dead: 1 });
    broken = false;
    const selection = { filter: { state: "dead" } } as const;
    expect(await receiver.inbox.replay(selection, { handlers: ["ship"], dryRun: true })).toBe(1);
    expect(await receiver.inbox.replay(selection, { handlers: ["ship"] })).toBe(1);
    await until(async () => (await stateOf(receiver)) === "done");
    expect([...runs].sort()).toEqual(["audit", "ship1", "ship1", "ship2"]);
    expect((await onlyEvent(receiver)).replays).toHaveLength(1);
  });

  it("waits as RetryAfterError says, and makes a dead letter at once of NonRetriableError", async () => {
    const runs: string[] = [];
    const receiver = scene.receiver({ engine: scene.engine() });
    receiver.on("later", (_event, { attempt }) => {
      runs.push(`later${attempt}`);
      if (attempt === 1) throw new RetryAfterError("later", "1h");
    });
    receiver.on("never", () => {
      runs.push("never");
      throw new NonRetriableError("the order is gone");
    });
    await receiver.start();
    await scene.send(receiver, { id: "e1", type: "never" });
    await until(async () => (await stateOf(receiver)) === "dead");
    await scene.send(receiver, { id: "e2", type: "later" });
    await until(() => runs.includes("later1"));
    await until(async () => {
      const { items } = await receiver.inbox.list({ type: "later" });
      const dueAtMs = items[0]?.tasks[0]?.dueAtMs ?? 0;
      return dueAtMs > Date.now() + 3_000_000;
    });
    expect(runs).toEqual(["never", "later1"]);
    const { items } = await receiver.inbox.list({ state: "dead" });
    expect(items[0]?.tasks[0]?.lastError).toMatchObject({
      name: "NonRetriableError",
      message: "the order is gone",
    });
  });

  it("G06 frees the place of a handler that never settles, and retries it", async () => {
    const runs: number[] = [];
    const receiver = scene.receiver({ engine: scene.engine() });
    receiver.on(
      "order.paid",
      (_event, { attempt }) => {
        runs.push(attempt);
        return attempt === 1 ? new Promise(() => {}) : undefined;
      },
      { timeout: "20ms", concurrency: 1 },
    );
    await receiver.start();
    await scene.send(receiver, { id: "e1", type: "order.paid" });
    await until(async () => (await stateOf(receiver)) === "done");
    expect(runs).toEqual([1, 2]);
  });

  it.each([[null], [undefined], ["text"]])("survives a handler that throws %p", async (thrown) => {
    const receiver = scene.receiver({ engine: scene.engine(), inbox: { maxAttempts: 1 } });
    receiver.on("order.paid", () => {
      throw thrown;
    });
    await receiver.start();
    await scene.send(receiver, { id: "e1", type: "order.paid" });
    await until(async () => (await stateOf(receiver)) === "dead");
    const name = thrown === "text" ? "string" : String(thrown);
    expect((await onlyEvent(receiver)).tasks[0]?.lastError?.name).toBe(name);
  });

  it("H11 runs the tasks of one key one by one in order, others beside them", async () => {
    const started: string[] = [];
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const receiver = scene.receiver({ engine: scene.engine() });
    receiver.on(
      "order.paid",
      async (event) => {
        started.push(event.id);
        if (event.id === "a1") await held;
      },
      { orderingKey: (event) => event.id.slice(0, 1) },
    );
    await receiver.start();
    for (const id of ["a1", "a2", "b1", "a3"]) await scene.send(receiver, { id, type: "order.paid" });
    await until(() => started.length === 2);
    expect([...started].sort()).toEqual(["a1", "b1"]);
    release();
    await until(() => started.length === 4);
    expect(started.filter((id) => id.startsWith("a"))).toEqual(["a1", "a2", "a3"]);
  });

  it("commits the writes of complete together with the completion, or neither", async () => {
    const receiver = scene.receiver({ engine: scene.engine() });
    const rejected: unknown[] = [];
    receiver.on("order.paid", async (event, context) => {
      const { complete } = context as unknown as {
        complete(write: (tx: { run(sql: string, params: unknown[]): void }) => void): Promise<void>;
      };
      // The first attempt's second write breaks: its first one must not stand either.
      const second = context.attempt === 1 ? null : event.id;
      await complete((tx) => {
        tx.run("INSERT INTO effects (id) VALUES (?)", [event.id]);
        tx.run("INSERT INTO effects (id) VALUES (?)", [second]);
      }).catch((error: unknown) => {
        rejected.push(error);
        throw error;
      });
    });
    await receiver.start();
    await scene.send(receiver, { id: "e1", type: "order.paid" });
    await until(async () => (await stateOf(receiver)) === "done");
    expect(rejected).toHaveLength(1);
    expect((await onlyEvent(receiver)).tasks[0]?.attempts).toBe(2);
  });

  it("tells hooks and channels of every step", async () => {
    const hooked: string[] = [];
    const published: string[] = [];
    const kinds = ["accepted", "claimed", "failed", "retried", "dead", "replayed", "handled"] as const;
    const keep = (kind: string) => (report: unknown) => {
      const { attempt = 0, receiver } = report as { attempt?: number; receiver: string };
      hooked.push(`${receiver} ${kind} ${attempt}`);
    };
    const listeners = kinds.map((kind) => {
      const listener = (): void => void published.push(kind);
      subscribe(`hookgate:${kind}`, listener);
      return { kind, listener };
    });
    let broken = true;
    const receiver = scene.receiver({
      engine: scene.engine(),
      inbox: { maxAttempts: 2 },
      hooks: Object.fromEntries(kinds.map((kind) => [kind, keep(kind)])),
    });
    receiver.on("order.paid", () => {
      if (broken) throw new Error("no");
    });
    await receiver.start();
    await scene.send(receiver, { id: "e1", type: "order.paid" });
    await until(() => hooked.length === 7);
    broken = false;
    await receiver.inbox.replay({ filter: {} });
    await until(() => hooked.some((line) => line.includes("handled")));
    for (const { kind, listener } of listeners) unsubscribe(`hookgate:${kind}`, listener);
    const expected = [
      "accepted 0",
      "claimed 1",
      "failed 1",
      "retried 1",
      "claimed 2",
      "failed 2",
      "dead 2",
      "claimed 1",
      "handled 1",
      "replayed 0",
    ].map((line) => `orders ${line}`);
    expect([...hooked].sort()).toEqual([...expected].sort());
    expect([...published].sort()).toEqual(expected.map((line) => line.split(" ")[1]).sort());
  });
});

describe("data that breaks its schema", () => {
  const strict = { "order.paid": z.object({ total: z.number() }) };
  const mended = { "order.paid": z.object({ total: z.coerce.number() }) };
  const body = { id: "e1", type: "order.paid", total: "5" };

  it("is parked with where and how, and replayed once the schema is mended", async () => {
    const engine = scene.engine();
    const dead: unknown[] = [];
    const before = scene.receiver({
      engine,
      more: { events: strict },
      hooks: { dead: ({ recordId, attempt, error }) => dead.push([recordId, attempt, error.issues]) },
    });
    before.on("order.paid", () => {}, { name: "ship" });
    await before.start();
    expect((await scene.send(before, body)).json()).toEqual({ status: "accepted", id: "e1" });
    const record = await onlyEvent(before);
    expect(record.tasks[0]).toMatchObject({
      state: "dead",
      attempts: 0,
      lastError: { name: "EventInvalidError", code: "ERR_EVENT_INVALID" },
    });
    expect(record.tasks[0]?.lastError?.issues?.[0]).toMatch(/^total: .*number/);
    expect(dead).toEqual([[record.recordId, 0, record.tasks[0]?.lastError?.issues]]);
    // Nothing but the schema is wrong: without a mended one it is dead again.
    await before.inbox.replay({ recordIds: [record.recordId] });
    await until(() => dead.length === 2);
    await before.close();

    const totals: unknown[] = [];
    const after = scene.receiver({ engine, more: { events: mended } });
    after.on("order.paid", (event) => void totals.push((event.data as { total: number }).total), {
      name: "ship",
    });
    await after.start();
    expect(await after.inbox.replay({ filter: { state: "dead" } })).toBe(1);
    await until(async () => (await stateOf(after)) === "done");
    expect(totals).toEqual([5]);
  });

  it("is answered 422 and not stored with invalid: refuse", async () => {
    const receiver = scene.receiver({
      engine: scene.engine(),
      inbox: { onInvalid: "refuse" },
      more: { events: strict },
    });
    receiver.on("order.paid", () => {});
    await receiver.start();
    const answer = await scene.send(receiver, body);
    expect([answer.status, answer.json()]).toMatchObject([422, { code: "ERR_EVENT_INVALID" }]);
    expect((await receiver.inbox.list()).items).toEqual([]);
  });

  it("is 422 with an inbox, too, where there is no type", async () => {
    const receiver = scene.receiver({ engine: scene.engine() });
    receiver.on("order.paid", () => {});
    await receiver.start();
    expect((await scene.send(receiver, { id: "e1" })).status).toBe(422);
  });

  it("is told by explain: what would be parked, and what refused", async () => {
    const { key } = await import("../support/inbox-scene.js");
    const request = {
      headers: { key, "content-type": "application/json" },
      remoteAddress: "192.0.2.1",
      body,
    };
    for (const [invalid, status, result] of [
      ["dead-letter", 202, "warned"],
      ["refuse", 422, "refused"],
    ] as const) {
      const receiver = scene.receiver({
        engine: scene.engine(),
        inbox: { onInvalid: invalid },
        more: { events: strict },
      });
      receiver.on("order.paid", () => {});
      const explained = await receiver.explain(request);
      expect([explained.status, explained.steps.at(-1)?.result]).toEqual([status, result]);
    }
  });
});

describe("a receiver's options and handlers", () => {
  it("refuses an orderingKey on an engine that keeps no order", () => {
    const engine = scene.engine();
    const unordered = Object.assign(Object.create(engine), {
      capabilities: { ...engine.capabilities, ordered: false },
    });
    const receiver = scene.receiver({ engine: unordered });
    expect(() => receiver.on("a", () => {}, { orderingKey: () => "k" })).toThrow(
      "the inbox's engine does not support ordering",
    );
  });

  it("refuses the options of tasks without an inbox", async () => {
    const { createReceiver } = await import("hookgate");
    const receiver = createReceiver({ name: "orders", auth: { dangerouslyAcceptAnyone: true } });
    for (const options of [
      { maxAttempts: 1 },
      { retry: {} },
      { orderingKey: () => "k" },
      { onDeadLetter: "continue" as const },
    ]) {
      expect(() => receiver.on("a", () => {}, options as HandlerOptions)).toThrow(
        /is for handlers that are run from an inbox/,
      );
    }
    await expect((receiver as InboxReceiver).inbox.list()).rejects.toThrow("this receiver has no inbox");
    await receiver.close();
  });
});
