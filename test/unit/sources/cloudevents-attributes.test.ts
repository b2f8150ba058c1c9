import { describe, expect, it } from "@jest/globals";
import { attributesFault } from "../../../src/sources/cloudevents/read.js";
import { smallest } from "./cloudevents-request.js";

const fault = (changes: object): string | undefined =>
  attributesFault(new Map(Object.entries({ ...smallest, ...changes })));

describe("attributes of a CloudEvent", () => {
  it.each(["specversion", "id", "source", "type"])("need %s", (name) => {
    const { [name]: _left, ...others } = smallest as Record<string, string>;
    expect(attributesFault(new Map(Object.entries(others)))).toContain(`\`${name}\``);
    for (const value of ["", 1, true, {}, []]) expect(fault({ [name]: value })).toContain(`\`${name}\``);
  });

  it.each(["0.3", "1", "1.1", "1.0-rc1", " 1.0", "2.0"])("refuse specversion %j", (specversion) => {
    expect(fault({ specversion })).toContain("1.0");
  });

  it.each([
    "https://github.com/cloudevents",
    "mailto:cncf-wg-serverless@lists.cncf.io",
    "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66",
    "/cloudevents/spec/pull/123",
    "/sensors/tn-1234567/alerts",
    "1-555-123-4567",
    "#fragment",
    "?query",
    "//authority/path",
    "https://user@[2001:db8::1]:8443/a%20b?c=d/e?f#g",
    "a/b:c",
  ])("take the source %s", (source) => expect(fault({ source })).toBeUndefined());

  it.each([
    "/a b",
    "/größe",
    "/a%2",
    "/a%zz",
    "1a:b",
    ":a",
    "http://[::1",
    "http://a:b:c/",
    "http://a:port/",
    "/a[1]",
    "/<x>",
    "/a?<x>",
    "/a#^",
    "a#b#c",
    '/"',
    "/a\\b",
    "http://a b/",
    "/a\nb",
  ])("refuse the source %j", (source) => expect(fault({ source })).toContain("source"));

  it.each([
    "https://cloudevents.io/dataschema",
    "urn:a:b",
    "tag:x,2026:y",
    "https://a.example/s#/definitions/x",
  ])("take the dataschema %s", (dataschema) => expect(fault({ dataschema })).toBeUndefined());

  it.each(["/schema", "schema", "", "//host/x", "#x", "1:x", "http://a b"])(
    "refuse the dataschema %j, which is not absolute",
    (dataschema) => expect(fault({ dataschema })).toContain("dataschema"),
  );

  it.each([
    "2018-04-05T17:31:00Z",
    "2018-04-05t17:31:00z",
    "2018-04-05T17:31:00.123456789+02:00",
    "1985-04-12T23:20:50.52Z",
    "1996-12-19T16:39:57-08:00",
    "1990-12-31T23:59:60Z",
    "2000-02-29T00:00:00Z",
    "0000-02-29T00:00:00Z",
    "9999-12-31T23:59:59-23:59",
  ])("take the time %s", (time) => expect(fault({ time })).toBeUndefined());

  it.each([
    "2018-04-05",
    "2018-04-05T17:31:00",
    "2018-04-05 17:31:00Z",
    "2018-04-05T17:31Z",
    "2018-04-05T24:00:00Z",
    "2018-04-05T17:60:00Z",
    "2018-04-05T17:31:61Z",
    "2018-13-05T17:31:00Z",
    "2018-00-05T17:31:00Z",
    "2018-04-31T17:31:00Z",
    "2018-04-00T17:31:00Z",
    "1900-02-29T00:00:00Z",
    "2018-04-05T17:31:00.Z",
    "2018-04-05T17:31:00+0200",
    "2018-04-05T17:31:00+24:00",
    "2018-04-05T17:31:00+02:60",
    "18-04-05T17:31:00Z",
    "2018-04-05T17:31:00Z\n",
    "1522949460",
    "Thu, 05 Apr 2018 17:31:00 GMT",
  ])("refuse the time %j", (time) => expect(fault({ time })).toContain("time"));

  it.each([
    "application/json",
    "TEXT/Plain; CharSet=utf-8",
    "application/json;",
    'multipart/mixed; boundary="a b;c\\""',
    "application/vnd.apache.thrift.binary",
    "text/plain ; a=b; c=d",
  ])("take the datacontenttype %s", (datacontenttype) => expect(fault({ datacontenttype })).toBeUndefined());

  it.each([
    "json",
    "application/",
    "/json",
    "text/plain; a",
    "text/plain; a=",
    'text/plain; a="b',
    "a/b c",
    "a/b, c/d",
    "",
  ])("refuse the datacontenttype %j", (datacontenttype) =>
    expect(fault({ datacontenttype })).toContain("datacontenttype"),
  );

  it("refuse control characters, noncharacters and halves of surrogate pairs, wherever they stand", () => {
    for (const bad of [
      "a\u0000",
      "a\nb",
      "\u007f",
      "\u0085",
      "\ufdd0",
      "\ufffe",
      "\u{10ffff}",
      "\ud800",
      "\udead",
    ]) {
      for (const name of ["id", "type", "subject", "ext"]) expect(fault({ [name]: bad })).toBeDefined();
    }
  });

  it("take all other Unicode", () => {
    expect(fault({ id: "Euro € 😀", type: "größe", subject: " ", ext: "\ud800\udead" })).toBeUndefined();
  });

  it("refuse an empty subject", () => expect(fault({ subject: "" })).toContain("subject"));

  it.each([
    ["text", ""],
    ["yes", true],
    ["low", -2_147_483_648],
    ["high", 2_147_483_647],
    ["0", "x"],
    ["abcdefghijklmnopqrstuvwxyz", "x"],
  ])("take the extension %s: %j", (name, value) => expect(fault({ [name]: value })).toBeUndefined());

  it.each([
    ["low", -2_147_483_649],
    ["high", 2_147_483_648],
    ["float", 0.5],
    ["list", []],
    ["data", "x"],
    ["data_base64", "x"],
    ["myExt", "x"],
    ["my-ext", "x"],
    ["my ext", "x"],
    ["é", "x"],
    ["", "x"],
  ])("refuse the extension %j: %j", (name, value) => expect(fault({ [name]: value })).toBeDefined());

  it("are named in faults, their values and the names of extensions never (ATTACKS I01)", () => {
    expect(fault({ time: "secret-value" })).not.toContain("secret");
    expect(fault({ "secret-name": "x" })).not.toContain("secret");
  });

  it("are read in linear time (ATTACKS I07)", () => {
    const long = "a".repeat(200_000);
    for (const datacontenttype of [
      `a/b${";".repeat(200_000)}!`,
      `a/b;${" ".repeat(200_000)}!`,
      `a/b;x="${"\\a".repeat(100_000)}`,
    ]) {
      expect(fault({ datacontenttype })).toContain("datacontenttype");
    }
    for (const source of [`//${long}@ `, `//${long}: `, `${long}: `, `/${"%41".repeat(60_000)}%`]) {
      expect(fault({ source })).toContain("source");
    }
  });
});
