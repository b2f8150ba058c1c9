import { describe, expect, it } from "@jest/globals";
import { ContentCodingRefusal, createMediaTypes } from "../../../src/body/media-type.js";
import { Refusal } from "../../../src/errors.js";

const both = createMediaTypes(["json", "form"]);
const jsonOnly = createMediaTypes(["json"]);

function refusalOf(result: unknown): Refusal {
  if (!(result instanceof Refusal)) throw new Error(`accepted as ${String(result)}`);
  expect(result.code).toBe("ERR_MEDIA_TYPE");
  return result;
}

describe("createMediaTypes", () => {
  it.each([
    ["application/json", "json"],
    ["Application/JSON", "json"],
    ["application/json;charset=utf-8", "json"],
    ["application/json; charset=UTF-8", "json"],
    ['application/json ; charset="utf-8"', "json"],
    ["application/json;", "json"],
    ["application/json; ; a=b", "json"],
    ["application/cloudevents+json", "json"],
    ['application/vnd.x.y+json; profile="a b"; charset=utf-8', "json"],
    ["application/x-www-form-urlencoded", "form"],
    ["application/x-www-form-urlencoded; charset=utf-8", "form"],
  ])("takes %s as %s, the second time too", (header, kind) => {
    expect(both(["Host", "a", "content-TYPE", header])).toBe(kind);
    expect(both(["Content-Type", header])).toBe(kind);
  });

  it.each([
    "application/json\t;",
    "application/json\t",
    "application/jsonx",
    "application/json foo",
    "application/json, text/html",
    "application/json; charset=utf-8 foo",
    'application/json; charset="utf-8"foo',
    'application/json; charset="utf-8',
    'application/json; charset=""utf-8"',
    'application/json; charset="utf\\-8"',
    "application/json; foo",
    "application/json; =utf-8",
    "application/json; charset=",
    "application/json; charset =utf-8",
    "application/json; charset= utf-8",
    "application/json; charset=utf-8; Charset=utf-16",
    "application/json\u00a0",
    "application/json; a=\u00e9",
    "application/json\u0000",
    "application/+json",
    "application/ x+json",
    "application/",
    "/json",
    "json",
    "",
    " ",
    ";",
    "text/json",
    "text/x+json",
    "text/plain",
    "*/*",
    `application/json; a=${"x".repeat(256)}`,
    "application/x-www-form-urlencodedx",
  ])("E16 refuses %j", (header) => {
    refusalOf(both(["Content-Type", header]));
  });

  it.each(["utf-16", "utf-16le", "iso-8859-1", "utf8", "utf-7", '"us-ascii"', '""'])(
    "E14 refuses charset %s",
    (charset) => {
      const refusal = refusalOf(both(["Content-Type", `application/json; charset=${charset}`]));
      expect(refusal.reason).toMatch(/^charset ".*" is not accepted; bodies have to be utf-8$/);
    },
  );

  it("E22 refuses multipart", () => {
    expect(refusalOf(both(["Content-Type", "multipart/form-data; boundary=x"])).reason).toBe(
      'Content-Type "multipart/form-data; boundary=x" is not accepted, ' +
        "only application/json or application/*+json, application/x-www-form-urlencoded",
    );
  });

  it("E23 refuses XML", () => {
    refusalOf(both(["Content-Type", "application/xml"]));
  });

  it("E16 refuses a missing type", () => {
    expect(refusalOf(both(["Host", "a", "Content-Types", "application/json"])).reason).toMatch(/missing/);
  });

  it("E16 refuses two lines, whatever their case and value", () => {
    const lines = ["content-type", "application/json", "CONTENT-TYPE", "application/json"];
    expect(refusalOf(both(lines)).reason).toMatch(/twice/);
  });

  it("names the option when the kind exists but is not switched on", () => {
    const refusal = refusalOf(jsonOnly(["Content-Type", "application/x-www-form-urlencoded"]));
    expect(refusal.reason).toMatch(/add "form" to body\.types$/);
  });

  it("does not take what another receiver remembers", () => {
    expect(both(["Content-Type", "application/x-www-form-urlencoded"])).toBe("form");
    refusalOf(jsonOnly(["Content-Type", "application/x-www-form-urlencoded"]));
  });

  it.each(["gzip", "deflate", "br", "zstd", "gzip, gzip", "identity, gzip", "x-unknown", ""])(
    "E05 refuses content coding %j, telling codings from types",
    (coding) => {
      const result = both(["Content-Type", "application/json", "Content-encoding", coding]);
      expect(refusalOf(result)).toBeInstanceOf(ContentCodingRefusal);
      expect(both(["Content-Type", "text/plain"])).not.toBeInstanceOf(ContentCodingRefusal);
    },
  );

  it("E05 takes identity, and refuses a second line behind it", () => {
    const lines = ["Content-Encoding", "Identity", "Content-Type", "application/json"];
    expect(both(lines)).toBe("json");
    refusalOf(both([...lines, "Content-Encoding", "gzip"]));
  });

  it("I02 escapes what it quotes", () => {
    const { reason } = refusalOf(both(["Content-Type", "a\u001b[31m\u2028"]));
    expect(reason).toMatch(/^[\x20-\x7e]*$/);
  });

  it("I08 still decides right after thousands of different headers", () => {
    for (let index = 0; index < 2000; index++) {
      expect(both(["Content-Type", `application/json; v=${index}`])).toBe("json");
    }
    refusalOf(both(["Content-Type", "text/plain"]));
  });
});
