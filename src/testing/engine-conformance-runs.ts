import assert from "node:assert/strict";
import type { Verdict } from "../types/engine.js";
import {
  assertSame,
  type CaseDefinition,
  deliveryOf,
  done,
  eventOf,
  failure,
  latch,
  type Scene,
} from "./engine-conformance-scene.js";

const retry = (delayMs: number): Verdict => ({ outcome: "retry", delayMs, error: failure });

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
