import { describe, expect, it } from "@jest/globals";
import { parseBody, parseForm } from "../../../src/body/parse.js";
import { Refusal } from "../../../src/errors.js";

describe("parseBody", () => {
  it("reads a body as the kind it was announced as", () => {
    expect(parseBody(Buffer.from(' {"a":[1]}'), "json", { readsJson: false })).toMatchObject({
      value: { a: [1] },
    });
    expect(parseBody(Buffer.from("a=1"), "form", { readsJson: false })).toEqual({ value: { a: "1" } });
    expect(parseBody(Buffer.from("null"), "json", { readsJson: false })).toMatchObject({ value: null });
  });

  it("reads XML with a promise, and everything else without", async () => {
    const xml = parseBody(Buffer.from("<a>1</a>"), "xml", { readsJson: true });
    expect(xml).toBeInstanceOf(Promise);
    expect(await xml).toEqual({ value: { a: "1" } });
    expect(await parseBody(Buffer.from("<a>"), "xml", { readsJson: false })).toMatchObject({
      code: "ERR_BODY_MALFORMED",
    });
  });

  it.each(["json", "form"] as const)("E15 refuses an empty or blank %s body", (kind) => {
    for (const [body, reason] of [
      ["", "the body is empty"],
      [" \r\n\t", "the body contains only white space"],
    ] as const) {
      expect(parseBody(Buffer.from(body), kind, { readsJson: false })).toEqual(
        new Refusal("ERR_BODY_MALFORMED", reason),
      );
    }
  });

  it("E17 says what is wrong with a JSON body, as a sentence", () => {
    expect(parseBody(Buffer.from('{"a":1,"a":2}'), "json", { readsJson: false })).toEqual(
      new Refusal("ERR_BODY_MALFORMED", "the body repeats the name of a member at character 7"),
    );
  });

  const jsonTexts = ["{", " {a=1", '\r\n\t["&a=1', '"&a=1&', "1", " -1.5e3 ", "true", "false\n", "null"];

  it.each(jsonTexts)("E16 refuses %j as a form or XML where JSON is read, too", (text) => {
    for (const kind of ["form", "xml"] as const) {
      expect(parseBody(Buffer.from(text), kind, { readsJson: true })).toEqual(
        new Refusal(
          "ERR_BODY_MALFORMED",
          `the body is JSON or begins like it, and was sent as ${kind === "xml" ? "XML" : "a form"}`,
        ),
      );
    }
    expect(parseBody(Buffer.from(text), "form", { readsJson: false })).toMatchObject({ value: {} });
  });

  it.each(["a=1", "true=1", "1=1", "nullify", "-", "\u00a0{", "payload=%7B%7D", "=[", "+{"])(
    "takes %j as a form where JSON is read, too",
    (text) => {
      expect(parseBody(Buffer.from(text), "form", { readsJson: true })).not.toBeInstanceOf(Refusal);
    },
  );

  it("leaves what is read as JSON or not at all as it is", () => {
    expect(parseBody(Buffer.from("1"), "json", { readsJson: true })).toMatchObject({ value: 1 });
    expect(parseBody(Buffer.from("1"), "bytes", { readsJson: true })).toEqual({ value: Buffer.from("1") });
    expect(parseBody(Buffer.from("1"), "empty", { readsJson: true })).toEqual({ value: undefined });
  });

  it("B06 passes on the refusal of a token in a form", () => {
    expect(parseBody(Buffer.from("access_token=x"), "form", { readsJson: false })).toMatchObject({
      code: "ERR_CREDENTIAL_REPEATED",
    });
  });
});

function fieldsOf(text: string): Record<string, unknown> {
  const result = parseForm(Buffer.from(text));
  if (result instanceof Refusal) throw new Error(result.reason);
  return result.value;
}

function refusalOf(body: string | Uint8Array): Refusal {
  const result = parseForm(typeof body === "string" ? Buffer.from(body) : body);
  if (!(result instanceof Refusal)) throw new Error("accepted");
  return result;
}

describe("parseForm", () => {
  it("reads names and values, + as space and percent-encoding as UTF-8", () => {
    expect(fieldsOf("a=1&b+c=%C3%A9%26&d=&e&=f&x=y=z&ü=%F0%9F%98%80")).toEqual({
      a: "1",
      "b c": "é&",
      d: "",
      e: "",
      "": "f",
      x: "y=z",
      ü: "😀",
    });
  });

  it("keeps a repeated name as an array in order", () => {
    expect(fieldsOf("a=1&b=x&a=2&a=1")).toEqual({ a: ["1", "2", "1"], b: "x" });
  });

  it("passes over empty fields", () => {
    expect(fieldsOf("&&a=1&&b=2&")).toEqual({ a: "1", b: "2" });
  });

  it("E21 takes no name apart", () => {
    expect(fieldsOf("a[b]=1&a[]=2&a.b=3")).toEqual({ "a[b]": "1", "a[]": "2", "a.b": "3" });
  });

  it("E17 keeps __proto__ and constructor as own data", () => {
    const fields = fieldsOf("__proto__=1&constructor=2&__proto__=3");
    expect(Object.entries(fields)).toEqual([
      ["__proto__", ["1", "3"]],
      ["constructor", "2"],
    ]);
    expect(Object.getPrototypeOf(fields)).toBe(Object.prototype);
  });

  it.each(["a=%", "a=%4", "a=%zz", "%=1", "a=1&b=%u0041", "a=%ff", "a=%c0%af", "a=%ed%a0%80", "a=%e2%82"])(
    "E14 refuses broken percent-encoding in %s",
    (text) => {
      const refusal = refusalOf(text);
      expect(refusal.code).toBe("ERR_BODY_MALFORMED");
      expect(refusal.reason).toMatch(/^the body has a field with broken percent-encoding at character \d+$/);
    },
  );

  it("E14 refuses bytes that are not UTF-8, and a byte order mark", () => {
    expect(refusalOf(Uint8Array.from([0x61, 0x3d, 0xff])).reason).toBe("the body is not valid UTF-8");
    expect(refusalOf("\ufeffa=1").reason).toMatch(/byte order mark/);
  });

  it("E21 takes 1,000 fields and refuses one more", () => {
    const thousand = Array.from({ length: 1000 }, (_, index) => `f${index}=1`).join("&");
    expect(Object.keys(fieldsOf(thousand))).toHaveLength(1000);
    expect(refusalOf(`${thousand}&x=1`).reason).toBe("the body has more than 1000 fields");
    expect(refusalOf("a=1&".repeat(1001)).code).toBe("ERR_BODY_MALFORMED");
  });

  it.each(["access_token=CANARY", "a=1&access%5Ftoken=CANARY"])(
    "B06 refuses a token in the form: %s",
    (text) => {
      const refusal = refusalOf(text);
      expect(refusal.code).toBe("ERR_CREDENTIAL_REPEATED");
      expect(refusal.reason).not.toContain("CANARY");
    },
  );
});
