import { describe, expect, it } from "@jest/globals";
import { parsePublicUrl } from "../../../src/signatures/public-url.js";

const urlOf = (value: unknown, url: string): string | undefined => parsePublicUrl(value, "where")?.(url);

describe("E26 the public URL, which comes from the configuration alone", () => {
  it("is none where it is left out", () => {
    expect(parsePublicUrl(undefined, "where")).toBeUndefined();
  });

  it("joins an origin with path and query as they came", () => {
    for (const origin of ["https://hooks.example.com", "https://hooks.example.com/"]) {
      expect(urlOf(origin, "/a//b/%2e?x=1&y=%20#f")).toBe("https://hooks.example.com/a//b/%2e?x=1&y=%20#f");
      expect(urlOf(origin, "/")).toBe("https://hooks.example.com/");
    }
    expect(urlOf("http://[::1]:8080", "/a")).toBe("http://[::1]:8080/a");
  });

  it("joins a URL with the query alone, for proxies that rewrite paths", () => {
    expect(urlOf("https://example.com/hooks/in", "/internal?x=1?y")).toBe(
      "https://example.com/hooks/in?x=1?y",
    );
    expect(urlOf("https://example.com/hooks/", "/internal")).toBe("https://example.com/hooks/");
  });

  it("takes nothing of the authority in a request's absolute form (RFC 9112 section 3.2.2)", () => {
    expect(urlOf("https://example.com", "http://evil.test/a?x=1")).toBe("https://example.com/a?x=1");
    expect(urlOf("https://example.com", "HTTPS://u:p@evil.test:1?x=1")).toBe("https://example.com/?x=1");
    expect(urlOf("https://example.com", "http://evil.test")).toBe("https://example.com/");
    expect(urlOf("https://example.com/in", "http://evil.test/a?x=1")).toBe("https://example.com/in?x=1");
    expect(urlOf("https://example.com", "*")).toBe("https://example.com/*");
  });

  it.each([
    "",
    "example.com",
    "//example.com",
    "ftp://example.com",
    "https://",
    "https://user@example.com",
    "https://example.com?x=1",
    "https://example.com/a?x",
    "https://example.com/a#b",
    "https://example.com/a b",
    "https://exa mple.com",
    "https://example.com:99999",
    "https://example.com\n",
    null,
    1,
    new URL("https://example.com"),
  ])("refuses %p, naming the option", (value) => {
    expect(() => parsePublicUrl(value, "source.publicUrl")).toThrow(
      /^source\.publicUrl must be an origin or URL such as "https:\/\/hooks\.example\.com", without query, not /,
    );
    expect(() => parsePublicUrl(value, "source.publicUrl")).toThrow(TypeError);
  });
});
