import { describe, expect, it } from "@jest/globals";
import { policyFault, tokenLifeMs } from "../../../../src/auth/jwt/claims.js";
import type { TokenPolicy } from "../../../../src/types/credential.js";

const now = 1_767_225_600;
const basis: TokenPolicy = {
  issuer: "orders",
  audience: ["https://hooks.example/in", "second"],
  algorithms: ["HS256", "HS512"],
  maxAgeSeconds: undefined,
  maxLifetimeSeconds: 86_400,
  clockToleranceSeconds: 5,
  requiredClaims: [],
  typ: "jwt",
  bodyHashClaim: undefined,
};
const good = { iss: "orders", aud: "second", exp: now + 60 };

function fault(
  claims: Record<string, unknown>,
  policy: Partial<TokenPolicy> = {},
  head: { algorithm?: string; typ?: string | undefined } = {},
): string | undefined {
  const token = { ok: true, algorithm: "HS256", keyId: undefined, typ: undefined, ...head } as const;
  return policyFault({ ...token, claims: { ...good, ...claims } }, { ...basis, ...policy }, now * 1000)
    ?.reason;
}

describe("policyFault", () => {
  it("passes a token that keeps every rule", () => {
    expect(fault({})).toBeUndefined();
    expect(fault({ nbf: now, iat: now, sub: "s", jti: "j", aud: ["other", "second"] })).toBeUndefined();
    expect(fault({ exp: now + 0.5, iat: now - 0.5 })).toBeUndefined();
    expect(fault({}, {}, { algorithm: "HS512", typ: "jwt" })).toBeUndefined();
  });

  it.each([["HS384"], ["RS256"], ["none"], ["hs256"], ["constructor"]])(
    "A01 A03 A04 refuses alg %s where the credential does not list it",
    (algorithm) => {
      expect(fault({}, {}, { algorithm })).toBe("the token's alg is not among the accepted: HS256, HS512");
    },
  );

  it.each([undefined, "", "j".repeat(256)])("A29 refuses jti %j of a token that is good once", (jti) => {
    expect(fault(jti === undefined ? {} : { jti }, { oneTimeUse: true })).toBe(
      "jti is missing, empty or longer than 255 characters; oneTimeUse requires it",
    );
  });

  it("A29 takes a token that is good once by its jti", () => {
    expect(fault({ jti: "j".repeat(255) }, { oneTimeUse: true })).toBeUndefined();
  });

  it("A16 takes typ JWT or none by default, and only the configured one otherwise", () => {
    for (const typ of ["secevent+jwt", "at+jwt", "dpop+jwt", "logout+jwt", "jose", ""]) {
      expect(fault({}, {}, { typ })).toBe('the token\'s typ is not "jwt"');
    }
    expect(fault({}, { typ: "at+jwt" }, { typ: "at+jwt" })).toBeUndefined();
    expect(fault({}, { typ: "at+jwt" }, { typ: "jwt" })).toContain('typ is not "at+jwt"');
    expect(fault({}, { typ: "at+jwt" })).toContain('typ is not "at+jwt"');
  });

  it.each([["Orders"], ["orders/"], ["orders "], [["orders"]], [{}], [null], [undefined]])(
    "A27 refuses iss %j: only the exact text passes",
    (iss) => {
      expect(fault({ iss })).toBe('iss is not exactly "orders"');
    },
  );

  it.each([
    [undefined, "does not contain"],
    ["secon", "does not contain"],
    ["second/", "does not contain"],
    ["Second", "does not contain"],
    [[], "does not contain"],
    [["secon", "d"], "does not contain"],
    [null, "not a string or an array"],
    [{ 0: "second" }, "not a string or an array"],
    [["second", 1], "not a string or an array"],
    [[["second"]], "not a string or an array"],
  ])("A27 refuses aud %j", (aud, reason) => {
    expect(fault({ aud })).toContain(reason);
  });

  it("looks at the type of aud only where no audience is configured", () => {
    expect(fault({ aud: "anything" }, { audience: undefined })).toBeUndefined();
    expect(fault({ aud: undefined }, { audience: undefined })).toBeUndefined();
    expect(fault({ aud: 1 }, { audience: undefined })).toContain("not a string or an array");
  });

  it("A24 refuses a token without exp, unless a maximum age is set", () => {
    expect(fault({ exp: undefined })).toBe("exp is missing");
    expect(fault({ exp: undefined, iat: now }, { maxAgeSeconds: 60 })).toBeUndefined();
  });

  it("A24 refuses exp from the tolerated instant on", () => {
    expect(fault({ exp: now - 4.999 })).toBeUndefined();
    expect(fault({ exp: now - 5 })).toContain("has expired");
    expect(fault({ exp: now }, { clockToleranceSeconds: 0 })).toContain("has expired");
    expect(fault({ exp: now + 0.001 }, { clockToleranceSeconds: 0 })).toBeUndefined();
  });

  it.each([
    ["60"],
    [null],
    [true],
    [[now + 60]],
    [{}],
    [-1],
    [(now + 60) * 1000],
    [2 ** 53 + 2],
    [1e308],
    [Number.POSITIVE_INFINITY],
  ])("A24 A25 refuses %p as exp, nbf or iat", (value) => {
    for (const claim of ["exp", "nbf", "iat"]) {
      expect(fault({ [claim]: value })).toContain(`${claim} is not a number of seconds`);
    }
  });

  it("A24 refuses a life longer than the maximum, from iat or from now", () => {
    expect(fault({ exp: now + 86_405 })).toBeUndefined();
    expect(fault({ exp: now + 86_406 })).toContain("a lifetime of more than 86400 s");
    expect(fault({ iat: now - 86_400, exp: now + 5 })).toBeUndefined();
    expect(fault({ iat: now - 86_400, exp: now + 6 })).toContain("a lifetime of more than 86400 s");
  });

  it("A25 refuses nbf and iat beyond the tolerance", () => {
    expect(fault({ nbf: now + 5, iat: now + 5 })).toBeUndefined();
    expect(fault({ nbf: now + 6 })).toContain("not valid yet");
    expect(fault({ iat: now + 6 })).toContain("iat is in the future");
  });

  it("A25 refuses iat after exp", () => {
    expect(fault({ iat: now + 3, exp: now + 2 })).toBe("iat is after exp");
  });

  it("A25 refuses a token older than the maximum age, or without iat", () => {
    expect(fault({}, { maxAgeSeconds: 60 })).toContain("iat is missing");
    expect(fault({ iat: now - 64.9 }, { maxAgeSeconds: 60 })).toBeUndefined();
    expect(fault({ iat: now - 65 }, { maxAgeSeconds: 60 })).toContain("older than 60 s");
  });

  it("refuses sub and jti that are not strings", () => {
    expect(fault({ sub: 1 })).toBe("sub is not a string");
    expect(fault({ jti: 1 })).toBe("jti is not a string");
  });

  it("refuses a token without a required claim, also where the claim is null or inherited", () => {
    const policy = { requiredClaims: ["jti", "toString"] };
    expect(fault({}, policy)).toBe('the claim "jti" is missing');
    expect(fault({ role: null }, { requiredClaims: ["role"] })).toBe('the claim "role" is missing');
    expect(fault({ jti: "j" }, policy)).toBe('the claim "toString" is missing');
    expect(fault({ jti: "j", toString: false }, policy)).toBeUndefined();
  });

  it("refuses a token without the claim that binds the body", () => {
    expect(fault({ bh: "x" }, { bodyHashClaim: "bh" })).toBeUndefined();
    expect(fault({ bh: 1 }, { bodyHashClaim: "bh" })).toContain('the claim "bh" (bodyHashClaim)');
    expect(fault({}, { bodyHashClaim: "constructor" })).toContain('the claim "constructor"');
  });

  it("I09 reads no claim from a polluted prototype", () => {
    Object.defineProperty(Object.prototype, "exp", { value: now + 60, configurable: true });
    try {
      const token = { ok: true, algorithm: "HS256", keyId: undefined, typ: undefined } as const;
      expect(
        policyFault({ ...token, claims: { iss: "orders", aud: "second" } }, basis, now * 1000)?.reason,
      ).toBe("exp is missing");
    } finally {
      Reflect.deleteProperty(Object.prototype, "exp");
    }
  });
});

describe("tokenLifeMs", () => {
  const none = { fromMs: Number.NEGATIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY };

  it("ends at the earlier of exp and maximum age, with the tolerance, and nowhere where neither counts", () => {
    const until = (claims: object, maxAgeSeconds?: number) =>
      tokenLifeMs({ ...claims }, { ...basis, maxAgeSeconds }).untilMs;
    expect(until({ exp: 100 })).toBe(105_000);
    expect(until({ exp: 100, iat: 10 }, 30)).toBe(45_000);
    expect(until({ exp: 20, iat: 10 }, 30)).toBe(25_000);
    expect(until({ iat: 10 }, 30)).toBe(45_000);
    expect(tokenLifeMs({}, basis)).toEqual(none);
  });

  it("begins at the later of nbf and iat, with the tolerance", () => {
    expect(tokenLifeMs({ nbf: 100, iat: 10 }, basis).fromMs).toBe(95_000);
    expect(tokenLifeMs({ nbf: 10, iat: 100 }, basis).fromMs).toBe(95_000);
    expect(tokenLifeMs({ iat: 100 }, basis).fromMs).toBe(95_000);
  });
});
