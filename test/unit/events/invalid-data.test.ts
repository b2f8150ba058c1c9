import { describe, expect, it } from "@jest/globals";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import { Refusal } from "../../../src/errors.js";
import { invalidDataError } from "../../../src/events/schemas.js";
import type { StandardSchema } from "../../../src/types/standard-schema.js";

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
