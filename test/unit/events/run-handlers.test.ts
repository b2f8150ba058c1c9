import { afterEach, describe, expect, it, jest } from "@jest/globals";
import { HandlerTimeoutError } from "../../../src/errors.js";
import type { HandlerOptions } from "../../../src/events/handlers.js";
import { createHandlers, type HandlerRegistry } from "../../../src/events/handlers.js";
import type { LateResult, SharedContext } from "../../../src/events/run-handlers.js";
import { type Dispatch, type DispatchResult, dispatch } from "../../../src/events/run-handlers.js";
import { createCatalog } from "../../../src/events/schemas.js";
import { createFakeClock } from "../../../src/testing/fake-clock.js";
import type { Handler, HandlerContext, WebhookEvent } from "../../../src/types/event.js";

// Jest fails a test on an unhandled rejection, if the test is still running when it is reported.
afterEach(turn);

/** Everything that is due without a timer has run, reports of unhandled rejections too. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

/** An object with this member `then`. */
function withThen(then: unknown): object {
  return { then };
}

const never = new Promise<never>(() => {});

const shared = {
  caller: { method: "none" },
  delivery: { requestId: "r1" },
  attempt: 1,
  logger: {},
} as unknown as SharedContext;

interface Bench {
  readonly clock: ReturnType<typeof createFakeClock>;
  readonly handlers: HandlerRegistry;
  readonly late: LateResult[];
  add(name: string, handler: Handler, options?: HandlerOptions): void;
  run(changes?: Partial<Dispatch>): ReturnType<typeof dispatch>;
}

function bench(): Bench {
  const clock = createFakeClock(new Date(1_000_000));
  const handlers = createHandlers(createCatalog(undefined, "events"));
  const late: LateResult[] = [];
  return {
    clock,
    handlers,
    late,
    add: (name, handler, options) => handlers.on("t", handler, { name, ...options }),
    run: (changes) =>
      dispatch({
        id: "e1",
        type: "t",
        handlers: handlers.handlersFor("t"),
        firstData: { n: 0 },
        nextData: () => ({ n: 0 }),
        context: shared,
        clock,
        defaultTimeoutMs: 1000,
        onLate: (result) => late.push(result),
        ...changes,
      }),
  };
}

function sync(result: ReturnType<typeof dispatch>): DispatchResult {
  if (result instanceof Promise) throw new Error("expected an answer at once");
  return result;
}

function running(handlers: HandlerRegistry): number[] {
  return handlers.handlersFor("t").map(({ load }) => load.running);
}

describe("dispatch", () => {
  it("answers at once, without a timer, where every handler does", () => {
    const { clock, handlers, add, run } = bench();
    const seen: WebhookEvent[] = [];
    add("a", (event) => seen.push(event));
    add("b", () => clock.advance("5ms"));
    expect(sync(run())).toEqual({
      overloaded: undefined,
      results: [
        { name: "a", outcome: "done", durationMs: 0 },
        { name: "b", outcome: "done", durationMs: 5 },
      ],
    });
    expect(seen).toEqual([{ id: "e1", type: "t", data: { n: 0 } }]);
    expect(clock.pending).toBe(0);
    expect(running(handlers)).toEqual([0, 0]);
  });

  it("takes no handlers for an answer", () => {
    expect(bench().run()).toEqual({ overloaded: undefined, results: [] });
  });

  it("G09 starts handlers in their order, without waiting for one another, and keeps the order of results", async () => {
    const { clock, handlers, add, run } = bench();
    const order: string[] = [];
    let release = (): void => {};
    add("slow", () => {
      order.push("slow");
      return new Promise<void>((resolve) => {
        release = resolve;
      });
    });
    add("fast", async () => {
      order.push("fast");
    });
    add("sync", () => order.push("sync"));
    const result = run();
    expect(order).toEqual(["slow", "fast", "sync"]);
    await turn();
    clock.advance("20ms");
    release();
    expect((await result).results).toEqual([
      { name: "slow", outcome: "done", durationMs: 20 },
      { name: "fast", outcome: "done", durationMs: 0 },
      { name: "sync", outcome: "done", durationMs: 0 },
    ]);
    expect(clock.pending).toBe(0);
    expect(running(handlers)).toEqual([0, 0, 0]);
  });

  it("G09 runs a handler that another removes while both are being started", () => {
    const { handlers, add, run } = bench();
    const second = jest.fn();
    add("a", () => handlers.off("b"));
    add("b", second);
    run();
    run();
    expect(second).toHaveBeenCalledTimes(1);
  });

  it("G07 gives the first handler the first parse and every other one its own", () => {
    const { add, run } = bench();
    const data: unknown[] = [];
    for (const name of ["a", "b", "c"]) {
      add(name, (event) => {
        data.push(event.data);
        (event.data as { n: number }).n++;
      });
    }
    const nextData = jest.fn(() => ({ n: 0 }));
    const first = { n: 0 };
    run({ firstData: first, nextData });
    expect(nextData).toHaveBeenCalledTimes(2);
    expect(data[0]).toBe(first);
    expect(new Set(data).size).toBe(3);
    expect(data).toEqual([{ n: 1 }, { n: 1 }, { n: 1 }]);
  });

  it("waits for data that come later, and takes an object with a then for the data it is", async () => {
    const { add, run } = bench();
    const data: unknown[] = [];
    add("a", ({ data: given }) => data.push(given));
    add("b", ({ data: given }) => data.push(given));
    const thenable = withThen(1);
    await run({ firstData: thenable, nextData: async () => 2 });
    expect(data).toEqual([thenable, 2]);
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("no data");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no data"))],
  ])("does not call a handler whose data %s, and calls the others", async (_, nextData) => {
    const { handlers, add, run } = bench();
    const second = jest.fn();
    add("a", () => {});
    add("b", second);
    const { results } = await run({ nextData });
    expect(results).toMatchObject([
      { outcome: "done" },
      { outcome: "failed", error: { message: "no data" } },
    ]);
    expect(second).not.toHaveBeenCalled();
    expect(running(handlers)).toEqual([0, 0]);
  });

  it("does not call a handler whose data come behind its deadline", async () => {
    const { clock, late, add, run } = bench();
    const second = jest.fn();
    let give = (_data: unknown): void => {};
    add("a", () => {});
    add("b", second);
    const result = run({
      nextData: () =>
        new Promise((resolve) => {
          give = resolve;
        }),
    });
    clock.advance("1s");
    expect((await result).results[1]?.outcome).toBe("timed-out");
    give({ n: 0 });
    await turn();
    expect(second).not.toHaveBeenCalled();
    expect(late).toEqual([]);
  });
});

describe("dispatch, when a handler fails", () => {
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const hostile = new Proxy(
    {},
    {
      get: () => {
        throw new Error("touched");
      },
    },
  );
  const values: [string, unknown][] = [
    ["an error", new Error("no")],
    ["undefined", undefined],
    ["null", null],
    ["a string", "no"],
    ["a frozen object", Object.freeze({ no: true })],
    ["a Proxy whose traps throw", hostile],
    ["a revoked Proxy", revoked.proxy],
  ];

  it.each(values)("G04 reports %s thrown, and runs the others", (_, thrown) => {
    const { handlers, add, run } = bench();
    const other = jest.fn();
    add("bad", () => {
      throw thrown;
    });
    add("good", other);
    const [bad, good] = sync(run()).results;
    expect(bad?.outcome).toBe("failed");
    expect(bad?.outcome === "failed" && Object.is(bad.error, thrown)).toBe(true);
    expect(good?.outcome).toBe("done");
    expect(other).toHaveBeenCalledTimes(1);
    expect(running(handlers)).toEqual([0, 0]);
  });

  it.each(values)("G04 reports a rejection with %s", async (_, thrown) => {
    const { clock, handlers, add, run } = bench();
    add("bad", () => Promise.reject(thrown));
    const [bad] = (await run()).results;
    expect(bad?.outcome).toBe("failed");
    expect(bad?.outcome === "failed" && Object.is(bad.error, thrown)).toBe(true);
    expect(clock.pending).toBe(0);
    expect(running(handlers)).toEqual([0]);
  });

  it.each<[string, () => unknown]>([
    ["returns a Proxy whose traps throw", () => hostile],
    ["returns a revoked Proxy", () => revoked.proxy],
    [
      "returns a thenable that throws",
      () =>
        withThen(() => {
          throw new Error("no");
        }),
    ],
    [
      "returns a promise whose then throws",
      () =>
        Object.assign(
          Promise.resolve(),
          withThen(() => {
            throw new Error("no");
          }),
        ),
    ],
    [
      "returns a thenable that rejects, then resolves, then throws",
      () =>
        withThen((resolve: () => void, reject: (error: unknown) => void) => {
          reject(new Error("no"));
          resolve();
          throw new Error("again");
        }),
    ],
  ])("G04 reports one failure of a handler that %s", async (_, handler) => {
    const { clock, handlers, late, add, run } = bench();
    add("bad", handler);
    expect((await run()).results).toMatchObject([
      { name: "bad", outcome: "failed", error: expect.any(Error) },
    ]);
    await turn();
    expect(clock.pending).toBe(0);
    expect(running(handlers)).toEqual([0]);
    expect(late).toEqual([]);
  });

  it("G04 takes what a thenable settles with first", async () => {
    const { add, run } = bench();
    add("twice", () =>
      withThen((resolve: () => void, reject: (error: unknown) => void) => {
        resolve();
        reject(new Error("again"));
      }),
    );
    expect((await run()).results).toMatchObject([{ outcome: "done" }]);
  });

  it.each([[withThen(1)], [() => {}], [0], [{}]])("takes %p, returned, for done", (value) => {
    const { add, run } = bench();
    add("a", () => value);
    expect(sync(run()).results).toMatchObject([{ outcome: "done" }]);
  });
});

describe("dispatch, at the deadline", () => {
  it("G05 times a handler out that never settles, aborts its signal and frees its place", async () => {
    const { clock, handlers, add, run } = bench();
    let signal: AbortSignal | undefined;
    add("hung", (_event, context) => {
      signal = context.signal;
      return never;
    });
    const result = run();
    clock.advance("999ms");
    expect(signal?.aborted).toBe(false);
    expect(running(handlers)).toEqual([1]);
    clock.advance("1ms");
    const [hung] = (await result).results;
    expect(hung).toMatchObject({ name: "hung", outcome: "timed-out", durationMs: 1000 });
    expect(hung?.outcome === "timed-out" && hung.error).toBeInstanceOf(HandlerTimeoutError);
    expect(hung?.outcome === "timed-out" && hung.error.message).toBe(
      'handler "hung" was still running after 1000 ms',
    );
    expect(signal?.aborted).toBe(true);
    expect(signal?.reason).toBe(hung?.outcome === "timed-out" && hung.error);
    expect(running(handlers)).toEqual([0]);
    expect(clock.pending).toBe(0);
  });

  it("G05 holds each handler to its own limit, else to the receiver's", async () => {
    const { clock, add, run } = bench();
    const deadlines: number[] = [];
    const hang = (_event: WebhookEvent, context: HandlerContext): Promise<never> => {
      deadlines.push(context.deadline.getTime());
      return never;
    };
    add("own", hang, { timeout: "50ms" });
    add("default", hang);
    const result = run();
    clock.advance("1s");
    expect((await result).results).toMatchObject([
      { name: "own", outcome: "timed-out", durationMs: 50 },
      { name: "default", outcome: "timed-out", durationMs: 1000 },
    ]);
    expect(deadlines).toEqual([1_000_050, 1_001_000]);
  });

  it("counts the time before a handler's first await", async () => {
    const { clock, add, run } = bench();
    add("busy", () => {
      clock.advance("900ms");
      return never;
    });
    const result = run();
    clock.advance("100ms");
    expect((await result).results).toMatchObject([{ outcome: "timed-out", durationMs: 1000 }]);
  });

  it("H15 gives no less than nothing and no more than its limit where the clock is set meanwhile", async () => {
    const { clock, add, run } = bench();
    let nowMs = 50_000;
    const after = jest.fn(clock.after);
    add("a", () => {
      nowMs -= 40_000;
      return never;
    });
    add("b", () => {
      nowMs += 90_000;
      return never;
    });
    const result = run({ clock: { now: () => nowMs, after } });
    expect(after.mock.calls.map(([ms]) => ms)).toEqual([1000, 0]);
    clock.advance("1s");
    expect((await result).results).toMatchObject([
      { outcome: "timed-out", durationMs: 50_000 },
      { outcome: "timed-out", durationMs: 90_000 },
    ]);
  });

  it("makes the signal when it is asked for, once, and aborted where the time is up already", async () => {
    const { clock, add, run } = bench();
    let context: HandlerContext | undefined;
    add("a", (_event, given) => {
      context = given;
      return never;
    });
    const result = run();
    clock.advance("1s");
    await result;
    expect(context?.signal.aborted).toBe(true);
    expect(context?.signal.reason).toBeInstanceOf(HandlerTimeoutError);
    expect(context?.signal).toBe(context?.signal);
  });

  it("does not abort the signal of a handler that was done in time", async () => {
    const { clock, add, run } = bench();
    const signals: AbortSignal[] = [];
    add("sync", (_event, { signal }) => signals.push(signal));
    add("later", async (_event, { signal }) => signals.push(signal));
    await run();
    clock.advance("10s");
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
  });

  it("G04 reports what settles behind its deadline, without an unhandled rejection", async () => {
    const { clock, handlers, late, add, run } = bench();
    const settle: (() => void)[] = [];
    add("rejects", () => new Promise((_, reject) => settle.push(() => reject(new Error("late")))));
    add("resolves", () => new Promise<void>((resolve) => settle.push(resolve)));
    const result = run();
    clock.advance("1s");
    await result;
    clock.advance("500ms");
    for (const act of settle) act();
    await turn();
    expect(late).toMatchObject([
      { name: "rejects", outcome: "failed", durationMs: 1500, error: { message: "late" } },
      { name: "resolves", outcome: "done", durationMs: 1500 },
    ]);
    expect(running(handlers)).toEqual([0, 0]);
  });

  it("does not report a handler that gives up with the reason of its signal", async () => {
    const { clock, late, add, run } = bench();
    add(
      "obedient",
      (_event, { signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    );
    const result = run();
    clock.advance("1s");
    expect((await result).results).toMatchObject([{ outcome: "timed-out" }]);
    await turn();
    expect(late).toEqual([]);
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("from onLate");
      },
    ],
    ["is left out", undefined],
  ])("G04 stays quiet where onLate %s", async (_, onLate) => {
    const { clock, add, run } = bench();
    let fail = (): void => {};
    add(
      "a",
      () =>
        new Promise((_, reject) => {
          fail = () => reject(new Error("late"));
        }),
    );
    const result = run({ onLate });
    clock.advance("1s");
    await result;
    fail();
    await turn();
  });
});

describe("dispatch, at a handler's concurrency", () => {
  it("G06 starts nothing and names the handler that is full", async () => {
    const { clock, handlers, add, run } = bench();
    const other = jest.fn();
    add("other", other);
    add("full", () => never, { concurrency: 2 });
    const first = run();
    const second = run();
    expect(run()).toEqual({ overloaded: "full", results: [] });
    expect(other).toHaveBeenCalledTimes(2);
    expect(running(handlers)).toEqual([0, 2]);
    clock.advance("1s");
    await Promise.all([first, second]);
    expect(run()).toBeInstanceOf(Promise);
    clock.advance("1s");
  });

  it("G06 counts a run while it starts", () => {
    const { add, run } = bench();
    let inner: ReturnType<typeof dispatch> | undefined;
    add("outer", () => {
      inner ??= run();
    });
    add("single", () => {}, { concurrency: 1 });
    run();
    expect(inner).toEqual({ overloaded: "single", results: [] });
  });

  it("G06 gives the place back when a handler throws, rejects or returns", async () => {
    const { add, run } = bench();
    let step = 0;
    add(
      "a",
      () => {
        step++;
        if (step === 1) throw new Error("1");
        return step === 2 ? Promise.reject(new Error("2")) : undefined;
      },
      { concurrency: 1 },
    );
    for (const outcome of ["failed", "failed", "done"]) {
      expect((await run()).results).toMatchObject([{ outcome }]);
    }
  });
});

describe("HandlerContext", () => {
  it("carries what the handlers share", () => {
    const { add, run } = bench();
    let context: HandlerContext | undefined;
    add("a", (_event, given) => {
      context = given;
    });
    run();
    expect(context).toMatchObject({ ...shared, deadline: new Date(1_001_000) });
  });
});
