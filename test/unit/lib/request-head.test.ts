import { describe, expect, it } from "@jest/globals";
import { isHeaderName, repeated, singleHeader } from "../../../src/lib/request-head.js";

describe("singleHeader", () => {
  const lines = ["Host", "a", "KEY", "one", "Empty", "", "Twice", "1", "twice", "1"];

  it.each([
    ["key", "one"],
    ["empty", ""],
    ["absent", undefined],
    ["one", undefined],
    ["twice", repeated],
  ])("gives for %s: %p", (name, value) => {
    expect(singleHeader(lines, name)).toBe(value);
  });

  it("looks at names alone, and at whole pairs", () => {
    expect(singleHeader(["a", "key", "b", "c"], "key")).toBeUndefined();
    expect(singleHeader(["key"], "key")).toBeUndefined();
  });
});

describe("isHeaderName", () => {
  it.each(["x-api-key", "a", "!#$%&'*+-.^_`|~", "0"])("takes %s", (name) => {
    expect(isHeaderName(name)).toBe(true);
  });

  it.each(["", "X-Api-Key", "a b", "a:", "é", "a\n", "(a)"])("refuses %j", (name) => {
    expect(isHeaderName(name)).toBe(false);
  });
});
