import { describe, expect, it } from "@jest/globals";
import { defaultAlgorithms, jwsAlgorithms, parseAlgorithms } from "../../../src/keys/algorithms.js";

const names = (value: unknown): string[] | undefined =>
  parseAlgorithms(value, "jwt.algorithms")?.map((algorithm) => algorithm.name);

describe("parseAlgorithms", () => {
  it("reads names of one family, each once, and nothing where left out", () => {
    expect(names(undefined)).toBeUndefined();
    expect(names(["PS512", "PS256", "PS512"])).toEqual(["PS512", "PS256"]);
    expect(names(["EdDSA", "Ed25519"])).toEqual(["EdDSA", "Ed25519"]);
    for (const name of jwsAlgorithms.keys()) expect(names([name])).toEqual([name]);
  });

  it.each([
    [[], /must be an array such as .*not an empty array/],
    ["RS256", /must be an array such as \["RS256"\]/],
    [null, /not null/],
    [[256], /must hold names such as "RS256", not 256/],
    [["none"], /must not hold "none"/],
    [["NoNe"], /must not hold "none"/],
    [["hs256"], /did you mean "HS256"\?/],
    [["ES256K"], /unknown algorithm "ES256K"; known are HS256/],
    [["constructor"], /unknown algorithm/],
    [["RS256", "PS256"], /mixes the families RS and PS/],
    [["HS256", "RS256"], /mixes the families HS and RS.*a credential of each/],
  ])("A05 refuses %j at construction", (value, message) => {
    expect(() => names(value)).toThrow(TypeError);
    expect(() => names(value)).toThrow(message);
  });
});

describe("defaultAlgorithms", () => {
  it("is one algorithm by the kind of key", () => {
    const usual = (kty: "oct" | "RSA" | "EC" | "OKP", curve?: string): string[] =>
      defaultAlgorithms({ kty, curve }).map((algorithm) => algorithm.name);
    expect([usual("oct"), usual("RSA"), usual("EC", "P-256"), usual("EC", "P-384")]).toEqual([
      ["HS256"],
      ["RS256"],
      ["ES256"],
      ["ES384"],
    ]);
    expect([usual("EC", "P-521"), usual("OKP", "Ed25519"), usual("EC")]).toEqual([["ES512"], ["EdDSA"], []]);
  });
});
