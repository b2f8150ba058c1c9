import { createHash } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { singleServiceCredentials } from "../../../../src/auth/credentials/single-service.js";
import { systemClock } from "../../../../src/lib/clock.js";

const [one, two] = ["kQ3v9Zt1Lw8Xy2Rb7Nc4Mf6Hd5Js0Pa1", "kQ3v9Zt1Lw8Xy2Rb7Nc4Mf6Hd5Js0Pa2"] as const;
const secret = "p9Vq2Lx7Rw4Nz8Ty1Kb6Mc3Hd5Js0GfA";

function make(options: { serviceKey?: unknown; jwt?: unknown }): ReturnType<typeof singleServiceCredentials> {
  return singleServiceCredentials({ name: "orders", ...options }, "auth", systemClock);
}

function messageOf(options: { serviceKey?: unknown; jwt?: unknown }): string {
  try {
    make(options);
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return (error as Error).message;
  }
  throw new Error("was taken");
}

function idOf(found: ReturnType<typeof make>, key: string): string | undefined {
  const digest = createHash("sha256").update(key).digest("hex");
  return found.credentials.findKey(digest, "service-key")?.id;
}

describe("singleServiceCredentials", () => {
  it("takes one key, several, or keys with options and a header", () => {
    expect(idOf(make({ serviceKey: one }), one)).toBe("key-1");
    const both = make({ serviceKey: [one, two] });
    expect([idOf(both, one), idOf(both, two), both.keyHeader]).toEqual(["key-1", "key-2", "key"]);
    const full = make({
      serviceKey: { header: "X-Api-Key", keys: [{ id: "2026", key: one }, { key: two }] },
    });
    expect([idOf(full, one), idOf(full, two), full.keyHeader]).toEqual(["2026", "key-2", "x-api-key"]);
  });

  it("belongs to the tenant default and the service of the receiver's name", () => {
    const { credentials } = make({ jwt: { issuer: "i", secret } });
    expect(credentials.findTokenCredentials({ issuer: "i" })).toMatchObject([
      { id: "jwt-1", owner: { tenant: "default", service: "orders", allowIps: [] } },
    ]);
  });

  it("leaves a JWT without id and kid without a kid, and lets it check any while it is alone", async () => {
    const { credentials } = make({
      jwt: [
        { issuer: "i", secret },
        { id: "b", issuer: "j", secret },
      ],
    });
    const [first] = credentials.findTokenCredentials({ issuer: "i" });
    expect((await first?.keys.find(undefined, "HS256"))?.map(({ kid }) => kid)).toEqual([undefined]);
    expect(await first?.keys.find("jwt-1", "HS256")).toHaveLength(1);
    const [second] = credentials.findTokenCredentials({ issuer: "j" });
    expect(await second?.keys.find("b", "HS256")).toHaveLength(1);
  });

  it.each([
    ["neither key nor JWT", {}, /^auth needs serviceKey, jwt or both/],
    ["an empty key", { serviceKey: "" }, /^auth\.serviceKey is an empty string; make one with/],
    ["a short key", { serviceKey: "changeme" }, /^auth\.serviceKey has 8 characters/],
    ["a short key in a list", { serviceKey: [one, "short"] }, /^auth\.serviceKey\[1\] has 5 characters/],
    [
      "an undefined key in a list",
      { serviceKey: [undefined] },
      /^auth\.serviceKey\[0\] is undefined: is its environment/,
    ],
    ["no key in a list", { serviceKey: [] }, /^auth\.serviceKey is an empty array/],
    ["an object in a list", { serviceKey: [{ id: "a", key: one }] }, /keys with options go into \{ keys:/],
    ["null", { serviceKey: null }, /^auth\.serviceKey must be a key, an array of keys, or/],
    ["a number", { serviceKey: 1 }, /must be a key, an array/],
    ["a digest in the wrong form", { serviceKey: { digest: "00" } }, /has no option "digest"/],
    ["no keys", { serviceKey: { header: "key" } }, /auth\.serviceKey\.keys must be an array of at least one/],
    ["an empty list of keys", { serviceKey: { keys: [] } }, /keys must be an array of at least one/],
    ["a key that is a string", { serviceKey: { keys: [one] } }, /keys\[0\] must be an object such as/],
    ["the same key twice", { serviceKey: [one, one] }, /\[1\] is the same key as auth\.serviceKey\[0\]/],
    [
      "a header that is none",
      { serviceKey: { header: "a b", keys: [{ key: one }] } },
      /is not a header name/,
    ],
    [
      "Authorization as header",
      { serviceKey: { header: "Authorization", keys: [{ key: one }] } },
      /cannot be sent in "authorization"/,
    ],
    ["no JWT in a list", { jwt: [] }, /^auth\.jwt is an empty array/],
    ["a JWT without a key", { jwt: { issuer: "i" } }, /^auth\.jwt has no key/],
    ["the second JWT", { jwt: [{ issuer: "i", secret }, null] }, /^auth\.jwt\[1\] must be an object/],
  ])("refuses %s", (_name, options, message) => {
    expect(messageOf(options)).toMatch(message);
  });

  it("names the mistakes of keys and JWTs at once", () => {
    expect(messageOf({ serviceKey: "short", jwt: { issuer: "i", secret: "short" } })).toMatch(/^2 mistakes:/);
  });
});
