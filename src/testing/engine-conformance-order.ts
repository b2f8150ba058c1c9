import assert from "node:assert/strict";
import type { NewTask, Verdict } from "../contracts/engine.js";
import {
  assertSame,
  type CaseDefinition,
  done,
  failure,
  latch,
  type Scene,
  type Working,
} from "./engine-conformance-scene.js";

const under = (orderKey: string, handler = "a"): NewTask => ({ handler, orderKey });
const retry = (delayMs: number): Verdict => ({ outcome: "retry", delayMs, error: failure });
const dead: Verdict = { outcome: "dead", error: failure };

function idsOf(working: Working): string[] {
  return working.tasks.map(({ event }) => event.id);
}

/** What an engine that is `ordered` promises. */
export const orderCases: readonly CaseDefinition[] = [
  {
    name: "order: tasks of one key run one at a time, in the order of their acceptance",
    needs: "ordered",
    async run(scene) {
      const ids = Array.from({ length: 20 }, (_, count) => `event ${count}`);
      for (const id of ids) await scene.event(id, [under("key")]);
      let running = 0;
      const working = scene.consume({
        handlers: { a: {} },
        async run() {
          running += 1;
          assert.equal(running, 1);
          await new Promise(setImmediate);
          running -= 1;
          return done;
        },
      });
      await scene.until("all have run", () => working.reports.length === 20);
      assertSame(idsOf(working), ids);
    },
  },
  {
    name: "order: other keys, tasks without one and other handlers do not wait",
    needs: "ordered",
    async run(scene) {
      const held = latch<Verdict>();
      await scene.event("head", [under("key"), { handler: "free", orderKey: "other" }]);
      await scene.event("behind", [under("key"), under("key", "b")]);
      await scene.event("other key", [under("another")]);
      await scene.event("no key", ["a"]);
      const working = scene.consume({
        handlers: { a: {}, b: {}, free: {} },
        run: ({ event, handler }) => (event.id === "head" && handler === "a" ? held.promise : done),
      });
      await scene.until("the others have run", () => working.reports.length === 4);
      const ran = working.reports.map(({ event, handler }) => `${event.id} ${handler}`).sort();
      assertSame(ran, ["behind b", "head free", "no key a", "other key a"]);
      await scene.event("late", [under("key")]);
      await scene.event("last", ["a"]);
      await scene.until("the last has run", () => working.reports.length === 5);
      assert.equal(working.reports[4]?.event.id, "last");
      held.open(done);
      await scene.until("all have run", () => working.reports.length === 8);
    },
  },
  {
    name: "order: those behind wait for the retries of the one in front",
    needs: "ordered",
    async run(scene) {
      for (const id of ["one", "two"]) await scene.event(id, [under("key")]);
      const working = scene.consume({
        handlers: { a: {} },
        run: ({ event, attempt }) => (event.id === "one" && attempt < 3 ? retry(20) : done),
      });
      await scene.until("all is done", () => working.reports.length === 4);
      assertSame(idsOf(working), ["one", "one", "one", "two"]);
    },
  },
  {
    name: "order: a task behind another is due at no known time",
    needs: "ordered",
    async run(scene) {
      await scene.event("one", [under("key")]);
      const recordId = await scene.event("two", [under("key")]);
      const [task] = (await scene.record(recordId)).tasks;
      assertSame([task?.state, task?.dueAtMs, task?.orderKey], ["waiting", undefined, "key"]);
    },
  },
  {
    name: "order: any two keys are told apart, whatever text they are",
    needs: "ordered",
    async run(scene) {
      const keys = ["", "a", "a\0", "\ud800", "\ud801", "é", "e\u0301"];
      for (const [count, key] of keys.entries()) await scene.event(`event ${count}`, [under(key)]);
      const held = latch<Verdict>();
      const working = scene.consume({ handlers: { a: { concurrency: 20 } }, run: () => held.promise });
      await scene.until("all run at once", () => working.tasks.length === keys.length);
      held.open(done);
    },
  },
  ...deadHeadCases(),
];

function deadHeadCases(): CaseDefinition[] {
  return [
    {
      name: "order: skip lets those behind a dead letter run",
      needs: "ordered",
      async run(scene) {
        for (const id of ["one", "two"]) await scene.event(id, [under("key")]);
        const working = scene.consume({
          handlers: { a: { deadHead: "skip" } },
          run: ({ event }) => (event.id === "one" ? dead : done),
        });
        await scene.until("both have run", () => working.reports.length === 2);
        assertSame(idsOf(working), ["one", "two"]);
      },
    },
    {
      name: "order: hold keeps those behind a dead letter, until it is dropped",
      needs: "ordered",
      async run(scene) {
        const { working, head } = await holding(scene);
        assert.equal(await scene.engine.change({ recordIds: [head] }, { action: "drop" }), 1);
        await scene.until("those behind have run", () => working.reports.length === 4);
        assertSame(idsOf(working), ["one", "free", "two", "three"]);
      },
    },
    {
      name: "order: hold keeps those behind a dead letter, until its replay is done",
      needs: "ordered",
      async run(scene) {
        const { working, head } = await holding(scene);
        assert.equal(await scene.engine.change({ recordIds: [head] }, { action: "replay" }), 1);
        await scene.until("all have run", () => working.reports.length === 5);
        assertSame(idsOf(working), ["one", "free", "one", "two", "three"]);
      },
    },
  ];
}

/** A dead letter that holds two others; another key has run since. */
async function holding<Tx>(scene: Scene<Tx>): Promise<{ readonly working: Working; readonly head: string }> {
  let isFirst = true;
  const working = scene.consume({
    handlers: { a: { deadHead: "hold", concurrency: 1 } },
    run({ event }) {
      if (event.id !== "one" || !isFirst) return done;
      isFirst = false;
      return dead;
    },
  });
  const head = await scene.event("one", [under("key")]);
  await scene.event("two", [under("key")]);
  await scene.until("the head is dead", () => working.reports.length === 1);
  await scene.event("three", [under("key")]);
  await scene.event("free", [under("another")]);
  await scene.until("the other key has run", () => working.reports.length === 2);
  assert.equal((await scene.engine.stats({})).waiting, 2);
  return { working, head };
}
