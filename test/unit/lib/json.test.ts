import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { hasEscapedName, parseJson } from "../../../src/lib/json.js";

/** A JSON text and the value that it stands for, made side by side: no parser takes part. */
interface Sample {
  readonly text: string;
  readonly value: unknown;
}

/** Few characters, so that what one text writes is often what another one means. */
const characters = ["\\", '"', "\n", "a", "b", "u", "0", "6", "1", "é", "\u0000", "\ud800", ":", "{"];

function spellings(char: string): string[] {
  const code = `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  if (char === "\\" || char === '"') return [`\\${char}`, code];
  if (char === "\n") return ["\\n", code];
  return char === "\u0000" ? [code] : [char, char, code];
}

const character: fc.Arbitrary<{ readonly text: string; readonly value: string }> = fc
  .constantFrom(...characters)
  .chain((char) => fc.constantFrom(...spellings(char)).map((text) => ({ text, value: char })));

const string = fc.array(character, { maxLength: 4 }).map((chars) => ({
  text: `"${chars.map(({ text }) => text).join("")}"`,
  value: chars.map(({ value }) => value).join(""),
}));

const space = fc.constantFrom("", "", " ", "\n\t", "\r");

const literal: fc.Arbitrary<Sample> = fc
  .constantFrom("0", "-1.5e3", "true", "false", "null", "12345")
  .map((text) => ({ text, value: JSON.parse(text) as unknown }));

const { sample } = fc.letrec<{ sample: Sample }>((tie) => ({
  sample: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    string,
    literal,
    fc.tuple(fc.array(tie("sample"), { maxLength: 3 }), space).map(([items, gap]) => ({
      text: `[${gap}${items.map(({ text }) => `${text}${gap}`).join(`,${gap}`)}]`,
      value: items.map(({ value }) => value),
    })),
    fc
      .tuple(
        fc.uniqueArray(fc.tuple(string, tie("sample")), { maxLength: 4, selector: ([name]) => name.value }),
        space,
      )
      .map(([members, gap]) => ({
        text: `{${gap}${members.map(([name, { text }]) => `${name.text}${gap}:${gap}${text}`).join(`${gap},${gap}`)}${gap}}`,
        value: Object.fromEntries(members.map(([name, { value }]) => [name.value, value])),
      })),
  ),
}));

describe("parseJson", () => {
  it.each([
    [String.raw`{"a":1,"\\":2}`, String.raw`{"a":1,"\u0062":2}`, { a: 1, b: 2 }],
    [String.raw`{"b":1,"\\":2}`, String.raw`{"b":1,"\n":2}`, { b: 1, "\n": 2 }],
    [String.raw`{"c":[],"\\":0}`, String.raw`{"c":1,"\"":2}`, { c: 1, '"': 2 }],
    [String.raw`{"d":1,"q\\":2}`, String.raw`{"d":1,"q\u0062":2}`, { d: 1, qb: 2 }],
    [String.raw`{"e":1,"\\\\":2}`, String.raw`{"e":1,"\\c":2}`, { e: 1, "\\c": 2 }],
    [String.raw`[{"f":1,"\\u":2}]`, String.raw`[{"f":1,"\u0062c" : 2}]`, [{ f: 1, bc: 2 }]],
    [String.raw`{"g":1,"\\":2}`, String.raw`{"g":1,"\u0062":{"g":3,"\n":4}}`, { g: 1, b: { g: 3, "\n": 4 } }],
  ])("reads names with escapes after %s: %s", (before, text, expected) => {
    parseJson(before);
    expect(parseJson(text)).toStrictEqual(expected);
  });

  it("gives the value that a text stands for, whatever was parsed before", () => {
    fc.assert(
      fc.property(fc.array(sample, { minLength: 1, maxLength: 8 }), (samples) => {
        for (const { text, value } of samples) expect(parseJson(text)).toStrictEqual(value);
      }),
      { numRuns: 2000 },
    );
  });

  it("leaves texts without an escape in a name to JSON.parse, which no earlier text can mislead", () => {
    const plain = sample.filter(({ text }) => !hasEscapedName(text));
    fc.assert(
      fc.property(fc.array(fc.tuple(sample, plain), { minLength: 1, maxLength: 8 }), (pairs) => {
        for (const [arming] of pairs) JSON.parse(arming.text);
        for (const [, { text, value }] of pairs) expect(JSON.parse(text)).toStrictEqual(value);
      }),
      { numRuns: 2000 },
    );
  });

  it("keeps the last of several members with one name, in the place of the first", () => {
    const value = parseJson(String.raw`{"a":1,"b":2,"\u0061":3}`);
    expect(Object.entries(value as object)).toEqual([
      ["a", 3],
      ["b", 2],
    ]);
  });

  it("E17 keeps an escaped __proto__ as own data", () => {
    const value = parseJson(String.raw`{"\u005f_proto__":{"admin":true}}`);
    expect(Object.keys(value as object)).toEqual(["__proto__"]);
    expect((value as { admin?: boolean }).admin).toBeUndefined();
  });

  it.each(["", "{", '{"\\n"', '{"\\n":}', '{"\\n":1,}', '"\\', '\\":1', '{"\\x":1}'])(
    "throws a SyntaxError for %s",
    (text) => {
      expect(() => parseJson(text)).toThrow(SyntaxError);
    },
  );
});

describe("hasEscapedName", () => {
  it.each([String.raw`{"\u0061":1}`, String.raw`{"a":"\n","b\\" : 1}`, '{"\\"":1}', '[{"a":{"\\n"\n:1}}]'])(
    "finds the escape in %s",
    (text) => {
      expect(hasEscapedName(text)).toBe(true);
    },
  );

  it.each([
    '{"a":1}',
    '{"a\\',
    String.raw`{"a":"\n\\"}`,
    String.raw`["\":", "a\\"]`,
    String.raw`{"a":"\"b\":1"}`,
  ])("finds none in %s", (text) => {
    expect(hasEscapedName(text)).toBe(false);
  });
});
