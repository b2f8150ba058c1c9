import { describe, expect, it } from "@jest/globals";
import { HandlerTimeoutError } from "../../../src/errors.js";
import {
  errorFrom,
  errorText,
  isInstance,
  keptError,
  ownFoldersOf,
  taskErrorOf,
} from "../../../src/lib/kept-error.js";
import { NonRetriableError } from "../../../src/lib/task-errors.js";

class CardDeclined extends Error {
  readonly code = "card_declined";
}

class Named extends Error {
  override readonly name = "PaymentError";
}

const canary = "canary-of-a-thrown-member";

function throwing(): never {
  throw new Error("do not touch");
}

/** A Proxy that throws whatever is asked of it. */
function thorny(target: object = {}): object {
  const traps = Object.fromEntries(
    Object.getOwnPropertyNames(Reflect).map((name) => [name, throwing]),
  ) as ProxyHandler<object>;
  return new Proxy(target, traps);
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function withGetters(...names: readonly string[]): Error {
  const error = new Error("readable");
  for (const name of names) Object.defineProperty(error, name, { get: throwing });
  return error;
}

describe("what is kept of what a handler throws", () => {
  // Not it.each: it looks into what it is given.
  const thrownValues: readonly (readonly [string, unknown, object])[] = [
    ["an error", new RangeError("too far"), { name: "RangeError", message: "too far" }],
    [
      "an error of a class that sets no name, with a code",
      new CardDeclined("no"),
      { name: "CardDeclined", code: "card_declined", message: "no" },
    ],
    ["an error with a name of its own", new Named("no"), { name: "PaymentError", message: "no" }],
    [
      "an error of ours",
      new HandlerTimeoutError("too slow"),
      { name: "HandlerTimeoutError", code: "ERR_HANDLER_TIMEOUT", message: "too slow" },
    ],
    [
      "a code that is a number",
      Object.assign(new Error("no"), { code: 40 }),
      { name: "Error", code: 40, message: "no" },
    ],
    [
      "a code that is neither",
      Object.assign(new Error("no"), { code: { canary } }),
      { name: "Error", message: "no" },
    ],
    ["NaN as a code", Object.assign(new Error("no"), { code: Number.NaN }), { name: "Error", message: "no" }],
    [
      "a message that is an object",
      Object.assign(new Error(), { message: { canary } }),
      { name: "Error", message: "" },
    ],
    ["null", null, { name: "null", message: "null was thrown" }],
    ["undefined", undefined, { name: "undefined", message: "undefined was thrown" }],
    ["text", "out of stock", { name: "string", message: "out of stock" }],
    ["a number", 42, { name: "number", message: "42" }],
    ["a symbol", Symbol("s"), { name: "symbol", message: "Symbol(s)" }],
    ["an object", { canary }, { name: "object", message: "an object was thrown instead of an Error" }],
    [
      "an object that looks like an error",
      { name: canary, message: canary, code: canary, stack: canary },
      { name: "object", message: "an object was thrown instead of an Error" },
    ],
    [
      "an object without prototype",
      Object.assign(Object.create(null), { canary }),
      { name: "object", message: "an object was thrown instead of an Error" },
    ],
    [
      "a function",
      Object.assign(() => {}, { toString: () => canary }),
      { name: "function", message: "a function was thrown instead of an Error" },
    ],
    [
      "a Proxy that throws",
      thorny(),
      { name: "object", message: "an object was thrown instead of an Error" },
    ],
    ["a revoked Proxy", revoked(), { name: "object", message: "an object was thrown instead of an Error" }],
    [
      "a Proxy that claims to be an error and tells nothing",
      new Proxy({}, { getPrototypeOf: () => Error.prototype, get: throwing }),
      { name: "Error", message: "" },
    ],
    [
      "getters that throw",
      withGetters("stack", "name", "code", "cause", "constructor"),
      { name: "Error", message: "readable" },
    ],
    ["control characters", new Error("a\n\u0000b"), { name: "Error", message: "a\\u000a\\u0000b" }],
    ["letters of any language", new Error("größer 名前"), { name: "Error", message: "größer 名前" }],
    [
      "what nobody sees",
      new Error("a\u009b\u202eb\ud800"),
      { name: "Error", message: "a\\u009b\\u202eb\\ud800" },
    ],
  ];
  for (const [what, thrown, kept] of thrownValues) {
    it(`is taken from ${what}`, () => {
      expect(taskErrorOf(thrown, false)).toEqual(kept);
      expect(JSON.stringify(taskErrorOf(thrown))).not.toContain(canary);
    });
  }

  it("cuts messages at 2,000 characters, and the code and name at 100", () => {
    const long = "x".repeat(1_000_000);
    const kept = taskErrorOf(Object.assign(new Error(long), { name: long, code: long }));
    expect(kept.message).toMatch(/^x{2000}… /);
    expect(JSON.stringify(kept).length).toBeLessThan(5_000);
  });

  it("has at most 2 KB of stack, in whole lines, with the class and message as they are now", () => {
    const error = new TypeError("before");
    error.message = "after";
    const frames = Array.from({ length: 100 }, (_, at) => `    at deep${at} (/app/größe/file.js:${at}:1)`);
    error.stack = ["TypeError: before", "  not a frame, canary", ...frames].join("\n");
    const { stack = "" } = taskErrorOf(error);
    const lines = stack.split("\n");
    expect(lines.slice(0, 2)).toEqual(["TypeError: after", "    at deep0 (/app/größe/file.js:0:1)"]);
    expect(lines.at(-1)).toMatch(/^ {4}at deep\d+ \(.*:1\)$/);
    expect(Buffer.byteLength(stack)).toBeLessThanOrEqual(2_048);
    expect(Buffer.byteLength(stack)).toBeGreaterThan(1_900);
    expect(stack).not.toContain("canary");
  });

  it("has no frames of ours between the user's", () => {
    const { stack } = taskErrorOf(new Error("here"));
    expect(stack).toContain("kept-error.test.ts");
    const error = new Error("there");
    error.stack = `Error: there\n    at mine (/app/a.js:1:1)\n    at run (${ownFoldersOf(import.meta.url.replace(/test\/.*/, "src/lib/kept-error.ts"))[1]}events/run.ts:1:1)\n    at x (node:internal/timers:1:1)`;
    expect(taskErrorOf(error).stack).toBe("Error: there\n    at mine (/app/a.js:1:1)");
  });

  it("keeps frames of ours where there are no others, and knows none in a bundle", () => {
    const error = new Error("ours");
    error.stack = "Error: ours\n    at x (node:internal/timers:1:1)";
    expect(taskErrorOf(error).stack).toContain("node:internal");
    expect(ownFoldersOf("file:///app/dist/server.js")).toEqual([]);
    error.stack = "Error: ours";
    expect(taskErrorOf(error).stack).toBeUndefined();
  });

  it("has no stack where it was switched off, in no cause either", () => {
    expect(taskErrorOf(new Error("a", { cause: new Error("b") }), false)).toEqual({
      name: "Error",
      message: "a",
      cause: { name: "Error", message: "b" },
    });
  });

  it("follows causes three deep, and ends where errors are each other's cause", () => {
    const hen = new Error("hen");
    hen.cause = new Error("egg", { cause: hen });
    const kept = taskErrorOf(hen, false);
    expect(kept.cause?.cause?.cause).toEqual({ name: "Error", message: "egg" });
    expect(taskErrorOf(new Error("a", { cause: "text" }), false).cause).toEqual({
      name: "string",
      message: "text",
    });
    expect(taskErrorOf(new Error("a", { cause: { canary } }), false)).toEqual({
      name: "Error",
      message: "a",
    });
  });
});

describe("the error that is made of it", () => {
  it("has the members that were kept and no other, and the name of the class that was thrown", () => {
    const thrown = Object.assign(new CardDeclined("no", { cause: new TypeError("why") }), {
      config: { canary },
      response: { canary },
      toJSON: () => ({ canary }),
    });
    const error = keptError(thrown);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBe(thrown);
    expect(Reflect.ownKeys(error).sort()).toEqual(
      ["cause", "code", "constructor", "message", "name", "stack"].sort(),
    );
    expect(Object.keys(error)).toEqual(["code"]);
    expect(error.constructor.name).toBe("CardDeclined");
    expect(error.stack).toMatch(/^CardDeclined: no\n {4}at /);
    expect(error.cause).toMatchObject({ name: "TypeError", message: "why" });
  });

  it("says where data breaks its schema", () => {
    const issues = ["total: must be a number"];
    expect(errorFrom({ name: "EventInvalidError", message: "broken", issues })).toMatchObject({ issues });
  });

  it("is told in one line", () => {
    expect(errorText({ name: "Error", message: "db down" })).toBe("Error: db down");
    expect(errorText({ name: "string", message: "out of ink" })).toBe("out of ink");
    expect(errorText({ name: "AggregateError", code: "ECONNREFUSED", message: "" })).toBe(
      "AggregateError: ECONNREFUSED",
    );
    expect(errorText({ name: "Error", message: "" })).toBe("Error");
    expect(errorText({ name: "Error", message: "x".repeat(50) }, 20)).toBe(`Error: ${"x".repeat(13)}…`);
  });
});

describe("isInstance", () => {
  it("is false where a Proxy throws, and what instanceof says anywhere else", () => {
    expect(isInstance(thorny(), Error)).toBe(false);
    expect(isInstance(new NonRetriableError(), NonRetriableError)).toBe(true);
    expect(isInstance(new Error(), NonRetriableError)).toBe(false);
  });
});
