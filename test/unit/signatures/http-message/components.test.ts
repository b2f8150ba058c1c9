import { describe, expect, it } from "@jest/globals";
import {
  type Component,
  createValues,
  fieldsOf,
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
    ["@signature-params", /not a known derived component/],
    ["@unknown", /not a known derived component/],
    ["@", /not a known derived component/],
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
    ['"x";key=a', /not a string/],
    ['"x";sf=?0', /sf with a value/],
    ['"x";bs=1', /bs with a value/],
    ['"x";bs;sf', /bs excludes/],
    ['"x";bs;key="a"', /bs excludes/],
    ['"x";foo', /foo, which is not known/],
    ['"x" "y"', /is not a component/],
    ['x"y', /is not a component/],
  ])("refuses %s (RFC 9421 section 2.5)", (text, reason) => {
    expect(whyNot(text)).toMatch(reason);
  });

  it("refuses what is not a string", async () => {
    const { readComponent } = await import("../../../../src/signatures/http-message/components.js");
    expect(readComponent({ bare: { type: "token", value: "date" }, parameters: new Map() })).toEqual({
      unusable: "a covered component is not a string",
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

interface Given {
  readonly method?: string;
  readonly url?: string;
  readonly publicUrl?: string;
  readonly headers?: readonly string[];
}

function read(text: string, { method = "POST", url = "/", publicUrl, headers = [] }: Given): string {
  const component = parseComponent(text);
  if ("unusable" in component) throw new Error(component.unusable);
  const value = createValues({ method, url, publicUrl }, fieldsOf(headers))(component);
  return typeof value === "string" ? value : `absent: ${value.absent}`;
}

describe("derived components (RFC 9421 section 2.2)", () => {
  const publicUrl = "https://www.example.com/path?param=value";
  it.each([
    ["@method", { method: "post" }, "post"],
    ["@target-uri", { publicUrl }, publicUrl],
    ["@target-uri", { publicUrl: "https://WWW.Example.com:443/a%2Fb?" }, "https://www.example.com/a%2Fb?"],
    ["@authority", { publicUrl }, "www.example.com"],
    ["@authority", { publicUrl: "https://WWW.EXAMPLE.com:443/" }, "www.example.com"],
    ["@authority", { publicUrl: "http://www.example.com:443/" }, "www.example.com:443"],
    ["@authority", { publicUrl: "http://[2001:DB8::1]:8080/" }, "[2001:db8::1]:8080"],
    ["@scheme", { publicUrl }, "https"],
    ["@scheme", { publicUrl: "http://a/" }, "http"],
    ["@path", { url: "/path?param=value" }, "/path"],
    ["@path", { url: "/a%2fb/../c;d=1" }, "/a%2fb/../c;d=1"],
    ["@path", { url: "http://elsewhere.example?x" }, "/"],
    ["@path", { url: "http://elsewhere.example/a?x" }, "/a"],
    ["@path", { url: "/inside", publicUrl: "https://a/outside?x" }, "/outside"],
    ["@query", { url: "/path?param=value&foo=bar&baz=bat%2Dman" }, "?param=value&foo=bar&baz=bat%2Dman"],
    ["@query", { url: "/path?queryString" }, "?queryString"],
    ["@query", { url: "/path?a?b" }, "?a?b"],
    ["@query", { url: "/path" }, "?"],
    ["@query", { url: "/path?" }, "?"],
    ["@request-target", { url: "/path?param=value" }, "/path?param=value"],
    ["@request-target", { url: "/path?" }, "/path?"],
    ["@request-target", { url: "/in?a", publicUrl: "https://a/out?a" }, "/out?a"],
    ["@request-target", { url: "https://www.example.com/path?a" }, "https://www.example.com/path?a"],
  ])("%s of %j is %s", (text, given, value) => {
    expect(read(text, given)).toBe(value);
  });

  it.each(["@target-uri", "@authority", "@scheme"])("%s never comes from the request (E26)", (text) => {
    const headers = [
      "Host",
      "evil.example",
      "X-Forwarded-Host",
      "evil.example",
      "X-Forwarded-Proto",
      "https",
    ];
    expect(read(text, { url: "https://evil.example/", headers })).toMatch(/^absent: .*option publicUrl/);
    expect(read(text, { url: "https://evil.example/", headers, publicUrl })).not.toMatch(/evil/);
  });

  it("refuses characters that a signature base cannot hold", () => {
    expect(read("@path", { url: "/\u00e9" })).toMatch(/^absent: .*ASCII/);
    expect(read("@query", { url: "/?a\n" })).toMatch(/^absent: .*ASCII/);
  });
});

describe("query parameters (RFC 9421 section 2.2.8)", () => {
  const first = { url: "/path?param=value&foo=bar&baz=batman&qux=" };
  const second = {
    url: "/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something",
  };
  it.each([
    ["baz", first, "batman"],
    ["qux", first, ""],
    ["param", first, "value"],
    ["var", second, "this%20is%20a%20big%0Amultiline%20value"],
    ["bar", second, "with%20plus%20whitespace"],
    ["fa%C3%A7ade%22%3A%20", second, "something"],
    ["a", { url: "/?a" }, ""],
    ["%3Fa", { url: "/??a=1" }, "1"],
    ["a", { url: "/?a=!'()*~-._%2b%3d=" }, "%21%27%28%29*%7E-._%2B%3D%3D"],
  ])("%s of %j is %j", (name, given, value) => {
    expect(read(`"@query-param";name="${name}"`, given)).toBe(value);
  });

  it.each([
    ["a", "/", /missing/],
    ["a", "/?b=1", /missing/],
    ["A", "/?a=1", /missing/],
    ["fa\\\\ade", "/?fa%C3%A7ade=1", /missing/],
    ["a", "/?a=1&a=1", /more than once/],
    ["a", "/?a=1&%61=2", /more than once/],
    ["a", "/?a=%ff", /no UTF-8/],
    ["%EF%BF%BD", "/?%ff=1", /no UTF-8/],
  ])("refuses %s of %s", (name, url, reason) => {
    expect(read(`"@query-param";name="${name}"`, { url })).toMatch(reason);
  });

  it("reads the query once for all that are covered", () => {
    const values = createValues({ method: "POST", url: "/?a=1&b=2", publicUrl: undefined }, new Map());
    const found = ["a", "b"].map((name) => {
      const component = parseComponent(`"@query-param";name="${name}"`);
      return "unusable" in component ? undefined : values(component);
    });
    expect(found).toEqual(["1", "2"]);
  });
});

describe("fields (RFC 9421 section 2.1)", () => {
  const headers = [
    ["Host", "www.example.com"],
    ["X-OWS-Header", "   Leading and trailing whitespace.  \t"],
    ["X-Obs-Fold-Header", "Obsolete\r\n    line folding."],
    ["Cache-Control", "max-age=60"],
    ["CACHE-control", "   must-revalidate"],
    ["Example-Dict", " a=1,    b=2;x=1;y=2,   c=(a   b    c), d"],
    ["X-Empty-Header", ""],
    ["Set-Cookie", "a=1; b, c"],
    ["X-Latin", "caf\u00e9\u00a0"],
    ["X-Tab", "a\tb"],
    ["Priority", "u=1,  i"],
    ["Cache-Status", "a;hit ,b"],
    ["Client-Cert", ":YQ==: "],
    ["Repr-Digest", "nothing that is one,"],
    ["X-Broken", "a\nInjected: b"],
    ["X-Return", "a\r b"],
    ["Example-Header", "value, with, lots"],
    ["Example-Header", "of, commas"],
  ].flat();
  it.each([
    ["host", "www.example.com"],
    ["x-ows-header", "Leading and trailing whitespace."],
    ["x-obs-fold-header", "Obsolete line folding."],
    ["cache-control", "max-age=60, must-revalidate"],
    ["example-dict", "a=1,    b=2;x=1;y=2,   c=(a   b    c), d"],
    ["x-empty-header", ""],
    ['"x-empty-header";bs', "::"],
    ['"example-dict";key="a"', "1"],
    ['"example-dict";key="d"', "?1"],
    ['"example-dict";key="b"', "2;x=1;y=2"],
    ['"example-dict";key="c"', "(a b c)"],
    ['"example-dict";sf;key="c"', "(a b c)"],
    ['"example-header";bs', ":dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:"],
    ['"x-latin";bs', ":Y2Fm6aA=:"],
    ["x-tab", "a\tb"],
    ['"priority";sf', "u=1, i"],
    ['"cache-status";sf', "a;hit, b"],
    ['"client-cert";sf', ":YQ==:"],
  ])("%s is %j", (text, value) => {
    expect(read(text, { headers })).toBe(value);
  });

  it.each([
    ["x-absent", /x-absent is missing/],
    ["x-latin", /ASCII/],
    ["x-broken", /broken by a line end/],
    ["x-return", /ASCII/],
    ['"example-dict";sf', /type is not known/],
    ['"repr-digest";sf', /is not a valid dictionary/],
    ['"repr-digest";key="a"', /is not a dictionary/],
    ['"example-dict";key="z"', /no member of the covered key/],
    ['"x-ows-header";key="a"', /is not a dictionary/],
  ])("refuses %s", (text, reason) => {
    expect(read(text, { headers })).toMatch(reason);
  });

  it("keeps a fold at the end of a value, and white space alone, apart from another value", () => {
    expect(read("x", { headers: ["X", "a\r\n \r\n\tb"] })).toBe("a  b");
    expect(read("x", { headers: ["X", " \t "] })).toBe("");
  });

  it("parses a field once, whatever is covered of it", () => {
    const values = createValues({ method: "POST", url: "/", publicUrl: undefined }, fieldsOf(headers));
    const found = ["a", "b"].map((key) => {
      const component = parseComponent(`"example-dict";key="${key}"`);
      return "unusable" in component ? undefined : values(component);
    });
    expect(found).toEqual(["1", "2;x=1;y=2"]);
  });
});
