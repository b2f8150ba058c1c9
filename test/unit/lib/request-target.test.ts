import { describe, expect, it } from "@jest/globals";
import { originForm, withoutQueryValues } from "../../../src/lib/request-target.js";

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

describe("originForm", () => {
  it.each([
    ["/hooks?a=1", "/hooks?a=1"],
    ["//double", "//double"],
    ["http://x/hooks?a=1", "/hooks?a=1"],
    ["HTTPS://user@x:8443/hooks", "/hooks"],
    ["http://x?a=1", "/?a=1"],
    ["http://x", "/"],
    ["*", "/*"],
    ["", "/"],
  ])("E25 of %j is %s", (target, expected) => {
    expect(originForm(target)).toBe(expected);
  });
});
