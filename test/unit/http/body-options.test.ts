import { describe, expect, it } from "@jest/globals";
import { parseBodyOptions } from "../../../src/body/read.js";

const parse = (options: unknown) => parseBodyOptions(options, "createReceiver.body");

describe("parseBodyOptions", () => {
  const defaults = { maxBytes: 262_144, timeoutMs: 10_000, types: ["json"], preRead: undefined };

  it("has defaults for whatever is left out", () => {
    expect(parse(undefined)).toEqual(defaults);
    expect(parse({})).toEqual(defaults);
    expect(parse({ maxBytes: undefined, types: undefined, preRead: undefined })).toEqual(defaults);
    expect(parse(Object.create(null))).toEqual(defaults);
  });

  it("takes every option at its bounds", () => {
    expect(parse({ maxBytes: 1, timeoutMs: 1, types: ["form", "json"], preRead: "rawBody" })).toEqual({
      maxBytes: 1,
      timeoutMs: 1,
      types: ["form", "json"],
      preRead: "rawBody",
    });
    expect(parse({ maxBytes: 64 * 1024 * 1024, timeoutMs: 300_000, preRead: "body" }).maxBytes).toBe(
      67_108_864,
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, 0, -1, 1.5, 67_108_865, "100kb", "10mbx", null, 10n])(
    "E04 refuses maxBytes of %p rather than failing open",
    (maxBytes) => {
      expect(() => parse({ maxBytes })).toThrow(
        /^createReceiver\.body\.maxBytes must be a whole number from 1 to 67108864, not /,
      );
    },
  );

  it.each([Number.NaN, 0, -1, Number.POSITIVE_INFINITY, "10s", null])(
    "E04 refuses timeoutMs of %p",
    (timeoutMs) => {
      expect(() => parse({ timeoutMs })).toThrow(
        /^createReceiver\.body\.timeoutMs must be a whole number from 1 to/,
      );
    },
  );

  it.each([[[]], ["json"], [null], [{}]])("E04 refuses types of %j", (types) => {
    expect(() => parse({ types })).toThrow(
      /^createReceiver\.body\.types must be a list of "json", "form" and "xml", not /,
    );
  });

  it.each([[["bytes"]], [["json", undefined]], [["JSON"]]])(
    "E04 refuses types of %j, naming the place",
    (types) => {
      expect(() => parse({ types })).toThrow(
        /^createReceiver\.body\.types\[\d\] must be one of "json", "form", "xml", not /,
      );
    },
  );

  it.each([true, null, "raw", ""])("E04 refuses preRead of %p", (preRead) => {
    expect(() => parse({ preRead })).toThrow(
      /^createReceiver\.body\.preRead must be one of "rawBody", "body", not /,
    );
  });

  it("refuses what is no object, and misspelled options with the near miss", () => {
    expect(() => parse(null)).toThrow("createReceiver.body must be an object, not null");
    expect(() => parse({ maxbytes: 1 })).toThrow('did you mean "maxBytes"?');
    expect(() => parse({ limit: "1mb" })).toThrow("known options: maxBytes, timeoutMs, types, preRead");
  });
});
