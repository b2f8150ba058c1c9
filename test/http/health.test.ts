import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { createServer, type RequestListener } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import express from "express";
import express4 from "express4";
import { createReceiver, healthHandler, type ReceiverHealth } from "hookgate";
import { sqliteEngine } from "hookgate/sqlite";
import { loadDriver } from "../../src/inbox/sqlite/driver.js";
import { createInboxScene, type InboxScene, key } from "../support/inbox-scene.js";

let scene: InboxScene;
const ends: (() => unknown)[] = [];
beforeEach(() => {
  scene = createInboxScene();
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await scene.end();
});

async function ask(listener: RequestListener, method = "GET") {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as { port: number };
  const response = await fetch(`http://127.0.0.1:${port}/health`, { method });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

describe("receiver.health", () => {
  it("tells of a store that works: it was written to, and its sizes are known", async () => {
    const receiver = scene.receiver({ engine: scene.engine() });
    receiver.on("order.paid", () => {});
    expect(await receiver.health()).toMatchObject({
      live: true,
      ready: false,
      checks: { deliveries: { status: "fail", reason: expect.stringContaining("not started") } },
    });
    await receiver.start();
    const { live, ready, checks } = await receiver.health();
    expect([live, ready]).toEqual([true, true]);
    expect(checks).toMatchObject({
      deliveries: { status: "ok", inProgress: 0, draining: false },
      store: { status: "ok" },
      thread: { status: "ok" },
      heartbeat: { status: "ok", ageMs: expect.any(Number) },
      backlog: { status: "ok", waiting: 0 },
      file: { status: "ok", fileBytes: expect.any(Number), logBytes: expect.any(Number) },
      disk: { freeBytes: expect.any(Number) },
    });
    await receiver.close();
    expect(await receiver.health()).toMatchObject({
      live: true,
      ready: false,
      checks: { deliveries: { draining: true } },
    });
  });

  it("is not ready while another process holds the write lock, and again when it lets go", async () => {
    const file = scene.file();
    const engine = sqliteEngine(file, { onCallersThread: true, busyTimeout: "10ms" });
    // Accepts only: nothing else writes, so that health has to.
    const receiver = scene.receiver({ engine, inbox: { workers: false } });
    await receiver.start();
    expect((await receiver.health()).checks.store).toEqual({ status: "ok" });
    await receiver.close();
    const other = scene.receiver({
      engine: sqliteEngine(file, { onCallersThread: true, busyTimeout: "10ms" }),
      inbox: { workers: false },
    });
    await other.start();
    // The engine's own driver: two SQLite libraries in one process do not see each other's locks.
    const db = loadDriver()(file, { readOnly: false });
    ends.push(() => db.close());
    db.exec("BEGIN IMMEDIATE");
    expect(await other.health()).toMatchObject({
      live: true,
      ready: false,
      checks: { store: { status: "fail", reason: expect.stringContaining("locked") } },
    });
    db.exec("COMMIT");
    expect((await other.health()).ready).toBe(true);
  });

  it("hooks and channels tell of the failure once, and that it is over", async () => {
    const told: unknown[] = [];
    const heard: unknown[] = [];
    const listen = (message: unknown): void => void heard.push(message);
    subscribe("hookgate:storeFailed", listen);
    ends.push(() => unsubscribe("hookgate:storeFailed", listen));
    let broken = false;
    const engine = scene.engine();
    const accept = engine.accept.bind(engine);
    engine.accept = async (deliveries) => {
      if (broken) throw new Error("disk full");
      return accept(deliveries);
    };
    const receiver = scene.receiver({
      engine,
      hooks: {
        storeFailed: (report) => void told.push(["failed", report]),
        storeRecovered: (report) => void told.push(["recovered", report]),
      },
    });
    receiver.on("order.paid", () => {});
    await receiver.start();
    broken = true;
    for (const id of ["a", "b"]) {
      expect((await scene.send(receiver, { id, type: "order.paid" })).status).toBe(503);
    }
    broken = false;
    expect((await scene.send(receiver, { id: "c", type: "order.paid" })).status).toBe(202);
    const failed = { receiver: "orders", error: expect.objectContaining({ message: "disk full" }) };
    expect(told).toEqual([
      ["failed", failed],
      ["recovered", { receiver: "orders", downMs: expect.any(Number) }],
    ]);
    expect(heard).toEqual([failed]);
  });

  it("needs nothing of an engine that does not tell", async () => {
    const engine = scene.engine();
    Object.defineProperty(engine, "health", { value: undefined });
    const receiver = scene.receiver({ engine, inbox: { workers: false } });
    await receiver.start();
    const { ready, checks } = await receiver.health();
    expect(ready).toBe(true);
    expect(Object.entries(checks).flatMap(([name, check]) => (check === undefined ? [] : [name]))).toEqual([
      "deliveries",
      "backlog",
    ]);
  });
});

describe("healthHandler", () => {
  const health = (changes: Partial<ReceiverHealth>) => ({
    health: async (): Promise<ReceiverHealth> => ({
      live: true,
      ready: true,
      checks: {
        deliveries: { status: "ok", inProgress: 7, draining: false },
        store: { status: "fail", reason: "the file /srv/secret/hooks.db is gone" },
      },
      ...changes,
    }),
  });

  it.each([
    [{}, {}, 200, '{"status":"ready"}'],
    [{ ready: false }, {}, 503, '{"status":"unready"}'],
    [{ ready: false }, { probe: "live" as const }, 200, '{"status":"live"}'],
    [{ live: false }, { probe: "live" as const }, 503, '{"status":"not live"}'],
  ])("tells strangers one word: %j with %j", async (changes, options, status, text) => {
    for (const app of [
      healthHandler(health(changes), options),
      express().get("/health", healthHandler(health(changes), options)),
      (express4() as unknown as ReturnType<typeof express>).get(
        "/health",
        healthHandler(health(changes), options),
      ),
    ]) {
      const answer = await ask(app as RequestListener);
      expect([answer.status, answer.text]).toEqual([status, text]);
      expect(answer.headers.get("cache-control")).toBe("no-store");
    }
  });

  it("tells the status of each check where it is told to, and no reason, path or number", async () => {
    const { text } = await ask(healthHandler([health({}), health({ ready: false })], { details: true }));
    const checks = { deliveries: "ok", store: "fail" };
    expect(JSON.parse(text)).toEqual({
      status: "unready",
      receivers: [
        { live: true, ready: true, checks },
        { live: true, ready: false, checks },
      ],
    });
  });

  it("answers HEAD without a body, and other methods 405", async () => {
    expect(await ask(healthHandler(health({})), "HEAD")).toMatchObject({ status: 200, text: "" });
    const answer = await ask(healthHandler(health({})), "POST");
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });

  it("is not well where it cannot be told", async () => {
    const broken = { health: () => Promise.reject(new Error("/srv/secret")) };
    expect(await ask(healthHandler(broken))).toMatchObject({ status: 503, text: '{"status":"unready"}' });
  });

  it("looks once for all who ask within a second", async () => {
    let looks = 0;
    const { health: look } = health({});
    const handler = healthHandler({
      health: () => {
        looks++;
        return look();
      },
    });
    for (let at = 0; at < 3; at++) await ask(handler);
    expect(looks).toBe(1);
  });

  it("takes a receiver without an inbox, and refuses what is none", async () => {
    const receiver = createReceiver({ name: "plain", auth: { serviceKey: key } });
    expect((await ask(healthHandler(receiver))).status).toBe(200);
    expect(() => healthHandler({} as never)).toThrow(
      "healthHandler's receiver must be what createReceiver returned",
    );
    expect(() => healthHandler(receiver, { probe: "x" } as never)).toThrow(TypeError);
    expect(() => healthHandler({ rawHeaders: [] } as never)).toThrow("was mounted itself");
  });
});
