import { describe, expect, it } from "@jest/globals";
import { withoutQueryValues } from "../../../src/lib/query-names.js";

describe("withoutQueryValues", () => {
  it.each([
    ["/hooks", "/hooks"],
    ["/hooks?", "/hooks?"],
    ["/hooks?a=1", "/hooks?a"],
    ["/a=b?c=d=e&f&=g&&h%3D=i?j=k", "/a=b?c&f&&&h%3D"],
    ["http://x/hooks?a=1", "http://x/hooks?a"],
  ])("of %s is %s", (url, expected) => {
    expect(withoutQueryValues(url)).toBe(expected);
  });
});
