import { describe, expect, it } from "@jest/globals";
import { decodeSignature } from "../../../src/signatures/signature-encoding.js";

const bytes = Buffer.from(Array.from({ length: 32 }, (_, at) => (at * 37 + 0xe7) & 0xff));
const hex = bytes.toString("hex");
const base64 = bytes.toString("base64");
const base64url = bytes.toString("base64url");

describe("F01 a signature's encoding", () => {
  it("gives the bytes of what is exactly as its encoding writes it", () => {
    expect(decodeSignature(hex, { encoding: "hex" }, 32)).toEqual(bytes);
    expect(decodeSignature(base64, { encoding: "base64" }, 32)).toEqual(bytes);
    expect(decodeSignature(base64url, { encoding: "base64url" }, 32)).toEqual(bytes);
  });

  it("takes any length where none is asked for, except none", () => {
    expect(decodeSignature("ab", { encoding: "hex" }, 0)).toEqual(Buffer.from([0xab]));
    expect(decodeSignature("", { encoding: "hex" }, 0)).toBeUndefined();
    expect(decodeSignature("zz", { encoding: "hex" }, 0)).toBeUndefined();
  });

  it.each([
    ["empty", ""],
    ["one character", hex.slice(0, 1)],
    ["eight characters", hex.slice(0, 8)],
    ["one character short", hex.slice(0, -1)],
    ["one byte short", hex.slice(0, -2)],
    ["one byte long", `${hex}00`],
    ["half a byte long", `${hex}0`],
    ["another alphabet", `${hex.slice(0, -1)}g`],
    ["white space before", ` ${hex}`],
    ["white space inside", `${hex.slice(0, 8)} ${hex.slice(8)}`],
    ["a prefix", `0x${hex}`],
    ["full-width digits", hex.replace("0", "\uff10")],
    ["base64", base64],
  ])("refuses hex: %s", (_, text) => {
    for (const hexCase of ["lower", "any"] as const) {
      expect(decodeSignature(text, { encoding: "hex", hexCase }, 32)).toBeUndefined();
    }
  });

  it("takes the letters of hex that the scheme names, and lower case where it names none", () => {
    const upper = hex.toUpperCase();
    const mixed = hex.slice(0, 32) + upper.slice(32);
    const taken = (hexCase?: "lower" | "upper" | "any"): boolean[] =>
      [hex, upper, mixed].map(
        (text) => decodeSignature(text, { encoding: "hex", hexCase }, 32) !== undefined,
      );
    expect(taken()).toEqual([true, false, false]);
    expect(taken("lower")).toEqual([true, false, false]);
    expect(taken("upper")).toEqual([false, true, false]);
    expect(taken("any")).toEqual([true, true, true]);
  });

  it("takes digits alone in either case", () => {
    expect(decodeSignature("1234", { encoding: "hex", hexCase: "upper" }, 2)).toEqual(
      Buffer.from([0x12, 0x34]),
    );
  });

  it.each([
    ["no padding", base64.slice(0, -1)],
    ["more padding", `${base64}=`],
    ["the other alphabet", base64.replaceAll("+", "-").replaceAll("/", "_")],
    ["unused bits", base64.replace(/.=$/, (end) => `${String.fromCharCode(end.charCodeAt(0) + 1)}=`)],
    ["white space inside", `${base64.slice(0, 8)} ${base64.slice(8)}`],
    ["a line end", `${base64}\n`],
    ["more text behind the padding", `${base64}AA`],
    ["hex", hex],
  ])("refuses base64: %s", (_, text) => {
    expect(text).not.toBe(base64);
    expect(decodeSignature(text, { encoding: "base64" }, 32)).toBeUndefined();
  });

  it.each([
    ["padding", `${base64url}=`],
    ["the other alphabet", base64.slice(0, -1)],
  ])("refuses base64url: %s", (_, text) => {
    expect(decodeSignature(text, { encoding: "base64url" }, 32)).toBeUndefined();
  });
});
