import { randomBytes } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { parseSecret } from "../../../../src/auth/jwt/token-secret.js";
import { parseAlgorithms } from "../../../../src/keys/algorithms.js";
import { jwkOf, p256, pemOf, rsa } from "../../keys/keys.js";

function parse(secret: unknown, algorithms?: string[], insecureShortSecret = false) {
  return parseSecret(secret, {
    where: "jwt.secret",
    kid: "k",
    algorithms: parseAlgorithms(algorithms, "jwt.algorithms"),
    insecureShortSecret,
  });
}

async function rawBytes(secret: unknown): Promise<number> {
  const key = await parse(secret).cryptoKey("HS256");
  return (key.algorithm as unknown as { length: number }).length / 8;
}

describe("parseSecret", () => {
  it("takes text, bytes and strict base64 of either alphabet, and checks HS256 unless told otherwise", async () => {
    const bytes = Buffer.concat([Buffer.from([0xfb, 0xef, 0xff]), randomBytes(31)]);
    expect(parse(bytes)).toMatchObject({ kid: "k", algorithms: ["HS256"] });
    expect(parse(randomBytes(64), ["HS512", "HS256"]).algorithms).toEqual(["HS512", "HS256"]);
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
    expect(() => parse(secret, [algorithm])).toThrow(
      new RegExp(
        `jwt\\.secret has ${length} bytes.*use ${length + 1} or more random bytes.*insecureShortSecret`,
      ),
    );
    expect(() => parse(randomBytes(length + 1), [algorithm])).not.toThrow();
    expect(parse(secret, [algorithm], true).algorithms).toEqual([algorithm]);
  });

  it("A13 asks for the longest hash where several algorithms are named", () => {
    expect(() => parse(randomBytes(48), ["HS256", "HS512"])).toThrow(/use 64 or more/);
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
    expect(() => parse(secret, undefined, true)).toThrow(/jwt\.secret is .* so anyone can sign with it/);
  });

  it.each([[""], [new Uint8Array()], [{ base64: "" }]])("A13 refuses the empty secret %p", (secret) => {
    expect(() => parse(secret, undefined, true)).toThrow(/is empty/);
  });

  it.each([[undefined], [null], [1], [{}], [{ base64: 1 }], [Object.create({ base64: "x" })]])(
    "A13 refuses %p as a secret and asks for a missing variable",
    (secret) => {
      expect(() => parse(secret)).toThrow(/must be text, a Uint8Array or \{ base64.*environment variable/);
    },
  );

  it.each([["ab c"], ["a"], ["QR"], ["QQ="], ["+_++"], ["QUJ="], ["not base64!"]])(
    "refuses %p as base64",
    (base64) => {
      expect(() => parse({ base64 })).toThrow(/jwt\.secret\.base64 is not base64/);
    },
  );

  it("refuses text with white space around it, which a file's line end leaves", () => {
    expect(() => parse(`${randomBytes(32).toString("hex")}\n`)).toThrow(/white space.*trim it/);
  });

  it.each([
    ["PEM text", pemOf(rsa.publicKey)],
    ["PEM bytes", Buffer.from(pemOf(p256.publicKey))],
    ["a JWK as text", JSON.stringify(jwkOf(p256.publicKey))],
  ])("A03 refuses a public key as a secret: %s", (_name, secret) => {
    expect(() => parse(secret)).toThrow(/not a shared secret; give public keys as `publicKey`/);
  });

  it("A05 refuses algorithms that no secret can check", () => {
    expect(() => parse(randomBytes(32), ["RS256"])).toThrow(/cannot check RS256; give `publicKey`/);
  });

  it("never puts the secret into a message", () => {
    const secret = "canary-7f3a";
    for (const attempt of [() => parse(secret), () => parse({ base64: secret }), () => parse(` ${secret}`)]) {
      expect(attempt).toThrow(TypeError);
      expect(attempt).not.toThrow(/canary/);
    }
  });
});
