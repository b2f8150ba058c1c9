import assert from "node:assert/strict";
import type { NewDelivery } from "../types/engine.js";
import {
  assertSame,
  type CaseDefinition,
  deliveryOf,
  done,
  eventOf,
  failure,
  type Scene,
} from "./engine-conformance-scene.js";

const spending = (id: string, more: Partial<NewDelivery> = {}): NewDelivery =>
  deliveryOf([eventOf(id)], {
    tokenUse: { tokenId: "token", expiresAtMs: Date.now() + 3_600_000, delivery: id },
    ...more,
  });

/** What `accept` does with tokens, bounds, and events that do not run. */
export const boundCases: readonly CaseDefinition[] = [
  {
    name: "accept: an event without tasks is kept as ignored",
    async run(scene) {
      const record = await scene.record(await scene.event("one", []));
      assert.equal(record.state, "ignored");
      assertSame(record.tasks, []);
    },
  },
  {
    name: "accept: a task may be a dead letter from the start, and is not run",
    async run(scene) {
      const dead = {
        name: "EventInvalid",
        code: "ERR_EVENT_INVALID",
        message: "no",
        issues: ["data.total: NaN"],
      };
      const recordId = await scene.event("one", [{ handler: "a", dead }]);
      await scene.event("two");
      const working = scene.consume({ handlers: { a: {} }, run: () => done });
      await scene.until("the other has run", () => working.reports.length === 1);
      const record = await scene.record(recordId);
      assert.equal(record.state, "dead");
      assertSame(record.tasks[0]?.lastError, dead);
      assert.equal(record.tasks[0]?.attempts, 0);
      assertSame(
        working.tasks.map(({ event }) => event.id),
        ["two"],
      );
    },
  },
  {
    name: "accept: a token is good for one delivery",
    async run(scene) {
      await scene.stored(spending("one"));
      assertSame(await scene.accept(spending("two")), { status: "replayed" });
      assert.equal((await scene.accept(spending("one"))).status, "duplicate");
      const { items } = await scene.engine.list({});
      assertSame(
        items.map(({ id }) => id),
        ["one"],
      );
      // What was refused leaves nothing behind: its id is free.
      await scene.event("two");
    },
  },
  {
    name: "accept: a used token is refused with another delivery that is known, and one shown with a duplicate is used (A29)",
    async run(scene) {
      await scene.event("known");
      await scene.stored(spending("one"));
      assert.equal((await scene.accept(spending("known"))).status, "replayed");
      const other = { tokenId: "other", expiresAtMs: Date.now() + 3_600_000 };
      const again = spending("known", { tokenUse: { ...other, delivery: "known" } });
      assert.equal((await scene.accept(again)).status, "duplicate");
      const next = spending("two", { tokenUse: { ...other, delivery: "two" } });
      assertSame(await scene.accept(next), { status: "replayed" });
    },
  },
  {
    name: "accept: a delivery that is not stored does not use its token",
    async run(scene) {
      await scene.event("taken");
      const refused = spending("taken", { events: [eventOf("taken", ["a"], { digest: "other" })] });
      assert.equal((await scene.accept(refused)).status, "conflict");
      assert.equal((await scene.accept(spending("one", { maxBacklog: 1 }))).status, "full");
      await scene.stored(spending("one"));
    },
  },
  {
    name: "accept: past maxBacklog nothing is stored, until tasks have come to rest",
    run: runFull,
  },
];

async function runFull<Tx>(scene: Scene<Tx>): Promise<void> {
  const bounded = (id: string, more: Partial<NewDelivery> = {}): NewDelivery =>
    deliveryOf([eventOf(id)], { maxBacklog: 2, ...more });
  await scene.stored(bounded("one"));
  await scene.stored(bounded("two"));
  assertSame(await scene.accept(bounded("three")), { status: "full", backlog: 2 });
  assert.equal((await scene.engine.list({})).items.length, 2);
  assert.equal((await scene.accept(bounded("one"))).status, "duplicate");
  await scene.stored(bounded("three", { receiver: "other" }));
  await scene.stored(bounded("ignored", { events: [eventOf("ignored", [])], maxBacklog: 1 }));
  const working = scene.consume({
    handlers: { a: {} },
    run: (task) => (task.event.id === "one" ? done : { outcome: "dead", error: failure }),
  });
  await scene.until("both are at rest", () => working.reports.length === 2);
  await working.consumer.stop();
  await scene.stored(bounded("three"));
}
