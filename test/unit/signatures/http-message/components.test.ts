import { describe, expect, it } from "@jest/globals";
import {
  type Component,
  isCovered,
  needsPublicUrl,
  parseComponent,
} from "../../../../src/signatures/http-message/components.js";

const component = (text: string): Component => {
  const found = parseComponent(text);
  if ("unusable" in found) throw new Error(found.unusable);
  return found;
};
const whyNot = (text: string): string => {
  const found = parseComponent(text);
  return "unusable" in found ? found.unusable : `is ${found.identifier}`;
};

describe("parseComponent", () => {
  it.each([
    ["@method", '"@method"'],
    ["Content-Type", '"content-type"'],
    ['"content-type"', '"content-type"'],
    ['"@query-param";name="Pet"', '"@query-param";name="Pet"'],
    ['"example-dict";key="a"', '"example-dict";key="a"'],
    ['"example-dict";sf;key="a"', '"example-dict";sf;key="a"'],
    ['"priority";sf', '"priority";sf'],
    ['"x";bs', '"x";bs'],
  ])("reads %s", (text, identifier) => {
    expect(component(text).identifier).toBe(identifier);
  });

  it.each([
    ["@status", /answers/],
    ["@signature-params", /no derived component/],
    ["@unknown", /no derived component/],
    ["@", /no derived component/],
    ['"@method";req', /parameter req/],
    ['"@method";name="a"', /parameter name/],
    ['"@query-param"', /names no query parameter/],
    ['"@query-param";name=a', /names no query parameter/],
    ['"@query-param";name="a";sf', /parameter sf/],
    ['"Content-Type"', /lower case/],
    ['""', /lower case/],
    ['"a b"', /lower case/],
    ['"a:b"', /lower case/],
    ['"x";tr', /trailer/],
    ['"x";req', /is a request itself|request of an answer/],
    ['"x";key=a', /no string/],
    ['"x";sf=?0', /sf with a value/],
    ['"x";bs=1', /bs with a value/],
    ['"x";bs;sf', /bs excludes/],
    ['"x";bs;key="a"', /bs excludes/],
    ['"x";foo', /foo, which is not known/],
    ['"x" "y"', /is no component/],
    ['x"y', /is no component/],
  ])("refuses %s (RFC 9421 section 2.5)", (text, reason) => {
    expect(whyNot(text)).toMatch(reason);
  });

  it("refuses what is no string", async () => {
    const { readComponent } = await import("../../../../src/signatures/http-message/components.js");
    expect(readComponent({ bare: { type: "token", value: "date" }, parameters: new Map() })).toEqual({
      unusable: "a covered component is no string",
    });
  });

  it("tells identifiers apart by their parameters, but not by the order of those", () => {
    const identities = ['"x"', '"x";sf', '"x";key="a"', '"x";key="b"', '"x";sf;key="a"', '"x";bs'].map(
      (text) => component(text).identity,
    );
    expect(new Set(identities).size).toBe(6);
    expect(component('"x";key="a";sf').identity).toBe(component('"x";sf;key="a"').identity);
  });
});

describe("needsPublicUrl", () => {
  it("is what nothing but the configured URL can tell (E26)", () => {
    const all = [
      "@target-uri",
      "@authority",
      "@scheme",
      "@path",
      "@query",
      "@request-target",
      "@method",
      "host",
    ];
    expect(all.filter((text) => needsPublicUrl(component(text)))).toEqual([
      "@target-uri",
      "@authority",
      "@scheme",
    ]);
  });
});

describe("isCovered", () => {
  it.each([
    ["@method", "@method"],
    ["@authority", "@target-uri"],
    ["@scheme", "@target-uri"],
    ["@path", "@target-uri"],
    ["@path", "@request-target"],
    ["@query", "@request-target"],
    ['"@query-param";name="a"', "@query"],
    ['"@query-param";name="a"', '"@query-param";name="a"'],
    ["x", '"x";sf'],
    ["x", '"x";bs'],
    ['"x";sf', "x"],
    ['"x";key="a"', "x"],
    ['"x";key="a"', '"x";sf'],
    ['"x";key="a"', '"x";key="a"'],
    ['"x";bs', '"x";bs'],
  ])("takes for %s a signature over %s", (required, covered) => {
    expect(isCovered(component(required), [component("date"), component(covered)])).toBe(true);
  });

  it.each([
    ["@method", "@target-uri"],
    ["@authority", "@request-target"],
    ["@authority", "@path"],
    ["@authority", "host"],
    ["@target-uri", "@authority"],
    ["@path", "@query"],
    ["@query", '"@query-param";name="a"'],
    ['"@query-param";name="a"', '"@query-param";name="b"'],
    ["x", '"x";key="a"'],
    ["x", "y"],
    ['"x";key="a"', '"x";key="b"'],
    ['"x";bs', "x"],
  ])("does not take for %s a signature over %s (F09)", (required, covered) => {
    expect(isCovered(component(required), [component(covered)])).toBe(false);
  });
});
