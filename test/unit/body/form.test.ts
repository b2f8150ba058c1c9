import { describe, expect, it } from "@jest/globals";
import { parseForm } from "../../../src/body/form.js";
import { Refusal } from "../../../src/errors.js";

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
