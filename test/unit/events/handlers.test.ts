import { describe, expect, it } from "@jest/globals";
import { z } from "zod";
import { createHandlers, type HandlerRegistry } from "../../../src/events/handlers.js";
import { createCatalog } from "../../../src/events/schemas.js";

const closed = createCatalog(
  {
    "order.paid": z.unknown(),
    "order.refunded": z.unknown(),
    "order.item.added": z.unknown(),
    "user.created": z.unknown(),
    ping: z.unknown(),
  },
  "events",
);
const open = createCatalog(undefined, "events");

function noop(): void {}

function names(handlers: HandlerRegistry, type: string): string[] {
  return handlers.handlersFor(type).map(({ name }) => name);
}

describe.each([
  ["with a catalog", closed],
  ["without a catalog", open],
])("handlersFor %s", (_, catalog) => {
  it("finds handlers by exact type, list, pattern and onAny, in the order of registration", () => {
    const handlers = createHandlers(catalog);
    handlers.onAny(noop);
    handlers.on("order.*", noop);
    handlers.on("order.paid", noop);
    handlers.on(["order.refunded", "ping"], noop);
    handlers.on("order.item.*", noop);
    expect(names(handlers, "order.paid")).toEqual(["*", "order.*", "order.paid"]);
    expect(names(handlers, "order.refunded")).toEqual(["*", "order.*", "order.refunded,ping"]);
    expect(names(handlers, "order.item.added")).toEqual(["*", "order.*", "order.item.*"]);
    expect(names(handlers, "ping")).toEqual(["*", "order.refunded,ping"]);
    expect(names(handlers, "user.created")).toEqual(["*"]);
  });

  it("gives an event once to a handler whose list matches it twice", () => {
    const handlers = createHandlers(catalog);
    handlers.on(["order.*", "order.paid", "order.paid"], noop);
    expect(names(handlers, "order.paid")).toEqual(["order.*,order.paid"]);
  });

  it("does not match a pattern's own stem, nor another type that begins alike", () => {
    const handlers = createHandlers(catalog);
    handlers.on("order.*", noop);
    expect(names(handlers, "order")).toEqual([]);
    expect(names(handlers, "orders.paid")).toEqual([]);
  });

  it("G01 G02 has no handlers for names of Object.prototype", () => {
    const handlers = createHandlers(catalog);
    handlers.on("ping", noop);
    for (const type of ["__proto__", "constructor", "toString", "", "x".repeat(1_000_000), "p\0"]) {
      expect(handlers.handlersFor(type)).toEqual([]);
    }
  });

  it("G09 leaves lists that were handed out as they are, and shows changes in the next", () => {
    const handlers = createHandlers(catalog);
    handlers.on("ping", noop);
    const before = handlers.handlersFor("ping");
    handlers.onAny(noop);
    expect(names(handlers, "ping")).toEqual(["ping", "*"]);
    handlers.off("ping");
    expect(before.map(({ name }) => name)).toEqual(["ping"]);
    expect(names(handlers, "ping")).toEqual(["*"]);
    expect(Object.isFrozen(before)).toBe(true);
    expect(Object.isFrozen(before[0])).toBe(true);
  });

  it("prepares the list of a type that a handler names once", () => {
    const handlers = createHandlers(catalog);
    handlers.on("ping", noop);
    expect(handlers.handlersFor("ping")).toBe(handlers.handlersFor("ping"));
  });
});

describe("handlersFor", () => {
  it("keeps onAny from types that the catalog does not have, since nothing says what their data is", () => {
    const handlers = createHandlers(closed);
    handlers.onAny(noop);
    expect(names(handlers, "order.unknown")).toEqual([]);
  });

  it("I08 does not keep types from outside", () => {
    const handlers = createHandlers(open);
    handlers.onAny(noop);
    expect(handlers.handlersFor("any.thing")).not.toBe(handlers.handlersFor("any.thing"));
  });

  it("carries options, or says that they are the receiver's", () => {
    const handlers = createHandlers(open);
    handlers.on("a", noop);
    handlers.on("a", noop, { name: "second", timeout: "50ms", concurrency: 3 });
    const [first, second] = handlers.handlersFor("a");
    expect(first).toMatchObject({ timeoutMs: undefined, concurrency: Number.POSITIVE_INFINITY });
    expect(second).toMatchObject({ name: "second", timeoutMs: 50, concurrency: 3, handler: noop });
  });
});

describe("off", () => {
  it("removes by name", () => {
    const handlers = createHandlers(closed);
    handlers.on("order.*", noop);
    handlers.on("order.*", noop, { name: "other" });
    expect(handlers.off("order.*")).toBe(true);
    expect(handlers.off("order.*")).toBe(false);
    expect(names(handlers, "order.paid")).toEqual(["other"]);
  });

  it("removes every registration of a function", () => {
    const handlers = createHandlers(closed);
    const other = (): void => {};
    handlers.on("order.paid", noop);
    handlers.on("ping", other);
    handlers.onAny(noop);
    expect(handlers.off(noop)).toBe(true);
    expect(handlers.off(noop)).toBe(false);
    expect(names(handlers, "order.paid")).toEqual([]);
    expect(names(handlers, "ping")).toEqual(["ping"]);
  });

  it("frees the name", () => {
    const handlers = createHandlers(closed);
    handlers.on("ping", noop);
    handlers.off("ping");
    handlers.on("ping", noop);
    expect(names(handlers, "ping")).toEqual(["ping"]);
  });

  it.each([undefined, null, 1, {}])("refuses %p", (value) => {
    const { off } = createHandlers(closed);
    expect(() => Reflect.apply(off, undefined, [value])).toThrow(
      /off takes the handler's name or the handler/,
    );
  });
});

describe("on, given what cannot work", () => {
  it.each([
    [["order.payd", noop], /on\("order\.payd"\): events has no such type; did you mean "order\.paid"\?/],
    [[["ping", "pong"], noop], /on\("pong"\): events has no such type; did you mean "ping"\?/],
    [
      ["zzzzzzzzzzzz", noop],
      /it has "order\.paid", "order\.refunded", "order\.item\.added", "user\.created", "ping"$/,
    ],
    [["constructor", noop], /events has no such type/],
    [["ordr.*", noop], /on\("ordr\.\*"\) matches no event type in events; did you mean "order\.\*"\?/],
    [["order.itm.*", noop], /did you mean "order\.item\.\*"\?/],
    [["ping.*", noop], /matches no event type/],
    [["*", noop], /for every event type use onAny\(handler\)/],
    [["order*", noop], /"\*" may stand only for the last segments, as in "order\.\*"/],
    [["*.paid", noop], /may stand only for the last segments/],
    [["order.*.*", noop], /may stand only for the last segments/],
    [["order.**", noop], /may stand only for the last segments/],
    [[[], noop], /names no event type; name at least one, or use onAny/],
    [["", noop], /on\(""\): an event type must be a string that is not empty/],
    [[" order.paid", noop], /white space at its ends/],
    [["a".repeat(201), noop], /longer than 200 characters/],
    [[undefined, noop], /on takes an event type, a pattern or a list of them, not undefined/],
    [[/order/, noop], /not an object/],
    [[["ping", 1], noop], /not 1/],
    [["ping"], /on\("ping"\): the handler must be a function, not undefined/],
    [["ping", {}], /the handler must be a function, not an object/],
    [["ping", noop, null], /on\("ping"\) options must be an object, not null/],
    [["ping", noop, "name"], /on\("ping"\) options must be an object, not a string/],
    [["ping", noop, { timeouts: 5 }], /has no option "timeouts"; did you mean "timeout"\?/],
    [
      ["ping", noop, { timeout: "0ms" }],
      /on\("ping"\) timeout must be a duration such as "10s", from "1ms" to "24h", not "0ms"/,
    ],
    [["ping", noop, { timeout: Number.NaN }], /timeout must be a duration/],
    [["ping", noop, { timeout: 5 }], /not 5; write timeout: "5ms"/],
    [["ping", noop, { concurrency: 0 }], /on\("ping"\) concurrency must be a whole number from 1/],
    [["ping", noop, { concurrency: 1.5 }], /concurrency must be a whole number/],
    [["ping", noop, { concurrency: Number.POSITIVE_INFINITY }], /concurrency must be a whole number/],
    [["ping", noop, { name: "" }], /on\("ping"\) name must be a string that is not empty/],
    [["ping", noop, { name: "a\nb" }], /name must have at most 200 characters and no control characters/],
    [["ping", noop, { name: "a".repeat(201) }], /name must have at most 200 characters/],
  ])("refuses %p and says what to write", (args, message) => {
    const { on } = createHandlers(closed);
    const act = (): unknown => Reflect.apply(on, undefined, args);
    expect(act).toThrow(TypeError);
    expect(act).toThrow(message);
  });

  it("lists ten types at most", () => {
    const events = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`type.number${i}`, z.unknown()]));
    const { on } = createHandlers(createCatalog(events, "events"));
    expect(() => on("zzz", noop)).toThrow(/"type\.number9", … \(12 in all\)$/);
  });

  it("refuses a second handler of the same name, default or given, and names the option", () => {
    const handlers = createHandlers(closed);
    handlers.on("ping", noop);
    handlers.on("order.paid", noop, { name: "ship" });
    handlers.onAny(noop);
    const fix = /there is a handler named "(ping|ship|\*)" already; .*{ name: "…" }/;
    expect(() => handlers.on("ping", noop)).toThrow(fix);
    expect(() => handlers.on(["ping"], noop)).toThrow(fix);
    expect(() => handlers.on("ping", noop, { name: "ship" })).toThrow(fix);
    expect(() => handlers.onAny(noop)).toThrow(fix);
    expect(names(handlers, "ping")).toEqual(["ping", "*"]);
  });

  it("takes any well-formed type where the catalog names none", () => {
    const handlers = createHandlers(open);
    handlers.on(["whatever", "any.*"], noop, undefined);
    expect(names(handlers, "any.thing")).toEqual(["whatever,any.*"]);
    expect(() => handlers.on("a ", noop)).toThrow(TypeError);
  });
});
