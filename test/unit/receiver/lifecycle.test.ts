import { describe, expect, it } from "@jest/globals";
import { createReceiver, StoppedError } from "../../../src/index.js";
import { createFakeClock } from "../../../src/testing/fake-clock.js";
import { sendDelivery } from "../../../src/testing/index.js";
import type { ConsumeOptions, InboxEngine } from "../../../src/types/engine.js";
import { claimedTask, idleEngine, noTasks } from "../../support/inbox-parts.js";

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function scene(changes: Partial<InboxEngine> = {}, workers = true) {
  const clock = createFakeClock();
  const steps: string[] = [];
  const lines: string[] = [];
  let consumed: ConsumeOptions<never> | undefined;
  let stopConsumer = (): Promise<void> => Promise.resolve();
  const engine = idleEngine({
    open: async () => void steps.push("open"),
    close: async () => void steps.push("close"),
    consume: (options) => {
      steps.push("consume");
      consumed = options;
      return {
        stop: () => {
          steps.push("stop");
          return stopConsumer();
        },
      };
    },
    ...changes,
  });
  const line = (_details: object, message: string): void => void lines.push(message);
  const receiver = createReceiver({
    name: "orders",
    auth: { dangerouslyAcceptAnyone: true },
    allowIps: ["127.0.0.1"],
    inbox: { engine, workers, lease: "700ms", maxAttempts: 5 },
    clock,
    logger: { debug() {}, info: line, warn: line, error: line },
  });
  receiver.on("order.paid", () => new Promise(() => {}), { name: "ship", maxAttempts: 2, concurrency: 3 });
  receiver.on("order.paid", () => {}, { name: "audit", orderingKey: () => "k", onDeadLetter: "block" });
  const app = receiver.requestListener("/");
  const send = () => sendDelivery(app, { body: { id: "e1", type: "order.paid" } });
  const options = (): ConsumeOptions<never> => {
    if (consumed === undefined) throw new Error("nothing was consumed");
    return consumed;
  };
  return {
    ...{ receiver, clock, steps, lines, send, options },
    onStop: (stop: () => Promise<void>) => {
      stopConsumer = stop;
    },
  };
}

describe("starting a receiver with an inbox", () => {
  it("refuses deliveries before it: 503", async () => {
    const { receiver, send, lines } = scene();
    expect((await send()).status).toBe(503);
    expect(lines[0]).toContain("the receiver was not started: await receiver.start()");
    await receiver.start();
    expect((await send()).status).toBe(202);
  });

  it("opens the engine, then consumes by the handlers' rules", async () => {
    const { receiver, steps, options } = scene();
    await receiver.start();
    expect(steps).toEqual(["open", "consume"]);
    expect(options()).toMatchObject({ receiver: "orders", leaseMs: 700 });
    expect([...options().handlers]).toEqual([
      ["ship", { concurrency: 3, maxAttempts: 2, onDeadLetter: "continue" }],
      ["audit", { concurrency: 20, maxAttempts: 5, onDeadLetter: "block", ordered: true }],
    ]);
  });

  it("consumes nothing with workers: false, and accepts", async () => {
    const { receiver, steps, send } = scene({}, false);
    await receiver.start();
    expect(steps).toEqual(["open"]);
    expect((await send()).status).toBe(202);
  });

  it("is one start, however often it is called", async () => {
    const { receiver, steps } = scene();
    const first = receiver.start();
    expect(receiver.start()).toBe(first);
    await first;
    expect(receiver.start()).toBe(first);
    expect(steps).toEqual(["open", "consume"]);
  });

  it("can be tried again where it failed; until then deliveries are refused and handlers may be registered", async () => {
    let fails = true;
    const { receiver, send, steps } = scene({
      open: async () => {
        if (fails) throw new Error("no such directory");
      },
    });
    await expect(receiver.start()).rejects.toThrow("no such directory");
    expect((await send()).status).toBe(503);
    receiver.on("order.lost", () => {});
    fails = false;
    await receiver.start();
    expect((await send()).status).toBe(202);
    expect(steps).toEqual(["consume"]);
  });

  it("closes what it opened where it fails behind that", async () => {
    const { receiver, steps } = scene({
      consume: () => {
        throw new Error("no such table");
      },
    });
    await expect(receiver.start()).rejects.toThrow("no such table");
    expect(steps).toEqual(["open", "close"]);
  });

  it("says which tasks wait for handlers that are not there", async () => {
    const idle = await idleEngine().stats({});
    const handlers = ["ship", "shp", "old"].map((handler, at) => ({
      ...noTasks,
      ...{ receiver: "orders", handler, ordered: false, waiting: at > 0 ? 1 : 0, blocked: at > 1 ? 1 : 0 },
    }));
    const { receiver, lines } = scene({ stats: async () => ({ ...idle, handlers }) });
    await receiver.start();
    await turn();
    expect(lines.filter((line) => line.includes("not registered"))).toEqual([
      '1 tasks wait for the handler "shp", which is not registered; register it, or drop them',
      '2 tasks wait for the handler "old", which is not registered; register it, or drop them',
    ]);
  });

  it("starts without the count of tasks where the store cannot give it", async () => {
    const { receiver, lines } = scene({
      stats: async () => {
        throw new Error("busy");
      },
    });
    await receiver.start();
    await turn();
    expect(lines).toContain("the inbox's tasks could not be counted");
  });

  it("makes registering and removing handlers a TypeError", async () => {
    const { receiver } = scene();
    const starting = receiver.start();
    const late = /the receiver was started, and an inbox needs every handler before that/;
    expect(() => receiver.on("a", () => {})).toThrow(late);
    expect(() => receiver.onAny(() => {})).toThrow(late);
    expect(() => receiver.off("ship")).toThrow(TypeError);
    await starting;
    expect(() => receiver.off("ship")).toThrow(late);
  });
});

describe("closing a receiver with an inbox", () => {
  it("H17 refuses deliveries at once, stops claiming, then closes the engine", async () => {
    const { receiver, send, steps } = scene();
    await receiver.start();
    const closing = receiver.close();
    expect((await send()).status).toBe(503);
    await closing;
    expect(steps).toEqual(["open", "consume", "stop", "close"]);
    await expect(receiver.start()).rejects.toBeInstanceOf(StoppedError);
    await expect(receiver.inbox.list()).rejects.toBeInstanceOf(StoppedError);
    await receiver.close();
    expect(steps).toHaveLength(4);
  });

  it("H17 waits for runs up to its grace, then aborts them and gives their tasks back", async () => {
    const { receiver, options, clock, steps, onStop, lines } = scene();
    await receiver.start();
    const run = options().run(claimedTask({ handler: "ship" }), { onLost() {}, complete: async () => {} });
    onStop(async () => void (await run));
    let closed = false;
    const closing = receiver.close({ grace: "3s" }).then(() => {
      closed = true;
    });
    await turn();
    clock.advance("2999ms");
    await turn();
    expect(closed).toBe(false);
    clock.advance("1ms");
    expect(await run).toEqual({ outcome: "release" });
    await closing;
    expect(steps).toEqual(["open", "consume", "stop", "close"]);
    expect(lines).toContainEqual(expect.stringContaining("closing took longer than its grace"));
    expect(clock.pending).toBe(0);
  });

  it("H17 ends within its grace and a second where consumer and engine hang", async () => {
    const { receiver, clock, onStop } = scene({ close: () => new Promise(() => {}) });
    await receiver.start();
    onStop(() => new Promise(() => {}));
    const closing = receiver.close({ grace: "0ms" });
    for (let passedMs = 0; passedMs <= 1_000; passedMs += 50) {
      await turn();
      clock.advance("50ms");
    }
    await closing;
  });

  it("H17 tells consumer and engine when its time is up, and answers who waits for the store 503", async () => {
    const signals: (AbortSignal | undefined)[] = [];
    const hang = (options?: { readonly signal?: AbortSignal | undefined }): Promise<void> => {
      signals.push(options?.signal);
      if (options?.signal?.aborted === true) return Promise.resolve();
      return new Promise((resolve) => options?.signal?.addEventListener("abort", () => resolve()));
    };
    const { receiver, clock, send } = scene({
      accept: () => new Promise(() => {}),
      consume: () => ({ stop: hang }),
      close: hang,
    });
    await receiver.start();
    const answer = send();
    const closing = receiver.close({ grace: "1s" });
    for (let passedMs = 0; passedMs < 1_550; passedMs += 50) {
      await turn();
      clock.advance("50ms");
    }
    expect(signals.map((signal) => signal?.aborted)).toEqual([false]);
    clock.advance("50ms");
    expect((await answer).status).toBe(503);
    await closing;
    expect(signals.map((signal) => signal?.aborted)).toEqual([true, true]);
    expect(clock.pending).toBe(0);
  });

  it("never rejects: what fails is noted", async () => {
    const { receiver, onStop, lines } = scene({
      close: async () => {
        throw new Error("cannot close");
      },
    });
    await receiver.start();
    onStop(async () => {
      throw new Error("cannot stop");
    });
    await receiver.close();
    expect(lines.filter((line) => line === "a part of the receiver could not be closed")).toHaveLength(2);
  });

  it("waits for a start that is under way, and leaves nothing open", async () => {
    let open = (): void => {};
    const { receiver, steps, send } = scene({
      open: () =>
        new Promise((resolve) => {
          open = resolve;
        }),
    });
    const starting = receiver.start();
    await turn();
    const closing = receiver.close();
    open();
    await starting;
    await closing;
    expect(steps).toEqual(["consume", "stop", "close"]);
    expect((await send()).status).toBe(503);
  });

  it("starts nothing any more where the engine opens behind its end", async () => {
    let open = (): void => {};
    const { receiver, steps, clock } = scene({
      open: () =>
        new Promise((resolve) => {
          open = resolve;
        }),
    });
    const starting = receiver.start();
    await turn();
    const closing = receiver.close({ grace: "10ms" });
    for (const ms of [10, 600]) {
      clock.advance(`${ms}ms`);
      await turn();
    }
    await closing;
    open();
    await expect(starting).rejects.toBeInstanceOf(StoppedError);
    expect(steps).toEqual(["close"]);
  });

  it("takes a receiver that was never started", async () => {
    const { receiver, steps, clock } = scene();
    await receiver.close();
    expect(steps).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it.each([[-1], [Number.NaN], [5_000], ["3601s"], ["5"], [null]])("refuses a grace of %p", async (grace) => {
    const { receiver } = scene();
    await expect(receiver.close({ grace: grace as never })).rejects.toThrow("close's options.grace must be");
    await expect(receiver.close({ gracee: "5s" } as never)).rejects.toThrow(TypeError);
  });
});
