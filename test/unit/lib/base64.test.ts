import { describe, expect, it } from "@jest/globals";
import { decodeBase64, decodeBase64url } from "../../../src/lib/base64.js";

describe("decodeBase64", () => {
  it("gives the bytes of canonical base64", () => {
    expect(decodeBase64("+/8=")).toEqual(Buffer.from([0xfb, 0xff]));
    expect(decodeBase64("")).toEqual(Buffer.alloc(0));
  });

  it.each(["+/8", "-_8=", "+/9=", " +/8=", "+/8=\n", "+/8==", "=", "a"])("F01 refuses %j", (text) => {
    expect(decodeBase64(text)).toBeUndefined();
  });
});

describe("decodeBase64url", () => {
  it("gives the bytes of canonical base64url", () => {
    expect(decodeBase64url("-_8")).toEqual(Buffer.from([0xfb, 0xff]));
  });

  it.each(["", "-_8=", "+/8", "-_9", "-_8 ", "a"])("A20 refuses %j", (text) => {
    expect(decodeBase64url(text)).toBeUndefined();
  });
});
