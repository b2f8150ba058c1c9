import { describe, expect, it } from "@jest/globals";
import { parseBody } from "../../../src/body/parse.js";
import { Refusal } from "../../../src/errors.js";

describe("parseBody", () => {
  it("reads a body as the kind it was announced as", () => {
    expect(parseBody(Buffer.from(' {"a":[1]}'), "json", { readsJson: false })).toMatchObject({
      value: { a: [1] },
    });
    expect(parseBody(Buffer.from("a=1"), "form", { readsJson: false })).toEqual({ value: { a: "1" } });
    expect(parseBody(Buffer.from("null"), "json", { readsJson: false })).toMatchObject({ value: null });
  });

  it.each(["json", "form"] as const)("E15 refuses an empty or blank %s body", (kind) => {
    for (const [body, reason] of [
      ["", "the body is empty"],
      [" \r\n\t", "the body holds nothing but white space"],
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
