import { describe, expect, it } from "@jest/globals";
import { normalizeTyp, parseToken } from "../../../../src/auth/jwt/parse.js";
import { decodeBase64url } from "../../../../src/lib/base64.js";
import { encode } from "./token-builder.js";

const header = { alg: "HS256" };
const payload = { iss: "a" };

function token(head: unknown, body: unknown = payload, signature = "AAAA"): string {
  return `${encode(head)}.${encode(body)}.${signature}`;
}

function reasonFor(text: string): string {
  const parsed = parseToken(text);
  return parsed.ok ? "accepted" : parsed.reason;
}

describe("parseToken", () => {
  it("reads alg, kid, typ and claims", () => {
    expect(parseToken(token({ alg: "RS256", kid: "k", typ: "application/JWT" }))).toEqual({
      ok: true,
      algorithm: "RS256",
      keyId: "k",
      typ: "jwt",
      claims: { iss: "a" },
    });
    expect(parseToken(token(header))).toMatchObject({ ok: true, keyId: undefined, typ: undefined });
  });

  it("A22 refuses a token over 8 KiB before decoding, and reads one of 8 KiB", () => {
    const room = 8192 - token(header, "").length;
    const filled = `{"iss":"${"a".repeat(Math.floor((room * 3) / 4) - 10)}"}`;
    expect(parseToken(token(header, filled)).ok).toBe(true);
    expect(reasonFor("a".repeat(8193))).toContain("8193 characters; at most 8192");
  });

  it.each([
    ["", "three parts"],
    ["a", "three parts"],
    ["a.b", "three parts"],
    [`.${token(header)}`, "more than three parts"],
    [`${token(header)}.`, "more than three parts"],
    ["..", "header is empty"],
    [`.${encode(payload)}.AAAA`, "header is empty"],
    [`${encode(header)}..AAAA`, "payload is empty"],
    [`${encode(header)}.${encode(payload)}.`, "signature is empty"],
  ])("A21 refuses %p: wrong part count or an empty part", (text, reason) => {
    expect(reasonFor(text)).toContain(reason);
  });

  it("A18 refuses five parts as JWE, without parsing them", () => {
    expect(reasonFor("a.b.c.d.e")).toContain("JWE");
  });

  it("A19 refuses the JSON serialisations", () => {
    expect(reasonFor(JSON.stringify({ protected: encode(header), payload: encode(payload) }))).toContain(
      "three parts",
    );
  });

  it.each([
    ["padding", (text: string) => `${text}=`],
    ["a newline", (text: string) => `${text}\n`],
    ["a leading space", (text: string) => ` ${text}`],
    ["an inner space", (text: string) => `${text.slice(0, 4)} ${text.slice(4)}`],
    ["the standard alphabet", (text: string) => `${text}++//`],
    ["a non-ASCII letter", (text: string) => `${text}é`],
    ["a dangling character", (text: string) => `${encode(`${text}ab`).slice(0, 4)}A`],
  ])("A20 refuses %s in every part", (_name, spoil) => {
    expect(reasonFor(`${spoil(encode(header))}.${encode(payload)}.AAAA`)).toContain(
      "header is empty or not canonical",
    );
    expect(reasonFor(`${encode(header)}.${spoil(encode(payload))}.AAAA`)).toContain(
      "payload is empty or not canonical",
    );
    expect(reasonFor(`${encode(header)}.${encode(payload)}.${spoil("AAAA")}`)).toContain(
      "signature is empty or not",
    );
  });

  it("A20 refuses unused bits that are not zero", () => {
    expect(decodeBase64url("QQ")).toEqual(Buffer.from("A"));
    expect(decodeBase64url("QR")).toBeUndefined();
    expect(decodeBase64url("QUI")).toEqual(Buffer.from("AB"));
    expect(decodeBase64url("QUJ")).toBeUndefined();
  });

  it.each([
    ["not UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ["a byte order mark", '﻿{"alg":"HS256"}'],
    ["an array", "[]"],
    ["null", "null"],
    ["a string", '"x"'],
    ["a number", "1"],
    ["cut short", '{"alg":'],
    ["followed by data", '{"alg":"HS256"} x'],
    ["a repeated member", '{"alg":"none","alg":"HS256"}'],
    ["a member repeated by an escape", '{"alg":"none","\\u0061lg":"HS256"}'],
    ["an infinite number", '{"alg":"HS256","exp":1e999}'],
    ["33 levels deep", `{"alg":"HS256","a":${"[".repeat(32)}${"]".repeat(32)}}`],
    ["with __proto__", '{"alg":"HS256","__proto__":{"a":1}}'],
    ["with __proto__ further down", '{"alg":"HS256","a":[{"__proto__":1}]}'],
    ["with __proto__ behind an escape", '{"alg":"HS256","a":{"\\u005f_proto__":1}}'],
  ])("A23 refuses a header or payload that is %s", (_name, text) => {
    expect(reasonFor(token(text))).toMatch(/^the token's header /);
    expect(reasonFor(token(header, text))).toMatch(/^the token's payload /);
  });

  it("A23 reads names with escapes whatever was parsed before", () => {
    const names = (text: string) => {
      const parsed = parseToken(token(header, text));
      return parsed.ok ? Object.keys(parsed.claims) : parsed.reason;
    };
    expect(names(String.raw`{"iss":"a","\\":1}`)).toEqual(["iss", "\\"]);
    expect(names(String.raw`{"iss":"a","\u0061dmin":1}`)).toEqual(["iss", "admin"]);
    expect(names(String.raw`{"iss":"a","\n":1}`)).toEqual(["iss", "\n"]);
    expect(names(String.raw`{"iss":"a","b":1,"\u0062":2}`)).toContain("repeats the name of a member");
    const head = String.raw`{"alg":"HS256","\u006bid":"k"}`;
    expect(reasonFor(token(String.raw`{"alg":"HS256","\\u0":"k"}`))).toBe("accepted");
    expect(parseToken(token(head))).toMatchObject({ ok: true, keyId: "k" });
  });

  it("refuses alg spelled with an escape, which jose would look for in vain now and then", () => {
    expect(reasonFor(token('{"\\u0061lg":"HS256"}'))).toContain('"alg" is missing or spelled with an escape');
  });

  it("A23 reads 32 levels, escapes and the text __proto__ as a value", () => {
    const deep = `{"iss":"a","b":${"[".repeat(31)}${"]".repeat(31)}}`;
    expect(parseToken(token(header, deep)).ok).toBe(true);
    expect(parseToken(token(header, '{"iss":"__proto__\\n","n":null}'))).toMatchObject({
      claims: { iss: "__proto__\n", n: null },
    });
  });

  it.each([[undefined], [null], [1], [true], [{ a: 1 }], [["HS256"]]])("A01 refuses alg %p", (alg) => {
    expect(reasonFor(token({ alg }))).toMatch(/"alg" is missing or/);
  });

  it.each([["crit"], ["b64"], ["jku"], ["jwk"], ["x5u"], ["x5c"], ["x5t"], ["x5t#S256"], ["zip"], ["cty"]])(
    "A06 A07 A15 A17 refuses a header with %s, whatever its value",
    (member) => {
      for (const value of [null, true, "", [], {}]) {
        expect(reasonFor(token({ alg: "HS256", [member]: value }))).toBe(
          `the header has "${member}", which is not accepted`,
        );
      }
    },
  );

  it.each([[""], ["k".repeat(257)], [null], [1], [true], [{}], [["k"]]])("A08 refuses kid %p", (kid) => {
    expect(reasonFor(token({ alg: "HS256", kid }))).toContain('"kid" is not a string of 1 to 256');
  });

  it("A08 reads a kid of 256 characters", () => {
    expect(parseToken(token({ alg: "HS256", kid: "k".repeat(256) })).ok).toBe(true);
  });

  it.each([[null], [1], [["JWT"]]])("A16 refuses typ %p", (typ) => {
    expect(reasonFor(token({ alg: "HS256", typ }))).toContain('"typ" is not a string');
  });

  it("I09 does not read alg from a polluted prototype", () => {
    Object.defineProperty(Object.prototype, "alg", { value: "HS256", configurable: true });
    try {
      expect(reasonFor(token({}))).toContain('"alg" is missing');
    } finally {
      Reflect.deleteProperty(Object.prototype, "alg");
    }
  });
});

describe("normalizeTyp", () => {
  it("drops application/ where no other slash follows", () => {
    expect(normalizeTyp("Application/AT+jwt")).toBe("at+jwt");
    expect(normalizeTyp("application/a/b")).toBe("application/a/b");
    expect(normalizeTyp("text/jwt")).toBe("text/jwt");
  });
});
