import { describe, expect, it } from "@jest/globals";
import { isObject, memberAt } from "../../../src/lib/members.js";

describe("isObject", () => {
  it("is true of objects, and not of arrays, functions, null and scalars", () => {
    expect([{}, Object.create(null), new Date(0)].map(isObject)).toEqual([true, true, true]);
    expect([[], () => {}, null, undefined, "", 1].some(isObject)).toBe(false);
  });
});

describe("memberAt", () => {
  const value = { a: { b: [{ c: 0 }], "": 1 }, __proto__: { inherited: 1 } };

  it("follows a path through objects and arrays", () => {
    expect(memberAt(value, ["a", "b", "0", "c"])).toBe(0);
    expect(memberAt(value, ["a", ""])).toBe(1);
    expect(memberAt(value, [])).toBe(value);
  });

  it.each([
    [["x"]],
    [["a", "b", "c"]],
    [["a", "b", "0", "c", "d"]],
    [["inherited"]],
    [["constructor"]],
    [["a", "toString"]],
  ])("G01 finds nothing at %j", (path) => {
    expect(memberAt(value, path)).toBeUndefined();
  });

  it("finds nothing in what has no members", () => {
    for (const scalar of [null, undefined, 1, "text"]) expect(memberAt(scalar, ["length"])).toBeUndefined();
  });
});
