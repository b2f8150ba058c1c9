import { describe, expect, it } from "@jest/globals";
import { HandlerTimeoutError, Refusal } from "../../../src/errors.js";
import { readHandler } from "../../../src/events/handlers.js";
import { parseRetry } from "../../../src/events/retry-policy.js";
import { type ReadData, Worker, type WorkerParts } from "../../../src/inbox/worker.js";
import { LeaseLostError, NonRetriableError, RetryAfterError } from "../../../src/lib/task-errors.js";
import { createFakeClock } from "../../../src/testing/fake-clock.js";
import type { Lease, Task, Verdict } from "../../../src/types/engine.js";
import type { InboxContext } from "../../../src/types/event.js";
import { claimedTask, listen } from "../../support/inbox-parts.js";

type TestHandler = (
  event: { readonly id: string; readonly data: unknown },
  context: InboxContext<never>,
) => unknown;

interface Options {
  readonly options?: object;
  readonly readData?: ReadData;
  readonly settings?: Partial<WorkerParts["settings"]>;
}

/** A lease that can be lost, and that keeps completions. */
class TestLease implements Lease<never> {
  readonly listeners: (() => void)[] = [];
  completed = 0;
  onLost(listener: () => void): void {
    this.listeners.push(listener);
  }
  async complete(): Promise<void> {
    this.completed++;
  }
  lose(): void {
    for (const listener of this.listeners.splice(0)) listener();
  }
}

function scene(handler: TestHandler, { options, readData, settings }: Options = {}) {
  const clock = createFakeClock();
  const told = listen();
  const registered = readHandler("on", "ship", handler, { options, tasks: { ordered: true } });
  const worker = new Worker<never>({
    settings: { maxAttempts: 20, retry: { delayMs: () => 1_000 }, ...settings },
    handlers: new Map([["ship", registered]]),
    defaultTimeoutMs: 10_000,
    readData: readData ?? (({ delivery }) => ({ value: JSON.parse(String(delivery.rawBody)) })),
    clock,
    reporter: told.reporter,
    random: () => 0.5,
  });
  const lease = new TestLease();
  const settle = (verdict: Verdict, changes: Partial<Task> = {}, kept = true): void =>
    worker.settled({ ...claimedTask(changes), verdict, kept });
  /** Runs a task and reports its verdict as kept. */
  const run = async (changes: Partial<Task> = {}): Promise<Verdict> => {
    const verdict = await worker.run(claimedTask(changes), lease);
    settle(verdict, changes);
    return verdict;
  };
  return { ...told, clock, worker, registered, lease, run, settle };
}

const fail =
  (thrown: unknown): TestHandler =>
  async () => {
    throw thrown;
  };

describe("a worker", () => {
  it("hands the handler what was stored, and reports it claimed and handled", async () => {
    const seen: unknown[] = [];
    const { run, reports } = scene(async (event, context) => {
      seen.push(event, context.attempt, context.delivery, context.caller);
    });
    expect(await run({ attempt: 3 })).toEqual({ outcome: "done" });
    expect(seen).toEqual([
      { id: "e1", type: "order.paid", data: { id: "e1", type: "order.paid" } },
      3,
      {
        requestId: "request-e1",
        method: "POST",
        url: "/hooks",
        headers: {},
        address: "192.0.2.1",
        receivedAt: new Date(0),
        rawBody: expect.any(Buffer),
      },
      { method: "none" },
    ]);
    const task = { recordId: "rec_1", event: { id: "e1", type: "order.paid" }, handler: "ship", attempt: 3 };
    expect(reports).toEqual([
      ["claimed", task],
      ["handled", { ...task, requestId: "request-e1", durationMs: 0 }],
    ]);
  });

  it.each<[string, unknown, object]>([
    ["an error", new Error("no stock"), { name: "Error", message: "no stock" }],
    ["null", null, { name: "null", message: "null was thrown" }],
    ["undefined", undefined, { name: "undefined", message: "undefined was thrown" }],
    ["text", "no stock", { name: "string", message: "no stock" }],
  ])("has a task tried again whose handler throws %s", async (_, thrown, error) => {
    const { run, reports } = scene(fail(thrown));
    expect(await run()).toEqual({ outcome: "retry", delayMs: 1_000, error });
    expect(reports.map(([kind]) => kind)).toEqual(["claimed", "failed", "retried"]);
    expect(reports[1]).toEqual([
      "failed",
      expect.objectContaining({ requestId: "request-e1", recordId: "rec_1", attempt: 1 }),
      "ERR_HANDLER_FAILED",
      expect.objectContaining({ cause: thrown }),
      { maxAttempts: 20, delayMs: 1_000 },
    ]);
    expect(reports[2]?.slice(1)).toEqual([expect.objectContaining({ recordId: "rec_1" }), 1_000, error]);
  });

  it("takes a handler that throws at once for one that rejects", async () => {
    const { run } = scene(() => {
      throw new Error("at once");
    });
    expect(await run()).toMatchObject({ outcome: "retry", error: { message: "at once" } });
  });

  it("does as RetryAfterError and NonRetriableError say", async () => {
    const later = scene(fail(new RetryAfterError("busy", "1m")));
    expect(await later.run()).toMatchObject({
      outcome: "retry",
      delayMs: 60_000,
      error: { name: "RetryAfterError" },
    });
    const never = scene(fail(new NonRetriableError("the order is gone")));
    expect(await never.run()).toEqual({
      outcome: "dead",
      error: { name: "NonRetriableError", message: "the order is gone" },
    });
    expect(never.reports.map(([kind]) => kind)).toEqual(["claimed", "failed", "dead"]);
  });

  it("H09 makes a dead letter of a task that is out of attempts, also where RetryAfterError was thrown", async () => {
    const { run } = scene(fail(new Error("no")), { settings: { maxAttempts: 3 } });
    expect((await run({ attempt: 2 })).outcome).toBe("retry");
    expect((await run({ attempt: 3 })).outcome).toBe("dead");
    expect((await run({ attempt: 4 })).outcome).toBe("dead");
    const own = scene(fail(new RetryAfterError("busy", "1ms")), { options: { maxAttempts: 2 } });
    expect((await own.run({ attempt: 1 })).outcome).toBe("retry");
    expect((await own.run({ attempt: 2 })).outcome).toBe("dead");
  });

  it("takes the handler's own retry before the inbox's, and the data goes to it", async () => {
    const seen: unknown[] = [];
    const retry = (failure: { readonly attempt: number; readonly event: { readonly data: unknown } }) => {
      seen.push(failure.event.data);
      return failure.attempt === 1 ? "5ms" : undefined;
    };
    const { run } = scene(fail(new Error("no")), { options: { retry } });
    expect(await run()).toMatchObject({ outcome: "retry", delayMs: 5 });
    expect(await run({ attempt: 2 })).toMatchObject({ outcome: "dead", error: { message: "no" } });
    expect(seen[0]).toEqual({ id: "e1", type: "order.paid" });
  });

  it("falls back on the default back-off where a retry function fails, and says so", async () => {
    const retry = parseRetry(() => Number.NaN, "retry");
    const { run, lines } = scene(fail(new Error("no")), retry === undefined ? {} : { settings: { retry } });
    expect(await run()).toMatchObject({ outcome: "retry", delayMs: 500 });
    expect(lines[0]).toMatch(/^error the retry function for handler "ship" failed/);
  });

  it("G06 ends a run at its deadline: the signal aborts, the place is free, the end is only told", async () => {
    let reason: unknown;
    let finish = (): void => {};
    const { run, clock, lines, reports, registered } = scene(
      (_event, context) => {
        context.signal.addEventListener("abort", () => {
          reason = context.signal.reason;
        });
        expect(context.deadline.getTime()).toBe(clock.now() + 50);
        return new Promise<void>((resolve) => {
          finish = resolve;
        });
      },
      { options: { timeout: "50ms" } },
    );
    const verdict = run();
    expect(registered.load.running).toBe(1);
    clock.advance("50ms");
    expect(await verdict).toMatchObject({ outcome: "retry", error: { code: "ERR_HANDLER_TIMEOUT" } });
    expect(reason).toBeInstanceOf(HandlerTimeoutError);
    expect(registered.load.running).toBe(0);
    expect(reports[1]?.[2]).toBe("ERR_HANDLER_TIMEOUT");
    finish();
    await new Promise(setImmediate);
    expect(lines[0]).toMatch(/^warn handler "ship" finished after its run had ended \(done\)/);
  });

  it("H08 aborts the signal of a run whose lease is lost, and reports nothing of it but that", async () => {
    let signal: AbortSignal | undefined;
    const { worker, lease, settle, reports, lines, registered } = scene((_event, context) => {
      signal = context.signal;
      return new Promise(() => {});
    });
    const running = worker.run(claimedTask(), lease);
    lease.lose();
    const verdict = await running;
    expect(signal?.reason).toBeInstanceOf(LeaseLostError);
    expect(registered.load.running).toBe(0);
    settle(verdict, {}, false);
    expect(reports.map(([kind]) => kind)).toEqual(["claimed"]);
    expect(lines[0]).toMatch(/^warn the lease on a task was lost/);
  });

  it("does not call the handler where the lease is lost before the data is there", async () => {
    let called = false;
    let give = (_data: { readonly value: unknown }): void => {};
    const readData = () =>
      new Promise<{ readonly value: unknown }>((resolve) => {
        give = resolve;
      });
    const { worker, lease } = scene(
      () => {
        called = true;
      },
      { readData },
    );
    const running = worker.run(claimedTask(), lease);
    lease.lose();
    give({ value: 1 });
    await running;
    await new Promise(setImmediate);
    expect(called).toBe(false);
  });

  it("H08 leaves no rejection behind where the lease is lost while the handler is being called", async () => {
    const lost = scene(() => {
      lost.lease.lose();
      return Promise.reject(new Error("nobody waits for it"));
    });
    const verdict = await lost.worker.run(claimedTask(), lost.lease);
    await new Promise(setImmediate);
    expect(verdict).toMatchObject({ outcome: "retry", error: { code: "ERR_LEASE_LOST" } });
    expect(lost.registered.load.running).toBe(0);
    const early = scene(() => {
      throw new Error("must not be called");
    });
    const gone: Lease<never> = { onLost: (listener) => listener(), complete: async () => {} };
    expect(await early.worker.run(claimedTask(), gone)).toMatchObject({ error: { code: "ERR_LEASE_LOST" } });
    expect(early.registered.load.running).toBe(0);
  });

  it("reports a run as failed that was done, where the store has it tried again: its completion failed", async () => {
    const { worker, lease, settle, reports } = scene(() => {});
    await worker.run(claimedTask(), lease);
    const error = { name: "SqliteError", message: "UNIQUE constraint failed" };
    settle({ outcome: "retry", delayMs: 1_000, error });
    expect(reports.map(([kind]) => kind)).toEqual(["claimed", "failed", "retried"]);
    expect(reports[1]?.[3]).toMatchObject({ code: "ERR_HANDLER_FAILED", cause: error });
  });

  it("H17 gives running tasks back when it is released, and runs no other", async () => {
    let signal: AbortSignal | undefined;
    const { worker, lease, settle, reports, registered } = scene((_event, context) => {
      signal = context.signal;
      return new Promise(() => {});
    });
    const running = worker.run(claimedTask(), lease);
    expect(worker.running).toBe(1);
    worker.release();
    const verdict = await running;
    expect(verdict).toEqual({ outcome: "release" });
    expect(signal?.aborted).toBe(true);
    expect([worker.running, registered.load.running]).toEqual([0, 0]);
    settle(verdict);
    expect(await worker.run(claimedTask(), lease)).toEqual({ outcome: "release" });
    expect(reports.map(([kind]) => kind)).toEqual(["claimed"]);
  });

  it("makes a dead letter of data that breaks the schema as it is now, with where and how", async () => {
    const issues = [{ message: "Expected number", path: ["total"] }];
    const refusal = new Refusal("ERR_EVENT_INVALID", "the data breaks the schema at total", issues);
    for (const readData of [() => refusal, async () => refusal]) {
      let called = false;
      const { run, reports, registered } = scene(
        () => {
          called = true;
        },
        { readData },
      );
      expect(await run()).toEqual({
        outcome: "dead",
        error: {
          name: "EventInvalidError",
          code: "ERR_EVENT_INVALID",
          message: "the data breaks the schema at total",
          issues: ["total: Expected number"],
        },
      });
      expect(called).toBe(false);
      expect(registered.load.running).toBe(0);
      expect(reports.map(([kind, , code]) => [kind, code])).toEqual([
        ["claimed", undefined],
        ["failed", "ERR_EVENT_INVALID"],
        ["dead", expect.anything()],
      ]);
    }
  });

  it("has a task tried again whose schema throws or rejects: that says nothing about the data", async () => {
    const readers: ReadData[] = [
      () => {
        throw new Error("the schema broke");
      },
      async () => {
        throw new Error("the schema broke");
      },
    ];
    for (const readData of readers) {
      const { run } = scene(() => {}, { readData });
      expect(await run()).toMatchObject({ outcome: "retry", error: { message: "the schema broke" } });
    }
  });

  it("gives context.complete through to the lease", async () => {
    const { run, lease } = scene(async (_event, { complete }) => complete());
    expect(await run()).toEqual({ outcome: "done" });
    expect(lease.completed).toBe(1);
  });

  it("reports a completed task as handled where its handler fails behind it, and says so", async () => {
    const { worker, lease, settle, reports, lines } = scene(async (_event, context) => {
      await context.complete();
      throw new Error("too late");
    });
    await worker.run(claimedTask(), lease);
    settle({ outcome: "done" });
    expect(reports.map(([kind]) => kind)).toEqual(["claimed", "handled"]);
    expect(lines[0]).toMatch(
      /^warn handler "ship" failed after its task was completed, which stays completed/,
    );
  });

  it("reports a dead letter that was made at the claim", () => {
    const { settle, reports } = scene(() => {});
    const error = { name: "Error", message: "out of attempts" };
    settle({ outcome: "dead", error });
    expect(reports).toEqual([["dead", expect.objectContaining({ recordId: "rec_1" }), error, false]]);
  });

  it("gives back a task of a handler that it does not have", async () => {
    const { worker, lease } = scene(() => {});
    expect(await worker.run(claimedTask({ handler: "gone" }), lease)).toEqual({ outcome: "release" });
  });
});
