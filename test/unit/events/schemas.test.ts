import { describe, expect, it } from "@jest/globals";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import { uncheckedTypes } from "../../../src/events/event-map.js";
import { type Catalog, createCatalog, issuePaths, type Validation } from "../../../src/events/schemas.js";

const hostileTypes = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "",
  "a".repeat(1_000_000),
  "a\0b",
];

function schemaOf(validate: (value: unknown) => unknown): unknown {
  return { "~standard": { version: 1, vendor: "test", validate } };
}

function sync(result: ReturnType<Catalog["validate"]>): Validation {
  if (result instanceof Promise) throw new Error("expected an answer at once");
  return result;
}

function pathsOf(result: Validation): readonly string[] {
  return result.ok ? [] : issuePaths(result.issues);
}

describe("createCatalog", () => {
  it("knows the types it was given, in their order", () => {
    const catalog = createCatalog({ b: z.string(), "a.x": z.number() }, "events");
    expect(catalog.types).toEqual(["b", "a.x"]);
    expect(catalog.has("b")).toBe(true);
    expect(catalog.has("a")).toBe(false);
  });

  it("takes a null-prototype object", () => {
    const events = Object.assign(Object.create(null), { a: z.string() });
    expect(createCatalog(events, "events").types).toEqual(["a"]);
  });

  it.each(hostileTypes)("G01 does not know a type that nobody declared (%#)", (name) => {
    const catalog = createCatalog({ a: z.string() }, "events");
    expect(catalog.has(name)).toBe(false);
    expect(catalog.validate(name, "x")).toMatchObject({ ok: false });
  });

  it("G01 takes __proto__ and constructor as types where they are declared", () => {
    const catalog = createCatalog({ ["__proto__"]: z.string(), constructor: z.number() }, "events");
    expect(catalog.types).toEqual(["__proto__", "constructor"]);
    expect(catalog.validate("__proto__", "x")).toEqual({ ok: true, value: "x" });
    expect(catalog.validate("constructor", "x")).toMatchObject({ ok: false });
  });

  it("I09 reads own properties only", () => {
    const events = Object.assign(Object.create({ inherited: z.string() }), { a: z.string() });
    expect(createCatalog(events, "events").has("inherited")).toBe(false);
  });

  it.each([
    ["left out", undefined],
    ["uncheckedTypes", uncheckedTypes<{ a: string }>()],
  ])("takes any type and data where events is %s", (_, events) => {
    const catalog = createCatalog(events, "events");
    expect(catalog.types).toBeUndefined();
    expect(catalog.has("anything at all")).toBe(true);
    expect(catalog.has("")).toBe(false);
    expect(catalog.has("a".repeat(201))).toBe(false);
    const data = { any: "thing" };
    expect(catalog.validate("anything", data)).toEqual({ ok: true, value: data });
  });

  it.each([
    [null, /events must be an object of event types and their schemas.*not null; leave it out/],
    [[z.string()], /not an array/],
    [[], /not an empty array/],
    ["order.paid", /not a string/],
    [7, /not 7/],
    [{}, /names no event type; write { "order\.paid": schema }, or leave it out/],
    [new Map([["a", z.string()]]), /names no event type/],
    [z.object({}), /is a schema or function itself; name the event/],
    [type("string"), /is a schema or function itself/],
    [{ "": z.string() }, /an event type must be a string that is not empty/],
    [{ "a b ": z.string() }, /"a b " holds a control character, or white space at its ends/],
    [{ "a\n": z.string() }, /"a\\u000a" holds a control character/],
    [{ "a\u0000": z.string() }, /"a\\u0000" holds a control character/],
    [{ ["a".repeat(201)]: z.string() }, /is longer than 200 characters/],
    [{ "a.*": z.string() }, /"a\.\*" holds "\*", which only patterns given to "on" may/],
    [{ a: undefined }, /events\["a"\] must be a Standard Schema .*not undefined.*uncheckedTypes/],
    [{ a: null }, /not null/],
    [{ a: "string" }, /not a string/],
    [{ a: { type: "object" } }, /not an object without "~standard"/],
    [{ a: () => true }, /not a function/],
    [{ a: { "~standard": null } }, /has no "validate"/],
    [{ a: { "~standard": { version: 1 } } }, /has no "validate"/],
    [
      { a: { "~standard": { version: 2, validate: () => ({}) } } },
      /a version of Standard Schema other than 1/,
    ],
    [{ a: { "~standard": { validate: () => ({}) } } }, /a version of Standard Schema other than 1/],
  ])("refuses %p and says what to write", (events, message) => {
    expect(() => createCatalog(events, "events")).toThrow(TypeError);
    expect(() => createCatalog(events, "events")).toThrow(message);
  });
});

describe("Catalog.validate", () => {
  it("counts an empty list of issues as a no", () => {
    const catalog = createCatalog({ a: schemaOf(() => ({ value: 1, issues: [] })) }, "events");
    expect(catalog.validate("a", 1)).toEqual({ ok: false, issues: [] });
  });

  it("takes a schema's promise, or anything with a then", async () => {
    const resolve = (settle: (result: unknown) => void): void => settle({ value: 2 });
    // biome-ignore lint/suspicious/noThenProperty: not every library's promise is a Promise
    const later = { then: resolve };
    const catalog = createCatalog(
      { a: schemaOf(async () => ({ value: 1 })), b: schemaOf(() => later) },
      "events",
    );
    expect(await catalog.validate("a", 0)).toEqual({ ok: true, value: 1 });
    expect(await catalog.validate("b", 0)).toEqual({ ok: true, value: 2 });
  });

  it("lets through what a schema throws", () => {
    const fault = new Error("from the schema");
    const catalog = createCatalog(
      {
        a: schemaOf(() => {
          throw fault;
        }),
      },
      "events",
    );
    expect(() => catalog.validate("a", 0)).toThrow(fault);
  });
});

describe("Catalog.validate with the schema libraries", () => {
  const items = { items: [{ sku: 5 }] };

  it("zod: transforms, and names paths", () => {
    const schema = z.object({ items: z.array(z.object({ sku: z.string().transform((s) => s.length) })) });
    const catalog = createCatalog({ a: schema }, "events");
    expect(catalog.validate("a", { items: [{ sku: "abc" }] })).toEqual({
      ok: true,
      value: { items: [{ sku: 3 }] },
    });
    expect(pathsOf(sync(catalog.validate("a", items)))).toEqual(["items.0.sku"]);
    expect(pathsOf(sync(catalog.validate("a", 1)))).toEqual(["(root)"]);
  });

  it("valibot: transforms, and names paths that are objects with a key", () => {
    const sku = v.pipe(
      v.string(),
      v.transform((s) => s.length),
    );
    const schema = v.object({ items: v.array(v.object({ sku })) });
    const catalog = createCatalog({ a: schema }, "events");
    expect(catalog.validate("a", { items: [{ sku: "abc" }] })).toEqual({
      ok: true,
      value: { items: [{ sku: 3 }] },
    });
    expect(pathsOf(sync(catalog.validate("a", items)))).toEqual(["items.0.sku"]);
    expect(pathsOf(sync(catalog.validate("a", 1)))).toEqual(["(root)"]);
  });

  it("arktype: transforms, and names paths, though its schemas are functions", () => {
    const schema = type({ items: type({ sku: type("string").pipe((s) => s.length) }).array() });
    const catalog = createCatalog({ a: schema }, "events");
    expect(catalog.validate("a", { items: [{ sku: "abc" }] })).toEqual({
      ok: true,
      value: { items: [{ sku: 3 }] },
    });
    expect(pathsOf(sync(catalog.validate("a", items)))).toEqual(["items.0.sku"]);
    expect(pathsOf(sync(catalog.validate("a", 1)))).toEqual(["(root)"]);
  });

  it("waits for the refinements of zod and valibot that answer later", async () => {
    const isKnown = async (id: string): Promise<boolean> => id === "known";
    const catalog = createCatalog(
      {
        zod: z.object({ id: z.string().refine(isKnown) }),
        valibot: v.objectAsync({ id: v.pipeAsync(v.string(), v.checkAsync(isKnown)) }),
      },
      "events",
    );
    for (const name of ["zod", "valibot"]) {
      const good = catalog.validate(name, { id: "known" });
      expect(good).toBeInstanceOf(Promise);
      expect(await good).toEqual({ ok: true, value: { id: "known" } });
      expect(pathsOf(await catalog.validate(name, { id: "other" }))).toEqual(["id"]);
    }
  });
});

describe("issuePaths", () => {
  it("I01 leaves the messages out", () => {
    expect(issuePaths([{ message: "expected 4711, got hunter2", path: ["pin"] }])).toEqual(["pin"]);
  });

  it("I02 escapes and cuts keys from outside", () => {
    const [escaped, cut] = issuePaths([
      { message: "", path: ["a\r\n\u001b[31m\u2028"] },
      { message: "", path: ["k".repeat(1_000_000)] },
    ]);
    expect(escaped).toBe("a\\u000d\\u000a\\u001b[31m\\u2028");
    expect(cut?.length).toBeLessThan(140);
  });

  it("names each path once and ten at most", () => {
    const issues = Array.from({ length: 40 }, (_, index) => ({
      message: "",
      path: [{ key: "items" }, Math.floor(index / 2)],
    }));
    const paths = issuePaths(issues);
    expect(paths).toHaveLength(10);
    expect(paths.slice(0, 2)).toEqual(["items.0", "items.1"]);
  });

  it("takes symbols, empty and missing paths", () => {
    expect(
      issuePaths([{ message: "", path: [Symbol("s")] }, { message: "", path: [] }, { message: "" }]),
    ).toEqual(["Symbol(s)", "(root)"]);
  });
});
