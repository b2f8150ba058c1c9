/** What handlers get by the engine of the inbox; the compiler is the test. */
import { describe, expect, it } from "@jest/globals";
import { expectTypeOf } from "expect-type";
import {
  createReceiver,
  type HandlerContext,
  type InboxContext,
  type InboxEngine,
  type Receiver,
  type ReceiverOptions,
} from "hookgate";
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
    const change = async ({ retry, replay, drop }: Receiver["inbox"]): Promise<void> => {
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
    const take = (receiver: Receiver): string => typeof receiver.inbox.stats;
    expect(take(createReceiver({ name: "orders", auth, inbox: { engine: sqliteEngine("types.db") } }))).toBe(
      "function",
    );
    expectTypeOf<ReturnType<typeof sqliteEngine>>().toExtend<InboxEngine<SqliteTransaction>>();
  });
});
