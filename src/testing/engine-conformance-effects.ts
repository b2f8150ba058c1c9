import assert from "node:assert/strict";
import { assertSame, type CaseDefinition, done, failure } from "./engine-conformance-scene.js";

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
