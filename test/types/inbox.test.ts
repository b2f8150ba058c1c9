/** What handlers get by the engine of the inbox; the compiler is the test. */
import { describe, expect, it } from "@jest/globals";
import { expectTypeOf } from "expect-type";
import {
  createReceiver,
  type Duration,
  type EventOf,
  type HandlerContext,
  type HandlerOf,
  type Inbox,
  type InboxContext,
  type InboxReceiver,
  parseDuration,
  type Receiver,
  type ReceiverOptions,
  RetryAfterError,
  type WebhookEvent,
} from "hookgate";
import type { InboxEngine } from "hookgate/engine";
import { type SqliteTransaction, sqliteEngine } from "hookgate/sqlite";
import { z } from "zod";
import { idleEngine } from "../support/inbox-parts.js";

const auth = { dangerouslyAcceptAnyone: true } as const;
const events = {
  "order.paid": z.object({ orderId: z.string() }),
  "order.lost": z.object({ reason: z.string() }),
};

describe("the context of handlers", () => {
  it("has complete with the engine's transaction", () => {
    const receiver = createReceiver({
      name: "orders",
      auth,
      events,
      inbox: { engine: sqliteEngine("types.db") },
    });
    receiver.on("order.paid", async (event, context) => {
      expectTypeOf(context).toEqualTypeOf<InboxContext<SqliteTransaction>>();
      await context.complete((tx) => tx.run("INSERT INTO paid VALUES (?)", [event.data.orderId]));
      // @ts-expect-error: there is no such method
      await context.complete((tx) => tx.query("SELECT 1"));
    });
    receiver.onAny((_event, context) => context.complete());
    expect(receiver.off("*")).toBe(true);
  });

  it("has a transaction that nothing can be done with where the engine has none", () => {
    const receiver = createReceiver({ name: "orders", auth, inbox: { engine: idleEngine() } });
    receiver.on("order.paid", async (_event, context) => {
      expectTypeOf(context).toEqualTypeOf<InboxContext<never>>();
      await context.complete();
      await context.complete((tx) => {
        // @ts-expect-error: never has no members
        tx.run("");
      });
    });
    expect(receiver.off("order.paid")).toBe(true);
  });

  it("has no complete without an inbox", () => {
    const receiver = createReceiver({ name: "orders", auth, events });
    receiver.on("order.paid", (_event, context) => {
      expectTypeOf(context).toEqualTypeOf<HandlerContext>();
      // @ts-expect-error: complete is for handlers that are run from an inbox
      return context.complete();
    });
    const leftOut = createReceiver({ name: "orders", auth, inbox: undefined });
    leftOut.onAny((_event, context) => expectTypeOf(context).toEqualTypeOf<HandlerContext>());
    expect(receiver.off("order.paid")).toBe(true);
  });

  it("takes handlers written for any receiver", () => {
    const receiver = createReceiver({ name: "orders", auth, inbox: { engine: sqliteEngine("types.db") } });
    const handler = (_event: { readonly id: string }, context: HandlerContext): number => context.attempt;
    receiver.on("order.paid", handler);
    expect(receiver.off(handler)).toBe(true);
  });

  it("types the events of orderingKey and of retry, and inbox options on their own", () => {
    const receiver = createReceiver({
      name: "orders",
      auth,
      events,
      inbox: {
        engine: sqliteEngine("types.db"),
        retry: ({ attempt, event }) => (event.type === "order.paid" ? `${attempt}s` : undefined),
      },
    });
    receiver.on("order.paid", () => {}, {
      orderingKey: (event) => event.data.orderId,
      retry: ({ attempt }) => `${attempt}ms`,
    });
    receiver.on("order.*", () => {}, {
      orderingKey: (event) => (event.type === "order.lost" ? event.data.reason : undefined),
    });
    receiver.on("order.lost", () => {}, {
      // @ts-expect-error: the data of order.lost has no orderId
      orderingKey: (event) => event.data.orderId,
    });
    const options: ReceiverOptions<undefined, SqliteTransaction> = {
      name: "orders",
      auth,
      inbox: { engine: sqliteEngine("types.db") },
    };
    createReceiver(options).onAny((_event, context) => {
      expectTypeOf(context).toEqualTypeOf<InboxContext<SqliteTransaction>>();
    });
    expect(receiver.off("order.*")).toBe(true);
  });

  it("takes the states that each action of the inbox can change", () => {
    const change = async ({ retry, replay, drop }: Inbox): Promise<void> => {
      const all = { filter: {} };
      await retry(all, { states: ["waiting", "retrying"] });
      await replay(all, { states: ["done", "dead", "dropped"], handlers: ["ship"], dryRun: true });
      await drop(all, { states: ["waiting", "retrying", "blocked", "dead"] });
      // @ts-expect-error: what is blocked is due when the one before it has ended
      await retry(all, { states: ["blocked"] });
      // @ts-expect-error: what waits needs no replay
      await replay(all, { states: ["waiting"] });
      // @ts-expect-error: what is done cannot be given up
      await drop(all, { states: ["done"] });
    };
    expect(change).toBeInstanceOf(Function);
  });

  it("can be handed around as a receiver of anything", () => {
    const take = (receiver: InboxReceiver): string => typeof receiver.inbox.stats;
    const receiver = createReceiver({
      name: "orders",
      auth,
      inbox: { engine: sqliteEngine("types.db") },
    });
    expect(take(receiver)).toBe("function");
    const close = (...receivers: readonly Receiver[]): number => receivers.length;
    expect(close(receiver, createReceiver({ name: "orders", auth }))).toBe(2);
    expectTypeOf<ReturnType<typeof sqliteEngine>>().toExtend<InboxEngine<SqliteTransaction>>();
  });
});

describe("a receiver without an inbox", () => {
  const receiver = createReceiver({ name: "orders", auth, events });

  it("offers neither the inbox nor the options of tasks", () => {
    // @ts-expect-error: there is no inbox
    void receiver.inbox;
    const wrong = [
      // @ts-expect-error: for tasks
      () => receiver.on("order.paid", () => {}, { maxAttempts: 1 }),
      // @ts-expect-error: for tasks
      () => receiver.on("order.paid", () => {}, { retry: {} }),
      // @ts-expect-error: for tasks
      () => receiver.on("order.paid", () => {}, { orderingKey: () => "k" }),
      // @ts-expect-error: for tasks
      () => receiver.onAny(() => {}, { onDeadLetter: "block" }),
    ];
    for (const register of wrong) expect(register).toThrow(TypeError);
    receiver.on("order.lost", () => {}, { name: "lost", concurrency: 1, timeout: "10ms" });
    expect(receiver.off("lost")).toBe(true);
  });

  it("has events and handlers by name, by pattern and all together", () => {
    type Paid = EventOf<typeof receiver, "order.paid">;
    expectTypeOf<Paid["data"]>().toEqualTypeOf<{ orderId: string }>();
    expectTypeOf<EventOf<typeof receiver, "order.*">["type"]>().toEqualTypeOf<"order.paid" | "order.lost">();
    expectTypeOf<EventOf<typeof receiver>>().toEqualTypeOf<EventOf<typeof receiver, "order.*">>();
    // @ts-expect-error: there is no such event
    expectTypeOf<EventOf<typeof receiver, "order.payed">>().not.toBeAny();
    const onPaid: HandlerOf<typeof receiver, "order.paid"> = async (event, context) => {
      expectTypeOf(context).toEqualTypeOf<HandlerContext>();
      return event.data.orderId;
    };
    const onLost: HandlerOf<typeof receiver, "order.lost"> = () => {};
    receiver.on("order.paid", onPaid);
    // @ts-expect-error: for another event
    receiver.on("order.paid", onLost, { name: "other" });
    expect(receiver.off(onPaid)).toBe(true);
  });
});

describe("a receiver with an inbox", () => {
  it("has events, and handlers with the context of its engine", () => {
    const receiver = createReceiver({
      name: "orders",
      auth,
      events,
      inbox: { engine: sqliteEngine("types.db") },
    });
    expectTypeOf<EventOf<typeof receiver, "order.lost">["data"]>().toEqualTypeOf<{ reason: string }>();
    const onEvery: HandlerOf<typeof receiver> = async (event, context) => {
      expectTypeOf(context).toEqualTypeOf<InboxContext<SqliteTransaction>>();
      await context.complete((tx) => tx.run("INSERT INTO seen VALUES (?)", [event.id]));
    };
    receiver.onAny(onEvery);
    const idle = createReceiver({ name: "orders", auth, events, inbox: { engine: idleEngine() } });
    expectTypeOf<Parameters<HandlerOf<typeof idle, "order.paid">>[1]>().toEqualTypeOf<InboxContext<never>>();
    const open = createReceiver({ name: "orders", auth });
    expectTypeOf<EventOf<typeof open, "anything">>().toEqualTypeOf<WebhookEvent<string, unknown>>();
    expect(receiver.off(onEvery)).toBe(true);
  });
});

describe("durations", () => {
  it("are text with a unit; a number does not compile", async () => {
    const inbox = { lease: String("30s") };
    const refused = [
      // @ts-expect-error: a number of milliseconds
      () => createReceiver({ name: "orders", auth, handlerTimeout: 10_000 }),
      // @ts-expect-error: no unit
      () => createReceiver({ name: "orders", auth, body: { timeout: "10" } }),
      // @ts-expect-error: an unknown unit
      () => createReceiver({ name: "orders", auth, inbox: { engine: idleEngine(), lease: "10 min" } }),
      // @ts-expect-error: any text
      () => createReceiver({ name: "orders", auth, inbox: { engine: idleEngine(), lease: inbox.lease } }),
    ];
    for (const make of refused.slice(0, 3)) expect(make).toThrow("must be a duration");
    const fromEnvironment: Duration = `${parseDuration(inbox.lease)}ms`;
    const receiver = createReceiver({ name: "orders", auth, handlerTimeout: fromEnvironment });
    // @ts-expect-error: a number of milliseconds
    await expect(receiver.close({ grace: 5_000 })).rejects.toThrow('write grace: "5s"');
    // @ts-expect-error: a number of milliseconds
    expect(() => new RetryAfterError("busy", 60_000)).toThrow("must be a duration");
  });
});
