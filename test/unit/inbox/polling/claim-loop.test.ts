import { afterEach, describe, expect, test } from "@jest/globals";
import { createConsumer } from "../../../../src/inbox/polling/claim-loop.js";
import type { ClaimedTask, Claims, EndedRun, TaskQueue } from "../../../../src/inbox/polling/task-queue.js";
import { LeaseLostError } from "../../../../src/lib/task-errors.js";
import type {
  ConsumeOptions,
  Consumer,
  HandlerPolicy,
  SettledReport,
  Task,
  Verdict,
} from "../../../../src/types/engine.js";

type Wants = Parameters<TaskQueue<string>["claim"]>[0];

/** A store in an array, whose every answer a test may replace. */
class FakeQueue implements TaskQueue<string> {
  readonly due: ClaimedTask[] = [];
  readonly wants: Wants[] = [];
  readonly settles: [string, Verdict][] = [];
  /** How many verdicts came together. */
  readonly groups: number[] = [];
  readonly commits: (readonly string[])[] = [];
  claimsAtOnce = 0;
  most = 0;
  beats = 0;
  left = 0;
  listeners = 0;
  nextDueMs: number | undefined;
  dead: SettledReport[] = [];
  onClaim: () => Promise<void> = async () => undefined;
  onSettle: (task: ClaimedTask, verdict: Verdict) => Promise<boolean> = async () => true;
  onComplete: () => Promise<boolean> = async () => true;
  onBeat: () => Promise<boolean> = async () => true;
  work: () => void = () => undefined;
  #fence = 0;

  add(count: number, handler = "a"): void {
    for (let index = 0; index < count; index++) {
      this.#fence += 1;
      this.due.push(taskOf(`rec_${this.#fence}`, handler, this.#fence));
    }
    this.work();
  }

  async claim(wants: Wants): Promise<Claims> {
    this.wants.push(wants);
    this.claimsAtOnce += 1;
    this.most = Math.max(this.most, this.claimsAtOnce);
    try {
      await this.onClaim();
    } finally {
      this.claimsAtOnce -= 1;
    }
    const tasks = wants.flatMap(({ handler, limit }) =>
      this.due.filter((task) => task.handler === handler).slice(0, limit),
    );
    for (const task of tasks) this.due.splice(this.due.indexOf(task), 1);
    const dead = this.dead;
    this.dead = [];
    return { tasks, dead, nextDueMs: this.nextDueMs };
  }

  async settle(runs: readonly EndedRun[]): Promise<readonly boolean[]> {
    this.groups.push(runs.length);
    return await Promise.all(
      runs.map(async ({ task, verdict }) => {
        const kept = await this.onSettle(task, verdict);
        this.settles.push([task.recordId, verdict]);
        return kept;
      }),
    );
  }

  async complete(_task: ClaimedTask, writes: readonly string[]): Promise<boolean> {
    const kept = await this.onComplete();
    if (kept) this.commits.push(writes);
    return kept;
  }

  async heartbeat(): Promise<boolean> {
    this.beats += 1;
    return await this.onBeat();
  }

  onWork(listener: () => void): () => void {
    this.listeners += 1;
    this.work = listener;
    return () => {
      this.listeners -= 1;
    };
  }

  async leave(): Promise<void> {
    this.left += 1;
  }
}

function taskOf(recordId: string, handler: string, fence: number): ClaimedTask {
  const delivery: Task["delivery"] = {
    requestId: "r",
    method: "POST",
    url: "/",
    headers: {},
    address: undefined,
    receivedAtMs: 0,
    caller: { method: "none" },
    bodyKind: "json",
    rawBody: Buffer.from("{}"),
  };
  return { recordId, handler, attempt: 1, event: { id: "e", type: "t" }, position: 0, delivery, fence };
}

async function until(condition: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error(`never true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function gate<Value>(): { readonly promise: Promise<Value>; open(value: Value): void } {
  let open: (value: Value) => void = () => undefined;
  const promise = new Promise<Value>((resolve) => {
    open = resolve;
  });
  return { promise, open: (value) => open(value) };
}

interface Tx {
  run(write: string): void;
}

interface Scene {
  readonly queue: FakeQueue;
  readonly consumer: Consumer;
  readonly reports: SettledReport[];
  readonly notes: string[];
}

const consumers: Consumer[] = [];

function scene(options: {
  readonly run: ConsumeOptions<Tx>["run"];
  readonly handlers?: Record<string, Partial<HandlerPolicy>>;
  readonly leaseMs?: number;
  readonly pollMs?: number;
  readonly atomic?: boolean;
  readonly queue?: FakeQueue;
  readonly settled?: (report: SettledReport) => void;
  readonly note?: () => void;
}): Scene {
  const queue = options.queue ?? new FakeQueue();
  const [reports, notes]: [SettledReport[], string[]] = [[], []];
  const handlers = new Map(
    Object.entries(options.handlers ?? { a: {} }).map(([name, policy]): [string, HandlerPolicy] => [
      name,
      { concurrency: 2, maxAttempts: 3, onDeadLetter: "continue", ...policy },
    ]),
  );
  const openTx = (): { tx: Tx; writes: string[] } => {
    const writes: string[] = [];
    return { tx: { run: (write) => void writes.push(write) }, writes };
  };
  const consumer = createConsumer<Tx, string>(
    queue,
    {
      receiver: "r",
      handlers,
      leaseMs: options.leaseMs ?? 60_000,
      run: options.run,
      settled: (report) => {
        reports.push(report);
        options.settled?.(report);
      },
    },
    {
      openTx: options.atomic === false ? undefined : openTx,
      note: (_level, message) => {
        notes.push(message);
        options.note?.();
      },
      pollMs: options.pollMs ?? 60_000,
    },
  );
  consumers.push(consumer);
  return { queue, consumer, reports, notes };
}

afterEach(async () => {
  await Promise.all(consumers.splice(0).map((consumer) => consumer.stop()));
});

const done: Verdict = { outcome: "done" };

describe("claiming", () => {
  test("claims no more than the free places of each handler, one claim at a time", async () => {
    const queue = new FakeQueue();
    queue.add(50);
    queue.add(50, "b");
    const running = { a: 0, b: 0, mostA: 0, mostB: 0 };
    const { reports } = scene({
      queue,
      handlers: { a: { concurrency: 3 }, b: { concurrency: 1 } },
      run: async (task) => {
        const handler = task.handler === "a" ? "a" : "b";
        running[handler] += 1;
        running.mostA = Math.max(running.mostA, running.a);
        running.mostB = Math.max(running.mostB, running.b);
        await new Promise(setImmediate);
        running[handler] -= 1;
        return done;
      },
    });
    await until(() => reports.length === 100);
    expect([running.mostA, running.mostB, queue.most]).toEqual([3, 1, 1]);
    expect(queue.wants[0]).toEqual([
      { handler: "a", limit: 3 },
      { handler: "b", limit: 1 },
    ]);
  });

  test("claims for a freed place before the verdict is stored", async () => {
    const queue = new FakeQueue();
    const stored = gate<boolean>();
    queue.onSettle = () => stored.promise;
    queue.add(3);
    let runs = 0;
    scene({
      queue,
      handlers: { a: { concurrency: 1 } },
      run: async () => {
        runs += 1;
        return done;
      },
    });
    await until(() => runs === 3);
    expect(queue.settles).toEqual([]);
    stored.open(true);
    await until(() => queue.settles.length === 3);
  });

  test("claims again when work came while a claim was under way", async () => {
    const queue = new FakeQueue();
    const first = gate<void>();
    queue.onClaim = () => first.promise;
    const { reports } = scene({ queue, run: async () => done });
    await until(() => queue.wants.length === 1);
    queue.onClaim = async () => undefined;
    queue.work();
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(queue.wants).toHaveLength(1);
    first.open();
    await until(() => queue.wants.length === 2);
    expect(reports).toEqual([]);
    queue.add(1);
    await until(() => reports.length === 1);
  });

  test("sleeps until the next task is due", async () => {
    const queue = new FakeQueue();
    queue.nextDueMs = 30;
    scene({ queue, run: async () => done });
    await until(() => queue.wants.length >= 3);
  });

  test("asks again after pollMs, work or not", async () => {
    const { queue, reports } = scene({ run: async () => done, pollMs: 20 });
    await until(() => queue.wants.length >= 2);
    queue.due.push(taskOf("rec_x", "a", 1));
    await until(() => reports.length === 1);
  });

  test("comes back for a retry that is due before the next poll", async () => {
    const queue = new FakeQueue();
    let runs = 0;
    queue.onSettle = async (task, verdict) => {
      if (verdict.outcome === "retry") queue.due.push({ ...task, attempt: 2, fence: 99 });
      return true;
    };
    queue.add(1);
    const { reports } = scene({
      queue,
      run: async () => {
        runs += 1;
        return runs === 1 ? { outcome: "retry", delayMs: 20, error: { name: "E", message: "m" } } : done;
      },
    });
    await until(() => reports.length === 2);
    expect(reports.map((report) => report.attempt)).toEqual([1, 2]);
  });

  test("reports dead letters made at the claim", async () => {
    const queue = new FakeQueue();
    const dead: SettledReport = {
      recordId: "rec_9",
      handler: "a",
      attempt: 3,
      event: { id: "e", type: "t" },
      verdict: { outcome: "dead", error: { name: "E", message: "m" } },
      kept: true,
    };
    queue.dead = [dead];
    const { reports } = scene({ queue, run: async () => done });
    await until(() => reports.length === 1);
    expect(reports).toEqual([dead]);
  });

  test("H16: a claim that fails is tried again, and told once", async () => {
    const queue = new FakeQueue();
    let failures = 0;
    queue.onClaim = async () => {
      failures += 1;
      if (failures <= 4) throw new Error("gone");
    };
    queue.add(1);
    const { reports, notes } = scene({ queue, run: async () => done, pollMs: 5 });
    await until(() => reports.length === 1);
    expect(notes).toEqual(["tasks could not be claimed; it is tried again"]);
  });

  test("gives back a task of a handler it does not have", async () => {
    const queue = new FakeQueue();
    const strange = taskOf("rec_1", "other", 1);
    let given = false;
    queue.claim = async () => {
      const tasks = given ? [] : [strange];
      given = true;
      return { tasks, dead: [], nextDueMs: undefined };
    };
    scene({ queue, run: async () => done });
    await until(() => queue.settles.length === 1);
    expect(queue.settles).toEqual([["rec_1", { outcome: "release" }]]);
  });
});

describe("verdicts", () => {
  test("a run that rejects is tried again after a second, whatever it threw", async () => {
    const queue = new FakeQueue();
    const thrown: unknown[] = [new RangeError("far"), null, Object.create(null)];
    queue.add(3);
    const { reports } = scene({
      queue,
      run: () => {
        throw thrown.shift();
      },
    });
    await until(() => reports.length === 3);
    expect(reports.map((report) => report.verdict)).toEqual([
      {
        outcome: "retry",
        delayMs: 1_000,
        error: expect.objectContaining({ name: "RangeError", message: "far" }),
      },
      { outcome: "retry", delayMs: 1_000, error: { name: "null", message: "null was thrown" } },
      { outcome: "retry", delayMs: 1_000, error: expect.objectContaining({ name: "object" }) },
    ]);
  });

  test("H16: a verdict the store cannot take is tried until it can, and holds its place", async () => {
    const queue = new FakeQueue();
    let [tries, runs] = [0, 0];
    queue.onSettle = async () => {
      tries += 1;
      if (tries <= 2) throw Object.assign(new Error("disk"), { code: "SQLITE_FULL" });
      return true;
    };
    queue.add(5);
    const { reports, notes } = scene({
      queue,
      handlers: { a: { concurrency: 1 } },
      run: async () => {
        runs += 1;
        return done;
      },
    });
    await until(() => tries === 2);
    // The one that is kept waiting and at most one more that was claimed before it failed.
    expect(runs).toBeLessThanOrEqual(2);
    await until(() => reports.length === 5);
    expect(reports.every((report) => report.kept)).toBe(true);
    expect(notes).toEqual(["a verdict could not be stored; it is tried again"]);
  });

  test("verdicts of one turn go to the store together, and with the claim for the places that they free", async () => {
    const queue = new FakeQueue();
    const order: string[] = [];
    const { settle, claim } = queue;
    queue.settle = (runs) => {
      order.push(`settle ${runs.length}`);
      return settle.call(queue, runs);
    };
    queue.claim = (wants) => {
      order.push("claim");
      queueMicrotask(() => order.push("end of turn"));
      return claim.call(queue, wants);
    };
    queue.add(3);
    const { reports } = scene({ queue, handlers: { a: { concurrency: 3 } }, run: async () => done });
    await until(() => reports.length === 3);
    expect(order.slice(0, 4)).toEqual(["claim", "end of turn", "settle 3", "claim"]);
  });

  test("H16: a verdict that the store cannot take takes no other with it", async () => {
    const queue = new FakeQueue();
    let broken = true;
    queue.onSettle = async ({ recordId }) => {
      if (broken && recordId === "rec_2") throw new Error("too big");
      return true;
    };
    queue.add(3);
    const { reports } = scene({ queue, handlers: { a: { concurrency: 3 } }, run: async () => done });
    await until(() => reports.length === 2);
    expect(reports.map(({ recordId, kept }) => `${recordId} ${kept}`)).toEqual(["rec_1 true", "rec_3 true"]);
    broken = false;
    await until(() => reports.length === 3);
    expect(queue.groups.slice(0, 4)).toEqual([3, 1, 1, 1]);
  });

  test("H08: a verdict that is refused is reported as not kept, and the run hears that its lease is lost", async () => {
    const queue = new FakeQueue();
    queue.onSettle = async () => false;
    let lost = 0;
    queue.add(1);
    const { reports } = scene({
      queue,
      run: async (_task, lease) => {
        lease.onLost(() => {
          lost += 1;
        });
        return done;
      },
    });
    await until(() => reports.length === 1);
    expect([reports[0]?.kept, lost]).toEqual([false, 1]);
  });

  test("listeners that throw break nothing", async () => {
    const queue = new FakeQueue();
    queue.onClaim = async () => {
      queue.onClaim = async () => undefined;
      throw new Error("once");
    };
    queue.add(3);
    const fail = (): never => {
      throw new Error("of the listener");
    };
    const { reports } = scene({ queue, pollMs: 5, settled: fail, note: fail, run: async () => done });
    await until(() => reports.length === 3);
  });
});

describe("the lease", () => {
  test("H08: a heartbeat that says so loses the leases claimed before it, and their verdicts are not sent", async () => {
    const queue = new FakeQueue();
    const [finish, beat] = [gate<Verdict>(), gate<boolean>()];
    let [runs, lost] = [0, 0];
    queue.add(1);
    const { reports } = scene({
      queue,
      leaseMs: 100,
      run: async (_task, lease) => {
        runs += 1;
        lease.onLost(() => {
          lost += 1;
          throw new Error("of the listener");
        });
        return await finish.promise;
      },
    });
    await until(() => runs === 1);
    queue.onBeat = () => beat.promise;
    const sent = queue.beats;
    await until(() => queue.beats > sent);
    queue.add(1);
    await until(() => runs === 2);
    queue.onBeat = async () => true;
    beat.open(false);
    await until(() => lost === 1);
    finish.open(done);
    await until(() => reports.length === 2);
    expect(reports.map((report) => [report.recordId, report.kept])).toEqual(
      expect.arrayContaining([
        ["rec_1", false],
        ["rec_2", true],
      ]),
    );
    expect(queue.settles).toContainEqual(["rec_2", done]);
    expect(queue.settles).not.toContainEqual(["rec_1", done]);
    expect(lost).toBe(1);
  });

  test("H07: claims nothing new when no sign of life has come through for the length of the lease", async () => {
    const queue = new FakeQueue();
    queue.onBeat = async () => {
      throw new Error("gone");
    };
    const { notes, reports } = scene({ queue, run: async () => done, leaseMs: 60, pollMs: 5 });
    await until(() => queue.beats >= 13);
    const before = queue.wants.length;
    queue.add(1);
    const beats = queue.beats;
    await until(() => queue.beats >= beats + 4);
    expect(queue.wants.length).toBe(before);
    expect(notes).toEqual(["a lease could not be renewed; it is tried again"]);
    queue.onBeat = async () => true;
    await until(() => reports.length === 1);
  });

  test("a verdict on its way to a store that fails is given up when the lease is lost", async () => {
    const queue = new FakeQueue();
    queue.onSettle = async () => {
      throw new Error("gone");
    };
    queue.add(1);
    const { reports } = scene({ queue, run: async () => done, leaseMs: 40 });
    queue.onBeat = async () => queue.wants.length === 0 || reports.length > 0;
    await until(() => reports.length === 1);
    expect(reports[0]?.kept).toBe(false);
  });

  test("onLost calls at once where the lease is lost", async () => {
    const queue = new FakeQueue();
    const lost: string[] = [];
    queue.onComplete = async () => false;
    queue.add(1);
    const { reports } = scene({
      queue,
      run: async (_task, lease) => {
        lease.onLost(() => lost.push("before"));
        await lease.complete((tx) => tx.run("one")).catch(() => undefined);
        lease.onLost(() => lost.push("after"));
        return done;
      },
    });
    await until(() => reports.length === 1);
    expect([lost, reports[0]?.kept]).toEqual([["before", "after"], false]);
  });
});

describe("complete", () => {
  test("commits the writes, and the verdict that follows is not looked at", async () => {
    const queue = new FakeQueue();
    queue.add(1);
    const { reports } = scene({
      queue,
      run: async (_task, lease) => {
        await lease.complete(async (tx) => {
          tx.run("one");
          await new Promise(setImmediate);
          tx.run("two");
        });
        return { outcome: "dead", error: { name: "E", message: "m" } };
      },
    });
    await until(() => reports.length === 1);
    expect(queue.commits).toEqual([["one", "two"]]);
    expect(queue.settles).toEqual([]);
    expect(reports[0]).toMatchObject({ verdict: done, kept: true });
  });

  test("without writes is a verdict like any other, and is refused by the same fence", async () => {
    const queue = new FakeQueue();
    queue.add(2);
    queue.onSettle = async (task) => task.recordId !== "rec_2";
    const outcomes: string[] = [];
    const { reports } = scene({
      queue,
      handlers: { a: { concurrency: 2 } },
      run: async (task, lease) => {
        const outcome = await lease.complete().then(
          () => "completed",
          (error: unknown) => (error instanceof LeaseLostError ? "lost" : "failed"),
        );
        outcomes.push(`${task.recordId} ${outcome}`);
        return done;
      },
    });
    await until(() => reports.length === 2);
    expect(outcomes).toEqual(["rec_1 completed", "rec_2 lost"]);
    expect(queue.commits).toEqual([]);
    expect(queue.groups[0]).toBe(2);
  });

  /** What `complete` of a task rejects with. */
  async function errorOf(
    given: Partial<Parameters<typeof scene>[0]>,
    call: (lease: Parameters<ConsumeOptions<Tx>["run"]>[1]) => Promise<void>,
  ): Promise<unknown> {
    let error: unknown;
    const queue = given.queue ?? new FakeQueue();
    queue.add(1);
    const { reports } = scene({
      ...given,
      queue,
      run: async (_task, lease) => {
        await call(lease).catch((caught) => {
          error = caught;
        });
        return done;
      },
    });
    await until(() => reports.length === 1);
    return error;
  }

  test("H08: rejects with LeaseLostError where the store refuses it", async () => {
    const queue = new FakeQueue();
    queue.onComplete = async () => false;
    const error = await errorOf({ queue }, (lease) => lease.complete((tx) => tx.run("one")));
    expect(error).toBeInstanceOf(LeaseLostError);
    expect(queue.settles).not.toContainEqual(["rec_1", done]);
  });

  test("takes no function where the engine has no atomic effects", async () => {
    const error = await errorOf({ atomic: false }, (lease) => lease.complete(() => undefined));
    expect(error).toBeInstanceOf(TypeError);
    expect(await errorOf({ atomic: false }, (lease) => lease.complete())).toBeUndefined();
  });

  test("is for once", async () => {
    const queue = new FakeQueue();
    const error = await errorOf({ queue }, (lease) =>
      Promise.all([lease.complete((tx) => tx.run("one")), lease.complete()]).then(),
    );
    expect(error).toBeInstanceOf(TypeError);
    expect(queue.commits).toHaveLength(1);
  });

  test("may be called again after the store or the function failed", async () => {
    const queue = new FakeQueue();
    const error = await errorOf({ queue }, async (lease) => {
      queue.onComplete = () => Promise.reject(new Error("constraint"));
      await expect(lease.complete((tx) => tx.run("one"))).rejects.toThrow("constraint");
      queue.onComplete = async () => true;
      const own = (): never => {
        throw new Error("own");
      };
      await expect(lease.complete(own)).rejects.toThrow("own");
      await lease.complete((tx) => tx.run("two"));
    });
    expect(error).toBeUndefined();
    expect(queue.commits).toEqual([["two"]]);
  });

  test("comes too late after the end of the run", async () => {
    const queue = new FakeQueue();
    let late: Promise<void> | undefined;
    const after = gate<void>();
    queue.add(1);
    const { reports } = scene({
      queue,
      run: async (_task, lease) => {
        late = after.promise.then(() => lease.complete());
        return done;
      },
    });
    await until(() => reports.length === 1);
    after.open();
    await expect(late).rejects.toBeInstanceOf(LeaseLostError);
    expect(queue.commits).toEqual([]);
  });

  test("that nobody waits for is waited for; where it fails the task is not done", async () => {
    const queue = new FakeQueue();
    const answers = [true, new Error("constraint")];
    queue.onComplete = async () => {
      await new Promise(setImmediate);
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      return true;
    };
    queue.add(2);
    const { reports } = scene({
      queue,
      run: async (_task, lease) => {
        void lease.complete((tx) => tx.run("one"));
        return done;
      },
    });
    await until(() => reports.length === 2);
    expect(reports.map((report) => report.verdict.outcome)).toEqual(["done", "retry"]);
    expect(queue.settles.map(([recordId]) => recordId)).toEqual(["rec_2"]);
  });
});

describe("stop", () => {
  test("H17: claims nothing more, waits for runs and verdicts, then leaves", async () => {
    const queue = new FakeQueue();
    const [finish, stored] = [gate<Verdict>(), gate<boolean>()];
    let runs = 0;
    queue.onSettle = () => stored.promise;
    queue.add(1);
    const { consumer, reports } = scene({
      queue,
      run: () => {
        runs += 1;
        return finish.promise;
      },
    });
    await until(() => runs === 1);
    const stopped = consumer.stop();
    queue.add(5);
    finish.open({ outcome: "release" });
    await new Promise(setImmediate);
    expect(queue.left).toBe(0);
    stored.open(true);
    await stopped;
    expect([runs, queue.left, queue.listeners, reports.length]).toEqual([1, 1, 0, 1]);
    expect(queue.settles).toEqual([["rec_1", { outcome: "release" }]]);
    await consumer.stop();
    expect(queue.left).toBe(1);
  });

  test("H17: gives back what a claim under way brings", async () => {
    const queue = new FakeQueue();
    const first = gate<void>();
    queue.onClaim = () => first.promise;
    queue.add(1);
    let runs = 0;
    const { consumer } = scene({
      queue,
      run: async () => {
        runs += 1;
        return done;
      },
    });
    await until(() => queue.wants.length === 1);
    const stopped = consumer.stop();
    first.open();
    await stopped;
    expect(queue.settles).toEqual([["rec_1", { outcome: "release" }]]);
    expect(runs).toBe(0);
  });

  test("H17: waits neither for runs nor for the store once its signal aborts", async () => {
    const queue = new FakeQueue();
    queue.leave = () => new Promise(() => {});
    queue.add(1);
    let runs = 0;
    const run = (): Promise<Verdict> => {
      runs += 1;
      return new Promise(() => {});
    };
    const { consumer } = scene({ queue, run });
    await until(() => runs === 1);
    const controller = new AbortController();
    const stopped = consumer.stop({ signal: controller.signal });
    controller.abort();
    await stopped;
  });

  test("H17: tries the last verdicts for no more than their time", async () => {
    const queue = new FakeQueue();
    queue.onSettle = () => Promise.reject(new Error("gone"));
    queue.leave = () => Promise.reject(new Error("gone"));
    queue.add(1);
    const { consumer, reports, notes } = scene({ queue, run: async () => done });
    await until(() => notes.length === 1);
    await consumer.stop();
    await until(() => reports.length === 1);
    expect(reports[0]?.kept).toBe(false);
    expect(notes).toHaveLength(2);
  });
});
