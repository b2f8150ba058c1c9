import assert from "node:assert/strict";
import type { NewTask, Verdict } from "../types/engine.js";
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
} from "./engine-conformance-scene.js";

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
    name: "order: a task behind another is blocked, due at no known time, and tells what it waits for",
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
      const { waiting, blocked, held, oldestBlockedMs } = await scene.engine.stats({});
      assertSame([waiting, blocked, held], [1, 1, 0]);
      assert.ok(oldestBlockedMs !== undefined && oldestBlockedMs >= 0);
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
    name: "order: a task behind another stays there, whatever retry is told",
    needs: "ordered",
    async run(scene) {
      const recordIds = [await scene.event("one", [under("key")]), await scene.event("two", [under("key")])];
      assert.equal(await scene.change({ recordIds }, { action: "retry" }), 0);
      assertSame(await inOrder(scene, 2), ["one", "two"]);
    },
  },
  {
    name: "order: those behind run when the one in front is dropped, or is out of attempts",
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
    name: "order: those behind wait for the one whose process stopped, until another has run it",
    needs: "freeze",
    run: runTakeover,
  },
  {
    name: "order: whatever operators and handlers do, one of a key runs at a time and none is left behind",
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
