import { once } from "node:events";
import { createServer } from "node:http";
import { afterAll, describe, expect, it } from "@jest/globals";
import { createReceiver, credentialsFromLookup, type FoundKey, type ReceiverOptions } from "hookgate";
import { createScene, mounts } from "../support/scene.js";
import { postHead } from "../support/wire.js";

const scene = createScene();
afterAll(scene.close);
const key = scene.secret("key");
const body = { note: scene.secret("body") };

/** A receiver whose handler waits until it is let go. */
function createHeld(options: Partial<ReceiverOptions> = {}) {
  const waiting: (() => void)[] = [];
  const arrivals: (() => void)[] = [];
  let running = 0;
  const receiver = createReceiver({
    name: "orders",
    auth: { serviceKey: key },
    type: () => "any",
    logger: scene.logger,
    hooks: scene.hooks,
    ...options,
  });
  receiver.onAny(() => {
    running++;
    for (const tell of arrivals.splice(0)) tell();
    return new Promise<void>((resolve) => waiting.push(resolve));
  });
  return {
    receiver,
    letGo: () => {
      for (const resolve of waiting.splice(0)) resolve();
    },
    /** Resolves when this many runs have begun. */
    async begun(count: number): Promise<void> {
      while (running < count) await new Promise<void>((resolve) => arrivals.push(resolve));
    },
  };
}

describe.each(mounts)("under load on %s", (_name, mount) => {
  it("G06 refuses deliveries beyond maxConcurrent: 503 with Retry-After, and takes them again", async () => {
    const { receiver, begun, letGo } = createHeld({ maxConcurrent: 2 });
    const port = await scene.listen(mount(receiver.middleware()));
    const inside = [scene.send(port, { key, body }), scene.send(port, { key, body })];
    await begun(2);
    const full = await scene.send(port, { key, body });
    expect([full.status, full.headers["retry-after"], full.text]).toEqual([
      503,
      "1",
      '{"type":"about:blank","title":"Service Unavailable","status":503}',
    ]);
    letGo();
    expect((await Promise.all(inside)).map(({ status }) => status)).toEqual([200, 200]);
    const next = scene.send(port, { key, body });
    await begun(3);
    letGo();
    expect((await next).status).toBe(200);
  });

  it("G06 gives the places of bodies that never came back", async () => {
    const { receiver, begun, letGo } = createHeld({ maxConcurrent: 1, body: { timeout: "60ms" } });
    const port = await scene.listen(mount(receiver.middleware()));
    for (let round = 0; round < 3; round++) {
      const wire = await scene.open(port);
      await wire.send(postHead(`Key: ${key}`, "Content-Type: application/json", "Content-Length: 9"));
      expect((await wire.answers(1))[0]?.status).toBe(408);
    }
    const next = scene.send(port, { key, body });
    await begun(1);
    letGo();
    expect((await next).status).toBe(200);
  });

  it("finishes what is in progress when it is stopped, and refuses what comes then: 503, closed", async () => {
    const { receiver, begun, letGo } = createHeld();
    const server = createServer(mount(receiver.middleware()));
    const port = await scene.listen(server);
    const inside = scene.send(port, { key, body });
    await begun(1);
    const slow = await scene.open(port);
    const arrived = once(server, "request");
    await slow.send(`${postHead(`Key: ${key}`, "Content-Type: application/json", "Content-Length: 2")}{`);
    await arrived;
    let stopped = false;
    const stopping = receiver.close().then(() => {
      stopped = true;
    });
    const late = await scene.open(port);
    await late.send(`${postHead(`Key: ${key}`, "Content-Type: application/json", "Content-Length: 2")}{}`);
    const [refused] = await late.answers(1);
    await late.ended;
    expect([refused?.status, refused?.head]).toEqual([503, expect.stringMatching(/^Connection: close$/m)]);
    expect(refused?.head).toMatch(/^Retry-After: 5$/m);
    // A body that was on its way is still taken.
    await slow.send("}");
    await begun(2);
    expect(stopped).toBe(false);
    letGo();
    expect((await inside).status).toBe(200);
    expect((await slow.answers(1))[0]?.status).toBe(200);
    await stopping;
    await receiver.close();
    expect((await scene.send(port, { key, body })).status).toBe(503);
  });

  it("has written every answer when stop resolves", async () => {
    const { receiver, begun, letGo } = createHeld();
    const server = createServer(mount(receiver.middleware()));
    const port = await scene.listen(server);
    const inside = Array.from({ length: 5 }, () => scene.send(port, { key, body }));
    await begun(5);
    const stopping = receiver.close();
    letGo();
    await stopping;
    // What a process that exits here would do to its connections.
    server.closeAllConnections();
    expect((await Promise.all(inside)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  });

  it("refuses a delivery whose credential was still being looked up when it was stopped", async () => {
    let asked = (): void => {};
    let answer = (_found: FoundKey): void => {};
    const wasAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const credentials = credentialsFromLookup({
      key: () => {
        asked();
        return new Promise<FoundKey>((resolve) => {
          answer = resolve;
        });
      },
    });
    const { receiver } = createHeld({ auth: { accept: ["service-key"], credentials } });
    const port = await scene.listen(mount(receiver.middleware()));
    const pending = scene.send(port, { key, body });
    await wasAsked;
    await receiver.close();
    answer({ id: "k", tenant: "t", service: "s" });
    expect((await pending).status).toBe(503);
  });

  it("serves many connections at once, each its own answer", async () => {
    const receiver = createReceiver({
      name: "orders",
      auth: { serviceKey: key },
      type: () => "any",
      logger: scene.logger,
      hooks: scene.hooks,
    });
    receiver.onAny(() => {});
    const port = await scene.listen(mount(receiver.middleware()));
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, at) =>
        scene.send(port, { key: at % 3 === 0 ? "wrong" : key, body: { id: `event-${at}` } }),
      ),
    );
    const ids = new Set(answers.map(({ headers }) => headers["x-request-id"]));
    expect(ids.size).toBe(100);
    answers.forEach((answer, at) => {
      if (at % 3 === 0) expect(answer.status).toBe(401);
      else expect(answer.json()).toEqual({ status: "handled", id: `event-${at}` });
    });
  });
});

it("E13 leaves keep-alive connections to Node and answers each request on them", async () => {
  const receiver = createReceiver({
    name: "orders",
    auth: { serviceKey: key },
    type: () => "any",
    logger: scene.logger,
    hooks: scene.hooks,
  });
  receiver.onAny(() => {});
  const server = createServer(mounts[0]![1](receiver.middleware()));
  server.maxRequestsPerSocket = 3;
  const wire = await scene.open(await scene.listen(server));
  for (let sent = 1; sent <= 3; sent++) {
    await wire.send(`${postHead(`Key: ${key}`, "Content-Type: application/json", "Content-Length: 2")}{}`);
    expect((await wire.answers(sent)).at(-1)?.status).toBe(200);
  }
  expect((await wire.answers(3))[2]?.head).toMatch(/^Connection: close$/m);
});

it("I01 shows no key and nothing of a body in log and answers", () => {
  expect(scene.takeLog().length).toBeGreaterThan(10);
  expect(scene.leaks()).toEqual([]);
});
