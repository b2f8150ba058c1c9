import assert from "node:assert/strict";
import type { EventFilter, HandlerStats, InboxStats, Verdict } from "../types/engine.js";
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

async function idsBy<Tx>(scene: Scene<Tx>, filter: EventFilter): Promise<string[]> {
  const { items } = await scene.engine.list({ ...filter, oldestFirst: true });
  return items.map(({ id }) => id);
}

/** Events of every state: pending, done, dead, ignored. */
async function settle<Tx>(scene: Scene<Tx>): Promise<void> {
  await scene.event("done", ["a", "b"]);
  await scene.event("dead", ["a", "b"]);
  await scene.event("ignored", []);
  const working = scene.consume({
    handlers: { a: {}, b: {} },
    run: ({ event, handler }) =>
      event.id === "dead" && handler === "b" ? { outcome: "dead", error: failure } : done,
  });
  await scene.until("all have run", () => working.reports.length === 4);
  await working.consumer.stop();
  await scene.event("pending", ["a"]);
}

/** What `list`, `get` and `stats` promise. */
export const recordCases: readonly CaseDefinition[] = [
  {
    name: "records: list goes page by page, newest first, whatever comes in meanwhile",
    async run(scene) {
      for (let count = 1; count <= 5; count++) await scene.event(`event ${count}`);
      const first = await scene.engine.list({ limit: 2 });
      await scene.event("late");
      const second = await scene.engine.list({ limit: 2, cursor: first.next });
      const third = await scene.engine.list({ limit: 2, cursor: second.next });
      const ids = [first, second, third].map(({ items }) => items.map(({ id }) => id));
      assertSame(ids, [["event 5", "event 4"], ["event 3", "event 2"], ["event 1"]]);
      assert.equal(third.next, undefined);
      const oldest = await scene.engine.list({ limit: 3, oldestFirst: true });
      const rest = await scene.engine.list({ limit: 3, oldestFirst: true, cursor: oldest.next });
      assertSame(
        [...oldest.items, ...rest.items].map(({ id }) => id),
        ["event 1", "event 2", "event 3", "event 4", "event 5", "late"],
      );
      assert.equal(rest.next, undefined);
    },
  },
  {
    name: "records: list shows events without bodies and histories, get with them",
    async run(scene) {
      const recordId = await scene.event("one");
      const [listed] = (await scene.engine.list({})).items;
      assertSame(
        [listed?.delivery, listed?.replays, listed?.tasks[0]?.history],
        [undefined, undefined, undefined],
      );
      const { delivery, replays, tasks, ...shown } = await scene.record(recordId);
      assert.ok(delivery !== undefined);
      assertSame([replays, tasks[0]?.history], [[], []]);
      const { tasks: listedTasks, delivery: _none, replays: _never, ...bare } = listed ?? { tasks: [] };
      assertSame(bare, shown);
      assert.equal(listedTasks.length, 1);
    },
  },
  {
    name: "records: an event tells which of its delivery's it is",
    async run(scene) {
      const events = ["one", "two"].map((id) => eventOf(id));
      const recordIds = await scene.stored(deliveryOf(events));
      assertSame(
        (await scene.engine.list({ oldestFirst: true })).items.map(({ id, position }) => [id, position]),
        [
          ["one", 0],
          ["two", 1],
        ],
      );
      assert.equal((await scene.record(recordIds[1] ?? "")).position, 1);
    },
  },
  {
    name: "records: get of what is not there is undefined",
    async run({ engine }) {
      for (const recordId of ["", "x", "rec_0", "rec_999999", "rec_1 OR 1=1", "rec_-1", "\0"]) {
        assert.equal(await engine.get(recordId), undefined);
      }
    },
  },
  {
    name: "records: the state of an event is made of its tasks",
    async run(scene) {
      await settle(scene);
      for (const state of ["done", "dead", "ignored", "pending"] as const) {
        assertSame(await idsBy(scene, { state }), [state]);
        assert.equal((await scene.engine.list({ state })).items[0]?.state, state);
      }
    },
  },
  {
    name: "records: list filters by receiver, type, handler and time",
    async run(scene) {
      await scene.event("one", ["a"]);
      await scene.event("two", ["b"], { type: "other" });
      await scene.stored(deliveryOf([eventOf("three", ["a"])], { receiver: "elsewhere" }));
      assertSame(await idsBy(scene, { receiver: "elsewhere" }), ["three"]);
      assertSame(await idsBy(scene, { type: "other" }), ["two"]);
      assertSame(await idsBy(scene, { handler: "a" }), ["one", "three"]);
      assertSame(await idsBy(scene, { handler: "a", receiver: "receiver" }), ["one"]);
      assertSame(await idsBy(scene, { handler: "none" }), []);
      const [record] = (await scene.engine.list({ oldestFirst: true })).items;
      const atMs = record?.acceptedAtMs ?? 0;
      assertSame(await idsBy(scene, { fromMs: atMs }), ["one", "two", "three"]);
      assertSame(await idsBy(scene, { beforeMs: atMs }), []);
      assertSame(await idsBy(scene, { beforeMs: Date.now() + 60_000 }), ["one", "two", "three"]);
      assertSame(await idsBy(scene, { fromMs: Date.now() + 60_000 }), []);
    },
  },
  {
    name: "records: list filters by source, tenant, service and text in the id",
    needs: "search",
    async run(scene) {
      await scene.event("plain");
      await scene.stored(deliveryOf([eventOf("Order-1%")], { source: "shop" }));
      await scene.stored(deliveryOf([eventOf("order_2")], { tenant: "t2", service: "s2" }));
      assertSame(await idsBy(scene, { source: "shop" }), ["Order-1%"]);
      assertSame(await idsBy(scene, { tenant: "t2" }), ["order_2"]);
      assertSame(await idsBy(scene, { service: "s2" }), ["order_2"]);
      assertSame(await idsBy(scene, { service: "s2", tenant: "tenant" }), []);
      assertSame(await idsBy(scene, { idContains: "rder" }), ["Order-1%", "order_2"]);
      assertSame(await idsBy(scene, { idContains: "order" }), ["order_2"]);
      assertSame(await idsBy(scene, { idContains: "%" }), ["Order-1%"]);
      assertSame(await idsBy(scene, { idContains: "_" }), ["order_2"]);
      assertSame(await idsBy(scene, { idContains: "rder", source: "shop" }), ["Order-1%"]);
    },
  },
  { name: "records: stats count what waits, runs and is dead", run: runStats },
  {
    name: "records: stats list who runs tasks, and the age of their heartbeat",
    needs: "shared",
    run: runConsumers,
  },
  {
    name: "records: stats count what happened of late",
    async run(scene) {
      await settle(scene);
      const { throughput } = await scene.engine.stats({});
      const { accepted, handled, failed, dead, spanMs } = throughput;
      assertSame({ accepted, handled, failed, dead }, { accepted: 4, handled: 3, failed: 1, dead: 1 });
      assert.ok(spanMs >= 60_000 && spanMs <= 120_000, `the span is ${spanMs} ms`);
    },
  },
];

async function runStats<Tx>(scene: Scene<Tx>): Promise<void> {
  await settle(scene);
  const held = latch<Verdict>();
  const working = scene.consume({ handlers: { a: {} }, run: () => held.promise });
  await scene.until("one runs", () => working.tasks.length === 1);
  await scene.event("waits", ["b"]);
  await scene.stored(deliveryOf([eventOf("other")], { receiver: "elsewhere" }));
  const stats = await scene.engine.stats({ receiver: "receiver" });
  assertSame([stats.waiting, stats.running, stats.dead], [1, 1, 1]);
  assertSame([stats.blocked, stats.held, stats.holding], [0, 0, 0]);
  assertSame([stats.oldestBlockedMs, stats.oldestHeldMs], [undefined, undefined]);
  assert.ok(stats.oldestWaitingMs !== undefined && stats.oldestWaitingMs >= 0);
  const handlers = [...stats.handlers].sort((a, b) => (a.handler < b.handler ? -1 : 1));
  const counts = { blocked: 0, held: 0, holding: 0, ordered: false };
  assertSame(handlers.map(withoutAges), [
    { ...counts, receiver: "receiver", handler: "a", waiting: 0, running: 1, dead: 0 },
    { ...counts, receiver: "receiver", handler: "b", waiting: 1, running: 0, dead: 1 },
  ]);
  assertSame(
    handlers.map(({ oldestWaitingMs }) => oldestWaitingMs !== undefined),
    [false, true],
  );
  const all = await scene.engine.stats({});
  assertSame([all.waiting, all.running, all.dead], [2, 1, 1]);
  held.open({ outcome: "retry", delayMs: 3_600_000, error: failure });
  await scene.until("it waits", () => working.reports.length === 1);
  await scene.change({ filter: {} }, { action: "drop", handlers: ["b"] });
  const late = await scene.engine.stats({ receiver: "receiver" });
  assertSame([late.waiting, late.running, late.dead, late.oldestWaitingMs], [1, 0, 0, undefined]);
}

/** How old what waits is, is another matter than how many do. */
function withoutAges({ oldestWaitingMs, oldestBlockedMs, oldestHeldMs, ...counts }: HandlerStats): object {
  return counts;
}

async function runConsumers<Tx>(scene: Scene<Tx>): Promise<void> {
  const held = latch<Verdict>();
  const consumers = async (): Promise<InboxStats["consumers"]> =>
    (await scene.engine.stats({ receiver: "receiver" })).consumers;
  assertSame(await consumers(), []);
  await scene.event("one");
  const working = scene.consume({ leaseMs: 5_000, handlers: { a: {} }, run: () => held.promise });
  scene.consume({ receiver: "elsewhere", handlers: { a: {} }, run: () => done });
  await scene.until("it runs and is known", async () => (await consumers())[0]?.running === 1);
  const [consumer, ...more] = await consumers();
  assert.equal(more.length, 0);
  assertSame([consumer?.receiver, consumer?.leaseMs], ["receiver", 5_000]);
  assert.ok(consumer !== undefined && consumer.consumer.length > 0);
  const ageMs = consumer.heartbeatAgeMs ?? Number.NaN;
  assert.ok(ageMs >= 0 && ageMs < 15_000, `its last heartbeat is ${ageMs} ms old`);
  await scene.until("both are known", async () => (await scene.engine.stats({})).consumers.length === 2);
  held.open(done);
  await scene.until("it has run", () => working.reports.length === 1);
  await working.consumer.stop();
  assertSame(await consumers(), []);
}
