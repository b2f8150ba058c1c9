import { afterAll, describe, expect, it } from "@jest/globals";
import express from "express";
import { createReceiver, type Handler } from "hookgate";
import { createScene } from "../support/scene.js";

const scene = createScene();
afterAll(scene.close);
const key = scene.secret("key");

const boom = (): never => {
  throw new Error("the handler's own words");
};

/** How handlers behave, and what the sender is answered. */
const kinds: Readonly<Record<string, { readonly handler: Handler; readonly status: number }>> = {
  good: { handler: () => {}, status: 200 },
  late: { handler: () => new Promise((resolve) => setImmediate(resolve)), status: 200 },
  "busy.loop": {
    // Blocks the process for everyone. By count: no clock is asked.
    handler: () => {
      let sum = 0;
      for (let n = 0; n < 3_000_000; n++) sum += n % 7;
      return sum;
    },
    status: 200,
  },
  throws: { handler: boom, status: 500 },
  "throws.nothing": {
    handler: () => {
      throw undefined;
    },
    status: 500,
  },
  rejects: { handler: () => Promise.reject(new Error("no")), status: 500 },
  "rejects.late": { handler: () => new Promise((resolve) => setImmediate(resolve)).then(boom), status: 500 },
  never: { handler: () => new Promise(() => {}), status: 503 },
  "never.but.listens": {
    handler: (_event, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    status: 503,
  },
  "settles.behind.its.deadline": {
    handler: (_event, { signal }) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener("abort", () => setImmediate(() => reject(new Error("too late")))),
      ),
    status: 503,
  },
};

describe.each(["front", "Express"] as const)("handlers that misbehave under load, %s", (door) => {
  it("G04 G05 G08 cost only their own deliveries, and give every place back", async () => {
    const failed = new Map<string, number>();
    const receiver = createReceiver({
      name: "orders",
      auth: { serviceKey: key },
      logger: scene.logger,
      hooks: {
        ...scene.hooks,
        failed: ({ event }) => void failed.set(event.type, (failed.get(event.type) ?? 0) + 1),
      },
    });
    for (const [type, { handler, status }] of Object.entries(kinds)) {
      receiver.on(type, handler, { concurrency: 40, timeout: status === 503 ? "300ms" : "20s" });
    }
    const port = await scene.listen(
      door === "front" ? receiver.requestListener("/hooks") : express().all("/hooks", receiver.middleware()),
    );
    // Twice 40 of each at once: in the second round every place under `concurrency` must be free again.
    for (let round = 1; round <= 2; round++) {
      const all = Object.entries(kinds).flatMap(([type, { status }]) =>
        Array.from({ length: 40 }, async () => {
          const answer = await scene.send(port, { key, body: { type, note: "canary-body" } });
          expect([type, answer.status]).toEqual([type, status]);
          if (status >= 500)
            expect(answer.text).toMatch(/^{"type":"about:blank","title":"[\w ]+","status":50[03]}$/);
        }),
      );
      await Promise.all(all);
      for (const [type, { status }] of Object.entries(kinds)) {
        expect([type, failed.get(type) ?? 0]).toEqual([type, status === 200 ? 0 : 40 * round]);
      }
    }
    await receiver.close();
  });
});

it("I01 shows no key and nothing of a body in log and answers", () => {
  expect(scene.takeLog().length).toBeGreaterThan(100);
  expect(scene.leaks()).toEqual([]);
});
