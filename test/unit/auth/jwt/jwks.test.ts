import { describe, expect, it } from "@jest/globals";
import { localKeySet } from "../../../../src/auth/jwt/jwks.js";
import { parseKeySet } from "../../../../src/auth/jwt/token-key.js";
import { ed25519, jwkOf, p256 } from "../../keys/keys.js";

function setOf(...keys: unknown[]) {
  return localKeySet(parseKeySet({ keys }, { where: "jwks", algorithms: undefined }));
}

describe("localKeySet", () => {
  it("A09 gives a kid exactly its key, for that key's algorithm only", () => {
    const set = setOf(
      jwkOf(p256.publicKey, { kid: "a" }),
      jwkOf(ed25519.publicKey, { kid: "b" }),
      jwkOf(p256.publicKey),
    );
    expect(set.find("a", "ES256").map(({ kid }) => kid)).toEqual(["a"]);
    expect(set.find("a", "EdDSA")).toEqual([]);
    expect(set.find("c", "ES256")).toEqual([]);
  });

  it.each([["__proto__"], ["constructor"], ["toString"], [""]])("A08 has no key for the kid %p", (kid) => {
    expect(setOf(jwkOf(p256.publicKey, { kid: "a" })).find(kid, "ES256")).toEqual([]);
  });

  it("A09 gives at most four keys where the token names none, in order", () => {
    const keys = ["a", "b", "c", "d", "e"].map((kid) => jwkOf(p256.publicKey, { kid }));
    const set = setOf(jwkOf(ed25519.publicKey), ...keys);
    expect(set.find(undefined, "ES256").map(({ kid }) => kid)).toEqual(["a", "b", "c", "d"]);
    expect(set.find(undefined, "EdDSA")).toHaveLength(1);
    expect(set.find(undefined, "RS256")).toEqual([]);
  });
});
