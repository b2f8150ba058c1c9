import { describe, expect, it } from "@jest/globals";
import {
  assertOptions,
  choiceOption,
  describe as describeValue,
  flagOption,
  numberOption,
  own,
  stringOption,
} from "../../../src/lib/options.js";
import { printable } from "../../../src/lib/printable.js";

const known = ["maxBytes", "timeoutMs", "types"];
const bounds = { min: 1, max: 10, fallback: 5 };

describe("assertOptions", () => {
  it("takes an empty object, a null-prototype object and known options", () => {
    for (const options of [{}, Object.create(null), { maxBytes: undefined }]) {
      expect(() => assertOptions(options, known, "body")).not.toThrow();
    }
  });

  it.each([undefined, null, 1, "x", true, [], () => 1])("refuses %p", (value) => {
    expect(() => assertOptions(value, known, "body")).toThrow(/^body must be an object, not /);
  });

  it("names the near miss of an unknown option", () => {
    expect(() => assertOptions({ maxbytes: 1 }, known, "body")).toThrow(
      `body has no option "maxbytes"; did you mean "maxBytes"?`,
    );
    expect(() => assertOptions({ timeout: 1 }, known, "body")).toThrow(`did you mean "timeoutMs"?`);
  });

  it("lists the known options where nothing is near", () => {
    expect(() => assertOptions({ somethingElse: 1 }, known, "body")).toThrow(
      "known options: maxBytes, timeoutMs, types",
    );
    expect(() => assertOptions({ [Symbol("x")]: 1 }, known, "body")).toThrow("Symbol(x)");
  });

  it("I09 sees own properties only", () => {
    const polluted = Object.create({ unknown: 1, maxBytes: 9 });
    expect(() => assertOptions(polluted, known, "body")).not.toThrow();
    expect(own(polluted as { maxBytes: number }, "maxBytes")).toBeUndefined();
    expect(own({ maxBytes: 2 }, "maxBytes")).toBe(2);
  });
});

describe("numberOption", () => {
  it("gives the default where it was left out, and takes what is within bounds", () => {
    expect(numberOption(undefined, "x", bounds)).toBe(5);
    expect(numberOption(1, "x", bounds)).toBe(1);
    expect(numberOption(2.5, "x", bounds)).toBe(2.5);
  });

  it.each([0, 11, Number.NaN, Number.POSITIVE_INFINITY, -1, "5", null, {}, 5n])("E04 refuses %p", (value) => {
    expect(() => numberOption(value, "body.maxBytes", bounds)).toThrow(
      /^body\.maxBytes must be a number from 1 to 10, not /,
    );
  });

  it("E04 refuses a fraction where a whole number is wanted", () => {
    expect(() => numberOption(2.5, "x", { ...bounds, integer: true })).toThrow(
      "a whole number from 1 to 10, not 2.5",
    );
  });
});

describe("other options", () => {
  it("takes a string with something in it", () => {
    expect(stringOption("a", "x")).toBe("a");
    for (const value of ["", "  ", undefined, 1])
      expect(() => stringOption(value, "x")).toThrow("x must be a string");
  });

  it("takes one of the choices", () => {
    expect(choiceOption(undefined, "x", ["a", "b"], "b")).toBe("b");
    expect(choiceOption("a", "x", ["a", "b"], "b")).toBe("a");
    expect(() => choiceOption("c", "x", ["a", "b"], "b")).toThrow(`x must be one of "a", "b", not a string`);
  });

  it("lets no truthy value weaken a check", () => {
    expect([flagOption(undefined, "x"), flagOption(false, "x"), flagOption(true, "x")]).toEqual([
      false,
      false,
      true,
    ]);
    for (const value of ["true", 1, {}, null])
      expect(() => flagOption(value, "x")).toThrow("x must be true or left out");
  });

  it("I01 never quotes a string, which may be a secret", () => {
    expect(describeValue("hunter2")).toBe("a string");
    expect([null, [], [1], 1, "", undefined, {}, 1n].map(describeValue)).toEqual([
      "null",
      "an empty array",
      "an array",
      "1",
      "an empty string",
      "undefined",
      "an object",
      "a bigint",
    ]);
  });
});

describe("printable", () => {
  it("I02 escapes line breaks, ANSI, U+2028 and whatever is not ASCII", () => {
    expect(printable("a\r\nb\u001b[31m\u2028é")).toBe("a\\u000d\\u000ab\\u001b[31m\\u2028\\u00e9");
  });

  it("caps the length and says how long it was", () => {
    expect(printable("x".repeat(200), 3)).toBe("xxx… (200 characters)");
  });
});
