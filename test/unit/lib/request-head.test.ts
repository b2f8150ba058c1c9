import { describe, expect, it } from "@jest/globals";
import {
  isHeaderName,
  originForm,
  repeated,
  singleHeader,
  withoutQueryValues,
} from "../../../src/lib/request-head.js";

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
