import assert from "node:assert/strict";
import type { HandlerPolicy, NewTask, Verdict } from "../../types/engine.js";
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
  type Working,
} from "./scene.js";

export const under = (orderingKey: string, handler = "a"): NewTask => ({ handler, orderingKey });
const retry = (delayMs: number): Verdict => ({ outcome: "retry", delayMs, error: failure });

export function idsOf(working: Working): string[] {
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
      await scene.event("head", [under("key"), { handler: "free", orderingKey: "other" }]);
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
    name: "order: later tasks wait while an earlier one is retried",
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
    name: "order: a task that waits for another of its key is blocked, has no due time, and names the task",
    needs: "ordered",
    async run(scene) {
      const head = await scene.event("one", [under("key")]);
      const recordId = await scene.event("two", [under("key")]);
      const record = await scene.record(recordId);
      const [task] = record.tasks;
      assert.equal(record.state, "pending");
      assertSame([task?.state, task?.dueAtMs, task?.orderingKey], ["blocked", undefined, "key"]);
      assert.equal(task?.blockedBy, head);
      assert.equal((await scene.record(head)).tasks[0]?.blockedBy, undefined);
      assert.equal((await scene.engine.list({})).items[0]?.tasks[0]?.state, "blocked");
      const { waiting, blocked, blockedByDead, oldestBlockedMs } = await scene.engine.stats({});
      assertSame([waiting, blocked, blockedByDead], [1, 1, 0]);
      assert.ok(oldestBlockedMs !== undefined && oldestBlockedMs >= 0);
    },
  },
  {
    name: "order: keys are distinct whatever text they contain",
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
  {
    name: "order: a replay takes its old place among those that wait",
    needs: "ordered",
    async run(scene) {
      const head = await scene.event("one", [under("key")]);
      const working = scene.consume({ handlers: { a: { concurrency: 5 } }, run: () => held.promise });
      const held = latch<Verdict>();
      await scene.until("the head runs", () => working.tasks.length === 1);
      held.open(done);
      await scene.until("the head is done", () => working.reports.length === 1);
      await working.consumer.stop();
      for (const id of ["two", "three"]) await scene.event(id, [under("key")]);
      const replay = { action: "replay", states: ["done"] } as const;
      assert.equal(await scene.change({ recordIds: [head] }, replay), 1);
      // What is next already goes first.
      assertSame(await inOrder(scene, 3), ["two", "one", "three"]);
    },
  },
  {
    name: "order: tasks that a replay makes run one at a time under the keys it gives, in order of acceptance",
    needs: "ordered",
    async run(scene) {
      const recordIds: string[] = [];
      for (let count = 1; count <= 6; count++) recordIds.push(await scene.event(`event ${count}`, ["b"]));
      const tasks = recordIds
        .map((recordId) => ({ recordId, handler: "a", orderingKey: "key", onDeadLetter: "block" as const }))
        .reverse();
      assert.equal(await scene.change({ recordIds }, { action: "replay", states: [], tasks }), 6);
      const [, second] = (await scene.record(recordIds[1] ?? "")).tasks;
      assertSame([second?.handler, second?.state, second?.orderingKey], ["a", "blocked", "key"]);
      assertSame(
        await inOrder(scene, 6),
        recordIds.map((_, index) => `event ${index + 1}`),
      );
    },
  },
  {
    name: "order: a task that is replayed keeps its key, and takes the given one where it had none",
    needs: "ordered",
    async run(scene) {
      const recordIds = [await scene.event("one", ["a"]), await scene.event("two", [under("key")])];
      const working = scene.consume({ handlers: { a: {} }, run: () => done });
      await scene.until("both have run", () => working.reports.length === 2);
      const tasks = recordIds.map((recordId) => ({ recordId, handler: "a", orderingKey: "given" }));
      const replay = { action: "replay", states: ["done"], tasks } as const;
      assert.equal(await scene.change({ recordIds }, replay), 2);
      const keys = await Promise.all(
        recordIds.map(async (id) => (await scene.record(id)).tasks[0]?.orderingKey),
      );
      assertSame(keys, ["given", "key"]);
      await scene.until("both have run again", () => working.reports.length === 4);
    },
  },
  {
    name: "order: retry does not move a blocked task ahead",
    needs: "ordered",
    async run(scene) {
      const recordIds = [await scene.event("one", [under("key")]), await scene.event("two", [under("key")])];
      assert.equal(await scene.change({ recordIds }, { action: "retry" }), 0);
      assertSame(await inOrder(scene, 2), ["one", "two"]);
    },
  },
  {
    name: "order: later tasks run when the first is dropped or has used up its attempts",
    needs: "ordered",
    async run(scene) {
      const head = await scene.event("one", [under("key")]);
      for (const id of ["two", "three"]) await scene.event(id, [under("key")]);
      assert.equal(await scene.change({ recordIds: [head] }, { action: "drop" }), 1);
      const working = scene.consume({
        handlers: { a: { maxAttempts: 2 } },
        run: ({ event }) => (event.id === "two" ? retry(0) : done),
      });
      await scene.until("the last has run", () => idsOf(working).includes("three"));
      assertSame(idsOf(working), ["two", "two", "three"]);
    },
  },
  {
    name: "order: later tasks wait for a task whose process stopped, until another process has run it",
    needs: "freeze",
    run: runTakeover,
  },
  {
    name: "order: whatever operators and handlers do, tasks of a key run one at a time and all of them run",
    needs: "ordered",
    run: runAtRandom,
  },
];

/** Runs so many tasks of handler a, never two at once; answers with the ids of their events in order. */
async function inOrder<Tx>(scene: Scene<Tx>, count: number): Promise<readonly string[]> {
  let running = 0;
  const working = scene.consume({
    handlers: { a: { concurrency: 10 } },
    async run() {
      running += 1;
      assert.equal(running, 1, "tasks of one key run one at a time");
      await new Promise(setImmediate);
      running -= 1;
      return done;
    },
  });
  await scene.until(`${count} have run`, () => working.reports.length >= count);
  await working.consumer.stop();
  assert.equal(working.reports.length, count);
  return idsOf(working);
}

async function runTakeover<Tx>(scene: Scene<Tx>): Promise<void> {
  if (!scene.engine.capabilities.ordered) return;
  const { leaseMs } = scene;
  for (const id of ["one", "two", "three"]) await scene.event(id, [under("key")]);
  const never = latch<Verdict>();
  const zombie = scene.consume({ leaseMs, handlers: { a: {} }, run: () => never.promise });
  await scene.until("the head runs", () => zombie.tasks.length === 1);
  assert.ok(scene.store.freeze);
  const thaw = await scene.store.freeze(scene.engine);
  const engine = await scene.reopen();
  const held = latch<Verdict>();
  const heir = scene.consume({
    engine,
    leaseMs,
    handlers: { a: {} },
    run: ({ event }) => (event.id === "one" ? held.promise : done),
  });
  await scene.until("another has the head", () => heir.tasks.length === 1);
  await thaw();
  never.open(done);
  await scene.until("the first is told", () => zombie.reports.length === 1);
  // The verdict of the one that lost it ends nothing: those behind still wait.
  assertSame([zombie.reports[0]?.kept, idsOf(heir)], [false, ["one"]]);
  held.open(done);
  const ran = (): string[] => [...idsOf(heir), ...idsOf(zombie).slice(1)];
  await scene.until("all have run", () => ran().length === 3);
  assertSame(ran().slice(0, 1), ["one"]);
  await scene.until(
    "all are done",
    async () => (await scene.engine.list({ state: "done" })).items.length === 3,
  );
}

/** A generator of its own, so that a case that fails fails again. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

async function runAtRandom<Tx>(scene: Scene<Tx>): Promise<void> {
  for (const seed of [1, 2, 3, 4]) await runSeed(scene, seed);
}

async function runSeed<Tx>(scene: Scene<Tx>, seed: number): Promise<void> {
  const next = numbers(seed);
  const receiver = `receiver ${seed}`;
  const keys = ["x", "y", "z"];
  const running = new Set<string>();
  const recordIds: string[] = [];
  const keyOf = new Map<string, string>();
  const add = async (): Promise<void> => {
    const orderingKey = keys[next(keys.length)] ?? "x";
    const task: NewTask = next(8) === 0 ? { ...under(orderingKey), dead: failure } : under(orderingKey);
    const event = eventOf(`${seed} ${recordIds.length}`, [{ ...task, onDeadLetter: "block" }]);
    for (const recordId of await scene.stored(deliveryOf([event], { receiver }))) {
      recordIds.push(recordId);
      keyOf.set(recordId, orderingKey);
    }
  };
  const start = (onDeadLetter: "continue" | "block", isLast: boolean): Working =>
    scene.consume({
      receiver,
      handlers: { a: { onDeadLetter, concurrency: 10, maxAttempts: 3 } },
      async run({ recordId }) {
        const key = keyOf.get(recordId) ?? "";
        assert.ok(!running.has(key), `two of the key ${key} run at once (seed ${seed})`);
        running.add(key);
        await new Promise(setImmediate);
        running.delete(key);
        const dice = isLast ? 9 : next(10);
        return dice < 2 ? dead : dice < 5 ? retry(next(3)) : done;
      },
    });
  const some = (): string[] => recordIds.filter(() => next(3) === 0);
  const step = async (): Promise<unknown> => {
    const selection = { recordIds: some(), receiver };
    switch (next(7)) {
      case 0:
        return scene.change(selection, { action: "drop", states: ["waiting", "blocked", "dead"] });
      case 1:
        return scene.change(selection, { action: "replay" });
      case 2:
        return scene.change(selection, { action: "retry" });
      case 3:
        return scene.engine.purge({ receiver, state: next(2) === 0 ? "done" : "dead", limit: 3 });
      default:
        return add();
    }
  };
  for (let round = 0; round < 4; round++) {
    for (let count = 0; count < 5; count++) await add();
    const working = start(next(2) === 0 ? "continue" : "block", false);
    for (let count = 0; count < 12; count++) await step();
    await working.consumer.stop();
  }
  // By skip nothing may be left: what still waits then waits for ever.
  const last = start("continue", true);
  const open = async (): Promise<number> => {
    const { waiting, blocked, running: runs } = await scene.engine.stats({ receiver });
    return waiting + blocked + runs;
  };
  await scene.until(`nothing waits any more (seed ${seed})`, async () => (await open()) === 0);
  await last.consumer.stop();
}

const hold = { onDeadLetter: "block" } as const;

/** Whether a dead letter blocks later tasks of its key, and what unblocks them. */
export const heldCases: readonly CaseDefinition[] = [
  {
    name: "blocked: with continue, tasks after a dead letter run",
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
    name: "blocked: with block, tasks after a dead letter wait until it is dropped",
    needs: "ordered",
    async run(scene) {
      const { working, head } = await holding(scene);
      assert.equal(await scene.change({ recordIds: [head] }, { action: "drop" }), 1);
      await scene.until("those behind have run", () => working.reports.length === 4);
      assertSame(idsOf(working), ["one", "free", "two", "three"]);
      assertSame(await counts(scene), { blocked: 0, blockedByDead: 0, blockingDead: 0, dead: 0 });
    },
  },
  {
    name: "blocked: with block, tasks after a dead letter wait until its replay is done",
    needs: "ordered",
    async run(scene) {
      const { working, head } = await holding(scene);
      assert.equal(await scene.change({ recordIds: [head] }, { action: "replay" }), 1);
      await scene.until("all have run", () => working.reports.length === 5);
      assertSame(idsOf(working), ["one", "free", "one", "two", "three"]);
    },
  },
  {
    name: "blocked: with block, tasks after a dead letter wait until it is purged by hand",
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
    name: "blocked: a purge with keepBlocking keeps dead letters that block, and deletes the others",
    needs: "ordered",
    async run(scene) {
      const { working, head } = await holding(scene);
      await scene.event("alone", [{ ...under("third"), dead: failure }]);
      await scene.event("no key", [{ handler: "a", dead: failure }]);
      const beforeMs = Date.now() + 3_600_000;
      const purge = (more: { readonly keep?: number }): Promise<number> =>
        scene.engine.purge({ state: "dead", beforeMs, keepBlocking: true, limit: 10, ...more });
      assert.equal(await purge({ keep: 1 }), 1);
      assert.equal(await purge({}), 1);
      assert.equal(await purge({}), 0);
      assertSame(
        (await scene.engine.list({ state: "dead" })).items.map(({ id }) => id),
        ["one"],
      );
      assertSame(await counts(scene), { blocked: 2, blockedByDead: 2, blockingDead: 1, dead: 1 });
      assert.equal(await scene.change({ recordIds: [head] }, { action: "drop" }), 1);
      await scene.until("those behind have run", () => working.reports.length === 4);
    },
  },
  {
    name: "blocked: a purge keeps every dead letter that blocks a key, and only while a task waits for it",
    needs: "ordered",
    async run(scene) {
      const { working } = await holding(scene);
      const behind = await scene.event("dead behind", [{ ...under("key"), dead: failure }]);
      const purge = (): Promise<number> =>
        scene.engine.purge({ state: "dead", keepBlocking: true, limit: 10 });
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
    name: "blocked: stats and get report what blocks, what is blocked and since when",
    needs: "ordered",
    async run(scene) {
      const { head } = await holding(scene);
      const stats = await scene.engine.stats({});
      assertSame(await counts(scene), { blocked: 2, blockedByDead: 2, blockingDead: 1, dead: 1 });
      const [handler] = stats.handlers;
      assertSame(
        [handler?.handler, handler?.blocked, handler?.blockedByDead, handler?.blockingDead],
        ["a", 2, 2, 1],
      );
      assert.equal(handler?.ordered, true);
      for (const ageMs of [
        stats.oldestBlockedMs,
        stats.oldestBlockedByDeadMs,
        handler?.oldestBlockedByDeadMs,
      ]) {
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
    name: "blocked: an event stored as a dead letter blocks later tasks before any consumer has joined",
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
    name: "blocked: an event stored as a dead letter blocks nothing if its handler continues",
    needs: "ordered",
    async run(scene) {
      await scene.event("one", [{ ...under("key"), onDeadLetter: "continue", dead: failure }]);
      await scene.event("two", [{ ...under("key"), onDeadLetter: "continue" }]);
      const working = scene.consume({ handlers: { a: {} }, run: () => done });
      await scene.until("the one behind has run", () => working.reports.length === 1);
    },
  },
  {
    name: "blocked: after a change from block to continue, blocked tasks run once the handler starts",
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
      assert.equal((await scene.engine.stats({})).blockedByDead, 60);
      const after = scene.consume({ handlers: { a: { onDeadLetter: "continue" } }, run: () => done });
      await scene.until("all that was held has run", () => after.reports.length === 60);
      for (const key of keys) {
        assertSame(
          idsOf(after).filter((id) => id.startsWith(`${key} `)),
          [`${key} second`, `${key} third`],
        );
      }
      assertSame(await counts(scene), { blocked: 0, blockedByDead: 0, blockingDead: 0, dead: 30 });
    },
  },
  {
    name: "blocked: after a change from continue to block, a dead letter blocks once the handler starts",
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
      await scene.until("they are held", async () => (await scene.engine.stats({})).blockedByDead === 2);
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
    name: "blocked: a process that resumes after a stop does not bring back its old policy",
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
  assertSame(await counts(scene), { blocked: 2, blockedByDead: 2, blockingDead: 1, dead: 1 });
  return { working, head };
}

async function counts<Tx>(scene: Scene<Tx>): Promise<object> {
  const { blocked, blockedByDead, blockingDead, dead: letters } = await scene.engine.stats({});
  return { blocked, blockedByDead, blockingDead, dead: letters };
}
