import { describe, expect, it } from "@jest/globals";
import { compileSigned } from "../../../src/signatures/signed-content.js";
import type { HeaderScheme } from "../../../src/types/signature.js";
import { requestOf } from "./signed-request.js";

const headers: HeaderScheme["headers"] = [{ signature: "sig", timestamp: "time", id: "id" }];
const scheme = (signed: HeaderScheme["signed"], more: Partial<HeaderScheme> = {}): HeaderScheme => ({
  kind: "header",
  headers,
  variants: [],
  encoding: "hex",
  signed,
  ...more,
});

/** The signed bytes as text, or the fault. */
function contentOf(
  signed: HeaderScheme["signed"],
  parts: { timestamp?: string; id?: string } = {},
  sent: Record<string, string> = {},
): string {
  const hasTimestamp = typeof signed === "string" && signed.includes("{timestamp}");
  const compiled = compileSigned(scheme(signed, { publicUrl: "https://x.test" }), hasTimestamp, "where");
  const request = { ...requestOf(sent, "BODY", { url: "/u", method: "PUT" }), publicUrl: "https://x.test/u" };
  const content = compiled(request, { timestamp: parts.timestamp, id: parts.id });
  if ("fault" in content) return `${content.fault}: ${content.reason}`;
  const [pieces = []] = "anyOf" in content ? content.anyOf : [content];
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece))).toString();
}

describe("the signed content of a scheme", () => {
  it("is the raw body alone, not a copy of it", () => {
    const request = { ...requestOf({}, "BODY"), publicUrl: undefined };
    const content = compileSigned(
      scheme("{body}"),
      false,
      "where",
    )(request, { timestamp: undefined, id: undefined });
    expect(content).toEqual([request.rawBody]);
    expect((content as readonly unknown[])[0]).toBe(request.rawBody);
  });

  it("is what the template names, in its order", () => {
    const parts = { timestamp: "5", id: "i" };
    expect(contentOf("{timestamp}.{body}", parts)).toBe("5.BODY");
    expect(contentOf("v0:{timestamp}:{body}", parts)).toBe("v0:5:BODY");
    expect(contentOf("{id}.{timestamp}.{body}", parts)).toBe("i.5.BODY");
    expect(contentOf("{method}{url}{body}{timestamp}!", parts)).toBe("PUThttps://x.test/uBODY5!");
    expect(contentOf("{header:X-Shop}|{body}|{header:x-shop}", parts, { "X-Shop": "s" })).toBe("s|BODY|s");
    expect(contentOf("{body}{body}", parts)).toBe("BODYBODY");
  });

  it("is what a function gives, or its fault", () => {
    expect(contentOf(({ rawBody, url }) => [url, rawBody])).toBe("/uBODY");
    expect(contentOf(({ rawBody }) => ({ anyOf: [[rawBody], ["x"]] }))).toBe("BODY");
    expect(contentOf(() => ({ fault: "missing", reason: "nothing there" }))).toBe("missing: nothing there");
  });

  it("has nothing in the place of an id or timestamp that was not read", () => {
    expect(contentOf("{id}.{timestamp}.{body}")).toBe("..BODY");
  });

  it("F05 refuses a value from a header that holds what ends it in the template", () => {
    expect(contentOf("{id}.{timestamp}.{body}", { id: "a.1", timestamp: "5" })).toMatch(
      /^malformed: .*holds "\."/,
    );
    expect(contentOf("{id}.{timestamp}.{body}", { id: ".", timestamp: "5" })).toMatch(/^malformed/);
    expect(contentOf("{header:a}|{body}", {}, { a: "x|y" })).toMatch(/^malformed/);
    expect(contentOf("{timestamp}.{body}", { timestamp: "5.x" })).toMatch(/^malformed/);
  });

  it("F05 refuses a value that runs into its delimiter, so that it ends elsewhere", () => {
    expect(contentOf("{id}--{body}", { id: "a-" })).toMatch(/^malformed/);
    expect(contentOf("{id}--{body}", { id: "-a" })).toBe("-a--BODY");
    expect(contentOf("{id}-{body}", { id: "a--b" })).toMatch(/^malformed/);
  });

  it("lets a body, a URL and a last value hold any text", () => {
    expect(contentOf("{body}O{id}", { id: "OO" })).toBe("BODYOOO");
    expect(contentOf("{url}.{body}")).toBe("https://x.test/u.BODY");
    expect(contentOf("{id}{timestamp}{body}", { id: "a.b", timestamp: "5" })).toBe("a.b5BODY");
  });

  it("F01 says which signed header is missing", () => {
    expect(contentOf("{header:x-shop}|{body}")).toBe(
      "missing: the header x-shop is missing, which is signed",
    );
    expect(contentOf("{header:toString}|{body}")).toMatch(/^missing: the header tostring/);
    expect(contentOf("{header:__proto__}|{body}")).toMatch(/^missing/);
  });
});

describe("schemes that cannot be meant", () => {
  const refused = (signed: unknown, hasTimestamp: boolean, more: Partial<HeaderScheme> = {}): unknown => {
    try {
      compileSigned(scheme(signed as string, more), hasTimestamp, "source");
    } catch (error) {
      return error;
    }
    return undefined;
  };

  it.each<[unknown, boolean, RegExp]>([
    ["{timestamp}", true, /^source\.signed leaves out \{body\}: any body would pass$/],
    ["{timestamp}.{body}", false, /^source\.signed has a \{timestamp\} that no header provides$/],
    ["{body}", true, /^source\.signed leaves out \{timestamp\}: it could be replaced at will$/],
    ["{url}{body}", false, /^source\.publicUrl is missing: the URL is signed/],
    ["", false, /^source\.signed must be a template such as/],
    [undefined, false, /^source\.signed must be a template such as/],
    [["{body}"], false, /^source\.signed must be a template such as/],
    [
      "{Body}",
      false,
      /^source\.signed has the unknown placeholder \{Body\}; the placeholders are \{body\}, .*\{header:NAME\}$/,
    ],
    ["{body}{}", false, /unknown placeholder \{\}/],
    ["{body}{header:}", false, /unknown placeholder \{header:\}/],
    ["{body}{header:a b}", false, /unknown placeholder \{header:a b\}/],
    ["{body}{__proto__}", false, /unknown placeholder \{__proto__\}/],
    ["{timestamp.{body}", false, /^source\.signed has an unmatched brace$/],
    ["{{body}}", false, /^source\.signed has an unmatched brace$/],
    ["{body}}", false, /^source\.signed has an unmatched brace$/],
  ])("refuses %j", (signed, hasTimestamp, message) => {
    const error = refused(signed, hasTimestamp);
    expect(error).toBeInstanceOf(TypeError);
    expect((error as TypeError).message).toMatch(message);
  });

  it("refuses an {id} that not every set of headers brings", () => {
    const sets = [...headers, { signature: "other" }];
    expect(refused("{id}.{body}", false, { headers: sets })).toMatchObject({
      message: "source.signed has an {id} that no header provides",
    });
    expect(refused("{id}.{body}", false)).toBeUndefined();
  });
});
