import { describe, expect, it } from "@jest/globals";
import {
  credentialInQuery,
  readBareKey,
  readBearer,
  readKey,
  readToken,
} from "../../../src/auth/authorization.js";
import { Refusal } from "../../../src/errors.js";

function outcome(value: unknown): unknown {
  return value instanceof Refusal ? value.code : value;
}
const bearer = (...lines: string[]) => outcome(readBearer(lines.flatMap((line) => ["Authorization", line])));
const key = (...lines: string[]) =>
  outcome(readKey(["Host", "x", ...lines.flatMap((line) => ["KEY", line])], "key"));

describe("readBearer", () => {
  it("finds no token where there is no Authorization header", () => {
    expect(outcome(readBearer([]))).toBeUndefined();
    expect(outcome(readBearer(["Host", "x", "Authorisation.", "Bearer a"]))).toBeUndefined();
  });

  it.each(["Bearer abc", "bearer abc", "BEARER abc", "bEaReR abc"])(
    "B01 B04 takes the scheme in any case: %s",
    (line) => expect(bearer(line)).toEqual({ token: "abc" }),
  );

  it("B04 takes one space for the separator and hands further ones on with the token, which then is none", () => {
    expect(bearer("Bearer  abc")).toEqual({ token: " abc" });
  });

  it.each([
    "Basic abc",
    "Digest a",
    "Token abc",
    "JWT abc",
    "BearerX abc",
    "Bearer.v2 abc",
    "Bearer_ x",
    "Beare",
    "",
    "abc.def.ghi",
  ])("B01 leaves other schemes alone: %s", (line) => expect(bearer(line)).toBeUndefined());

  it("B02 refuses two lines, also in other case and of other schemes", () => {
    expect(bearer("Bearer a", "Bearer a")).toBe("ERR_CREDENTIAL_REPEATED");
    expect(outcome(readBearer(["authorization", "Basic x", "AUTHORIZATION", "Bearer a"]))).toBe(
      "ERR_CREDENTIAL_REPEATED",
    );
  });

  it.each([
    ["Bearer a, Bearer b", "a, Bearer b"],
    ["Bearer a b", "a b"],
    ["Bearer Bearer a", "Bearer a"],
    ['Bearer "a"', '"a"'],
  ])("B03 hands %s on as one token, which is none", (line, token) => expect(bearer(line)).toEqual({ token }));

  it.each(["Bearer,a", "Bearer=a", "Bearer:a", "Bearer(a", "Bearer[a", "Bearer/a", "Bearer@a", "Bearer{a"])(
    "B04 counts %s as a token that is not one",
    (line) => expect(bearer(line)).toBe("ERR_TOKEN_INVALID"),
  );

  it("B05 takes a bare Bearer for a token that is empty", () => {
    expect(bearer("Bearer")).toEqual({ token: "" });
    expect(bearer("Bearer ")).toEqual({ token: "" });
  });

  it("B07 ignores Proxy-Authorization and X-Forwarded-Authorization", () => {
    expect(
      readBearer(["Proxy-Authorization", "Bearer a", "X-Forwarded-Authorization", "Bearer a"]),
    ).toBeUndefined();
  });

  it.each([
    "Bearer\tabc",
    "Bearer\u00a0abc",
    "Bearer ab\u00e9",
    "Bearer a\x00",
    "Basic \u00ff",
    "Bearer a\x7f",
  ])("B04 B08 refuses control and non-ASCII bytes: %j", (line) =>
    expect(bearer(line)).toBe("ERR_HEADER_MALFORMED"),
  );

  it("B09 is not confused by headers named like members of Object.prototype", () => {
    expect(readBearer(["__proto__", "Bearer a", "constructor", "Bearer b"])).toBeUndefined();
  });
});

describe("readKey", () => {
  it("C03 finds no key where the header is absent or empty", () => {
    expect(key()).toBeUndefined();
    expect(key("")).toBeUndefined();
  });

  it("takes the header in any case and the value as it is", () => expect(key("aBc/+=")).toBe("aBc/+="));

  it("C04 refuses a key sent twice, even the same one, and joined ones", () => {
    expect(key("a", "a")).toBe("ERR_CREDENTIAL_REPEATED");
    expect(key("", "a")).toBe("ERR_CREDENTIAL_REPEATED");
    expect(key("k1, k2")).toBe("ERR_CREDENTIAL_REPEATED");
    expect(key("k1,k2")).toBe("ERR_CREDENTIAL_REPEATED");
  });
});

describe("readBareKey", () => {
  const bare = (...lines: string[]) => {
    const found = readBareKey(lines.flatMap((line) => ["Authorization", line]));
    return found instanceof Refusal ? found.code : found;
  };

  it("takes Authorization as it is where no scheme stands in it", () => {
    expect(bare("aBc/+=.")).toBe("aBc/+=.");
  });

  it("C03 B01 finds no key where the header is absent or empty, or has a scheme with something behind it", () => {
    expect(bare()).toBeUndefined();
    expect(bare("")).toBeUndefined();
    expect(bare("Bearer abc")).toBeUndefined();
    expect(bare("Basic abc")).toBeUndefined();
  });

  it("B02 C04 refuses two lines, joined values, and bytes that no key has", () => {
    expect(bare("a", "a")).toBe("ERR_CREDENTIAL_REPEATED");
    expect(bare("k1,k2")).toBe("ERR_CREDENTIAL_REPEATED");
    expect(bare("a\tb")).toBe("ERR_HEADER_MALFORMED");
    expect(bare("k\u00e9y")).toBe("ERR_HEADER_MALFORMED");
  });
});

describe("credentialInQuery", () => {
  const names = ["access_token", "x-api-key"];

  it.each([
    "/?access_token=a",
    "/h?a=b&access_token",
    "/h?access%5Ftoken=a",
    "/h?%61ccess_token=",
    "/?access_token=&x",
    "/?ACCESS_token=&x",
    "/?x-api-key=a&access_token=b",
    "/?a&X-Api-Key=b",
    "/?x%2Dapi-%4Bey",
  ])("B06 sees it in %s", (url) => expect(names).toContain(credentialInQuery(url, names)));

  it.each([
    "/",
    "/access_token=a",
    "/?",
    "/?my_access_token=1",
    "/?a=access_token=b",
    "/?access_tokens=1",
    "/?key=1",
    "/?%=1",
    "/?%zz=1",
  ])("B06 does not see it in %s", (url) => expect(credentialInQuery(url, names)).toBeUndefined());
});

describe("readToken", () => {
  const inHeader = (scheme: string | undefined, ...lines: string[]) =>
    outcome(
      readToken(
        lines.flatMap((line) => ["X-Token", line]),
        { header: "x-token", scheme },
      ),
    );

  it("takes the whole header where there is no scheme, also an empty one", () => {
    expect(inHeader(undefined, "a.b.c")).toEqual({ token: "a.b.c" });
    expect(inHeader(undefined, "Bearer a")).toEqual({ token: "Bearer a" });
    expect(inHeader(undefined, "")).toEqual({ token: "" });
    expect(inHeader(undefined)).toBeUndefined();
  });

  it("B01 B04 B05 takes what stands behind the scheme, in any case of letters", () => {
    expect(inHeader("JWT", "JWT a.b.c")).toEqual({ token: "a.b.c" });
    expect(inHeader("JWT", "jwt a.b.c")).toEqual({ token: "a.b.c" });
    expect(inHeader("JWT", "JWT")).toEqual({ token: "" });
    expect(inHeader("JWT", "JWT=a")).toBe("ERR_TOKEN_INVALID");
    for (const other of ["Bearer a.b.c", "JWTS a", "JW", ""]) expect(inHeader("JWT", other)).toBeUndefined();
  });

  it("B02 B08 refuses two lines, and bytes that no token has", () => {
    expect(inHeader(undefined, "a", "a")).toBe("ERR_CREDENTIAL_REPEATED");
    expect(inHeader("JWT", "JWT a", "Bearer b")).toBe("ERR_CREDENTIAL_REPEATED");
    for (const line of ["a\tb", "t\u00f6ken", "a\u0000"])
      expect(inHeader(undefined, line)).toBe("ERR_HEADER_MALFORMED");
  });
});
