import { readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import {
  type ErrorCode,
  EventInvalidError,
  errorEntry,
  errorTable,
  HookgateError,
  Refusal,
} from "../../src/errors.js";

const codes = Object.keys(errorTable) as ErrorCode[];

describe("errors", () => {
  it.each(codes)("%s has a class of its own whose status is the table's", (code) => {
    const error = new Refusal(code, "why", new Error("cause")).toError();
    expect(error).toBeInstanceOf(HookgateError);
    expect(error).toMatchObject({ code, message: "why", status: errorEntry(code).status });
    expect((error.cause as Error).message).toBe("cause");
    expect(error.name).toMatch(/^[A-Z]\w+Error$/);
    expect(error.name).not.toBe("HookgateError");
  });

  it("narrows by code", () => {
    const error = new Refusal("ERR_EVENT_INVALID", "x", [{ message: "m" }]).toError();
    if (error.code !== "ERR_EVENT_INVALID") throw new Error("not narrowed");
    expect(error.issues).toEqual([{ message: "m" }]);
    expect(new EventInvalidError("x").issues).toEqual([]);
  });

  it("sends Retry-After with every 503 and 429", () => {
    for (const code of codes) {
      expect([code, errorEntry(code).retryAfterSeconds !== undefined]).toEqual([
        code,
        [429, 503].includes(errorEntry(code).status),
      ]);
    }
  });

  it("has an entry in docs/errors.md for every code, and a code for every entry", () => {
    const page = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");
    const entries = [...page.matchAll(/^## (ERR_\w+) \((\d+)\)$/gm)].map(([, code, status]) => [
      code,
      Number(status),
    ]);
    expect(Object.fromEntries(entries)).toEqual(
      Object.fromEntries(codes.map((code) => [code, errorEntry(code).status])),
    );
    expect(entries).toHaveLength(codes.length);
  });
});
