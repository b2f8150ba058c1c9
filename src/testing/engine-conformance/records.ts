import assert from "node:assert/strict";
import type {
  EventFilter,
  HandlerStats,
  InboxStats,
  PurgeOptions,
  TaskState,
  Verdict,
} from "../../types/engine.js";
import {
  assertSame,
  type CaseDefinition,
  dead,
  deliveryOf,
  done,
  eventOf,
  failure,
  latch,
  type Scene,
} from "./scene.js";

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
  assertSame([stats.blocked, stats.blockedByDead, stats.blockingDead], [0, 0, 0]);
  assertSame([stats.oldestBlockedMs, stats.oldestBlockedByDeadMs], [undefined, undefined]);
  assert.ok(stats.oldestWaitingMs !== undefined && stats.oldestWaitingMs >= 0);
  const handlers = [...stats.handlers].sort((a, b) => (a.handler < b.handler ? -1 : 1));
  const counts = { blocked: 0, blockedByDead: 0, blockingDead: 0, ordered: false };
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
function withoutAges({
  oldestWaitingMs,
  oldestBlockedMs,
  oldestBlockedByDeadMs,
  ...counts
}: HandlerStats): object {
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

/** Runs what waits to its end, by the verdict on each event's id. */
async function work<Tx>(
  scene: Scene<Tx>,
  count: number,
  verdictOn: (id: string) => Verdict = () => done,
): Promise<readonly string[]> {
  const working = scene.consume({ handlers: { a: {}, b: {} }, run: ({ event }) => verdictOn(event.id) });
  await scene.until(`${count} have run`, () => working.reports.length >= count);
  await working.consumer.stop();
  assert.equal(working.reports.length, count);
  return working.tasks.map(({ event, handler, attempt }) => `${event.id} ${handler} ${attempt}`).sort();
}

async function statesOf<Tx>(scene: Scene<Tx>, recordId: string): Promise<Record<string, string>> {
  const { tasks } = await scene.record(recordId);
  return Object.fromEntries(tasks.map(({ handler, state }) => [handler, state]));
}

/** What `change` and `purge` promise. */
export const changeCases: readonly CaseDefinition[] = [
  {
    name: "replay: gives tasks that are done, dead or dropped all their attempts anew, and is recorded",
    async run(scene) {
      const ids = [await scene.event("done"), await scene.event("dead")];
      await work(scene, 2, (id) => (id === "dead" ? dead : done));
      const dropped = await scene.event("dropped");
      assert.equal(await scene.change({ recordIds: [dropped] }, { action: "drop" }), 1);
      const recordIds = [...ids, dropped];
      assert.equal(await scene.change({ recordIds }, { action: "replay" }), 3);
      // They wait: there is nothing more to replay.
      assert.equal(await scene.change({ recordIds }, { action: "replay" }), 0);
      for (const recordId of recordIds) {
        const { state, tasks, replays } = await scene.record(recordId);
        assertSame([state, tasks[0]?.state, tasks[0]?.attempts], ["pending", "waiting", 0]);
        assertSame(
          replays?.map(({ handlers }) => handlers),
          [["a"]],
        );
        assert.ok(Math.abs((replays?.[0]?.atMs ?? 0) - Date.now()) < 600_000, "atMs is a date");
      }
      assertSame(await work(scene, 3), ["dead a 1", "done a 1", "dropped a 1"]);
      const [task] = (await scene.record(ids[0] ?? "")).tasks;
      assertSame(
        task?.history?.map(({ outcome }) => outcome),
        ["done", "done"],
      );
    },
  },
  {
    name: "replay: takes the handlers it is told alone",
    async run(scene) {
      const recordId = await scene.event("one", ["a", "b"]);
      await work(scene, 2);
      const onlyB = { action: "replay", handlers: ["b", "none"] } as const;
      assert.equal(await scene.change({ recordIds: [recordId] }, onlyB), 1);
      assertSame(await statesOf(scene, recordId), { a: "done", b: "waiting" });
      assertSame((await scene.record(recordId)).replays?.[0]?.handlers, ["b"]);
      assertSame(await work(scene, 1), ["one b 1"]);
    },
  },
  {
    name: "replay: takes the states it is told alone",
    async run(scene) {
      const recordId = await scene.event("one", ["a", "b"]);
      const working = scene.consume({
        handlers: { a: {}, b: {} },
        run: ({ handler }) => (handler === "b" ? dead : done),
      });
      await scene.until("both have run", () => working.reports.length === 2);
      await working.consumer.stop();
      const selection = { filter: { state: "dead" } } as const;
      for (const states of [[], ["dropped"], ["waiting", "retrying", "blocked", "running"]] as const) {
        assert.equal(await scene.change(selection, { action: "replay", states }), 0);
      }
      const deadOnly = { action: "replay", states: ["dead"] } as const;
      assert.equal(await scene.change(selection, { ...deadOnly, dryRun: true }), 1);
      assert.equal(await scene.change(selection, deadOnly), 1);
      assertSame(await statesOf(scene, recordId), { a: "done", b: "waiting" });
      assertSame(await work(scene, 1), ["one b 1"]);
      assert.equal(await scene.change({ recordIds: [recordId] }, { action: "replay", states: ["done"] }), 2);
    },
  },
  {
    name: "replay: makes the tasks it is given where an event has none for the handler",
    async run(scene) {
      const [one, two] = [await scene.event("one", ["a"]), await scene.event("two", ["a"])];
      await work(scene, 2);
      const tasks = [one, two, "rec_99999"].map((recordId) => ({ recordId, handler: "b" }));
      const change = { action: "replay", states: [], tasks } as const;
      const selection = { recordIds: [one] };
      assert.equal(await scene.change(selection, { ...change, dryRun: true }), 1);
      assertSame(await statesOf(scene, one), { a: "done" });
      assert.equal(await scene.change(selection, change), 1);
      assert.equal(await scene.change(selection, change), 0);
      // One that is not selected gets none.
      assertSame(await statesOf(scene, two), { a: "done" });
      assertSame(await statesOf(scene, one), { a: "done", b: "waiting" });
      assertSame((await scene.record(one)).replays?.[0]?.handlers, ["b"]);
      assertSame(await work(scene, 1), ["one b 1"]);
    },
  },
  {
    name: "replay: goes by filter, too, and by dryRun counts only",
    async run(scene) {
      for (const id of ["one", "two", "three"]) await scene.event(id, ["a", "b"]);
      await work(scene, 6, (id) => (id === "two" ? dead : done));
      const selection = { filter: { state: "dead" } } as const;
      assert.equal(await scene.change(selection, { action: "replay", dryRun: true }), 2);
      assert.equal(await scene.change(selection, { action: "replay", handlers: ["a"], dryRun: true }), 1);
      assert.equal((await scene.engine.stats({})).waiting, 0);
      const [record] = (await scene.engine.list(selection.filter)).items;
      assertSame((await scene.record(record?.recordId ?? "")).replays, []);
      assert.equal(await scene.change(selection, { action: "replay" }), 2);
      assertSame(await work(scene, 2), ["two a 1", "two b 1"]);
    },
  },
  {
    name: "replay: takes any number of events",
    async run(scene) {
      const deliveries = Array.from({ length: 500 }, (_, count) => deliveryOf([eventOf(`event ${count}`)]));
      await scene.engine.accept(deliveries);
      assert.equal(await scene.change({ filter: {} }, { action: "drop" }), 500);
      assert.equal(await scene.change({ filter: {} }, { action: "replay" }), 500);
      assert.equal((await scene.engine.stats({})).waiting, 500);
    },
  },
  {
    name: "replay: a dead letter from the start runs like any other",
    async run(scene) {
      const recordId = await scene.event("one", [{ handler: "a", dead: failure }]);
      assert.equal(await scene.change({ recordIds: [recordId] }, { action: "replay" }), 1);
      assertSame(await work(scene, 1), ["one a 1"]);
      assert.equal((await scene.record(recordId)).state, "done");
    },
  },
  { name: "drop: takes tasks that wait or are dead, and they do not run", run: runDrop },
  { name: "drop: takes the states and handlers it is told alone", run: runDropStates },
  { name: "retry: makes due what waits for a later attempt, and keeps its attempts", run: runRetry },
  {
    name: "change: of what is not there changes nothing",
    async run(scene) {
      const recordIds = ["", "x", "rec_0", "rec_12345", "rec_1; DELETE"];
      for (const action of ["retry", "replay", "drop"] as const) {
        assert.equal(await scene.change({ recordIds }, { action, handlers: ["a"] }), 0);
        assert.equal(await scene.change({ recordIds: [] }, { action }), 0);
      }
    },
  },
  {
    name: "change: of record ids leaves those of other receivers, where one is named",
    async run(scene) {
      const [other = ""] = await scene.stored(deliveryOf([eventOf("other")], { receiver: "elsewhere" }));
      const recordIds = [other, await scene.event("own")];
      const drop = { action: "drop" } as const;
      assert.equal(await scene.change({ recordIds, receiver: "nobody" }, drop), 0);
      assert.equal(await scene.change({ recordIds, receiver: "receiver" }, drop), 1);
      assertSame(await statesOf(scene, other), { a: "waiting" });
      assert.equal(await scene.change({ recordIds }, drop), 1);
    },
  },
  {
    name: "change: goes step by step, and a step that was not made is not there",
    async run(scene) {
      const deliveries = Array.from({ length: 7 }, (_, count) => deliveryOf([eventOf(`event ${count}`)]));
      await scene.engine.accept(deliveries);
      const drop = { action: "drop", states: ["waiting"], limit: 3 } as const;
      const first = await scene.engine.change({ filter: {} }, drop);
      assert.ok(first.changed >= 1 && first.changed <= 3, `3 at most, not ${first.changed}`);
      assert.ok(first.next !== undefined, "there is more to do");
      assert.equal((await scene.engine.stats({})).waiting, 7 - first.changed);
      assert.equal(await scene.change({ filter: {} }, drop), 7 - first.changed);
    },
  },
  ...purgeCases(),
];

async function runDrop<Tx>(scene: Scene<Tx>): Promise<void> {
  const [isDone, isDead] = [await scene.event("done"), await scene.event("dead")];
  await work(scene, 2, (id) => (id === "dead" ? dead : done));
  const held = latch<Verdict>();
  const runs = await scene.event("runs");
  const working = scene.consume({ handlers: { a: {} }, run: () => held.promise });
  await scene.until("one runs", () => working.tasks.length === 1);
  const waits = await scene.event("waits", ["b"]);
  const recordIds = [isDone, isDead, runs, waits];
  assert.equal(await scene.change({ recordIds }, { action: "drop", dryRun: true }), 2);
  assert.equal(await scene.change({ recordIds }, { action: "drop", handlers: ["b"] }), 1);
  assert.equal(await scene.change({ recordIds }, { action: "drop" }), 1);
  held.open(done);
  await scene.until("it is done", () => working.reports.length === 1);
  assertSame(await Promise.all(recordIds.map((recordId) => statesOf(scene, recordId))), [
    { a: "done" },
    { a: "dropped" },
    { a: "done" },
    { b: "dropped" },
  ]);
  for (const recordId of recordIds) assert.equal((await scene.record(recordId)).state, "done");
  assertSame((await scene.record(waits)).replays, []);
  const { waiting, dead: stillDead } = await scene.engine.stats({});
  assertSame([waiting, stillDead], [0, 0]);
}

async function runDropStates<Tx>(scene: Scene<Tx>): Promise<void> {
  const recordId = await scene.event("one", ["a", "b", "c"]);
  const later: Verdict = { outcome: "retry", delayMs: 3_600_000, error: failure };
  const working = scene.consume({
    handlers: { a: {}, b: {} },
    run: ({ handler }) => (handler === "a" ? dead : later),
  });
  await scene.until("both have run", () => working.reports.length === 2);
  await working.consumer.stop();
  assertSame(await statesOf(scene, recordId), { a: "dead", b: "retrying", c: "waiting" });
  const drop = async (...states: readonly TaskState[]): Promise<unknown> => [
    await scene.change({ recordIds: [recordId] }, { action: "drop", states }),
    await statesOf(scene, recordId),
  ];
  assertSame(await drop("done", "running", "blocked", "dropped"), [
    0,
    { a: "dead", b: "retrying", c: "waiting" },
  ]);
  assertSame(await drop("waiting"), [1, { a: "dead", b: "retrying", c: "dropped" }]);
  assertSame(await drop("retrying"), [1, { a: "dead", b: "dropped", c: "dropped" }]);
  assertSame(await drop("dead"), [1, { a: "dropped", b: "dropped", c: "dropped" }]);
}

async function runRetry<Tx>(scene: Scene<Tx>): Promise<void> {
  const isDead = await scene.event("dead");
  const recordId = await scene.event("late", ["a", "b"]);
  const working = scene.consume({
    handlers: { a: {}, b: {} },
    run({ event, attempt }) {
      if (event.id === "dead") return dead;
      return attempt === 1 ? { outcome: "retry", delayMs: 3_600_000, error: failure } : done;
    },
  });
  await scene.until("all have run", () => working.reports.length === 3);
  const recordIds = [isDead, recordId];
  const retry = { action: "retry", states: ["waiting", "retrying"] } as const;
  assert.equal(await scene.change({ recordIds }, { ...retry, states: ["waiting", "dead"] }), 0);
  assert.equal(await scene.change({ recordIds }, { ...retry, dryRun: true }), 2);
  assert.equal(await scene.change({ recordIds }, { ...retry, handlers: ["a"] }), 1);
  await scene.until("one has run again", () => working.reports.length === 4);
  const [last] = working.tasks.slice(3);
  assertSame([last?.handler, last?.attempt], ["a", 2]);
  assertSame(await statesOf(scene, recordId), { a: "done", b: "retrying" });
  assert.equal(await scene.change({ filter: {} }, retry), 1);
  await scene.until("the other has, too", () => working.reports.length === 5);
  assert.equal(await scene.change({ filter: {} }, retry), 0);
  // It is no replay.
  assertSame((await scene.record(recordId)).replays, []);
  assertSame(await statesOf(scene, isDead), { a: "dead" });
}

function purgeCases(): CaseDefinition[] {
  return [
    {
      name: "purge: deletes what is done or ignored, oldest first, no more than its limit",
      async run(scene) {
        for (const id of ["one", "two"]) await scene.event(id);
        await scene.event("ignored", []);
        await scene.event("dead");
        await work(scene, 3, (id) => (id === "dead" ? dead : done));
        await scene.event("pending");
        const left = await purging(scene);
        assertSame(await left({ state: "done", limit: 1 }), [1, "two", "ignored", "dead", "pending"]);
        assertSame(await left({ state: "done", limit: 100 }), [2, "dead", "pending"]);
        assertSame(await left({ state: "dead", limit: 100 }), [1, "pending"]);
        assertSame(await left({ state: "done", limit: 100 }), [0, "pending"]);
        assertSame(await work(scene, 1), ["pending a 1"]);
      },
    },
    {
      name: "purge: leaves the newest it is told to keep, other receivers and what is younger",
      async run(scene) {
        await scene.stored(deliveryOf([eventOf("other", [])], { receiver: "elsewhere" }));
        for (const id of ["one", "two", "three"]) await scene.event(id, []);
        const left = await purging(scene);
        const receiver = "receiver";
        assertSame(await left({ receiver, state: "done", keep: 3, limit: 9 }), [
          0,
          "other",
          "one",
          "two",
          "three",
        ]);
        assertSame(await left({ receiver, state: "done", keep: 2, limit: 9 }), [1, "other", "two", "three"]);
        const beforeMs = Date.now() - 3_600_000;
        assertSame(await left({ receiver, state: "done", beforeMs, limit: 9 }), [0, "other", "two", "three"]);
        const later = Date.now() + 3_600_000;
        assertSame(await left({ receiver, state: "done", beforeMs: later, limit: 9 }), [2, "other"]);
      },
    },
    {
      name: "purge: an id is remembered beyond its event",
      async run(scene) {
        const recordId = await scene.event("one");
        await work(scene, 1);
        assert.equal(await scene.engine.purge({ state: "done", limit: 10 }), 1);
        assert.equal(await scene.engine.get(recordId), undefined);
        const tasks = [{ recordId, handler: "a" }];
        assert.equal(await scene.change({ recordIds: [recordId] }, { action: "replay", tasks }), 0);
        assert.equal((await scene.accept(deliveryOf([eventOf("one")]))).status, "duplicate");
        assert.notEqual(await scene.event("two"), recordId);
      },
    },
    {
      name: "purge: events of one delivery go one by one",
      async run(scene) {
        const rawBody = Buffer.from("of both");
        const [first = "", second = ""] = await scene.stored(
          deliveryOf([eventOf("one", []), eventOf("two", ["a"])], { rawBody }),
        );
        assert.equal(await scene.engine.purge({ state: "done", limit: 10 }), 1);
        assert.equal(await scene.engine.get(first), undefined);
        assert.equal(String((await scene.record(second)).delivery?.rawBody), "of both");
        assertSame(await work(scene, 1), ["two a 1"]);
      },
    },
  ];
}

/** Purges, and tells the number and the ids that are left. */
async function purging<Tx>(
  scene: Scene<Tx>,
): Promise<(options: PurgeOptions) => Promise<(number | string)[]>> {
  return async (options) => {
    const count = await scene.engine.purge(options);
    const { items } = await scene.engine.list({ oldestFirst: true });
    return [count, ...items.map(({ id }) => id)];
  };
}
