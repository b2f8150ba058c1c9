import { describe, expect, it } from "@jest/globals";
import { Refusal } from "../../../src/errors.js";
import { parseBody } from "../../../src/gate/parse.js";

describe("parseBody", () => {
  it("reads a body as the kind it was announced as", () => {
    expect(parseBody(Buffer.from(' {"a":[1]}'), "json")).toMatchObject({ value: { a: [1] } });
    expect(parseBody(Buffer.from("a=1"), "form")).toEqual({ value: { a: "1" } });
    expect(parseBody(Buffer.from("null"), "json")).toMatchObject({ value: null });
  });

  it.each(["json", "form"] as const)("E15 refuses an empty or blank %s body", (kind) => {
    for (const [body, reason] of [
      ["", "the body is empty"],
      [" \r\n\t", "the body holds nothing but white space"],
    ] as const) {
      expect(parseBody(Buffer.from(body), kind)).toEqual(new Refusal("ERR_BODY_MALFORMED", reason));
    }
  });

  it("E17 says what is wrong with a JSON body, as a sentence", () => {
    expect(parseBody(Buffer.from('{"a":1,"a":2}'), "json")).toEqual(
      new Refusal("ERR_BODY_MALFORMED", "the body repeats the name of a member at character 7"),
    );
  });

  it("B06 passes on the refusal of a token in a form", () => {
    expect(parseBody(Buffer.from("access_token=x"), "form")).toMatchObject({
      code: "ERR_CREDENTIAL_REPEATED",
    });
  });
});
