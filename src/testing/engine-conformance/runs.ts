import assert from "node:assert/strict";
import type { Verdict } from "../../types/engine.js";
import {
  assertSame,
  type CaseDefinition,
  deliveryOf,
  done,
  eventOf,
  failure,
  latch,
  type Scene,
} from "./scene.js";

const retry = (delayMs: number): Verdict => ({ outcome: "retry", delayMs, error: failure });

/** What `consume` promises. */
export const taskCases: readonly CaseDefinition[] = [
  {
    name: "tasks: each handler has its own, and gets the delivery",
    async run(scene) {
      const recordId = await scene.event("one", ["a", "b"]);
      const working = scene.consume({ handlers: { a: {}, b: {} }, run: () => done });
      await scene.until("both have run", () => working.reports.length === 2);
      assertSame(working.tasks.map(({ handler }) => handler).sort(), ["a", "b"]);
      const { delivery } = await scene.record(recordId);
      for (const task of working.tasks) {
        assertSame([task.recordId, task.attempt, task.position], [recordId, 1, 0]);
        assertSame(task.event, { id: "one", type: "type" });
        assertSame(task.delivery, delivery);
      }
      const report = working.reports.find(({ handler }) => handler === "a");
      assertSame(report, {
        recordId,
        handler: "a",
        attempt: 1,
        event: { id: "one", type: "type" },
        verdict: done,
        kept: true,
      });
      assert.equal((await scene.record(recordId)).state, "done");
    },
  },
  {
    name: "tasks: what comes while a consumer is idle is run",
    async run(scene) {
      const working = scene.consume({ handlers: { a: {} }, run: () => done });
      for (let count = 1; count <= 3; count++) {
        await scene.event(`event ${count}`);
        await scene.until(`${count} have run`, () => working.reports.length === count);
      }
    },
  },
  {
    name: "tasks: only the handler that failed is tried again",
    async run(scene) {
      const recordId = await scene.event("one", ["a", "b"]);
      const working = scene.consume({
        handlers: { a: {}, b: {} },
        run: ({ handler, attempt }) => (handler === "b" && attempt < 3 ? retry(1) : done),
      });
      await scene.until("all is done", () => working.reports.length === 4);
      const attempts = working.tasks.map(({ handler, attempt }) => `${handler}${attempt}`).sort();
      assertSame(attempts, ["a1", "b1", "b2", "b3"]);
      assert.equal((await scene.record(recordId)).state, "done");
    },
  },
  {
    name: "tasks: a retry comes when its delay is over",
    async run(scene) {
      await scene.event("soon");
      const startedAt: number[] = [];
      const working = scene.consume({
        handlers: { a: {} },
        run: () => (startedAt.push(performance.now()) === 1 ? retry(300) : done),
      });
      await scene.until("it has run twice", () => working.reports.length === 2);
      const [first = 0, second = 0] = startedAt;
      assert.ok(second - first >= 270, `the second attempt came after ${second - first} ms`);
    },
  },
  {
    name: "tasks: a task that waits for its retry says so",
    async run(scene) {
      const recordId = await scene.event("late");
      const working = scene.consume({ handlers: { a: {} }, run: () => retry(3_600_000) });
      await scene.until("it has run", () => working.reports.length === 1);
      const { state, tasks } = await scene.record(recordId);
      assert.equal(state, "pending");
      assertSame([tasks[0]?.state, tasks[0]?.attempts, tasks[0]?.lastError], ["retrying", 1, failure]);
      const inMs = (tasks[0]?.dueAtMs ?? 0) - Date.now();
      assert.ok(inMs > 3_000_000 && inMs <= 3_660_000, `it is due in ${inMs} ms`);
    },
  },
  {
    name: "tasks: a verdict of dead makes a dead letter with its error",
    async run(scene) {
      const error = {
        name: "TypeError",
        code: "E_CODE",
        message: "no such order",
        issues: ["data.id: missing"],
      };
      const recordId = await scene.event("one");
      const working = scene.consume({ handlers: { a: {} }, run: () => ({ outcome: "dead", error }) });
      await scene.until("it is dead", () => working.reports.length === 1);
      const record = await scene.record(recordId);
      assertSame([record.state, record.tasks[0]?.state, record.tasks[0]?.lastError], ["dead", "dead", error]);
    },
  },
  {
    name: "tasks: a task out of attempts is a dead letter at its next claim, and told",
    async run(scene) {
      const recordId = await scene.event("one");
      const working = scene.consume({ handlers: { a: { maxAttempts: 2 } }, run: () => retry(0) });
      await scene.until("it is dead", () =>
        working.reports.some(({ verdict }) => verdict.outcome === "dead"),
      );
      assertSame(
        working.tasks.map(({ attempt }) => attempt),
        [1, 2],
      );
      const record = await scene.record(recordId);
      assert.equal(record.state, "dead");
      assert.equal(record.tasks[0]?.attempts, 2);
      assert.ok(record.tasks[0]?.lastError !== undefined);
    },
  },
  {
    name: "tasks: no more of a handler run at once than its concurrency says",
    async run(scene) {
      for (let count = 0; count < 30; count++) await scene.event(`event ${count}`, ["a", "b"]);
      const running = new Map([
        ["a", 0],
        ["b", 0],
      ]);
      const most = new Map<string, number>();
      const working = scene.consume({
        handlers: { a: { concurrency: 3 }, b: { concurrency: 1 } },
        async run({ handler }) {
          const now = (running.get(handler) ?? 0) + 1;
          running.set(handler, now);
          most.set(handler, Math.max(now, most.get(handler) ?? 0));
          await new Promise((resolve) => setTimeout(resolve, 2));
          running.set(handler, (running.get(handler) ?? 0) - 1);
          return done;
        },
      });
      await scene.until("all have run", () => working.reports.length === 60);
      assertSame(Object.fromEntries(most), { a: 3, b: 1 });
    },
  },
];

/** How runs end, and what is kept of them. */
export const runCases: readonly CaseDefinition[] = [...stopCases(), ...historyCases()];

function stopCases(): CaseDefinition[] {
  return [
    {
      name: "tasks: a consumer runs those of its receiver and its handlers alone",
      async run(scene) {
        await scene.event("one", ["a", "other"]);
        await scene.stored(deliveryOf([eventOf("two")], { receiver: "elsewhere" }));
        await scene.event("three");
        const working = scene.consume({ handlers: { a: {} }, run: () => done });
        await scene.until("two have run", () => working.reports.length === 2);
        await working.consumer.stop();
        assertSame(working.tasks.map(({ event, handler }) => `${event.id} ${handler}`).sort(), [
          "one a",
          "three a",
        ]);
        assert.equal((await scene.engine.stats({})).waiting, 2);
      },
    },
    { name: "tasks: stop claims nothing more, and waits for the verdicts", run: runStop },
    {
      name: "tasks: release gives the attempt back",
      async run(scene) {
        const recordId = await scene.event("one");
        const stopping = latch<Verdict>();
        const first = scene.consume({ handlers: { a: {} }, run: () => stopping.promise });
        await scene.until("it runs", () => first.tasks.length === 1);
        const stopped = first.consumer.stop();
        stopping.open({ outcome: "release" });
        await stopped;
        const [task] = (await scene.record(recordId)).tasks;
        assertSame([task?.state, task?.attempts], ["waiting", 0]);
        const second = scene.consume({ handlers: { a: {} }, run: () => done });
        await scene.until("it has run", () => second.reports.length === 1);
        assert.equal(second.tasks[0]?.attempt, 1);
      },
    },
    {
      name: "tasks: who is told of a verdict may throw",
      async run(scene) {
        const working = scene.consume({
          handlers: { a: { concurrency: 1 } },
          run: () => done,
          settled: () => {
            throw new Error("of the listener");
          },
        });
        for (let count = 0; count < 3; count++) await scene.event(`event ${count}`);
        await scene.until("all have run", () => working.reports.length === 3);
      },
    },
    {
      name: "tasks: complete ends a task before its verdict, which is not looked at",
      async run(scene) {
        const recordId = await scene.event("one");
        let between: string | undefined;
        const working = scene.consume({
          handlers: { a: {} },
          async run(_task, lease) {
            await lease.complete();
            between = (await scene.record(recordId)).state;
            return { outcome: "dead", error: failure };
          },
        });
        await scene.until("it is told", () => working.reports.length === 1);
        assert.equal(between, "done");
        assertSame([working.reports[0]?.verdict, working.reports[0]?.kept], [done, true]);
        assert.equal((await scene.record(recordId)).state, "done");
      },
    },
    {
      name: "tasks: two consumers of one receiver share its tasks",
      async run(scene) {
        const consumers = [1, 2].map(() =>
          scene.consume({ handlers: { a: { concurrency: 2 } }, run: () => done }),
        );
        const events = Array.from({ length: 100 }, (_, count) => scene.event(`event ${count}`));
        await Promise.all(events);
        const ran = (): string[] =>
          consumers.flatMap(({ reports }) => reports.map(({ recordId }) => recordId));
        await scene.until("all have run", () => ran().length >= 100);
        assert.equal(ran().length, 100);
        assert.equal(new Set(ran()).size, 100);
      },
    },
  ];
}

async function runStop<Tx>(scene: Scene<Tx>): Promise<void> {
  const ended = latch<Verdict>();
  const recordId = await scene.event("one");
  const working = scene.consume({ handlers: { a: { concurrency: 1 } }, run: () => ended.promise });
  await scene.until("it runs", () => working.tasks.length === 1);
  assert.equal((await scene.record(recordId)).tasks[0]?.state, "running");
  let stopped = false;
  const stopping = working.consumer.stop().then(() => {
    stopped = true;
  });
  await scene.event("two");
  assert.equal(stopped, false);
  ended.open(done);
  await stopping;
  assert.equal(working.reports.length, 1);
  assert.equal((await scene.record(recordId)).state, "done");
  assert.equal((await scene.engine.stats({})).waiting, 1);
  assert.equal(working.tasks.length, 1);
}

function historyCases(): CaseDefinition[] {
  return [
    {
      name: "tasks: attempts are kept with their times and errors",
      async run(scene) {
        const recordId = await scene.event("one");
        const working = scene.consume({
          handlers: { a: {} },
          run: ({ attempt }) => (attempt === 1 ? retry(1) : done),
        });
        await scene.until("it is done", () => working.reports.length === 2);
        const history = (await scene.record(recordId)).tasks[0]?.history ?? [];
        assertSame(
          history.map(({ attempt, outcome, error }) => ({ attempt, outcome, error })),
          [
            { attempt: 1, outcome: "failed", error: failure },
            { attempt: 2, outcome: "done", error: undefined },
          ],
        );
        for (const { startedAtMs, durationMs } of history) {
          assert.ok(Math.abs(startedAtMs - Date.now()) < 600_000, "startedAtMs is a date");
          assert.ok(durationMs !== undefined && durationMs >= 0, "an attempt that ended has its duration");
        }
      },
    },
    {
      name: "tasks: of very many attempts the last hundred are kept",
      async run(scene) {
        const recordId = await scene.event("one");
        const working = scene.consume({
          handlers: { a: { maxAttempts: 200 } },
          run: ({ attempt }) => (attempt < 105 ? retry(0) : done),
        });
        await scene.until("it is done", () => working.reports.length === 105);
        const history = (await scene.record(recordId)).tasks[0]?.history ?? [];
        assertSame([history.length, history[0]?.attempt, history.at(-1)?.attempt], [100, 6, 105]);
      },
    },
  ];
}

/** What an engine with `atomicEffects` promises. */
export const effectCases: readonly CaseDefinition[] = [
  {
    name: "effects: writes are committed with the completion, once",
    needs: "atomicEffects",
    async run(scene) {
      const effects = scene.effects();
      const recordId = await scene.event("one");
      const working = scene.consume({
        handlers: { a: {} },
        async run(_task, lease) {
          await lease.complete(async (tx) => {
            await effects.add(tx, "key");
            await effects.add(tx, "other");
          });
          return { outcome: "retry", delayMs: 0, error: failure };
        },
      });
      await scene.until("it is told", () => working.reports.length === 1);
      assertSame([working.reports[0]?.verdict, working.reports[0]?.kept], [done, true]);
      assertSame([await effects.read("key"), await effects.read("other")], [1, 1]);
      assert.equal((await scene.record(recordId)).state, "done");
      assert.equal(working.tasks.length, 1);
    },
  },
  {
    name: "effects: where the store refuses a write nothing is committed, and the next attempt may",
    needs: "atomicEffects",
    async run(scene) {
      const effects = scene.effects();
      const recordId = await scene.event("one");
      const states: string[] = [];
      const working = scene.consume({
        handlers: { a: {} },
        async run({ attempt }, lease) {
          const completion = lease.complete(async (tx) => {
            await effects.add(tx, "key");
            if (attempt === 1) await effects.refuse(tx);
          });
          if (attempt > 1) {
            await completion;
            return done;
          }
          await assert.rejects(completion);
          states.push((await scene.record(recordId)).state, String(await effects.read("key")));
          return { outcome: "retry", delayMs: 0, error: failure };
        },
      });
      await scene.until("it is done", () => working.reports.length === 2);
      assertSame(states, ["pending", "0"]);
      assert.equal(await effects.read("key"), 1);
      assert.equal((await scene.record(recordId)).state, "done");
    },
  },
  {
    name: "effects: where the function fails nothing is committed, and its error is told",
    needs: "atomicEffects",
    async run(scene) {
      const effects = scene.effects();
      const recordId = await scene.event("one");
      const working = scene.consume({
        handlers: { a: {} },
        async run(_task, lease) {
          const completion = lease.complete(async (tx) => {
            await effects.add(tx, "key");
            throw new RangeError("of the function");
          });
          await assert.rejects(completion, { name: "RangeError", message: "of the function" });
          return { outcome: "dead", error: failure };
        },
      });
      await scene.until("it is told", () => working.reports.length === 1);
      assert.equal(working.reports[0]?.verdict.outcome, "dead");
      assert.equal(await effects.read("key"), 0);
      assert.equal((await scene.record(recordId)).state, "dead");
    },
  },
];
