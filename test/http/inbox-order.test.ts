/** Ordering keys and dead letters of a receiver with an inbox, as its operator sees them. */
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { InboxReceiver, TaskOptions } from "hookgate";
import { createFakeClock } from "hookgate/testing";
import { z } from "zod";
import { createInboxScene, type InboxScene, until } from "../support/inbox-scene.js";

let scene: InboxScene;
beforeEach(() => {
  scene = createInboxScene();
});
afterEach(() => scene.end());

/** Ids such as `k1-2`: the second event of the key `k1`. */
const keyOf = (event: { readonly id: string }): string => event.id.slice(0, event.id.indexOf("-"));
const send = (receiver: InboxReceiver, id: string, type = "order.paid"): Promise<unknown> =>
  scene.send(receiver, { id, type });

interface Ledger {
  readonly receiver: InboxReceiver;
  /** Ids, as their runs began. */
  readonly ran: string[];
  /** The most runs of one key at a time. */
  most: number;
}

/** A receiver whose handler `ledger` is ordered; events in `broken` fail for good. */
function ledger(
  engine: ReturnType<InboxScene["engine"]>,
  options: TaskOptions & { readonly broken?: ReadonlySet<string> } & Record<string, unknown> = {},
  more: { readonly inbox?: object; readonly more?: object } = {},
): Ledger {
  const { broken = new Set<string>(), ...handlerOptions } = options;
  const receiver = scene.receiver({ engine, ...more });
  const running = new Map<string, number>();
  const found: Ledger = { receiver, ran: [], most: 0 };
  receiver.on(
    "order.*",
    async (event) => {
      const key = keyOf(event);
      const now = (running.get(key) ?? 0) + 1;
      running.set(key, now);
      found.most = Math.max(found.most, now);
      found.ran.push(event.id);
      await new Promise((resolve) => setTimeout(resolve, 2));
      running.set(key, now - 1);
      if (broken.has(event.id)) throw new Error("broken");
    },
    { name: "ledger", maxAttempts: 1, orderingKey: keyOf, onDeadLetter: "block", ...handlerOptions },
  );
  return found;
}

/** A ledger whose key `k` has a dead letter with two tasks behind it. */
async function held(engine = scene.engine(), more: Parameters<typeof ledger>[2] = {}): Promise<Ledger> {
  const found = ledger(engine, { broken: new Set(["k-1"]) }, more);
  await found.receiver.start();
  for (const id of ["k-1", "k-2", "k-3"]) await send(found.receiver, id);
  await until(async () => (await found.receiver.inbox.stats()).dead === 1);
  await send(found.receiver, "free-1");
  await until(() => found.ran.includes("free-1"));
  // A test that sets the clock must not run into the handler's time limit.
  await until(async () => (await found.receiver.inbox.stats()).running === 0);
  expect(found.ran).toEqual(["k-1", "free-1"]);
  return found;
}

describe("H11 a dead letter that holds its key", () => {
  it("lets those behind it run when it is purged by hand, and every new event of the key", async () => {
    const { receiver, ran } = await held();
    expect(await receiver.inbox.purge({ state: "dead" })).toBe(1);
    await until(() => ran.length === 4);
    await send(receiver, "k-4");
    await until(() => ran.length === 5);
    expect(ran.slice(2)).toEqual(["k-2", "k-3", "k-4"]);
  });

  it("lets those behind it run when it is dropped, or its replay is done", async () => {
    const first = await held();
    expect(await first.receiver.inbox.drop({ filter: { state: "dead" } })).toBe(1);
    await until(() => first.ran.length === 4);
    expect(first.ran.slice(2)).toEqual(["k-2", "k-3"]);
  });

  it("is kept by retention however old it is, and told in diagnose, stats and the log", async () => {
    const clock = createFakeClock(new Date(Date.now() + 3_600_000));
    const inbox = { retention: { dead: "0ms", maxDead: 0 } };
    const { receiver, ran } = await held(scene.engine(), { inbox, more: { clock } });
    clock.advance("1m");
    const findings = (): string => receiver.diagnose().join("\n");
    await until(() => findings().includes("blocked by"));
    expect(findings()).toContain(
      '2 tasks of the handler "ledger" blocked by 1 dead letter (onDeadLetter: "block")',
    );
    expect(scene.log.filter((line) => line.includes("blocked by"))).toHaveLength(1);
    expect((await receiver.inbox.list({ state: "dead" })).items).toHaveLength(1);
    expect(ran).toEqual(["k-1", "free-1"]);
    const stats = await receiver.inbox.stats();
    expect(stats).toMatchObject({ waiting: 0, blocked: 2, blockedByDead: 2, blockingDead: 1, dead: 1 });
    expect(stats.oldestBlockedByDeadMs).toBeGreaterThanOrEqual(0);
    expect(stats.oldestBlockedMs).toBeGreaterThanOrEqual(0);
    // Once nothing is behind it, it goes as any other.
    await receiver.inbox.drop({ filter: { state: "pending" } });
    clock.advance("1m");
    await until(async () => (await receiver.inbox.list({ state: "dead" })).items.length === 0);
    await until(() => !findings().includes("blocked by"));
  });

  it("holds no one any more once the handler is deployed with skip", async () => {
    const file = scene.file();
    const before = await held(scene.engine(file));
    await before.receiver.close({ grace: "5s" });
    const after = ledger(scene.engine(file), { onDeadLetter: "continue" });
    await after.receiver.start();
    await until(() => after.ran.length === 2);
    await send(after.receiver, "k-4");
    await until(() => after.ran.length === 3);
    expect(after.ran).toEqual(["k-2", "k-3", "k-4"]);
    expect(scene.log.filter((line) => line.includes("blocked by"))).toEqual([]);
  });

  it("holds those behind it although it was dead on arrival, before any process ran tasks", async () => {
    const file = scene.file();
    const events = { "order.paid": z.object({ total: z.number() }) };
    const accepting = ledger(scene.engine(file), {}, { inbox: { workers: false }, more: { events } });
    await accepting.receiver.start();
    await scene.send(accepting.receiver, { id: "k-1", type: "order.paid", total: "much" });
    await scene.send(accepting.receiver, { id: "k-2", type: "order.paid", total: 2 });
    await accepting.receiver.close();
    const working = ledger(scene.engine(file), {}, { more: { events } });
    await working.receiver.start();
    await scene.send(working.receiver, { id: "free-1", type: "order.paid", total: 3 });
    await until(() => working.ran.length > 0);
    expect(working.ran).toEqual(["free-1"]);
    expect(await working.receiver.inbox.stats()).toMatchObject({ blockedByDead: 1, blockingDead: 1 });
  });
});

describe("H11 replaying to a handler that is new", () => {
  it("gives its tasks their ordering keys: one of a key at a time, in order", async () => {
    const file = scene.file();
    const before = scene.receiver({ engine: scene.engine(file) });
    before.onAny(() => {}, { name: "old" });
    await before.start();
    const ids = Array.from({ length: 6 }, (_, count) => `k-${count}`);
    for (const id of ids) await send(before, id);
    await send(before, "other-1", "invoice.sent");
    await until(async () => (await before.inbox.list({ state: "done" })).items.length === 7);
    await before.close({ grace: "5s" });
    const after = ledger(scene.engine(file));
    await after.receiver.start();
    expect(await after.receiver.inbox.replay({ filter: {} }, { handlers: ["ledger"], dryRun: true })).toBe(6);
    expect(await after.receiver.inbox.replay({ filter: {} }, { handlers: ["ledger"] })).toBe(6);
    await until(() => after.ran.length === 6);
    expect([after.most, after.ran]).toEqual([1, ids]);
    // Again it makes none, and by record ids it is the same.
    expect(await after.receiver.inbox.replay({ filter: {} }, { handlers: ["ledger"] })).toBe(0);
    await until(async () => (await after.receiver.inbox.list({ state: "done" })).items.length === 7);
    const { items } = await after.receiver.inbox.list({ type: "order.paid" });
    const recordIds = items.map(({ recordId }) => recordId);
    expect(items[0]?.tasks.find(({ handler }) => handler === "ledger")?.orderingKey).toBe("k");
    expect(await after.receiver.inbox.replay({ recordIds }, { handlers: ["ledger"], states: ["done"] })).toBe(
      6,
    );
    await until(() => after.ran.length === 12);
    expect(after.most).toBe(1);
  });

  it("gives those their keys, too, that were accepted before the handler was ordered", async () => {
    const file = scene.file();
    const before = ledger(scene.engine(file), { orderingKey: undefined, onDeadLetter: undefined });
    await before.receiver.start();
    const ids = Array.from({ length: 6 }, (_, count) => `k-${count}`);
    for (const id of ids) await send(before.receiver, id);
    await until(async () => (await before.receiver.inbox.list({ state: "done" })).items.length === 6);
    await before.receiver.close({ grace: "5s" });
    const after = ledger(scene.engine(file));
    await after.receiver.start();
    expect(await after.receiver.inbox.replay({ filter: {} }, { states: ["done"] })).toBe(6);
    await until(() => after.ran.length === 6);
    expect([after.most, after.ran]).toEqual([1, ids]);
  });

  it("says which event it was where orderingKey fails, and tells what was replayed before", async () => {
    const file = scene.file();
    const before = scene.receiver({ engine: scene.engine(file) });
    before.onAny(() => {}, { name: "old" });
    await before.start();
    await send(before, "k-1");
    await until(async () => (await before.inbox.list({ state: "done" })).items.length === 1);
    await before.close({ grace: "5s" });
    const orderingKey = (): string => {
      throw new TypeError("no such member");
    };
    const after = ledger(scene.engine(file), { orderingKey });
    await after.receiver.start();
    await expect(after.receiver.inbox.replay({ filter: {} }, { handlers: ["ledger"] })).rejects.toThrow(
      'orderingKey of handler "ledger" threw (replay of rec_1)',
    );
    expect((await after.receiver.inbox.list()).items[0]?.tasks).toHaveLength(1);
  });
});

describe("H21 replay, retry and drop", () => {
  it("replays what is dead alone: a handler that is done with the event does not run again", async () => {
    const receiver = scene.receiver({ engine: scene.engine(), inbox: { maxAttempts: 1 } });
    const ran: string[] = [];
    receiver.on("order.paid", () => void ran.push("charge"), { name: "charge" });
    receiver.on(
      "order.paid",
      () => {
        ran.push("mail");
        if (ran.filter((name) => name === "mail").length === 1) throw new Error("no mail");
      },
      { name: "mail" },
    );
    await receiver.start();
    await send(receiver, "e-1");
    await until(async () => (await receiver.inbox.list({ state: "dead" })).items.length === 1);
    expect(await receiver.inbox.replay({ filter: { state: "dead" } }, { dryRun: true })).toBe(1);
    expect(await receiver.inbox.replay({ filter: { state: "dead" } })).toBe(1);
    await until(async () => (await receiver.inbox.list({ state: "done" })).items.length === 1);
    expect([...ran].sort()).toEqual(["charge", "mail", "mail"]);
    // What is done runs again when that is said.
    expect(await receiver.inbox.replay({ filter: {} })).toBe(0);
    expect(await receiver.inbox.replay({ filter: {} }, { states: ["done"], handlers: ["charge"] })).toBe(1);
    await until(() => ran.length === 4);
  });

  it("retries at once what waits for its next attempt, and keeps its attempts", async () => {
    const attempts: number[] = [];
    const receiver = scene.receiver({ engine: scene.engine(), inbox: { retry: () => "1h" } });
    receiver.on("order.paid", (_event, { attempt }) => {
      attempts.push(attempt);
      if (attempt === 1) throw new Error("later");
    });
    await receiver.start();
    await send(receiver, "e-1");
    await until(async () => (await receiver.inbox.list()).items[0]?.tasks[0]?.state === "retrying");
    expect(await receiver.inbox.retry({ filter: { type: "other" } })).toBe(0);
    expect(await receiver.inbox.retry({ filter: {} }, { dryRun: true })).toBe(1);
    expect(await receiver.inbox.retry({ filter: {} })).toBe(1);
    await until(async () => (await receiver.inbox.list({ state: "done" })).items.length === 1);
    expect(attempts).toEqual([1, 2]);
    expect(await receiver.inbox.retry({ filter: {} })).toBe(0);
  });

  it("leaves the events of another receiver on the same store alone, also by their record ids", async () => {
    const file = scene.file();
    const [mine, other] = ["mine", "other"].map((name) => {
      const receiver = scene.receiver({
        engine: scene.engine(file),
        inbox: { workers: false },
        more: { name },
      });
      receiver.on("order.paid", () => {});
      return receiver;
    }) as [InboxReceiver, InboxReceiver];
    await Promise.all([mine.start(), other.start()]);
    await send(other, "e-1");
    const recordIds = (await other.inbox.list()).items.map(({ recordId }) => recordId);
    expect(await mine.inbox.drop({ recordIds })).toBe(0);
    expect(await other.inbox.drop({ recordIds })).toBe(1);
  });
});
