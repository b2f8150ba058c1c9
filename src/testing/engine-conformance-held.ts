import assert from "node:assert/strict";
import type { HandlerPolicy } from "../types/engine.js";
import { idsOf, under } from "./engine-conformance-order.js";
import {
  assertSame,
  type CaseDefinition,
  dead,
  done,
  failure,
  type Scene,
  type Working,
} from "./engine-conformance-scene.js";

const hold = { onDeadLetter: "block" } as const;

/** What a dead letter does to those behind it, and how it ends. */
export const heldCases: readonly CaseDefinition[] = [
  {
    name: "held: skip lets those behind a dead letter run",
    needs: "ordered",
    async run(scene) {
      for (const id of ["one", "two"]) await scene.event(id, [under("key")]);
      const working = scene.consume({
        handlers: { a: { onDeadLetter: "continue" } },
        run: ({ event }) => (event.id === "one" ? dead : done),
      });
      await scene.until("both have run", () => working.reports.length === 2);
      assertSame(idsOf(working), ["one", "two"]);
    },
  },
  {
    name: "held: hold keeps those behind a dead letter, until it is dropped",
    needs: "ordered",
    async run(scene) {
      const { working, head } = await holding(scene);
      assert.equal(await scene.change({ recordIds: [head] }, { action: "drop" }), 1);
      await scene.until("those behind have run", () => working.reports.length === 4);
      assertSame(idsOf(working), ["one", "free", "two", "three"]);
      assertSame(await counts(scene), { blocked: 0, held: 0, holding: 0, dead: 0 });
    },
  },
  {
    name: "held: hold keeps those behind a dead letter, until its replay is done",
    needs: "ordered",
    async run(scene) {
      const { working, head } = await holding(scene);
      assert.equal(await scene.change({ recordIds: [head] }, { action: "replay" }), 1);
      await scene.until("all have run", () => working.reports.length === 5);
      assertSame(idsOf(working), ["one", "free", "one", "two", "three"]);
    },
  },
  {
    name: "held: hold keeps those behind a dead letter, until it is purged by hand",
    needs: "ordered",
    async run(scene) {
      const { working } = await holding(scene);
      assert.equal(await scene.engine.purge({ state: "dead", limit: 10 }), 1);
      await scene.until("those behind have run", () => working.reports.length === 4);
      await scene.event("four", [under("key")]);
      await scene.until("a further one has run", () => working.reports.length === 5);
      assertSame(idsOf(working), ["one", "free", "two", "three", "four"]);
    },
  },
  {
    name: "held: a purge that keeps what holds leaves such a dead letter, and takes the others",
    needs: "ordered",
    async run(scene) {
      const { working, head } = await holding(scene);
      await scene.event("alone", [{ ...under("third"), dead: failure }]);
      await scene.event("no key", [{ handler: "a", dead: failure }]);
      const beforeMs = Date.now() + 3_600_000;
      const purge = (more: { readonly keep?: number }): Promise<number> =>
        scene.engine.purge({ state: "dead", beforeMs, keepHolding: true, limit: 10, ...more });
      assert.equal(await purge({ keep: 1 }), 1);
      assert.equal(await purge({}), 1);
      assert.equal(await purge({}), 0);
      assertSame(
        (await scene.engine.list({ state: "dead" })).items.map(({ id }) => id),
        ["one"],
      );
      assertSame(await counts(scene), { blocked: 2, held: 2, holding: 1, dead: 1 });
      assert.equal(await scene.change({ recordIds: [head] }, { action: "drop" }), 1);
      await scene.until("those behind have run", () => working.reports.length === 4);
    },
  },
  {
    name: "held: a purge keeps what holds whatever else holds the same key, and only while something is behind it",
    needs: "ordered",
    async run(scene) {
      const { working } = await holding(scene);
      const behind = await scene.event("dead behind", [{ ...under("key"), dead: failure }]);
      const purge = (): Promise<number> =>
        scene.engine.purge({ state: "dead", keepHolding: true, limit: 10 });
      // Nothing is behind this one.
      assert.equal(await purge(), 1);
      assert.equal(await scene.engine.get(behind), undefined);
      assert.equal(await scene.change({ filter: { state: "pending" } }, { action: "drop" }), 2);
      assert.equal(await purge(), 1);
      await scene.event("four", [under("key")]);
      await scene.until("a further one has run", () => working.reports.length === 3);
    },
  },
  {
    name: "held: stats and get tell what holds, what is held and since when",
    needs: "ordered",
    async run(scene) {
      const { head } = await holding(scene);
      const stats = await scene.engine.stats({});
      assertSame(await counts(scene), { blocked: 2, held: 2, holding: 1, dead: 1 });
      const [handler] = stats.handlers;
      assertSame([handler?.handler, handler?.blocked, handler?.held, handler?.holding], ["a", 2, 2, 1]);
      assert.equal(handler?.ordered, true);
      for (const ageMs of [stats.oldestBlockedMs, stats.oldestHeldMs, handler?.oldestHeldMs]) {
        assert.ok(ageMs !== undefined && ageMs >= 0, "it is held for some time");
      }
      assertSame([stats.waiting, stats.oldestWaitingMs], [0, undefined]);
      const [three, two] = (await scene.engine.list({ state: "pending" })).items;
      for (const record of [two, three]) {
        const [task] = (await scene.record(record?.recordId ?? "")).tasks;
        assertSame([task?.state, task?.blockedBy], ["blocked", head]);
      }
    },
  },
  {
    name: "held: a dead letter from the start holds those behind it, before any consumer was there",
    needs: "ordered",
    async run(scene) {
      const head = await scene.event("one", [{ ...under("key"), ...hold, dead: failure }]);
      const recordId = await scene.event("two", [{ ...under("key"), ...hold }]);
      assert.equal((await scene.record(recordId)).tasks[0]?.state, "blocked");
      const working = scene.consume({ handlers: { a: hold }, run: () => done });
      await scene.event("free", [under("another")]);
      await scene.until("the other key has run", () => working.reports.length === 1);
      assertSame(idsOf(working), ["free"]);
      await scene.change({ recordIds: [head] }, { action: "drop" });
      await scene.until("the one behind has run", () => working.reports.length === 2);
    },
  },
  {
    name: "held: a dead letter from the start holds no one where its handler skips",
    needs: "ordered",
    async run(scene) {
      await scene.event("one", [{ ...under("key"), onDeadLetter: "continue", dead: failure }]);
      await scene.event("two", [{ ...under("key"), onDeadLetter: "continue" }]);
      const working = scene.consume({ handlers: { a: {} }, run: () => done });
      await scene.until("the one behind has run", () => working.reports.length === 1);
    },
  },
  {
    name: "held: from hold to skip, what was held runs from the start on",
    needs: "ordered",
    async run(scene) {
      const keys = Array.from({ length: 30 }, (_, count) => `key ${count}`);
      for (const key of keys) {
        await scene.event(`${key} head`, [{ ...under(key), ...hold, dead: failure }]);
        for (const place of ["second", "third"])
          await scene.event(`${key} ${place}`, [{ ...under(key), ...hold }]);
      }
      const before = scene.consume({ handlers: { a: hold }, run: () => done });
      await scene.event("free", [under("free")]);
      await scene.until("what is free has run", () => before.reports.length === 1);
      await before.consumer.stop();
      assert.equal((await scene.engine.stats({})).held, 60);
      const after = scene.consume({ handlers: { a: { onDeadLetter: "continue" } }, run: () => done });
      await scene.until("all that was held has run", () => after.reports.length === 60);
      for (const key of keys) {
        assertSame(
          idsOf(after).filter((id) => id.startsWith(`${key} `)),
          [`${key} second`, `${key} third`],
        );
      }
      assertSame(await counts(scene), { blocked: 0, held: 0, holding: 0, dead: 30 });
    },
  },
  {
    name: "held: from skip to hold, a dead letter holds those behind it from the start on",
    needs: "ordered",
    async run(scene) {
      for (const id of ["one", "two", "three"]) await scene.event(id, [under("key")]);
      const later = { outcome: "retry", delayMs: 3_600_000, error: failure } as const;
      const before = scene.consume({
        handlers: { a: { onDeadLetter: "continue" } },
        run: ({ event }) => (event.id === "one" ? dead : later),
      });
      await scene.until("the second waits for its retry", () => before.reports.length === 2);
      await before.consumer.stop();
      const after = scene.consume({ handlers: { a: hold }, run: () => done });
      await scene.until("they are held", async () => (await scene.engine.stats({})).held === 2);
      assert.equal(await scene.change({ filter: {} }, { action: "retry" }), 0);
      const head = (await scene.engine.list({ state: "dead" })).items[0]?.recordId ?? "";
      await scene.change({ recordIds: [head] }, { action: "replay" });
      await scene.until("the head has run", () => after.reports.length === 1);
      // The second keeps its back-off.
      assert.equal(await scene.change({ filter: {} }, { action: "retry" }), 1);
      await scene.until("all have run in order", () => after.reports.length === 3);
      assertSame(idsOf(after), ["one", "two", "three"]);
    },
  },
  {
    name: "held: a process that comes back after a stop does not bring its old policy back",
    needs: "freeze",
    run: runOldPolicy,
  },
];

async function runOldPolicy<Tx>(scene: Scene<Tx>): Promise<void> {
  if (!scene.engine.capabilities.ordered) return;
  const { leaseMs } = scene;
  const { working, head } = await holding(scene, { leaseMs });
  assert.ok(scene.store.freeze);
  const thaw = await scene.store.freeze(scene.engine);
  const engine = await scene.reopen();
  const heir = scene.consume({
    engine,
    leaseMs,
    handlers: { a: { onDeadLetter: "continue" } },
    run: () => done,
  });
  await scene.until("what was held has run", () => heir.reports.length === 2);
  const known = async (): Promise<number> => (await engine.stats({})).consumers.length;
  await scene.until("the first is taken for gone", async () => (await known()) === 1);
  await thaw();
  await scene.until("it is back", async () => (await known()) === 2);
  assert.equal((await scene.record(head, engine)).state, "dead");
  await scene.event("four", [under("key")]);
  await scene.until("a further one has run", () => working.reports.length + heir.reports.length === 5);
}

/** A dead letter that holds two others; another key has run since. */
async function holding<Tx>(
  scene: Scene<Tx>,
  more: { readonly leaseMs?: number } = {},
): Promise<{ readonly working: Working; readonly head: string }> {
  let isFirst = true;
  const policy: Partial<HandlerPolicy> = { ...hold, concurrency: 1, ordered: true };
  const working = scene.consume({
    ...more,
    handlers: { a: policy },
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
  assertSame(await counts(scene), { blocked: 2, held: 2, holding: 1, dead: 1 });
  return { working, head };
}

async function counts<Tx>(scene: Scene<Tx>): Promise<object> {
  const { blocked, held, holding: heads, dead: letters } = await scene.engine.stats({});
  return { blocked, held, holding: heads, dead: letters };
}
