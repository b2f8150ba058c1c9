import { describe, expect, it } from "@jest/globals";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import type { StandardSchema } from "../../../src/contracts/standard-schema.js";
import { HandlerTimeoutError, Refusal } from "../../../src/errors.js";
import { invalidDataError, taskErrorOf } from "../../../src/inbox/task-error.js";

class CardDeclined extends Error {
  readonly code = "card_declined";
}

class Named extends Error {
  override readonly name = "PaymentError";
}

describe("what is kept of what a handler throws", () => {
  it.each<[string, unknown, object]>([
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
    ["null", null, { name: "null", message: "null was thrown" }],
    ["undefined", undefined, { name: "undefined", message: "undefined was thrown" }],
    ["text", "out of stock", { name: "string", message: "out of stock" }],
    ["a number", 42, { name: "number", message: "42" }],
    ["a symbol", Symbol("s"), { name: "symbol", message: "Symbol(s)" }],
    ["an object", { reason: 1 }, { name: "object", message: '{"reason":1}' }],
    ["a function", Object.assign(() => {}, { toString: () => "f" }), { name: "function", message: "f" }],
    [
      "an object that throws when it is looked at",
      new Proxy(
        {},
        {
          get() {
            throw new Error("no");
          },
          getPrototypeOf() {
            throw new Error("no");
          },
        },
      ),
      { name: "unknown", message: "what was thrown does not tell what it is" },
    ],
    ["control characters", new Error("a\n\u0000b"), { name: "Error", message: "a\\u000a\\u0000b" }],
  ])("%s", (_, thrown, kept) => {
    expect(taskErrorOf(thrown)).toEqual(kept);
  });

  it("cuts messages at 2,000 characters", () => {
    const { message } = taskErrorOf(new Error("x".repeat(1_000_000)));
    expect(message.length).toBeLessThan(2_050);
    expect(message).toMatch(/^x{2000}… /);
  });

  it("has no stack and no cause", () => {
    expect(Object.keys(taskErrorOf(new Error("a", { cause: "secret" })))).toEqual(["name", "message"]);
  });
});

function refusalOf(schema: StandardSchema, data: unknown): Refusal {
  const result = schema["~standard"].validate(data) as { issues: unknown };
  return new Refusal("ERR_EVENT_INVALID", "the data breaks the schema at total", result.issues);
}

const card = "card-4111111111111111";

describe("what is kept of data that breaks its schema", () => {
  it.each<[string, StandardSchema]>([
    ["zod", z.object({ total: z.number(), name: z.string() })],
    ["valibot", v.object({ total: v.number(), name: v.string() })],
    ["arktype", type({ total: "number", name: "string" }) as unknown as StandardSchema],
  ])("says where and how, without the value: %s", (_, schema) => {
    const error = invalidDataError(refusalOf(schema, { total: card, name: "n" }));
    expect(error).toMatchObject({ name: "EventInvalidError", code: "ERR_EVENT_INVALID" });
    expect(error.issues).toHaveLength(1);
    expect(error.issues?.[0]).toMatch(/^total: .*number/);
    expect(JSON.stringify(error)).not.toContain(card);
  });

  it("keeps 20 issues and the number of the others", () => {
    const issues = Array.from({ length: 50 }, (_, at) => ({ message: `m${at}`, path: ["list", at] }));
    const error = invalidDataError(new Refusal("ERR_EVENT_INVALID", "broken", issues));
    expect(error.issues).toHaveLength(21);
    expect(error.issues?.slice(-2)).toEqual(["list.19: m19", "and 30 more"]);
  });

  it("takes a body that cannot be read any more", () => {
    expect(invalidDataError(new Refusal("ERR_BODY_MALFORMED", "not JSON"))).toEqual({
      name: "EventInvalidError",
      code: "ERR_EVENT_INVALID",
      message: "not JSON",
    });
  });
});
