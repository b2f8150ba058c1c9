/** Compiled by the type check: what must not compile stands behind `@ts-expect-error`. */
import { describe, expect, it } from "@jest/globals";
import { type } from "arktype";
import { expectTypeOf } from "expect-type";
import * as v from "valibot";
import { z } from "zod";
import {
  type EventMapOf,
  type EventSchemas,
  type EventsOption,
  type EventUnion,
  type NameOf,
  uncheckedTypes,
} from "../../src/events/event-map.js";
import { createHandlers, type HandlerRegistration, type HandlerRegistry } from "../../src/events/handlers.js";
import { createCatalog } from "../../src/events/schemas.js";
import type { AnyEventMap, HandlerContext, WebhookEvent } from "../../src/types/event.js";

/** Infers as `createReceiver` does. */
function registrationFor<const Events extends EventsOption | undefined = undefined>(options: {
  readonly events?: Events;
}): HandlerRegistration<EventMapOf<Events>> {
  return createHandlers<EventMapOf<Events>>(createCatalog(options.events, "events"));
}

const schemas = {
  "order.paid": z.object({ orderId: z.string(), total: z.string().transform(Number) }),
  "order.refunded": v.object({ orderId: v.string(), reason: v.string() }),
  "order.item.added": type({ sku: "string" }),
  ping: z.null(),
};

function registration() {
  return registrationFor({ events: schemas });
}

describe("on, by schemas", () => {
  it("types the data of one event as its schema's output, for each schema library", () => {
    registration().on("order.paid", (event, context) => {
      expectTypeOf(event).toEqualTypeOf<WebhookEvent<"order.paid", { orderId: string; total: number }>>();
      expectTypeOf(context).toEqualTypeOf<HandlerContext>();
    });
    registration().on("order.refunded", ({ data }) => {
      expectTypeOf(data).toEqualTypeOf<{ orderId: string; reason: string }>();
    });
    registration().on("order.item.added", async ({ data }) => {
      expectTypeOf(data).toEqualTypeOf<{ sku: string }>();
    });
  });

  it("narrows the events of a list by their type", () => {
    registration().on(["order.paid", "ping"], (event) => {
      expectTypeOf(event.type).toEqualTypeOf<"order.paid" | "ping">();
      if (event.type === "ping") expectTypeOf(event.data).toEqualTypeOf<null>();
      else expectTypeOf(event.data.total).toEqualTypeOf<number>();
      // @ts-expect-error: not every event of the list has it
      expectTypeOf(event.data.total).toEqualTypeOf<number>();
    });
    const names = ["ping", "order.item.*"] as const;
    registration().on(names, (event) => {
      expectTypeOf(event.type).toEqualTypeOf<"ping" | "order.item.added">();
    });
  });

  it("narrows the events of a pattern by their type", () => {
    registration().on("order.*", (event) => {
      expectTypeOf(event.type).toEqualTypeOf<"order.paid" | "order.refunded" | "order.item.added">();
      if (event.type === "order.refunded") expectTypeOf(event.data.reason).toEqualTypeOf<string>();
      switch (event.type) {
        case "order.paid":
          return event.data.total.toFixed(2);
        case "order.refunded":
          return event.data.reason;
        default:
          return event.data.sku;
      }
    });
    registration().on("order.item.*", ({ data }) => {
      expectTypeOf(data).toEqualTypeOf<{ sku: string }>();
    });
  });

  it("narrows the events of onAny", () => {
    registration().onAny((event) => {
      expectTypeOf(event).toEqualTypeOf<EventUnion<EventMapOf<typeof schemas>>>();
      if (event.type === "order.item.added") expectTypeOf(event.data.sku).toEqualTypeOf<string>();
    });
  });

  it("knows every name", () => {
    expectTypeOf<NameOf<EventMapOf<typeof schemas>>>().toEqualTypeOf<
      "order.paid" | "order.refunded" | "order.item.added" | "ping" | "order.*" | "order.item.*"
    >();
  });

  it("does not compile misspelled names, and refuses them when it runs as well", () => {
    const handlers = registration();
    // @ts-expect-error: misspelled
    expect(() => handlers.on("order.payd", () => {})).toThrow(TypeError);
    // @ts-expect-error: misspelled in a list
    expect(() => handlers.on(["order.paid", "pong"], () => {})).toThrow(TypeError);
    // @ts-expect-error: nothing begins so
    expect(() => handlers.on("ordr.*", () => {})).toThrow(TypeError);
    // @ts-expect-error: no further segment
    expect(() => handlers.on("ping.*", () => {})).toThrow(TypeError);
    // @ts-expect-error: the star may stand only at the end
    expect(() => handlers.on("*.paid", () => {})).toThrow(TypeError);
    // @ts-expect-error: onAny does that
    expect(() => handlers.on("*", () => {})).toThrow(TypeError);
    // @ts-expect-error: any text may be misspelled
    handlers.on("ping" as string, () => {});
  });

  it("does not compile wrong handlers and options", () => {
    const handlers = registration();
    // @ts-expect-error: the data are another event's
    handlers.on("ping", (_event: WebhookEvent<"ping", { orderId: string }>) => {});
    // @ts-expect-error: a handler is needed
    expect(() => handlers.on("order.paid")).toThrow(TypeError);
    // @ts-expect-error: no such option
    expect(() => handlers.on("order.paid", () => {}, { timeout: 5 })).toThrow(TypeError);
    // @ts-expect-error: neither a name nor a handler
    expect(() => handlers.off(1)).toThrow(TypeError);
    handlers.on("order.refunded", (event) => {
      // @ts-expect-error: an event is not to be changed
      event.id = "other";
    });
  });

  it("takes handlers that are declared elsewhere", () => {
    const handlers = registration();
    const onPaid = async (event: WebhookEvent<"order.paid", { orderId: string }>): Promise<string> =>
      event.data.orderId;
    const onEvery = (event: WebhookEvent): string => event.type;
    handlers.on("order.paid", onPaid);
    handlers.on("order.*", onEvery, { name: "every", timeout: undefined });
    expect(handlers.off(onPaid)).toBe(true);
    expect(handlers.off(onEvery)).toBe(true);
    expect(handlers.off("ping")).toBe(false);
  });
});

describe("on, by uncheckedTypes", () => {
  interface Events {
    "user.created": { readonly id: number };
    "user.deleted": { readonly at: string };
    ping: undefined;
  }

  it("types and narrows as schemas do, by an interface or an alias", () => {
    const handlers = registrationFor({ events: uncheckedTypes<Events>() });
    handlers.on("user.created", ({ data }) => expectTypeOf(data).toEqualTypeOf<{ readonly id: number }>());
    handlers.on("user.*", (event) => {
      if (event.type === "user.deleted") expectTypeOf(event.data.at).toEqualTypeOf<string>();
    });
    handlers.on(["ping", "user.deleted"], (event) => {
      if (event.type === "ping") expectTypeOf(event.data).toEqualTypeOf<undefined>();
    });
    // @ts-expect-error: misspelled
    handlers.on("user.creatd", () => {});
    // @ts-expect-error: nothing begins so
    handlers.on("usr.*", () => {});
    const alias = registrationFor({ events: uncheckedTypes<{ a: string }>() });
    alias.on("a", ({ data }) => expectTypeOf(data).toEqualTypeOf<string>());
  });
});

describe("on, without events", () => {
  it("takes any type, with unknown data", () => {
    const handlers = registrationFor({});
    expectTypeOf(handlers).toEqualTypeOf<HandlerRegistration<AnyEventMap>>();
    handlers.on("anything", ({ type: name, data }) => {
      expectTypeOf(name).toEqualTypeOf<string>();
      expectTypeOf(data).toEqualTypeOf<unknown>();
    });
    handlers.on(["a.*", "b"], ({ data }) => expectTypeOf(data).toEqualTypeOf<unknown>());
    handlers.onAny(({ data }) => expectTypeOf(data).toEqualTypeOf<unknown>());
  });

  it("is what schemas of unknown names come to", () => {
    const events: EventSchemas = { a: z.string() };
    registrationFor({ events }).on("a", ({ data }) => expectTypeOf(data).toEqualTypeOf<unknown>());
  });
});

describe("the option events", () => {
  it("takes the schemas of each library and nothing else", () => {
    expectTypeOf(schemas).toExtend<EventsOption>();
    expectTypeOf<{ a: string }>().not.toExtend<EventsOption>();
    expectTypeOf<{ a: { type: "object" } }>().not.toExtend<EventsOption>();
  });

  it("gives a registry that a receiver can hold without its types", () => {
    const typed = createHandlers<EventMapOf<typeof schemas>>(createCatalog(schemas, "events"));
    expectTypeOf(typed).toExtend<HandlerRegistration<EventMapOf<typeof schemas>>>();
    expectTypeOf(typed).toExtend<Pick<HandlerRegistry, "handlersFor">>();
  });
});
