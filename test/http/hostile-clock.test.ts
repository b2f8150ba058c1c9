/** A clock that fails costs deliveries their answer, never the process its life. */
import { afterAll, afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { createReceiver, requireAuth } from "hookgate";
import { createTestSigner } from "hookgate/testing";
import { createInboxScene, type InboxScene, until } from "../support/inbox-scene.js";
import { createScene, mounts } from "../support/scene.js";

const scene = createScene();
afterAll(scene.close);
const key = scene.secret("key");
const signer = await createTestSigner("HS256");

/** The machine's clock until it is told to break. */
function createBreakingClock() {
  const state = { now: "right" as "right" | "throws" | "NaN", after: "right" as "right" | "throws" };
  return {
    state,
    clock: {
      now() {
        if (state.now === "throws") throw new Error("no time");
        return state.now === "NaN" ? Number.NaN : Date.now();
      },
      after(ms: number, callback: () => void) {
        if (state.after === "throws") throw new Error("no timers");
        const timer = setTimeout(callback, ms);
        return () => clearTimeout(timer);
      },
    },
  };
}

describe.each(mounts)("a failing clock on %s", (_name, mount) => {
  it.each(["throws", "NaN"] as const)(
    "A34 is a 500 while now() %s, and nothing once it is right again",
    async (fault) => {
      const { state, clock } = createBreakingClock();
      const receiver = createReceiver({
        name: "orders",
        auth: { serviceKey: key, jwt: { issuer: "orders", ...signer.verification } },
        clock,
        logger: scene.logger,
        hooks: scene.hooks,
      });
      const seen: unknown[] = [];
      receiver.onAny(({ type }) => seen.push(type));
      const port = await scene.listen(mount(receiver.middleware()));
      const nowSeconds = Math.floor(Date.now() / 1_000);
      const expired = scene.keep(await signer.sign({ iss: "orders", exp: nowSeconds - 3_600 }));
      const body = { type: "a" };
      state.now = fault;
      expect((await scene.send(port, { key, body })).status).toBe(500);
      expect((await scene.send(port, { token: expired, body })).status).toBe(500);
      expect(scene.takeLog().join()).toContain("ERR_INTERNAL");
      state.now = "right";
      state.after = "throws";
      expect((await scene.send(port, { key, body })).status).toBe(200);
      expect((await scene.send(port, { token: expired, body })).status).toBe(401);
      expect(seen).toEqual(["a"]);
    },
  );

  it("ends no handler that runs when the clock breaks", async () => {
    const { state, clock } = createBreakingClock();
    const receiver = createReceiver({
      name: "orders",
      auth: { serviceKey: key },
      clock,
      logger: scene.logger,
    });
    receiver.on("a", async () => {
      state.now = "throws";
      await new Promise((resolve) => setImmediate(resolve));
    });
    const port = await scene.listen(mount(receiver.middleware()));
    expect((await scene.send(port, { key, body: { type: "a" } })).status).toBe(200);
    expect((await scene.send(port, { key, body: { type: "a" } })).status).toBe(500);
  });
});

describe("a failing clock elsewhere", () => {
  let inbox: InboxScene;
  beforeEach(() => {
    inbox = createInboxScene();
  });
  afterEach(() => inbox.end());

  it("is a 500 of requireAuth", async () => {
    const { state, clock } = createBreakingClock();
    const guard = requireAuth({ serviceKey: key, clock, logger: scene.logger });
    const port = await scene.listen((req, res) => guard(req, res, () => res.writeHead(204).end()));
    expect((await scene.send(port, { key })).status).toBe(204);
    state.now = "throws";
    expect((await scene.send(port, { key })).status).toBe(500);
  });

  it("leaves an inbox and its workers alive", async () => {
    const { state, clock } = createBreakingClock();
    const receiver = inbox.receiver({ engine: inbox.engine(), more: { clock } });
    const handled: string[] = [];
    receiver.on("a", ({ id }) => void handled.push(id));
    await receiver.start();
    state.after = "throws";
    expect((await inbox.send(receiver, { id: "1", type: "a" })).status).toBe(202);
    state.now = "throws";
    expect((await inbox.send(receiver, { id: "2", type: "a" })).status).toBe(500);
    await until(() => handled.length === 1);
    state.now = "right";
    expect((await inbox.send(receiver, { id: "2", type: "a" })).status).toBe(202);
    await until(() => handled.length === 2);
  });
});
