import assert from "node:assert/strict";
import type { PurgeOptions, Verdict } from "../contracts/engine.js";
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

const dead: Verdict = { outcome: "dead", error: failure };

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
      assert.equal(await scene.engine.change({ recordIds: [dropped] }, { action: "drop" }), 1);
      const recordIds = [...ids, dropped];
      assert.equal(await scene.engine.change({ recordIds }, { action: "replay" }), 3);
      // They wait: there is nothing more to replay.
      assert.equal(await scene.engine.change({ recordIds }, { action: "replay" }), 0);
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
    name: "replay: takes the handlers it is told alone, and makes tasks for those that had none",
    async run(scene) {
      const recordId = await scene.event("one", ["a"]);
      await work(scene, 1);
      const onlyB = { action: "replay", handlers: ["b"] } as const;
      assert.equal(await scene.engine.change({ recordIds: [recordId] }, onlyB), 1);
      assertSame(await statesOf(scene, recordId), { a: "done", b: "waiting" });
      assertSame((await scene.record(recordId)).replays?.[0]?.handlers, ["b"]);
      assertSame(await work(scene, 1), ["one b 1"]);
    },
  },
  {
    name: "replay: goes by filter, too, and by dryRun counts only",
    async run(scene) {
      for (const id of ["one", "two", "three"]) await scene.event(id, ["a", "b"]);
      await work(scene, 6, (id) => (id === "two" ? dead : done));
      const selection = { filter: { state: "dead" } } as const;
      assert.equal(await scene.engine.change(selection, { action: "replay", dryRun: true }), 2);
      assert.equal(
        await scene.engine.change(selection, { action: "replay", handlers: ["a"], dryRun: true }),
        1,
      );
      assert.equal((await scene.engine.stats({})).waiting, 0);
      const [record] = (await scene.engine.list(selection.filter)).items;
      assertSame((await scene.record(record?.recordId ?? "")).replays, []);
      assert.equal(await scene.engine.change(selection, { action: "replay" }), 2);
      assertSame(await work(scene, 2), ["two a 1", "two b 1"]);
    },
  },
  {
    name: "replay: takes any number of events",
    async run(scene) {
      const deliveries = Array.from({ length: 500 }, (_, count) => deliveryOf([eventOf(`event ${count}`)]));
      await scene.engine.accept(deliveries);
      assert.equal(await scene.engine.change({ filter: {} }, { action: "drop" }), 500);
      assert.equal(await scene.engine.change({ filter: {} }, { action: "replay" }), 500);
      assert.equal((await scene.engine.stats({})).waiting, 500);
    },
  },
  {
    name: "replay: a dead letter from the start runs like any other",
    async run(scene) {
      const recordId = await scene.event("one", [{ handler: "a", dead: failure }]);
      assert.equal(await scene.engine.change({ recordIds: [recordId] }, { action: "replay" }), 1);
      assertSame(await work(scene, 1), ["one a 1"]);
      assert.equal((await scene.record(recordId)).state, "done");
    },
  },
  { name: "drop: takes tasks that wait or are dead, and they do not run", run: runDrop },
  {
    name: "change: of what is not there changes nothing",
    async run({ engine }) {
      const recordIds = ["", "x", "rec_0", "rec_12345", "rec_1; DELETE"];
      assert.equal(await engine.change({ recordIds }, { action: "replay", handlers: ["a"] }), 0);
      assert.equal(await engine.change({ recordIds: [] }, { action: "drop" }), 0);
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
  assert.equal(await scene.engine.change({ recordIds }, { action: "drop", dryRun: true }), 2);
  assert.equal(await scene.engine.change({ recordIds }, { action: "drop", handlers: ["b"] }), 1);
  assert.equal(await scene.engine.change({ recordIds }, { action: "drop" }), 1);
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
        assert.equal(
          await scene.engine.change({ recordIds: [recordId] }, { action: "replay", handlers: ["a"] }),
          0,
        );
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
