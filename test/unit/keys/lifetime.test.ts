import { describe, expect, it } from "@jest/globals";
import { parseLifetime } from "../../../src/keys/lifetime.js";

describe("parseLifetime", () => {
  it("is active and without ends where nothing is given", () => {
    expect(parseLifetime({}, "key")).toEqual({
      active: true,
      notBeforeMs: Number.NEGATIVE_INFINITY,
      expiresAtMs: Number.POSITIVE_INFINITY,
    });
  });

  it("reads Dates and ISO text with a zone to the millisecond", () => {
    const lifetime = parseLifetime(
      { state: "inactive", notBefore: new Date(1000), expiresAt: "2030-01-31T02:00:00.5+02:00" },
      "key",
    );
    expect(lifetime).toEqual({
      active: false,
      notBeforeMs: 1000,
      expiresAtMs: Date.UTC(2030, 0, 31, 0, 0, 0, 500),
    });
  });

  it.each([
    ["2030-01-31"],
    ["2030-01-31T00:00:00"],
    ["2030-02-30T00:00:00Z"],
    ["2030-13-01T00:00:00Z"],
    ["2030-01-01T24:61:00Z"],
    ["tomorrow"],
    [""],
    [1893456000],
    [null],
    [new Date(Number.NaN)],
  ])("refuses %p as an instant, with an example of the right form", (expiresAt) => {
    const options: Record<string, unknown> = { expiresAt };
    expect(() => parseLifetime(options, "key")).toThrow(TypeError);
    expect(() => parseLifetime(options, "key")).toThrow(/key\.expiresAt .*2030-01-31T00:00:00Z/);
  });

  it("refuses a span that is empty or ends before it begins", () => {
    const day = "2030-01-31T00:00:00Z";
    expect(() => parseLifetime({ notBefore: day, expiresAt: day }, "key")).toThrow(/never valid/);
    expect(() => parseLifetime({ notBefore: day, expiresAt: "2029-01-01T00:00:00Z" }, "key")).toThrow(
      TypeError,
    );
  });

  it("refuses an unknown state", () => {
    const options: Record<string, unknown> = { state: "off" };
    expect(() => parseLifetime(options, "key")).toThrow(/key\.state must be one of "active", "inactive"/);
  });

  it("I09 reads own properties only", () => {
    const options = Object.create({ state: "inactive" }) as Record<string, unknown>;
    expect(parseLifetime(options, "key").active).toBe(true);
  });
});
