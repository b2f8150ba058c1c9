import { Buffer } from "node:buffer";
import { describe, expect, it } from "@jest/globals";
import {
  type FieldFault,
  parseDictionary,
  parseItem,
  type StructuredType,
  serializeMember,
  strictSerialization,
} from "../../../../src/signatures/http-message/structured-fields.js";

const rewritten = (text: string, type: StructuredType = "dictionary"): string => {
  const written = strictSerialization(text, type);
  return typeof written === "string" ? written : `malformed: ${written.malformed}`;
};
const faultOf = (found: object): string => (found as FieldFault).malformed;

describe("parseItem", () => {
  it.each([
    ["0", { type: "integer", value: 0 }],
    ["-999999999999999", { type: "integer", value: -999_999_999_999_999 }],
    ["4.5", { type: "decimal", value: 4.5 }],
    ["-123456789012.125", { type: "decimal", value: -123_456_789_012.125 }],
    ['""', { type: "string", value: "" }],
    ['"a \\"b\\" \\\\c"', { type: "string", value: 'a "b" \\c' }],
    ["*foo123/456:x", { type: "token", value: "*foo123/456:x" }],
    [":aGVsbG8=:", { type: "bytes", value: Buffer.from("hello") }],
    ["::", { type: "bytes", value: Buffer.alloc(0) }],
    ["?1", { type: "boolean", value: true }],
    ["?0", { type: "boolean", value: false }],
    ["  7  ", { type: "integer", value: 7 }],
  ])("reads %j (RFC 8941 section 3.3)", (text, bare) => {
    expect(parseItem(text)).toEqual({ bare, parameters: new Map() });
  });

  it("reads parameters in their order, with true where there is no value", () => {
    const item = parseItem("a;x;  b2=?0;*c-d.e_f=:YQ==:");
    expect("bare" in item && [...item.parameters].map(([key, { value }]) => [key, value])).toEqual([
      ["x", true],
      ["b2", false],
      ["*c-d.e_f", Buffer.from("a")],
    ]);
  });

  it.each([
    "",
    " ",
    "1234567890123456",
    "1234567890123.1",
    "1.1234",
    "1.",
    ".1",
    "-",
    "--1",
    "+1",
    "1e3",
    "0x1",
    '"',
    '"a',
    '"a\\n"',
    '"é"',
    '"\t"',
    '"a\u007f"',
    "'a'",
    "-a",
    "a b",
    ":a:",
    ":YQ:",
    ":YR==:",
    ":Y-_=:",
    ":YQ==",
    ": YQ==:",
    "?",
    "?2",
    "?true",
    "@1700000000",
    '%"f%c3"',
    "a;",
    "a;X",
    "a;1",
    "a ;b",
    "a;b=",
    "a;b=1;b=2",
    "a,b",
    "\t1",
    "(a)",
  ])("refuses %j", (text) => {
    expect(faultOf(parseItem(text))).toMatch(/ at character \d+$/);
  });
});

describe("parseDictionary", () => {
  it("reads items, inner lists and members without a value (RFC 8941 section 3.2)", () => {
    const found = parseDictionary('a=1,\tb;x , c=( "d"  e;f );g=1.0');
    expect(rewritten('a=1,\tb;x , c=( "d"  e;f );g=1.0')).toBe('a=1, b;x, c=("d" e;f);g=1.0');
    expect("malformed" in found ? [] : [...found.keys()]).toEqual(["a", "b", "c"]);
  });

  it("takes an empty one", () => {
    expect(parseDictionary("  ")).toEqual(new Map());
  });

  it.each([
    "a=1,",
    ",a=1",
    "a=1,,b=2",
    "a=1 b=2",
    "a=",
    "a= 1",
    "a =1",
    "A=1",
    "1=1",
    "a=(",
    "a=(b",
    "a=(b c",
    'a=("b""c")',
    "a=(b\tc)",
    "a=(b,c)",
    "a=((b))",
    "a=() b",
    "a=1, ",
    "a=1;b,c;d=(e)",
  ])("refuses %j", (text) => {
    expect(faultOf(parseDictionary(text))).toMatch(/ at character \d+$/);
  });

  it("refuses a key that comes twice, instead of taking the last (F05)", () => {
    expect(faultOf(parseDictionary("a=1, b=2, a=3"))).toMatch(/came before/);
    expect(faultOf(parseDictionary("__proto__=1"))).toMatch(/no key/);
  });

  it("never quotes the text", () => {
    expect(faultOf(parseDictionary("a=SECRET\u0000"))).not.toMatch(/SECRET/);
  });
});

describe("strictSerialization", () => {
  it.each([
    ["a=1,    b=2;x=1;y=2,   c=(a   b   c)", "a=1, b=2;x=1;y=2, c=(a b c)"],
    ["a=?1;b=?1, c=?0;d=?0", "a;b, c=?0;d=?0"],
    ["a=007, b=-0, c=1.50, d=2.0, e=-0.0, f=1.005", "a=7, b=0, c=1.5, d=2.0, e=0.0, f=1.005"],
    ['a="x\\"\\\\", b=:YQ==:, c=t', 'a="x\\"\\\\", b=:YQ==:, c=t'],
    ["a=(), b=(?1;c)", "a=(), b=(?1;c)"],
  ])("writes the dictionary %j as %j (RFC 9421 section 2.1.1)", (text, written) => {
    expect(rewritten(text)).toBe(written);
    expect(rewritten(written)).toBe(written);
  });

  it("writes lists and items", () => {
    expect(rewritten("a ,  (b  c);d,e", "list")).toBe("a, (b c);d, e");
    expect(rewritten(" :YQ==:;a=1 ", "item")).toBe(":YQ==:;a=1");
    expect(rewritten("", "list")).toBe("");
  });

  it.each(["dictionary", "list", "item"] as const)("says what is wrong with a %s", (type) => {
    expect(rewritten("a, ,", type)).toMatch(/^malformed: /);
  });
});

describe("serializeMember", () => {
  it("writes what was read", () => {
    const item = parseItem('"@query-param";name="Pet"');
    expect("bare" in item && serializeMember(item)).toBe('"@query-param";name="Pet"');
  });
});
