import assert from "node:assert/strict";
import type { Lease, Verdict } from "../../types/engine.js";
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

/** What holds across closing, opening, and several engines on one store. */
export const sharedCases: readonly CaseDefinition[] = [
  {
    name: "open: the store stays open until the last close, and may be opened again",
    async run(scene) {
      await scene.open(scene.engine);
      await scene.close(scene.engine);
      const recordId = await scene.event("one");
      await scene.close(scene.engine);
      await scene.open(scene.engine);
      assert.equal((await scene.record(recordId)).id, "one");
    },
  },
  {
    name: "open: everything is there after a restart",
    needs: "reopen",
    async run(scene) {
      const working = scene.consume({
        handlers: { a: {}, b: {} },
        run: ({ handler }) =>
          handler === "a" ? done : { outcome: "retry", delayMs: 3_600_000, error: failure },
      });
      const recordId = await scene.event("one", ["a", "b"]);
      await scene.until("both have run", () => working.reports.length === 2);
      await working.consumer.stop();
      const waiting = await scene.event("two");
      const tokenUse = { tokenId: "token", expiresAtMs: Date.now() + 3_600_000, delivery: "three" };
      await scene.stored(deliveryOf([eventOf("three", [])], { tokenUse }));
      const before = await scene.record(recordId);
      await scene.close(scene.engine);
      const engine = await scene.reopen();
      const after = await scene.record(recordId, engine);
      assertSame(withoutDueTimes(after), withoutDueTimes(before));
      assert.equal((await scene.accept(deliveryOf([eventOf("one")]), engine)).status, "duplicate");
      assert.equal(
        (
          await scene.accept(
            deliveryOf([eventOf("four")], { tokenUse: { ...tokenUse, delivery: "four" } }),
            engine,
          )
        ).status,
        "replayed",
      );
      const again = scene.consume({ engine, handlers: { a: {}, b: {} }, run: () => done });
      await scene.until("the one that waited has run", () => again.reports.length === 1);
      assert.equal(again.reports[0]?.recordId, waiting);
    },
  },
  {
    name: "shared: of copies that come to two processes at once one is stored",
    needs: "shared",
    async run(scene) {
      const other = await scene.reopen();
      const copies = Array.from({ length: 200 }, (_, count) =>
        scene.accept(deliveryOf([eventOf("one")]), count % 2 === 0 ? scene.engine : other),
      );
      const stored = (await Promise.all(copies)).filter(({ status }) => status === "stored");
      assert.equal(stored.length, 1);
      assert.equal((await other.list({})).items.length, 1);
    },
  },
  {
    name: "shared: what one process accepts another runs",
    needs: "shared",
    async run(scene) {
      const engine = await scene.reopen();
      const working = scene.consume({ engine, handlers: { a: {} }, run: () => done });
      for (let count = 1; count <= 3; count++) {
        await scene.event(`event ${count}`);
        await scene.until(`${count} have run`, () => working.reports.length === count);
      }
    },
  },
  {
    name: "shared: two processes run each task once",
    needs: "shared",
    async run(scene) {
      const other = await scene.reopen();
      const both = [scene.engine, other].map((engine) =>
        scene.consume({ engine, handlers: { a: {} }, run: () => done }),
      );
      const accepts = Array.from({ length: 200 }, (_, count) =>
        scene.stored(deliveryOf([eventOf(`event ${count}`)]), count % 2 === 0 ? scene.engine : other),
      );
      await Promise.all(accepts);
      const ran = (): string[] => both.flatMap(({ reports }) => reports.map(({ recordId }) => recordId));
      await scene.until("all have run", () => ran().length >= 200);
      assert.equal(ran().length, 200);
      assert.equal(new Set(ran()).size, 200);
    },
  },
  {
    name: "shared: tasks of one ordering key run one at a time, whatever the process",
    needs: "shared",
    async run(scene) {
      if (!scene.engine.capabilities.ordered) return;
      const other = await scene.reopen();
      const order: string[] = [];
      let running = 0;
      const both = [scene.engine, other].map((engine) =>
        scene.consume({
          engine,
          handlers: { a: {} },
          async run({ event }) {
            running += 1;
            assert.equal(running, 1);
            order.push(event.id);
            await new Promise(setImmediate);
            running -= 1;
            return done;
          },
        }),
      );
      const ids = Array.from({ length: 20 }, (_, count) => `event ${count}`);
      for (const id of ids) await scene.event(id, [{ handler: "a", orderingKey: "key" }]);
      await scene.until("all have run", () => both.flatMap(({ reports }) => reports).length === 20);
      assertSame(order, ids);
    },
  },
  ...frozenCases(),
];

function frozenCases(): CaseDefinition[] {
  return [
    {
      name: "lease: who gave no sign of life loses its tasks, and every later step is refused",
      needs: "freeze",
      run: runZombie,
    },
    {
      name: "lease: an attempt that came to no end counts",
      needs: "freeze",
      async run(scene) {
        const recordId = await scene.event("one");
        const never = latch<Verdict>();
        const first = scene.consume({
          leaseMs: scene.leaseMs,
          handlers: { a: { maxAttempts: 1 } },
          run: () => never.promise,
        });
        await scene.until("it runs", () => first.tasks.length === 1);
        const thaw = await freeze(scene);
        const engine = await scene.reopen();
        const second = scene.consume({
          engine,
          leaseMs: scene.leaseMs,
          handlers: { a: { maxAttempts: 1 } },
          run: () => done,
        });
        await scene.until("it is dead", () => second.reports.length === 1);
        assertSame([second.tasks.length, second.reports[0]?.verdict.outcome], [0, "dead"]);
        assert.equal((await scene.record(recordId, engine)).state, "dead");
        await thaw();
        never.open(done);
        await scene.until("it is told", () => first.reports.length === 1);
        assert.equal(first.reports[0]?.kept, false);
      },
    },
  ];
}

async function freeze<Tx>(scene: Scene<Tx>): Promise<() => Promise<void>> {
  assert.ok(scene.store.freeze);
  return await scene.store.freeze(scene.engine);
}

async function runZombie<Tx>(scene: Scene<Tx>): Promise<void> {
  const { leaseMs } = scene;
  for (const id of ["verdict", "complete"]) await scene.event(id);
  const [leases, lost, ends]: [Lease<Tx>[], string[], ((verdict: Verdict) => void)[]] = [[], [], []];
  const zombie = scene.consume({
    leaseMs,
    handlers: { a: {} },
    run({ event }, lease) {
      leases.push(lease);
      lease.onLost(() => lost.push(event.id));
      const end = latch<Verdict>();
      ends.push((verdict) => end.open(verdict));
      return end.promise;
    },
  });
  await scene.until("both run", () => zombie.tasks.length === 2);
  const thaw = await freeze(scene);
  const engine = await scene.reopen();
  const heir = scene.consume({ engine, leaseMs, handlers: { a: {} }, run: () => done });
  await scene.until("another has them", () => heir.reports.length === 2);
  assertSame(
    heir.tasks.map(({ attempt }) => attempt),
    [2, 2],
  );
  await thaw();
  const [lease] = leases;
  assert.ok(lease !== undefined);
  await assert.rejects(lease.complete(), { name: "LeaseLostError" });
  for (const end of ends) end({ outcome: "dead", error: failure });
  await scene.until("both are told", () => zombie.reports.length === 2);
  assertSame(
    zombie.reports.map(({ kept }) => kept),
    [false, false],
  );
  assertSame(lost.sort(), ["complete", "verdict"]);
  for (const { recordId } of heir.tasks) {
    const { state, tasks } = await scene.record(recordId, engine);
    assert.equal(state, "done");
    assertSame(
      tasks[0]?.history?.map(({ outcome }) => outcome),
      ["lost", "done"],
    );
  }
}

/** Due times are of another clock than the machine's, and are told in its. */
function withoutDueTimes(record: Awaited<ReturnType<Scene<never>["record"]>>): object {
  return {
    ...record,
    tasks: record.tasks.map(({ dueAtMs, ...task }) => ({ ...task, isDue: dueAtMs !== undefined })),
  };
}
