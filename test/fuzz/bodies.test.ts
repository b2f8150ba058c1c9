import { MIMEType } from "node:util";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { createMediaTypes } from "../../src/body/media-type.js";
import { parseBody, parseForm } from "../../src/body/parse.js";
import { Refusal } from "../../src/errors.js";
import { parseStrictJsonBytes } from "../../src/lib/json.js";
import { type ReferenceJson, readReference } from "../support/reference-json.js";
import { mutated, nasty } from "./mutate.js";
import { check } from "./settings.js";

describe("content types, fuzzed", () => {
  const type = fc.constantFrom(
    "application/json",
    "Application/JSON",
    "application/cloudevents+json",
    "application/x-www-form-urlencoded",
    "application/+json",
    "application/xml",
    "multipart/form-data",
    "text/json",
    "*/*",
  );
  const parameter = fc
    .tuple(
      fc.constantFrom("charset", "Charset", "profile", "boundary", "", "q"),
      fc.constantFrom("=", " =", "= ", "", "=="),
      fc.constantFrom("utf-8", "UTF-8", '"utf-8"', "utf-16", "utf8", '"a b"', '"a\\"b"', '"', ""),
    )
    .map((parts) => parts.join(""));
  const separator = fc.constantFrom(";", "; ", " ; ", ",", "\t;");
  const header = fc
    .tuple(type, fc.array(fc.tuple(separator, parameter), { maxLength: 3 }))
    .map(([first, more]) => first + more.flat().join(""));
  const coding = fc.constantFrom("identity", "Identity", "gzip", "identity, gzip", "", "br");
  const typeName = fc.constantFrom("Content-Type", "content-type", "CONTENT-TYPE");
  const line = fc.oneof(
    { weight: 4, arbitrary: fc.tuple(typeName, mutated(fc.oneof(type, header), 1)) },
    fc.tuple(typeName, mutated(header, 2)),
    fc.tuple(fc.constantFrom("Content-Encoding", "content-encoding"), mutated(coding, 1)),
    fc.tuple(fc.constantFrom("Content-Types", "Content_Type", "X-Content-Type", "Accept"), header),
  );

  it("E05 E14 E16 takes a type only where Node's own reader of media types finds it, alone and uncoded", () => {
    const mediaTypes = createMediaTypes(["json", "form"]);
    let taken = 0;
    check(
      3000,
      fc.property(fc.array(line, { minLength: 1, maxLength: 2 }), (lines) => {
        const found = mediaTypes(lines.flat());
        const named = (wanted: string) => lines.filter(([name]) => name.toLowerCase() === wanted);
        const types = named("content-type").map(([, value]) => value);
        if (found instanceof Refusal) {
          expect(found.code).toBe("ERR_MEDIA_TYPE");
          return expect(found.reason).toMatch(/^[\x20-\x7e…]{1,400}$/);
        }
        taken++;
        expect(types).toHaveLength(1);
        for (const [, value] of named("content-encoding")) expect(value.toLowerCase()).toBe("identity");
        const { essence, params } = new MIMEType(types[0] ?? "");
        expect(params.get("charset")?.toLowerCase() ?? "utf-8").toBe("utf-8");
        const json = /^application\/(json|[^/]+\+json)$/;
        expect(essence).toMatch(found === "json" ? json : /^application\/x-www-form-urlencoded$/);
      }),
    );
    expect(taken).toBeGreaterThan(200);
  });
});

/** Bytes near those of a text: some flipped, doubled, cut, or taken from other encodings. */
function mutatedBytes(base: fc.Arbitrary<string>): fc.Arbitrary<Buffer> {
  const odd = fc.constantFrom(
    "ff",
    "c0af",
    "eda080",
    "f4908080",
    "efbbbf",
    "e282",
    "80",
    "00",
    "7b00",
    "22",
    "5c",
  );
  const change = fc.tuple(fc.nat(9999), fc.nat(2), fc.oneof({ weight: 2, arbitrary: fc.constant("") }, odd));
  return fc.tuple(base, fc.array(change, { maxLength: 2 })).map(([text, changes]) =>
    changes.reduce((bytes, [place, skip, more]) => {
      const at = place % (bytes.length + 1);
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(more, "hex"), bytes.subarray(at + skip)]);
    }, Buffer.from(text)),
  );
}

/** The text of bytes that the platform's own decoder takes for UTF-8; undefined where it does not. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function parsed(text: string | undefined): ReferenceJson | undefined {
  try {
    if (text === undefined) return undefined;
    JSON.parse(text);
    return readReference(text);
  } catch {
    return undefined;
  }
}

describe("JSON bodies, fuzzed", () => {
  const json = fc.oneof(
    fc.json({ maxDepth: 5 }),
    fc.jsonValue({ maxDepth: 4, noUnicodeString: false }).map((value) => JSON.stringify(value, null, "\t")),
    fc.constantFrom(
      '{"type":"a","type":"b"}',
      '{"\\u0061":1,"a":{}}',
      '{"é":"日本😀","\\ud800":1e999}',
      "[]",
      '"',
    ),
    fc
      .array(fc.tuple(nasty, fc.nat(3)), { maxLength: 9 })
      .map((all) => JSON.stringify(Object.fromEntries(all))),
  );

  it("E14 E17 takes no bytes but those that TextDecoder and JSON.parse take, with the same value", () => {
    let taken = 0;
    check(
      3000,
      fc.property(mutatedBytes(json), (bytes) => {
        const ours = parseStrictJsonBytes(bytes);
        const theirs = parsed(textOf(bytes));
        if (!ours.ok) return expect(ours.reason.length).toBeLessThan(120);
        taken++;
        expect(theirs).toEqual({ value: ours.value, strict: true });
      }),
    );
    expect(taken).toBeGreaterThan(500);
  });

  it("E18 takes nesting up to 64 levels and none beyond, in any mixture of brackets", () => {
    check(
      300,
      fc.property(
        fc.array(fc.constantFrom("[", '{"a":', '[{"b":1},'), { minLength: 50, maxLength: 80 }),
        (opening) => {
          const closing = opening.map((bracket) => (bracket.startsWith("[") ? "]" : "}")).reverse();
          const text = `${opening.join("")}0${closing.join("")}`;
          // The object beside the last bracket is one level deeper than that bracket.
          const deepest = opening.length + (opening.at(-1)?.includes("b") === true ? 1 : 0);
          expect(parseStrictJsonBytes(Buffer.from(text)).ok).toBe(deepest <= 64);
        },
      ),
    );
  });

  it.each([
    ["backslashes", '"\\'],
    ["open strings", '"'],
    ["escaped quotes", '\\"'],
    ["brackets", "["],
    ["names", '{"a":'],
    ["siblings", "[],"],
    ["members", '"a":1,'],
    ["digits", "9"],
    ["minus signs", "-"],
    ["exponents", "1e9"],
    ["spaces", " \t\r\n"],
    ["NULs", "\0"],
    ["surrogates", "\\ud800"],
    ["wide characters", "😀"],
    ["commas", ","],
    ["percent signs", "%25"],
    ["plus signs", "+"],
    ["fields", "a=1&"],
  ])("I07 comes to an end with half a megabyte of %s, open or closed", (_what, unit) => {
    const filler = unit.repeat(Math.floor(500_000 / unit.length));
    // What is quadratic takes minutes here, and the test's time is up.
    for (const body of [filler, `"${filler}"`, `[${filler}1]`, `{"k":"${filler}`, `{${filler}"z":1}`]) {
      for (const readsJson of [false, true]) {
        for (const kind of ["json", "form"] as const) {
          const read = parseBody(Buffer.from(body), kind, { readsJson });
          if (read instanceof Refusal) expect(read.reason.length).toBeLessThan(120);
        }
      }
    }
  });
});

describe("forms, fuzzed", () => {
  const name = fc.constantFrom(
    "a",
    "type",
    "a[b]",
    "__proto__",
    "constructor",
    "access_token",
    "é",
    "",
    "a.b",
    "?a",
  );
  const value = fc.constantFrom(
    "1",
    "",
    "x+y",
    "%C3%A9",
    "%F0%9F%98%80",
    "%",
    "%zz",
    "%ff",
    "%c0%af",
    "%26",
    "a=b",
    "😀",
  );
  const field = fc
    .tuple(mutated(name, 1), fc.constantFrom("=", "", "=="), mutated(value, 1))
    .map((parts) => parts.join(""));
  const form = fc.array(field, { maxLength: 6 }).map((fields) => fields.join("&"));

  it("E21 takes what it takes for what URLSearchParams takes it for", () => {
    let taken = 0;
    check(
      2500,
      fc.property(mutatedBytes(form), (bytes) => {
        const ours = parseForm(bytes);
        const text = textOf(bytes);
        if (ours instanceof Refusal) return expect(ours.reason.length).toBeLessThan(150);
        taken++;
        expect(text).toBeDefined();
        const theirs = new Map<string, string[]>();
        // It would take a leading question mark off.
        for (const [key, each] of new URLSearchParams(`&${text}`)) {
          theirs.set(key, [...(theirs.get(key) ?? []), each]);
        }
        const flat = Object.entries(ours.value).map(([key, each]) => [key, [each].flat()]);
        expect(new Map(flat as [string, string[]][])).toEqual(theirs);
        expect(theirs.has("access_token")).toBe(false);
      }),
    );
    expect(taken).toBeGreaterThan(500);
  });
});
