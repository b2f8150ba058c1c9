import { afterAll, describe, expect, it } from "@jest/globals";
import { createReceiver, type Hooks, type Middleware, type ReceiverOptions, uncheckedTypes } from "hookgate";
import { createFakeClock } from "hookgate/testing";
import { z } from "zod";
import { createScene, mounts } from "../support/scene.js";

const scene = createScene();
afterAll(scene.close);
const key = scene.secret("key");
const secret = scene.secret("body");

// A rejection that nobody handles fails the test by itself: jest hears of it, and process.on in a test does not.

/** Resolves when it is called. */
function signal(): { readonly happened: Promise<void>; readonly fire: () => void } {
  let fire = (): void => {};
  const happened = new Promise<void>((resolve) => {
    fire = resolve;
  });
  return { happened, fire };
}

const common = { name: "orders", auth: { serviceKey: key }, logger: scene.logger };
function createOpen(options: Partial<ReceiverOptions> = {}) {
  return createReceiver({ ...common, hooks: scene.hooks, ...options });
}

describe.each(mounts)("G: dispatch on %s", (_name, mount) => {
  const listen = (receiver: { middleware(): Middleware }) => scene.listen(mount(receiver.middleware()));
  const post = (port: number, body: unknown) => scene.send(port, { key, body });
  const outcome = async (port: number, body: unknown) => {
    const answer = await post(port, body);
    const { status, code } = answer.json() as { status: unknown; code?: string };
    return [answer.status, code ?? status];
  };

  it("G01 G02 ignores event names of Object.prototype and other strange ones", async () => {
    const handled: string[] = [];
    const receiver = createReceiver({
      ...common,
      hooks: scene.hooks,
      body: { maxBytes: 2_000_000 },
      events: { "order.paid": z.looseObject({}) },
    });
    receiver.on("order.*", ({ type }) => handled.push(type));
    receiver.onAny(({ type }) => handled.push(type), { name: "all" });
    const port = await listen(receiver);
    // What other tests logged, stacks among it, is not this one's.
    scene.takeLog();
    for (const type of [
      "__proto__",
      "constructor",
      "toString",
      "hasOwnProperty",
      "*",
      "order.*",
      "order.",
      "order.paid ",
      "ORDER.PAID",
      "order.paid\0",
      "\ud800",
      "\u001b[31mred\r\nforged log line",
      "n".repeat(1_000_000),
    ]) {
      expect(await outcome(port, { type })).toEqual([200, "ignored"]);
    }
    expect(handled).toEqual([]);
    // I02: no control character, and no megabyte, reaches the log.
    const log = scene.takeLog();
    const control = ["\0", "\u001b", "\r", "\nforged"];
    expect(log.filter((line) => control.some((text) => line.includes(text)))).toEqual([]);
    expect(Math.max(...log.map((line) => line.length))).toBeLessThan(2000);
    expect(await outcome(port, { type: "order.paid" })).toEqual([200, "handled"]);
    expect(handled).toEqual(["order.paid", "order.paid"]);
  });

  it.each([
    ["no type", { note: secret }],
    ["an empty type", { type: "" }],
    ["a type that is no text", { type: { a: secret } }],
    ["null", null],
    ["a list", [{ type: "a" }]],
    ["text", '"order.paid"'],
    ["an id that is no text", { type: "a", id: { secret } }],
    ["an empty id", { type: "a", id: "" }],
    ["an id of 256 characters", { type: "a", id: "i".repeat(256) }],
  ])("G01 refuses %s: 422", async (_case, body) => {
    const receiver = createOpen();
    receiver.onAny(() => {});
    expect(await outcome(await listen(receiver), body)).toEqual([422, "ERR_EVENT_INVALID"]);
  });

  it("G03 refuses data that breaks the schema, and calls nobody; the paths are for the operator", async () => {
    let handled = 0;
    const receiver = createReceiver({
      ...common,
      hooks: scene.hooks,
      events: { paid: z.object({ orderId: z.string(), lines: z.array(z.object({ sku: z.string() })) }) },
    });
    receiver.on("paid", () => handled++);
    const port = await listen(receiver);
    scene.takeLog();
    const bad = { type: "paid", orderId: 7, lines: [{ sku: { secret } }], note: secret };
    expect(await outcome(port, bad)).toEqual([422, "ERR_EVENT_INVALID"]);
    expect(handled).toBe(0);
    expect(scene.takeLog().join()).toMatch(/orderId.*lines/);
  });

  it.each<[string, () => unknown]>([
    ["throws", () => boom()],
    ["rejects", async () => boom()],
    ["throws null", () => raise(null)],
    ["throws undefined", () => raise(undefined)],
    ["rejects with nothing", () => Promise.reject()],
    ["throws a frozen object", () => raise(Object.freeze({}))],
    ["throws an object that cannot be read", () => raise(hostile())],
    ["returns a thenable that throws", () => thenable(boom)],
    ["returns a thenable that rejects", () => thenable((_resolve, reject) => reject(new Error("x")))],
    ["returns an object that cannot be read", () => hostile()],
  ])("G04 answers 500 without the handler's words when it %s, and goes on", async (_case, handler) => {
    const receiver = createOpen();
    receiver.on("bad", handler);
    receiver.on("good", () => {});
    const port = await listen(receiver);
    const failed = await post(port, { type: "bad" });
    expect([failed.status, failed.text]).toEqual([
      500,
      '{"type":"about:blank","title":"Internal Server Error","status":500}',
    ]);
    expect(await outcome(port, { type: "good" })).toEqual([200, "handled"]);
  });

  it("G04 answers once where a handler settles twice", async () => {
    const receiver = createOpen();
    receiver.on("twice", () =>
      thenable((resolve, reject) => {
        resolve(1);
        reject(new Error("second"));
        throw new Error("third");
      }),
    );
    expect(await outcome(await listen(receiver), { type: "twice" })).toEqual([200, "handled"]);
  });

  it("G04 runs the other handlers where one fails, and tells of each", async () => {
    const handled: string[] = [];
    const failed: string[] = [];
    const hooks: Hooks = {
      handled: ({ handler }) => handled.push(handler),
      failed: ({ handler, code }) => failed.push(`${handler} ${code}`),
    };
    const receiver = createOpen({ hooks });
    receiver.on("a", () => boom(), { name: "first" });
    receiver.on("a", async () => {}, { name: "second" });
    receiver.on("a", () => Promise.reject(), { name: "third" });
    expect((await post(await listen(receiver), { type: "a" })).status).toBe(500);
    expect([handled, failed]).toEqual([["second"], ["first ERR_HANDLER_FAILED", "third ERR_HANDLER_FAILED"]]);
  });

  it("G05 answers 503 at the deadline, aborts the signal, and frees the place", async () => {
    const clock = createFakeClock();
    const started = signal();
    const aborted = signal();
    const receiver = createOpen({ clock });
    let slow = true;
    receiver.on(
      "slow",
      (_event, context) => {
        if (!slow) return undefined;
        context.signal.addEventListener("abort", aborted.fire);
        started.fire();
        return new Promise(() => {});
      },
      { timeout: "5s", concurrency: 1 },
    );
    const port = await listen(receiver);
    const pending = post(port, { type: "slow" });
    await started.happened;
    // G06: the only place is taken.
    const full = await post(port, { type: "slow" });
    expect([full.status, full.headers["retry-after"]]).toEqual([503, "1"]);
    clock.advance("5s");
    await aborted.happened;
    const answer = await pending;
    expect([answer.status, answer.headers["retry-after"]]).toEqual([503, "5"]);
    expect(answer.text).toBe('{"type":"about:blank","title":"Service Unavailable","status":503}');
    slow = false;
    expect(await outcome(port, { type: "slow" })).toEqual([200, "handled"]);
    expect(clock.pending).toBe(0);
  });

  it("G05 takes a handler that fails after its deadline for a line in the log", async () => {
    const clock = createFakeClock();
    const started = signal();
    const late = signal();
    const warned = signal();
    const logger = {
      ...scene.logger,
      warn: (details: object, message: string) => {
        scene.logger.warn(details, message);
        if (message.includes("after its deadline")) warned.fire();
      },
    };
    const receiver = createOpen({ clock, logger, handlerTimeout: "1s" });
    receiver.on("late", async () => {
      started.fire();
      await late.happened;
      boom();
    });
    const port = await listen(receiver);
    const pending = post(port, { type: "late" });
    await started.happened;
    clock.advance("1s");
    expect((await pending).status).toBe(503);
    late.fire();
    await warned.happened;
  });

  it("G07 gives each handler data of its own", async () => {
    const seen: unknown[] = [];
    const receiver = createOpen();
    const spoil = ({ data }: { data: unknown }): void => {
      const list = (data as { list: number[] }).list;
      seen.push([...list]);
      list.length = 0;
    };
    receiver.on("a", spoil, { name: "one" });
    receiver.on("a", spoil, { name: "two" });
    receiver.onAny(spoil, { name: "three" });
    expect(await outcome(await listen(receiver), { type: "a", list: [1, 2] })).toEqual([200, "handled"]);
    expect(seen).toEqual([
      [1, 2],
      [1, 2],
      [1, 2],
    ]);
  });

  it("G09 runs those that were registered when the event came, though one takes itself away", async () => {
    const ran: string[] = [];
    const receiver = createOpen();
    receiver.on(
      "a.b",
      () => {
        ran.push("first");
        receiver.off("second");
        receiver.on("a.b", () => ran.push("new"), { name: "new" });
        receiver.off("first");
      },
      { name: "first" },
    );
    receiver.on("a.*", () => ran.push("second"), { name: "second" });
    const port = await listen(receiver);
    await post(port, { type: "a.b" });
    expect(ran).toEqual(["first", "second"]);
    await post(port, { type: "a.b" });
    expect(ran).toEqual(["first", "second", "new"]);
  });

  it("G04 is not stopped by a schema, a locator or a hook that throws", async () => {
    const moody = createReceiver({
      ...common,
      events: {
        a: { "~standard": { version: 1 as const, vendor: "x", validate: () => boom() } },
        b: { "~standard": { version: 1 as const, vendor: "x", validate: async () => boom() } },
      },
      hooks: { accepted: boom, refused: boom, handled: boom, failed: boom },
    });
    moody.onAny(() => {});
    const port = await listen(moody);
    expect((await post(port, { type: "a" })).status).toBe(500);
    expect((await post(port, { type: "b" })).status).toBe(500);
    const lost = createOpen({ type: boom });
    lost.onAny(() => {});
    expect((await post(await listen(lost), { type: "a" })).status).toBe(500);
    const hooked = createOpen({ hooks: { accepted: boom, handled: (async () => boom()) as never } });
    hooked.onAny(() => {});
    expect((await post(await listen(hooked), { type: "a" })).status).toBe(200);
  });
});

it("G01 knows no types but those that were named, also without schemas", async () => {
  const handled: string[] = [];
  const receiver = createReceiver({ ...common, events: uncheckedTypes<{ "a.b": { x: number } }>() });
  receiver.on("a.b", ({ type }) => handled.push(type));
  const port = await scene.listen(mounts[0]![1](receiver.middleware()));
  for (const type of ["__proto__", "a", "a.b.c", "a.b"]) await scene.send(port, { key, body: { type } });
  expect(handled).toEqual(["a.b"]);
});

function boom(): never {
  throw new Error("the handler's own words");
}
function raise(value: unknown): never {
  throw value;
}
type Settle = (value?: unknown) => void;
/** What other libraries return for a promise. */
function thenable(then: (resolve: Settle, reject: Settle) => void): object {
  // biome-ignore lint/suspicious/noThenProperty: not every library's promise is a Promise
  return Object.defineProperty({}, "then", { value: then });
}
/** An object that throws whatever is asked of it. */
function hostile(): object {
  const refuse = (): never => {
    throw new Error("do not touch");
  };
  return new Proxy({}, { get: refuse, has: refuse, ownKeys: refuse, getPrototypeOf: refuse });
}

it("I01 shows no key and nothing of a body in log and answers", () => {
  expect(scene.leaks()).toEqual([]);
});
