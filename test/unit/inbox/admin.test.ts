import { describe, expect, it } from "@jest/globals";
import { StoppedError } from "../../../src/errors.js";
import { createHandlers } from "../../../src/events/handlers.js";
import { createCatalog } from "../../../src/events/schemas.js";
import { createInboxAdmin, createNoInbox, type Inbox } from "../../../src/inbox/admin.js";
import { createFakeClock } from "../../../src/testing/fake-clock.js";
import type { InboxEngine } from "../../../src/types/engine.js";
import { idleEngine, listen } from "../../support/inbox-parts.js";

function scene(changes: Partial<InboxEngine> = {}, open = true) {
  const asked: unknown[] = [];
  const told = listen();
  const clock = createFakeClock();
  const handlers = createHandlers(createCatalog(undefined, "events"), { ordered: true });
  handlers.on("order.paid", () => {}, { name: "ship" });
  const inbox = createInboxAdmin({
    receiver: "orders",
    engine: idleEngine({
      list: async (query) => {
        asked.push(query);
        return { items: [], next: undefined };
      },
      change: async (...given) => {
        asked.push(given);
        return { changed: 3, next: undefined };
      },
      ...changes,
    }),
    clock,
    reporter: told.reporter,
    handlers,
    readEvent: async () => undefined,
    assertOpen: () => {
      if (!open) throw new StoppedError("not open");
    },
  });
  return { inbox, asked, clock, ...told };
}

describe("receiver.inbox", () => {
  it("lists the receiver's own events, 50 of them unless told otherwise", async () => {
    const { inbox, asked } = scene();
    await inbox.list();
    await inbox.list({
      state: "dead",
      idContains: "",
      from: "1970-01-01T00:00:00.005Z",
      limit: 1_000,
      cursor: "c",
      oldestFirst: true,
    });
    expect(asked).toEqual([
      { receiver: "orders", oldestFirst: false, limit: 50, cursor: undefined },
      {
        ...{ receiver: "orders", state: "dead", idContains: "", fromMs: 5 },
        ...{ oldestFirst: true, limit: 1_000, cursor: "c" },
      },
    ]);
  });

  it("gets no event of another receiver", async () => {
    const record = (receiver: string) => ({ receiver, recordId: "rec_1" }) as never;
    expect(await scene({ get: async () => record("orders") }).inbox.get("rec_1")).toMatchObject({
      recordId: "rec_1",
    });
    expect(await scene({ get: async () => record("invoices") }).inbox.get("rec_1")).toBeUndefined();
    expect(await scene().inbox.get("rec_2")).toBeUndefined();
  });

  it("retries, replays and drops a selection, counts only where asked to, and tells of replays", async () => {
    const { inbox, asked, reports } = scene();
    expect(await inbox.replay({ filter: { type: "order.paid" } }, { dryRun: true })).toBe(3);
    expect(reports).toEqual([]);
    await inbox.replay({ recordIds: ["rec_1"] }, { states: ["done"], handlers: ["ship"] });
    await inbox.drop({ filter: {} }, { handlers: ["was renamed"] });
    await inbox.drop({ filter: {} }, { states: ["blocked"] });
    await inbox.retry({ filter: {} });
    const [all, recordIds] = [
      { filter: { receiver: "orders" } },
      { recordIds: ["rec_1"], receiver: "orders" },
    ];
    const every = ["waiting", "retrying", "blocked", "dead"];
    const rest = { handlers: undefined, dryRun: false, after: undefined };
    expect(asked).toEqual([
      [
        { filter: { receiver: "orders", type: "order.paid" } },
        { ...rest, action: "replay", states: ["dead"], dryRun: true },
      ],
      [recordIds, { ...rest, action: "replay", states: ["done"], handlers: ["ship"] }],
      [all, { ...rest, action: "drop", states: every, handlers: ["was renamed"] }],
      [all, { ...rest, action: "drop", states: ["blocked"] }],
      [all, { ...rest, action: "retry", states: ["waiting", "retrying"] }],
    ]);
    expect(reports).toEqual([["replayed", { selection: recordIds, handlers: ["ship"], count: 3 }]]);
  });

  it("goes on step by step, and tells what was replayed before a step that failed", async () => {
    const after: unknown[] = [];
    const { inbox, reports } = scene({
      change: async (_selection, change) => {
        after.push(change.after);
        if (change.after === "2") throw new Error("disk full");
        return { changed: 2, next: change.after === undefined ? "1" : "2" };
      },
    });
    await expect(inbox.replay({ filter: {} })).rejects.toThrow("disk full");
    expect(after).toEqual([undefined, "1", "2"]);
    expect(reports).toEqual([
      ["replayed", { selection: { filter: { receiver: "orders" } }, handlers: undefined, count: 4 }],
    ]);
  });

  it("purges in batches until nothing is left, with pauses", async () => {
    const rules: unknown[] = [];
    const counts = [500, 500, 7];
    const { inbox, clock } = scene({
      purge: async (rule) => {
        rules.push(rule);
        return counts.shift() ?? 0;
      },
    });
    const purged = inbox.purge({ state: "done", olderThan: "1s", keep: 5 });
    const beforeMs = clock.now() - 1_000;
    for (let round = 0; round < 3; round++) {
      await new Promise(setImmediate);
      clock.advance("20ms");
    }
    expect(await purged).toBe(1_007);
    expect(rules).toEqual(
      Array(3).fill({ receiver: "orders", state: "done", beforeMs, keep: 5, limit: 500 }),
    );
  });

  it("passes on that the clock is trusted", async () => {
    const rules: unknown[] = [];
    const { inbox } = scene({
      purge: async (rule) => {
        rules.push(rule);
        return 0;
      },
    });
    await inbox.purge({ state: "done", olderThan: "1s", trustClock: true });
    expect(rules).toEqual([expect.objectContaining({ trustClock: true })]);
    await expect(inbox.purge({ state: "done", trustClock: "yes" as never })).rejects.toThrow("trustClock");
  });

  it.each<[string, (inbox: Inbox) => Promise<unknown>, string]>([
    ["an unknown filter", (i) => i.list({ typ: "a" } as never), 'no option "typ"; did you mean "type"?'],
    ["another receiver", (i) => i.list({ receiver: "x" } as never), 'no option "receiver"'],
    [
      "an unknown state",
      (i) => i.list({ state: "failed" as never }),
      "inbox.list's query.state must be one of",
    ],
    [
      "a number for an instant",
      (i) => i.list({ from: 5 as never }),
      "inbox.list's query.from must be a Date or ISO 8601 text",
    ],
    ["a page that is too long", (i) => i.list({ limit: 1_001 }), "inbox.list's query.limit"],
    ["a number for text", (i) => i.list({ type: 5 as never }), "inbox.list's query.type must be a string"],
    [
      "a switch that is none",
      (i) => i.list({ oldestFirst: 1 as never }),
      "oldestFirst must be true or false",
    ],
    ["no record id", (i) => i.get(undefined as never), "inbox.get's record id"],
    ["no selection", (i) => i.replay(undefined as never), "inbox.replay's selection must be an object"],
    [
      "an empty selection",
      (i) => i.drop({} as never),
      "either recordIds or filter; { filter: {} } selects all",
    ],
    ["both", (i) => i.drop({ recordIds: [], filter: {} } as never), "either recordIds or filter"],
    ["an id that is no list", (i) => i.replay({ recordIds: "rec_1" as never }), "must be a list"],
    ["too many ids", (i) => i.replay({ recordIds: Array(10_001).fill("a") }), "at most 10000"],
    [
      "a replay to a handler that is not there",
      (i) => i.replay({ filter: {} }, { handlers: ["shp"] }),
      'name the handler "shp", which is not registered',
    ],
    [
      "a state that a replay does not take",
      (i) => i.replay({ filter: {} }, { states: ["dead", "waiting" as never] }),
      `inbox.replay's options.states[1] must be one of "done", "dead", "dropped"`,
    ],
    [
      "a state that a retry does not take",
      (i) => i.retry({ filter: {} }, { states: ["blocked" as never] }),
      `must be one of "waiting", "retrying"`,
    ],
    ["states that are no list", (i) => i.drop({ filter: {} }, { states: "dead" as never }), "must be a list"],
    ["a dry run that is no switch", (i) => i.drop({ filter: {} }, { dryRun: "yes" as never }), "dryRun"],
    ["a purge without a state", (i) => i.purge({} as never), "inbox.purge's options.state is missing"],
    ["a purge of what is pending", (i) => i.purge({ state: "pending" as never }), '"done", "dead"'],
    [
      "a purge of the future",
      (i) => i.purge({ state: "done", olderThan: -1 as never }),
      "olderThan must be a duration",
    ],
  ])("rejects %s with a TypeError", async (_, call, message) => {
    const { inbox, asked } = scene();
    const error = await call(inbox).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toContain(message);
    expect(asked).toEqual([]);
  });

  it("says which filters an engine without search does not take", async () => {
    const capabilities = {
      durable: false,
      shared: false,
      atomicEffects: false,
      ordered: false,
      search: false,
    };
    const { inbox, asked } = scene({ capabilities });
    await expect(inbox.list({ tenant: "a" })).rejects.toThrow("tenant: the inbox's engine has no search");
    await inbox.list({ state: "dead", type: "a", handler: "h", from: new Date(1), before: new Date(2) });
    expect(asked).toHaveLength(1);
  });

  const calls: [string, (inbox: Inbox) => Promise<unknown>][] = [
    ["list", (i) => i.list()],
    ["get", (i) => i.get("rec_1")],
    ["stats", (i) => i.stats()],
    ["retry", (i) => i.retry({ filter: {} })],
    ["replay", (i) => i.replay({ filter: {} })],
    ["drop", (i) => i.drop({ filter: {} })],
    ["purge", (i) => i.purge({ state: "dead" })],
  ];

  it.each(calls)("%s rejects with StoppedError where the store is not open", async (_, call) => {
    await expect(call(scene({}, false).inbox)).rejects.toBeInstanceOf(StoppedError);
  });

  it.each(calls)("%s rejects with a TypeError without an inbox", async (_, call) => {
    await expect(call(createNoInbox())).rejects.toThrow("this receiver has no inbox");
    await expect(call(createNoInbox())).rejects.toBeInstanceOf(TypeError);
  });
});
