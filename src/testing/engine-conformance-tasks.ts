import assert from "node:assert/strict";
import type { Verdict } from "../types/engine.js";
import { assertSame, type CaseDefinition, done, failure } from "./engine-conformance-scene.js";

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
