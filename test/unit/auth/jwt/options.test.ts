import { randomBytes } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { type JwtOptions, parseJwtOptions, parseSecret } from "../../../../src/auth/jwt/options.js";
import { parseAlgorithms } from "../../../../src/keys/algorithms.js";
import { systemClock } from "../../../../src/lib/clock.js";
import type { TokenCredential } from "../../../../src/types/credential.js";
import { ed25519, jwkOf, p256, pemOf, rsa } from "../../keys/keys.js";

const owner = { tenant: "t", service: "s", allowIps: [] };
const secret = randomBytes(32);

function parse(options: unknown): TokenCredential {
  return parseJwtOptions(options, "auth.jwt", { owner, defaultId: "jwt-1", clock: systemClock });
}
const withSecret = (options: object = {}): TokenCredential => parse({ issuer: "orders", secret, ...options });

describe("parseJwtOptions", () => {
  it("has the documented defaults", () => {
    expect(withSecret()).toMatchObject({
      kind: "jwt",
      id: "jwt-1",
      owner,
      active: true,
      notBeforeMs: Number.NEGATIVE_INFINITY,
      expiresAtMs: Number.POSITIVE_INFINITY,
      policy: {
        issuer: "orders",
        audience: undefined,
        algorithms: ["HS256"],
        maxAgeSeconds: undefined,
        maxLifetimeSeconds: 86_400,
        clockToleranceSeconds: 5,
        requiredClaims: [],
        typ: "jwt",
        bodyHashClaim: undefined,
      },
    });
  });

  it("takes every option", () => {
    const options: JwtOptions = {
      id: "main",
      issuer: "orders",
      audience: ["a", "b"],
      algorithms: ["PS256", "PS384"],
      publicKey: pemOf(rsa.publicKey),
      maxAge: "1m",
      maxLifetime: "2m",
      clockTolerance: "5m",
      requiredClaims: ["jti"],
      typ: "application/at+JWT",
      bodyHashClaim: "bh",
      state: "inactive",
      notBefore: "2026-01-01T00:00:00Z",
      expiresAt: new Date(Date.UTC(2027, 0)),
    };
    const credential = parse(options);
    expect(credential).toMatchObject({
      id: "main",
      active: false,
      notBeforeMs: Date.UTC(2026, 0),
      expiresAtMs: Date.UTC(2027, 0),
      policy: {
        audience: ["a", "b"],
        algorithms: ["PS256", "PS384"],
        maxAgeSeconds: 60,
        maxLifetimeSeconds: 120,
        clockToleranceSeconds: 300,
        requiredClaims: ["jti"],
        typ: "at+jwt",
        bodyHashClaim: "bh",
      },
    });
    expect(Object.isFrozen(credential) && Object.isFrozen(credential.policy)).toBe(true);
    expect(withSecret({ audience: "a" }).policy.audience).toEqual(["a"]);
  });

  it("names a key by kid, else by a JWK's own kid, else by id", () => {
    const finds = (credential: TokenCredential, kid: string, alg = "HS256"): boolean =>
      (credential.keys.find(kid, alg) as readonly unknown[]).length === 1;
    expect(finds(withSecret({ id: "i" }), "i")).toBe(true);
    expect(finds(withSecret({ id: "i", kid: "k" }), "k")).toBe(true);
    expect(finds(withSecret({ id: "i", kid: "k" }), "i")).toBe(false);
    expect(finds(withSecret(), "jwt-1")).toBe(false);
    const jwk = jwkOf(p256.publicKey, { kid: "own" });
    expect(finds(parse({ id: "i", issuer: "o", publicKey: jwk }), "own", "ES256")).toBe(true);
    expect(finds(parse({ id: "i", kid: "k", issuer: "o", publicKey: jwk }), "k", "ES256")).toBe(true);
    expect(finds(parse({ id: "i", issuer: "o", publicKey: jwkOf(p256.publicKey) }), "i", "ES256")).toBe(true);
  });

  it("takes a set, whose keys bring kid and algorithm", () => {
    const keys = [jwkOf(rsa.publicKey, { kid: "a" }), jwkOf(ed25519.publicKey, { kid: "b" })];
    const { keys: set, policy } = parse({ issuer: "o", jwks: { keys } });
    expect(policy.algorithms).toEqual(["RS256", "EdDSA"]);
    expect(set.find("a", "RS256")).toHaveLength(1);
    expect(set.find("a", "EdDSA")).toHaveLength(0);
    const remote = parse({ issuer: "o", jwksUri: "https://issuer.example/jwks.json" });
    expect(remote.policy.algorithms).toEqual(expect.arrayContaining(["RS256", "PS512", "ES384", "EdDSA"]));
    expect(remote.policy.algorithms).not.toContain("HS256");
    const bound = parse({ issuer: "o", algorithms: ["ES256"], jwksUri: "https://issuer.example/jwks.json" });
    expect(bound.policy.algorithms).toEqual(["ES256"]);
  });

  it.each([
    ["nothing", undefined, /auth\.jwt must be an object, not undefined/],
    ["an array", [], /must be an object, not an empty array/],
    [
      "a near miss",
      { issuer: "o", secret, audiance: "a" },
      /no option "audiance"; did you mean "audience"\?/,
    ],
    ["no issuer", { secret }, /auth\.jwt\.issuer must be a string that is not empty, not undefined/],
    ["an empty issuer", { issuer: "", secret }, /issuer must be a string that is not empty/],
    ["an inherited issuer", Object.assign(Object.create({ issuer: "o" }), { secret }), /issuer must be/],
    ["no key", { issuer: "o" }, /auth\.jwt has no key: give one of secret, publicKey, jwks, jwksUri$/],
    [
      "a key that is undefined",
      { issuer: "o", secret: undefined },
      /secret is undefined: is an environment variable/,
    ],
    ["a key that is null", { issuer: "o", secret: null }, /auth\.jwt\.secret must be text/],
    ["an empty audience", { issuer: "o", secret, audience: [] }, /audience is empty, so no token could pass/],
    ["an audience of numbers", { issuer: "o", secret, audience: [1] }, /audience\[0\] must be a string/],
    [
      "audience null",
      { issuer: "o", secret, audience: null },
      /audience must be an array of strings, not null/,
    ],
    [
      "a blank audience",
      { issuer: "o", secret, audience: "" },
      /audience must be a string that is not empty/,
    ],
    [
      "requiredClaims as text",
      { issuer: "o", secret, requiredClaims: "jti" },
      /requiredClaims must be an array/,
    ],
    ["typ null", { issuer: "o", secret, typ: 1 }, /typ must be a string/],
    ["a long kid", { issuer: "o", secret, kid: "k".repeat(257) }, /kid must have at most 256 characters/],
    ["an empty id", { issuer: "o", secret, id: "" }, /id must be a string that is not empty/],
    ["bodyHashClaim 1", { issuer: "o", secret, bodyHashClaim: 1 }, /bodyHashClaim must be a string/],
    [
      "insecureShortSecret as text",
      { issuer: "o", secret, insecureShortSecret: "yes" },
      /must be true or left out/,
    ],
    [
      "insecureShortSecret beside a public key",
      { issuer: "o", publicKey: pemOf(rsa.publicKey), insecureShortSecret: true },
      /only for `secret`/,
    ],
    [
      "kid beside a set",
      { issuer: "o", kid: "k", jwks: { keys: [] } },
      /kid is only for `secret` and `publicKey`/,
    ],
    ["an empty set", { issuer: "o", jwks: { keys: [] } }, /jwks has no key that can check tokens; look at/],
    [
      "a set that suits no algorithm",
      { issuer: "o", algorithms: ["ES256"], jwks: { keys: [jwkOf(rsa.publicKey)] } },
      /no key that can check tokens with the given `algorithms`/,
    ],
  ])("refuses %s, and names option and fix", (_name, options, message) => {
    expect(() => parse(options)).toThrow(TypeError);
    expect(() => parse(options)).toThrow(message);
  });

  it.each([
    [["secret", "publicKey"], { secret, publicKey: pemOf(rsa.publicKey) }],
    [["secret", "jwksUri"], { secret, jwksUri: "https://issuer.example/jwks.json" }],
    [["publicKey", "jwks"], { publicKey: pemOf(rsa.publicKey), jwks: { keys: [jwkOf(rsa.publicKey)] } }],
  ])("A05 refuses %j together", (names, keys) => {
    expect(() => parse({ issuer: "o", ...keys })).toThrow(
      `auth.jwt has ${names.join(" and ")}; a credential has one kind of key`,
    );
  });

  it.each([
    [{ secret, algorithms: ["HS256", "RS256"] }, /mixes the families/],
    [{ secret, algorithms: [] }, /algorithms must be an array/],
    [{ secret, algorithms: ["none"] }, /must not hold "none"/],
    [{ secret, algorithms: ["ES256"] }, /cannot check ES256; give `publicKey`/],
    [{ publicKey: pemOf(rsa.publicKey), algorithms: ["HS256"] }, /cannot check HS256/],
    [
      { jwks: { keys: [jwkOf(rsa.publicKey)] }, algorithms: ["HS256"] },
      /cannot check HS256; give a shared secret/,
    ],
    [
      { jwksUri: "https://issuer.example/", algorithms: ["HS256"] },
      /cannot check HS256; give a shared secret/,
    ],
  ])("A03 A05 refuses algorithms that the key must not serve: %#", (options, message) => {
    expect(() => parse({ issuer: "o", ...options })).toThrow(message);
  });

  it.each([["301s"], ["5.001m"], ["-1s"], [5], [Number.NaN], ["5"], ["5 s"], ["1e9s"], [null]])(
    "A26 refuses a tolerance of %p",
    (clockTolerance) => {
      expect(() => withSecret({ clockTolerance })).toThrow(
        /clockTolerance must be a duration such as "10s", from "0s" to "5m"/,
      );
    },
  );

  it.each([["0s"], ["999ms"], ["-1s"], ["3651d"], [60], [Number.POSITIVE_INFINITY], ["60"]])(
    "refuses %p as an age or a lifetime",
    (value) => {
      const message = 'must be a duration such as "10s", from "1s" to "3650d"';
      expect(() => withSecret({ maxAge: value })).toThrow(`maxAge ${message}`);
      expect(() => withSecret({ maxLifetime: value })).toThrow(`maxLifetime ${message}`);
    },
  );

  it("A13 takes a short secret only with insecureShortSecret", () => {
    expect(() => withSecret({ secret: "tr0ub4dor&3" })).toThrow(/auth\.jwt\.secret has 11 bytes/);
    expect(withSecret({ secret: "tr0ub4dor&3", insecureShortSecret: true }).policy.algorithms).toEqual([
      "HS256",
    ]);
  });
});

function parseOne(secret: unknown, algorithms?: string[], insecureShortSecret = false) {
  return parseSecret(secret, {
    where: "jwt.secret",
    kid: "k",
    algorithms: parseAlgorithms(algorithms, "jwt.algorithms"),
    insecureShortSecret,
  });
}

async function rawBytes(secret: unknown): Promise<number> {
  const key = await parseOne(secret).cryptoKey("HS256");
  return (key.algorithm as unknown as { length: number }).length / 8;
}

describe("parseSecret", () => {
  it("takes text, bytes and strict base64 of either alphabet, and checks HS256 unless told otherwise", async () => {
    const bytes = Buffer.concat([Buffer.from([0xfb, 0xef, 0xff]), randomBytes(31)]);
    expect(parseOne(bytes)).toMatchObject({ kid: "k", algorithms: ["HS256"] });
    expect(parseOne(randomBytes(64), ["HS512", "HS256"]).algorithms).toEqual(["HS512", "HS256"]);
    expect(await rawBytes("ü".repeat(8) + randomBytes(8).toString("hex"))).toBe(32);
    for (const base64 of [
      bytes.toString("base64"),
      bytes.toString("base64").replaceAll("=", ""),
      bytes.toString("base64url"),
      bytes.toString("base64").replaceAll("+", "-").replaceAll("/", "_"),
    ]) {
      expect(await rawBytes({ base64 })).toBe(34);
    }
  });

  it.each([
    ["HS256", 31],
    ["HS384", 47],
    ["HS512", 63],
  ])("A13 refuses a secret shorter than the hash of %s, and names the fix", (algorithm, length) => {
    const secret = randomBytes(length);
    expect(() => parseOne(secret, [algorithm])).toThrow(
      new RegExp(
        `jwt\\.secret has ${length} bytes.*use ${length + 1} or more random bytes.*insecureShortSecret`,
      ),
    );
    expect(() => parseOne(randomBytes(length + 1), [algorithm])).not.toThrow();
    expect(parseOne(secret, [algorithm], true).algorithms).toEqual([algorithm]);
  });

  it("A13 asks for the longest hash where several algorithms are named", () => {
    expect(() => parseOne(randomBytes(48), ["HS256", "HS512"])).toThrow(/use 64 or more/);
  });

  it.each([
    ["all bytes equal", "a".repeat(64)],
    ["a short unit repeated", "abcd1234".repeat(8)],
    ["a unit repeated and cut off", "0123456789".repeat(4).slice(0, 38)],
    ["the sample of jwt.io", "your-256-bit-secret"],
    ["the newer sample of jwt.io", "a-string-secret-at-least-256-bits-long"],
    ["a sample in other case", "QWERTYUIOPASDFGHJKLZXCVBNM123456"],
    ["one byte", "x"],
    [
      "the key of RFC 7515 as text",
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    ],
    ["the key of RFC 7520 as bytes", { base64: "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg" }],
  ])("A13 refuses %s, even with insecureShortSecret", (_name, secret) => {
    expect(() => parseOne(secret, undefined, true)).toThrow(/jwt\.secret is .* so anyone can sign with it/);
  });

  it.each([[""], [new Uint8Array()], [{ base64: "" }]])("A13 refuses the empty secret %p", (secret) => {
    expect(() => parseOne(secret, undefined, true)).toThrow(/is empty/);
  });

  it.each([[undefined], [null], [1], [{}], [{ base64: 1 }], [Object.create({ base64: "x" })]])(
    "A13 refuses %p as a secret and asks for a missing variable",
    (secret) => {
      expect(() => parseOne(secret)).toThrow(/must be text, a Uint8Array or \{ base64.*environment variable/);
    },
  );

  it.each([["ab c"], ["a"], ["QR"], ["QQ="], ["+_++"], ["QUJ="], ["not base64!"]])(
    "refuses %p as base64",
    (base64) => {
      expect(() => parseOne({ base64 })).toThrow(/jwt\.secret\.base64 is not base64/);
    },
  );

  it("refuses text with white space around it, which a file's line end leaves", () => {
    expect(() => parseOne(`${randomBytes(32).toString("hex")}\n`)).toThrow(/white space.*trim it/);
  });

  it.each([
    ["PEM text", pemOf(rsa.publicKey)],
    ["PEM bytes", Buffer.from(pemOf(p256.publicKey))],
    ["a JWK as text", JSON.stringify(jwkOf(p256.publicKey))],
  ])("A03 refuses a public key as a secret: %s", (_name, secret) => {
    expect(() => parseOne(secret)).toThrow(/not a shared secret; give public keys as `publicKey`/);
  });

  it("A05 refuses algorithms that no secret can check", () => {
    expect(() => parseOne(randomBytes(32), ["RS256"])).toThrow(/cannot check RS256; give `publicKey`/);
  });

  it("never puts the secret into a message", () => {
    const secret = "canary-7f3a";
    for (const attempt of [
      () => parseOne(secret),
      () => parseOne({ base64: secret }),
      () => parseOne(` ${secret}`),
    ]) {
      expect(attempt).toThrow(TypeError);
      expect(attempt).not.toThrow(/canary/);
    }
  });
});
