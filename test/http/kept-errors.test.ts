import { afterAll, afterEach, describe, expect, it, jest } from "@jest/globals";
import { createReceiver, type Handler, type InboxReceiver, type ReportOf } from "hookgate";
import type { InboxEngine } from "hookgate/engine";
import { memoryEngine, sendDelivery } from "hookgate/testing";
import { pino } from "pino";
import { createInboxScene, key, until } from "../support/inbox-scene.js";

const scene = createInboxScene();
afterEach(scene.end);
afterAll(() => void jest.restoreAllMocks());

const canary = "canary-0123456789abcdef";

/** As HTTP clients throw them, with the request and its key in tow. */
function clientError(): Error {
  return Object.assign(
    new Error("Request failed with status code 500", { cause: new Error("socket hang up") }),
    {
      code: "ERR_BAD_RESPONSE",
      config: { headers: { authorization: canary } },
      response: { data: canary },
      request: { body: canary },
      toJSON: () => ({ config: canary }),
    },
  );
}

const throwers: Readonly<Record<string, () => unknown>> = {
  "an error with config and response": clientError,
  "a plain object": () => ({ canary, message: canary, nested: { canary } }),
  "a cause with more": () => new Error("outer", { cause: clientError() }),
  "an aggregate": () => new AggregateError([clientError()], "all failed"),
};

/** What pino writes. */
function pinoLog() {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line));
  return { lines, logger: pino({ level: "trace" }, { write }) };
}

/** A receiver whose handler throws, and what became of one event. */
async function run(handler: Handler, engine: InboxEngine | undefined, more: object = {}) {
  const failed: ReportOf<"failed">[] = [];
  const dead: unknown[] = [];
  const receiver = createReceiver({
    name: "orders",
    auth: { serviceKey: key },
    hooks: {
      failed: (report: ReportOf<"failed">) => void failed.push(report),
      dead: (report: unknown) => void dead.push(report),
    },
    ...(engine === undefined ? {} : { inbox: { engine, maxAttempts: 2, retry: () => "0ms" } }),
    ...more,
  } as never) as InboxReceiver;
  receiver.on("order.paid", handler, { name: "b" });
  if (engine !== undefined) await receiver.start();
  const body = { type: "order.paid", id: "e1" };
  const answer = await sendDelivery(receiver.requestListener("/"), { key, body });
  if (engine !== undefined) await until(() => dead.length > 0);
  const stored = engine === undefined ? undefined : (await receiver.inbox.list()).items[0];
  const record = stored === undefined ? undefined : await receiver.inbox.get(stored.recordId);
  await receiver.close();
  return { answer, failed, dead, record };
}

describe.each(Object.entries(throwers))("I01 of %s", (_what, make) => {
  it.each(["with an inbox", "without an inbox"])(
    "pino gets no member that may hold a secret, %s",
    async (how) => {
      const { lines, logger } = pinoLog();
      const engine = how === "with an inbox" ? memoryEngine() : undefined;
      const thrown = make();
      const { failed, dead, record } = await run(
        () => {
          throw thrown;
        },
        engine,
        { logger },
      );
      expect(lines.length).toBeGreaterThan(0);
      expect(JSON.stringify([lines, dead, record])).not.toContain(canary);
      expect(failed[0]?.error.cause).toBe(thrown);
    },
  );

  it("the default logger writes no member that may hold a secret", async () => {
    const written = jest.spyOn(process.stderr, "write").mockReturnValue(true);
    await run(() => {
      throw make();
    }, memoryEngine());
    const text = written.mock.calls.map(([chunk]) => String(chunk)).join("");
    written.mockRestore();
    expect(text).toContain('handler "b" failed (attempt 1 of 2, next in 0 ms)');
    expect(text).not.toContain(canary);
  });
});

describe("the log of a failed handler", () => {
  it("has the reason under err, as pino wants it, and in the message; WARN, and ERROR when dead", async () => {
    const { lines, logger } = pinoLog();
    await run(
      () => {
        throw Object.assign(new TypeError("db down", { cause: new Error("no route") }), { code: "E_DB" });
      },
      memoryEngine(),
      { logger },
    );
    const told = lines.filter(({ msg }) => String(msg).startsWith('handler "b" failed'));
    expect(told.map(({ level, msg }) => [level, msg])).toEqual([
      [40, 'handler "b" failed (attempt 1 of 2, next in 0 ms): TypeError: db down'],
      [50, 'handler "b" failed (attempt 2 of 2, dead letter): TypeError: db down'],
    ]);
    expect(told[0]?.err).toMatchObject({
      type: "TypeError",
      message: "db down: no route",
      code: "E_DB",
      stack: expect.stringMatching(/kept-errors\.test\.ts.*caused by: Error: no route/s),
    });
  });

  it("has the stack in the store, unless keepStacks is off", async () => {
    const boom = () => {
      throw new Error("db down", { cause: new Error("no route") });
    };
    const on = await run(boom, memoryEngine(), { logger: pinoLog().logger });
    expect(on.record?.tasks[0]?.lastError).toMatchObject({
      stack: expect.stringMatching(/^Error: db down\n {4}at .*kept-errors\.test\.ts/),
      cause: { name: "Error", message: "no route", stack: expect.stringContaining("no route") },
    });
    const { lines, logger } = pinoLog();
    const off = await run(boom, memoryEngine(), { logger, keepStacks: false });
    expect(off.record?.tasks[0]?.lastError).toEqual({
      ...{ name: "Error", message: "db down" },
      cause: { name: "Error", message: "no route" },
    });
    expect(JSON.stringify(lines)).not.toContain("kept-errors.test.ts");
  });
});

/** Throws at every trap, also when it is only held against a class. */
function thorny(): object {
  const trap = (): never => {
    throw new Error("a trap");
  };
  const names = Object.getOwnPropertyNames(Reflect);
  return new Proxy({}, Object.fromEntries(names.map((name) => [name, trap])));
}

const nasty: Readonly<Record<string, () => unknown>> = {
  "a Proxy whose traps throw": thorny,
  "a revoked Proxy": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  "an error whose getters throw": () => {
    const error = new Error("x");
    for (const name of ["stack", "name", "message", "cause", "code", "constructor"]) {
      Object.defineProperty(error, name, {
        get() {
          throw thorny();
        },
      });
    }
    return error;
  },
  "an object without prototype": () => Object.create(null),
  "a Proxy that claims to be a RetryAfterError": () =>
    new Proxy(new Error("x"), {
      get(_target, member) {
        if (member === "delayMs") throw new Error("a trap");
        return undefined;
      },
    }),
};

describe.each(Object.entries(nasty))("G04 a handler that throws %s", (_what, make) => {
  it.each(["at once", "later"])("is tried as often as it may be, and no more, %s", async (when) => {
    let runs = 0;
    const { lines, logger } = pinoLog();
    const { answer, dead, record } = await run(
      () => {
        runs++;
        if (when === "at once") throw make();
        return new Promise((_resolve, reject) => setImmediate(() => reject(make())));
      },
      memoryEngine(),
      { logger },
    );
    expect(answer.status).toBe(202);
    expect(runs).toBe(2);
    expect(dead).toHaveLength(1);
    expect(record?.tasks[0]).toMatchObject({ state: "dead", attempts: 2 });
    expect(lines.filter(({ msg }) => /attempt \d of 2/.test(String(msg)))).toHaveLength(2);
  });

  it("is answered 500 without an inbox", async () => {
    const { answer, failed } = await run(
      () => {
        throw make();
      },
      undefined,
      { logger: pinoLog().logger },
    );
    expect(answer.status).toBe(500);
    expect(failed).toHaveLength(1);
  });
});

it("H05 a write of context.complete that rejects with a Proxy fails the attempt", async () => {
  let runs = 0;
  const { record } = await run(
    ((_event: unknown, context: { complete(write: () => Promise<void>): Promise<void> }) => {
      runs++;
      void context.complete(() => Promise.reject(thorny())).catch(() => {});
    }) as never,
    memoryEngine(),
    { logger: pinoLog().logger },
  );
  expect(runs).toBe(2);
  expect(record?.tasks[0]).toMatchObject({ state: "dead" });
});
