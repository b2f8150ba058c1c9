import assert from "node:assert/strict";
import type { NewDelivery } from "../../types/engine.js";
import {
  assertSame,
  type CaseDefinition,
  deliveryOf,
  done,
  eventOf,
  failure,
  type Scene,
  storedPart,
} from "./scene.js";

/** What `accept` promises. */
export const acceptCases: readonly CaseDefinition[] = [
  {
    name: "accept: keeps a delivery with all that it was given",
    async run(scene) {
      const delivery = deliveryOf([eventOf("one", ["a", "b"])], {
        address: undefined,
        caller: {
          method: "jwt",
          tenant: "tenant",
          service: "service",
          credentialId: "key",
          claims: { iss: "issuer", nested: { list: [1, "two", null] } },
        },
      });
      const [recordId = ""] = await scene.stored(delivery);
      assert.ok(/^\S+$/.test(recordId), "a record id is text without spaces");
      const record = await scene.record(recordId);
      assertSame(record.delivery, storedPart(delivery));
      const { receiver, source, tenant, service, id, type, state } = record;
      assertSame(
        { recordId: record.recordId, receiver, source, tenant, service, id, type, state },
        {
          recordId,
          receiver: "receiver",
          source: "source",
          tenant: "tenant",
          service: "service",
          id: "one",
          type: "type",
          state: "pending",
        },
      );
      assertSame(record.tasks.map(({ handler }) => handler).sort(), ["a", "b"]);
      assert.ok(Math.abs(record.acceptedAtMs - Date.now()) < 600_000, "acceptedAtMs is a date");
    },
  },
  {
    name: "accept: keeps bytes as they came, and copies of them",
    async run(scene) {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
      const large = Buffer.alloc(1024 * 1024, bytes);
      for (const rawBody of [Buffer.alloc(0), Buffer.from("\0a\0"), bytes, large]) {
        const given = Buffer.from(rawBody);
        const [recordId = ""] = await scene.stored(
          deliveryOf([eventOf(`of ${given.length}`)], { rawBody: given }),
        );
        given.fill(0x21);
        const { delivery } = await scene.record(recordId);
        assert.ok(
          delivery?.rawBody.equals(rawBody) === true,
          `a body of ${rawBody.length} bytes is the same`,
        );
      }
      const working = scene.consume({ handlers: { a: {} }, run: () => done });
      await scene.until("all have run", () => working.reports.length === 4);
      const lengths = working.tasks.map(({ delivery }) => delivery.rawBody.length);
      assertSame(
        lengths.sort((a, b) => a - b),
        [0, 3, 256, large.length],
      );
      assert.ok(working.tasks.some(({ delivery }) => delivery.rawBody.equals(large)));
    },
  },
  {
    name: "accept: tells any two ids apart, whatever text they are",
    async run(scene) {
      const ids = [
        "a\0b",
        "a",
        "A",
        "a ",
        "\ud800",
        "\ud801",
        "\ufffd",
        "😀",
        "é",
        "e\u0301",
        "'; --",
        "%",
        "_",
        "1",
        "01",
      ];
      for (const id of ids) {
        const recordId = await scene.event(id, ["a"], { type: `${id}.type` });
        const record = await scene.record(recordId);
        assert.equal(record.id, id);
        assert.equal(record.type, `${id}.type`);
      }
      for (const id of ids) {
        const again = await scene.accept(deliveryOf([eventOf(id)]));
        assertSame(again, { status: "duplicate", bodyDiffers: false });
      }
    },
  },
  {
    name: "accept: the same id with the same body is a duplicate",
    async run(scene) {
      await scene.event("one");
      assertSame(await scene.accept(deliveryOf([eventOf("one")])), {
        status: "duplicate",
        bodyDiffers: false,
      });
      assert.equal((await scene.engine.list({})).items.length, 1);
    },
  },
  {
    name: "accept: the same id with another body is a conflict, and the first stays",
    async run(scene) {
      const first = deliveryOf([eventOf("one")], { rawBody: Buffer.from("first") });
      const [recordId = ""] = await scene.stored(first);
      const second = deliveryOf([eventOf("one", ["a"], { digest: "other" })], {
        rawBody: Buffer.from("second"),
      });
      assertSame(await scene.accept(second), { status: "conflict", id: "one" });
      assert.equal(String((await scene.record(recordId)).delivery?.rawBody), "first");
      assert.equal((await scene.engine.list({})).items.length, 1);
    },
  },
  {
    name: "accept: where the id alone tells events apart, another body is a duplicate that is told",
    async run(scene) {
      await scene.event("one", ["a"], { deduplicateBy: "id" });
      const again = deliveryOf([eventOf("one", ["a"], { deduplicateBy: "id", digest: "other" })]);
      assertSame(await scene.accept(again), { status: "duplicate", bodyDiffers: true });
    },
  },
  {
    name: "accept: the same id from another receiver, source, tenant or service is another event",
    async run(scene) {
      await scene.event("one");
      for (const member of ["receiver", "source", "tenant", "service"] as const) {
        await scene.stored(deliveryOf([eventOf("one")], { [member]: "" }));
      }
      // Parts that would be the same text once joined.
      await scene.stored(deliveryOf([eventOf("one")], { tenant: "x", service: "yz" }));
      await scene.stored(deliveryOf([eventOf("one")], { tenant: "xy", service: "z" }));
      assert.equal((await scene.engine.list({})).items.length, 7);
    },
  },
  {
    name: "accept: an id is forgotten after rememberMs",
    async run(scene) {
      await scene.stored(deliveryOf([eventOf("short")], { rememberMs: 1 }));
      await scene.stored(deliveryOf([eventOf("long")], { rememberMs: 3_600_000 }));
      await scene.until("the id is forgotten", async () => {
        const { status } = await scene.accept(deliveryOf([eventOf("short", ["a"], { digest: "new" })]));
        return status === "stored";
      });
      assert.equal((await scene.accept(deliveryOf([eventOf("long")]))).status, "duplicate");
    },
  },
  ...togetherCases(),
];

function togetherCases(): CaseDefinition[] {
  return [
    {
      name: "accept: answers in the order of the deliveries, each for itself",
      async run({ engine }) {
        const answers = await engine.accept([
          deliveryOf([eventOf("one")]),
          deliveryOf([eventOf("one")]),
          deliveryOf([eventOf("one", ["a"], { digest: "other" })]),
          deliveryOf([eventOf("two")]),
        ]);
        assertSame(
          answers.map(({ status }) => status),
          ["stored", "duplicate", "conflict", "stored"],
        );
        assertSame(await engine.accept([]), []);
      },
    },
    {
      name: "accept: of a thousand copies at once one is stored",
      async run(scene) {
        const copies = Array.from({ length: 1_000 }, () => scene.accept(deliveryOf([eventOf("one")])));
        const answers = (await Promise.all(copies)).map(({ status }) => status);
        assert.equal(answers.filter((status) => status === "stored").length, 1);
        assert.equal(answers.filter((status) => status === "duplicate").length, 999);
        assert.equal((await scene.engine.list({})).items.length, 1);
      },
    },
    {
      name: "accept: the events of one delivery stand all or none",
      async run(scene) {
        await scene.event("taken");
        const events = [eventOf("one"), eventOf("taken", ["a"], { digest: "other" }), eventOf("two")];
        assertSame(await scene.accept(deliveryOf(events)), { status: "conflict", id: "taken" });
        assert.equal((await scene.engine.list({})).items.length, 1);
        const ids = await scene.stored(deliveryOf([eventOf("one"), eventOf("two")]));
        assert.equal(new Set(ids).size, 2);
      },
    },
    {
      name: "accept: what is missing of a delivery that is half there is added, in its place",
      async run(scene) {
        const body = Buffer.from('["one","two","three"]');
        await scene.stored(deliveryOf([eventOf("two")], { rawBody: body }));
        const all = deliveryOf([eventOf("one"), eventOf("two"), eventOf("three")], { rawBody: body });
        const added = await scene.accept(all);
        assert.ok(added.status === "stored", "what was missing is stored");
        assert.equal(added.recordIds.length, 2);
        assertSame(added.positions, [0, 2]);
        assertSame(await scene.accept(all), { status: "duplicate", bodyDiffers: false });
        const working = scene.consume({ handlers: { a: {} }, run: () => done });
        await scene.until("all have run", () => working.reports.length === 3);
        const positions = working.tasks.map(({ event, position }) => `${event.id} ${position}`).sort();
        assertSame(positions, ["one 0", "three 2", "two 0"]);
      },
    },
  ];
}

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
