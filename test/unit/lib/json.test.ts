import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import {
  decodeUtf8,
  hasEscapedName,
  isObject,
  memberAt,
  parseJson,
  parseStrictJson,
  parseStrictJsonBytes,
} from "../../../src/lib/json.js";
import { readReference } from "../../support/reference-json.js";

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

function reasonOf(text: string, maxDepth?: number): string {
  const result = parseStrictJson(text, maxDepth === undefined ? undefined : { maxDepth });
  if (result.ok) throw new Error("accepted");
  return result.reason;
}

function parsed(text: string): unknown {
  const result = parseStrictJson(text);
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

describe("parseStrictJson", () => {
  it.each(["null", "0", '"a"', "[]", "{}", ' {"a" : [1, {"b":null}], "c":"x:{}[]\\"\\\\"}\n', "-0.5e-3"])(
    "gives what JSON.parse gives for %s",
    (text) => {
      expect(parsed(text)).toEqual(JSON.parse(text));
    },
  );

  it.each([
    ['{"a":1,"a":1}', 7],
    ['{"a":1,"\\u0061":2}', 7],
    ['{"x":[{"k":{},"b":2,"k":{"d":1}}]}', 20],
    ['{"a":{"x":1},"a":{"y":1,"z":2}}', 13],
    ['{"__proto__":1,"__proto__":2}', 15],
    ['{"":1,"":2}', 6],
    ['{"\\"":1,"\\u0022":2}', 8],
    ['{"\\\\":1,"\\u005c":2}', 8],
  ])("E17 refuses the repeated member of %s and says where", (text, at) => {
    expect(reasonOf(text)).toBe(`repeats the name of a member at character ${at}`);
  });

  it.each([
    [String.raw`{"m":1,"\\":2}`, String.raw`{"m":1,"b":3,"\u0062":2}`, 13],
    [String.raw`{"n":1,"x":2,"\\":3}`, String.raw`{"n":1,"x":2,"\u0078":3}`, 13],
    [String.raw`{"o":1,"\n":2,"q\\":3}`, String.raw`{"o":1,"\n":2,"\u000a":3}`, 14],
  ])("E17 after %s refuses the repeated member of %s", (before, text, at) => {
    parsed(before);
    expect(reasonOf(text)).toBe(`repeats the name of a member at character ${at}`);
  });

  it("E17 takes different names of which one is written as the other is meant", () => {
    expect(parsed(String.raw`{"p":1,"\\":2,"\n":3,"\"":4}`)).toEqual({ p: 1, "\\": 2, "\n": 3, '"': 4 });
    expect(parsed(String.raw`{"p":1,"\\":2,"\n":3,"\"":4}`)).toEqual({ p: 1, "\\": 2, "\n": 3, '"': 4 });
    expect(parsed(String.raw`[{"q":1,"\\":2},{"q":1,"\n":2},{"q":1,"\"":2}]`)).toEqual([
      { q: 1, "\\": 2 },
      { q: 1, "\n": 2 },
      { q: 1, '"': 2 },
    ]);
  });

  it("E17 takes equal names in different objects", () => {
    expect(parsed('[{"a":1},{"a":{"a":2}},{"b":{"a":3},"a":4}]')).toHaveLength(3);
  });

  it("E17 keeps __proto__ and constructor as own data and pollutes nothing", () => {
    const value = parsed('{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}');
    expect(Object.keys(value as object)).toEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  it("I09 counts own members only when Object.prototype is polluted", () => {
    Object.defineProperty(Object.prototype, "polluted", { value: 1, enumerable: true, configurable: true });
    try {
      expect(parsed('{"a":{"b":1}}')).toBeDefined();
    } finally {
      delete (Object.prototype as { polluted?: number }).polluted;
    }
  });

  it("E18 takes 64 levels and refuses the 65th, brackets of both kinds counted", () => {
    expect(parseStrictJson("[".repeat(64) + "]".repeat(64)).ok).toBe(true);
    expect(reasonOf("[".repeat(65) + "]".repeat(65))).toBe("nests deeper than 64 levels at character 64");
    expect(reasonOf('{"a":'.repeat(65) + 1 + "}".repeat(65))).toBe(
      "nests deeper than 64 levels at character 320",
    );
    expect(reasonOf('[{"a":[]}]', 2)).toBe("nests deeper than 2 levels at character 6");
    expect(parseStrictJson("[[],[[]],[[]]]", { maxDepth: 3 }).ok).toBe(true);
  });

  it("E18 refuses a million levels without parsing them", () => {
    expect(reasonOf("[".repeat(1_000_000))).toBe("nests deeper than 64 levels at character 64");
  });

  it.each(["1e999", "-1e999", '{"a":[1,1e309]}'])("E19 refuses %s, which no double can hold", (text) => {
    expect(reasonOf(text)).toMatch(/^holds a number too large to represent at character \d+$/);
  });

  it("E20 takes NUL and lone surrogates in strings", () => {
    expect(parsed('"\\u0000\\ud800"')).toBe("\u0000\ud800");
    expect(parsed('{"\ud800":1}')).toEqual({ "\ud800": 1 });
  });

  it("E14 refuses a byte order mark by name", () => {
    expect(reasonOf("\ufeff{}")).toMatch(/byte order mark/);
  });

  it.each([
    ["", "ends too soon, at character 0"],
    ["  ", "ends too soon, at character 2"],
    ["[1,", "ends too soon, at character 3"],
    ['{"a"', "ends too soon, at character 4"],
    ['"abc', "unexpected input at character 0"],
    ['"abc\\', "unexpected input at character 0"],
    ["[1,]", "unexpected input at character 3"],
    ['{"a":1,}', "unexpected input at character 7"],
    ["[1 2]", "unexpected input at character 3"],
    ["[1}", "unexpected input at character 2"],
    ['{"a":1]', "unexpected input at character 6"],
    ["{1:2}", "unexpected input at character 1"],
    ['{"a" 1}', "unexpected input at character 5"],
    ["{}{}", "unexpected input at character 2"],
    ["01", "unexpected input at character 0"],
    ['["a\nb"]', "unexpected input at character 1"],
    ["{'a':1}", "unexpected input at character 1"],
    ["[1\u00a0]", "unexpected input at character 1"],
    ["]", "unexpected input at character 0"],
    ["NaN", "unexpected input at character 0"],
    [":", "unexpected input at character 0"],
  ])("I01 refuses %j by place and without quoting it", (text, place) => {
    expect(reasonOf(text)).toMatch(new RegExp(`^is not valid JSON: (it )?${place}$`));
  });

  it("I01 never quotes the text", () => {
    const canary = "CANARY".repeat(20);
    for (const text of [`{"${canary}":x}`, `{"${canary}":1,"${canary}":1}`, `${canary}`, `["${canary}"`]) {
      expect(reasonOf(text)).not.toContain("CANARY");
    }
  });

  it("I11 keeps parsing when the application replaces JSON.parse", () => {
    const original = JSON.parse;
    JSON.parse = () => "replaced";
    try {
      expect(parsed('{"a":1}')).toEqual({ a: 1 });
    } finally {
      JSON.parse = original;
    }
  });

  it.each([62, 63, 64, 65, 66, 130])(
    "finds the end of a string of %d bytes with escapes at its end",
    (length) => {
      for (const tail of ["", "\\\\", '\\"', '\\\\\\"', '\\":{', '\\\\\\\\"'.slice(0, 4)]) {
        const text = `{"k":"${"x".repeat(length)}${tail}","k2":":{[\\"${"y".repeat(length)}\\"${"z".repeat(length)}"}`;
        expect(parsed(text)).toEqual(JSON.parse(text));
      }
      expect(reasonOf(`["${"x".repeat(length)}`)).toMatch(/^is not valid JSON/);
    },
  );
});

/** JSON text with random spacing, escapes and, now and then, a repeated name. */
const jsonText = fc.letrec<{ value: string; member: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.jsonValue({ maxDepth: 0 }).map((value) => JSON.stringify(value)),
    fc.constantFrom("1e999", "-0", "1E+2", '"\\u0061\\\\"', '"\\ud800"', '" :{}[]\\" "'),
    fc.array(tie("value"), { maxLength: 4 }).map((items) => `[ ${items.join(" ,\n")}]`),
    fc.array(tie("member"), { maxLength: 4 }).map((members) => `{${members.join(",\t")}}`),
  ),
  member: fc
    .tuple(fc.constantFrom('"a"', '"\\u0061"', '"b"', '"__proto__"', '"\\\\"', '"c:"'), tie("value"))
    .map(([name, value]) => `${name} : ${value}`),
})).value;

describe("parseStrictJson against a slow reader", () => {
  it("accepts exactly the valid texts without repeated names and infinite numbers, with equal values", () => {
    fc.assert(
      fc.property(jsonText, (text) => {
        const result = parseStrictJson(text);
        const { value, strict } = readReference(text);
        expect(result.ok).toBe(strict);
        if (result.ok) expect(result.value).toEqual(value);
        else expect(result.reason).not.toMatch(/not valid JSON/);
      }),
      { numRuns: 500 },
    );
  });

  it("refuses what JSON.parse refuses, whatever one changed character does", () => {
    const noise = fc.constantFrom(...'{}[]:,"\\ 0e-.tn\u0000\u00e9');
    fc.assert(
      fc.property(jsonText, fc.nat(), noise, fc.boolean(), (text, place, char, insert) => {
        const at = place % (text.length + 1);
        const broken = text.slice(0, at) + char + text.slice(insert ? at : at + 1);
        let valid = true;
        try {
          JSON.parse(broken);
        } catch {
          valid = false;
        }
        const result = parseStrictJson(broken);
        expect(result.ok).toBe(valid && readReference(broken).strict);
        if (!result.ok && !valid) expect(result.reason).toMatch(/^(is not valid JSON|repeats|holds)/);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("parseStrictJsonBytes and decodeUtf8", () => {
  it("parses a view into a larger buffer", () => {
    const bytes = new TextEncoder().encode('xx{"é":["日本","😀"]}yy').subarray(2, -2);
    expect(parseStrictJsonBytes(bytes)).toEqual({ ok: true, value: { é: ["日本", "😀"] } });
    expect(parseStrictJsonBytes(Buffer.from("[[1]]"), { maxDepth: 1 }).ok).toBe(false);
  });

  it.each([
    ["a lone continuation byte", [0x22, 0x80, 0x22]],
    ["an overlong slash", [0x22, 0xc0, 0xaf, 0x22]],
    ["a surrogate", [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ["a cut sequence", [0x22, 0xe2, 0x82, 0x22]],
    ["UTF-16", [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]],
    ["beyond U+10FFFF", [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22]],
  ])("E14 refuses %s", (_name, bytes) => {
    expect(decodeUtf8(Uint8Array.from(bytes))).toBeUndefined();
    expect(parseStrictJsonBytes(Uint8Array.from(bytes))).toEqual({ ok: false, reason: "is not valid UTF-8" });
  });

  it("E14 refuses a byte order mark in bytes by name", () => {
    const result = parseStrictJsonBytes(Buffer.from("\ufeff{}"));
    expect(result).toEqual({ ok: false, reason: expect.stringMatching(/byte order mark/) });
  });
});

describe("parseStrictJson in a process whose Object.prototype was made enumerable", () => {
  it("I09 takes and refuses the same", () => {
    Object.defineProperty(Object.prototype, "polluted", {
      value: { a: 1 },
      enumerable: true,
      configurable: true,
    });
    try {
      expect(parseStrictJson('{"a":[1,null,{"b":{}}],"c":"x"}')).toMatchObject({ ok: true });
      expect(parseStrictJson("[]")).toEqual({ ok: true, value: [] });
      for (const bad of ['{"a":1,"a":2}', '{"a":[{"b":1,"\\u0062":2}]}', '{"a":1e999}']) {
        expect(parseStrictJson(bad)).toMatchObject({ ok: false });
      }
    } finally {
      Reflect.deleteProperty(Object.prototype, "polluted");
    }
  });
});

describe("isObject", () => {
  it("is true of objects, and not of arrays, functions, null and scalars", () => {
    expect([{}, Object.create(null), new Date(0)].map(isObject)).toEqual([true, true, true]);
    expect([[], () => {}, null, undefined, "", 1].some(isObject)).toBe(false);
  });
});

describe("memberAt", () => {
  const value = { a: { b: [{ c: 0 }], "": 1 }, __proto__: { inherited: 1 } };

  it("follows a path through objects and arrays", () => {
    expect(memberAt(value, ["a", "b", "0", "c"])).toBe(0);
    expect(memberAt(value, ["a", ""])).toBe(1);
    expect(memberAt(value, [])).toBe(value);
  });

  it.each([
    [["x"]],
    [["a", "b", "c"]],
    [["a", "b", "0", "c", "d"]],
    [["inherited"]],
    [["constructor"]],
    [["a", "toString"]],
  ])("G01 finds nothing at %j", (path) => {
    expect(memberAt(value, path)).toBeUndefined();
  });

  it("finds nothing in what has no members", () => {
    for (const scalar of [null, undefined, 1, "text"]) expect(memberAt(scalar, ["length"])).toBeUndefined();
  });
});
