import { describe, expect, it } from "@jest/globals";
import { decodeHeaderValue } from "../../../src/sources/cloudevents/read.js";

describe("a ce- header's value", () => {
  it.each([
    ["simple", "simple"],
    ["", ""],
    ["Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"],
    ["Euro%20%e2%82%ac%20%f0%9F%98%80", "Euro € 😀"],
    ["caf%C3%A9", "café"],
    ["space%20encoded", "space encoded"],
    ["percent%25encoded", "percent%encoded"],
    ["once%2520only", "once%20only"],
    ["quote%22encoded", 'quote"encoded'],
    ["line1%0D%0Aline2", "line1\r\nline2"],
    ["needless %30%31", "needless 01"],
    ['"  quoted  text  "unquoted', "  quoted  text  unquoted"],
    ['"escaped quote\\"end"', 'escaped quote"end'],
    ['"escaped backslash\\\\end"', "escaped backslash\\end"],
    ["outside\\quotes", "outside\\quotes"],
    ['outside\\"quotes"', "outside\\quotes"],
    ['"quoted%20then%20decoded"', "quoted then decoded"],
    ["a(b)c", "a(b)c"],
  ])("%j says %j", (value, text) => expect(decodeHeaderValue(value)).toBe(text));

  it.each([
    "ends in %",
    "ends in %0",
    "no hex %g0",
    "no hex %0g",
    "no hex %0$",
    "low surrogate %ED%B0%80",
    "high surrogate %ED%A0%80",
    "both surrogates %ED%A0%80%ED%B0%80",
    "overlong %C0%A0",
    "cut off %E2",
    "cut off %E2%",
    "cut off %E2x",
    "continuation first %82",
    "two starts %E2%E2",
    "beyond Unicode %F4%90%80%80",
    '"quote that stays open',
    '"escape of nothing \\',
    "raw latin-1 caf\u00e9",
    "raw control \u0001",
  ])("refuses %j", (value) => expect(decodeHeaderValue(value)).toBeUndefined());
});
