import { describe, expect, it } from "@jest/globals";
import { durationText, millisecondsOf } from "../../../src/lib/duration.js";
import { durationOption, OptionError, parseDuration } from "../../../src/lib/options.js";

describe("millisecondsOf", () => {
  it.each([
    ["0ms", 0],
    ["250ms", 250],
    ["10s", 10_000],
    ["1.5s", 1_500],
    ["1.001s", 1_001],
    ["5m", 300_000],
    ["0.5h", 1_800_000],
    ["7d", 604_800_000],
  ])("reads %s", (text, milliseconds) => {
    expect(millisecondsOf(text)).toBe(milliseconds);
  });

  it.each([
    "",
    "10",
    "s",
    "10 s",
    "-1s",
    "+1s",
    "1e3ms",
    ".5s",
    "1.s",
    "1.5ms",
    "0.0001s",
    "10S",
    "10s\n",
    "1w",
  ])("refuses %j", (text) => {
    expect(millisecondsOf(text)).toBeUndefined();
  });

  it.each([undefined, null, 10, NaN, {}, ["10s"], `${"9".repeat(29)}d`])("refuses %p", (value) => {
    expect(millisecondsOf(value)).toBeUndefined();
  });
});

describe("durationOption", () => {
  const bounds = { min: "1s", max: "1h", fallback: "5s" } as const;

  it("uses the default for an option that was left out", () => {
    expect(durationOption(undefined, "x.timeout", bounds)).toBe(5_000);
  });

  it("takes both bounds", () => {
    expect(durationOption("1s", "x.timeout", bounds)).toBe(1_000);
    expect(durationOption("60m", "x.timeout", bounds)).toBe(3_600_000);
  });

  it.each([
    ["999ms", '"999ms"'],
    ["61m", '"61m"'],
    [5_000, '5000; write timeout: "5s"'],
    [86_400_000, "86400000"],
    [null, "null"],
    ["x".repeat(40), "a string"],
  ])("refuses %p and names the option, the bounds and the fix", (value, shown) => {
    expect(() => durationOption(value, "x.timeout", bounds)).toThrow(
      new TypeError(`x.timeout must be a duration such as "10s", from "1s" to "1h", not ${shown}`),
    );
  });
});

describe("parseDuration", () => {
  it("gives milliseconds", () => {
    expect([parseDuration("1.5h"), parseDuration("0ms")]).toEqual([5_400_000, 0]);
  });

  it.each([undefined, "", "30", "30 s", "0.5ms", 30])("refuses %p and says what a duration is", (text) => {
    const parse = () => parseDuration(text as never);
    expect(parse).toThrow(OptionError);
    expect(parse).toThrow('a duration is a number and one of the units ms, s, m, h and d, such as "250ms"');
  });
});

describe("durationText", () => {
  it.each([
    [0, "0ms"],
    [250, "250ms"],
    [1_500, "1500ms"],
    [10_000, "10s"],
    [5_400_000, "90m"],
    [21_600_000, "6h"],
    [604_800_000, "7d"],
  ])("writes %d ms as %s", (milliseconds, text) => {
    expect(durationText(milliseconds)).toBe(text);
    expect(millisecondsOf(text)).toBe(milliseconds);
  });
});
