import { createHash } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import {
  type CredentialsDefinition,
  defineCredentials,
  singleServiceCredentials,
} from "../../../../src/auth/credentials/define.js";
import { parseIp } from "../../../../src/ip/address.js";
import { createAllowlist } from "../../../../src/ip/allowlist.js";
import { systemClock } from "../../../../src/lib/clock.js";
import type { IpAddress } from "../../../../src/types/credential.js";

const keys = Array.from({ length: 6 }, (_, n) => `kQ3v9Zt1Lw8Xy2Rb7Nc4Mf6Hd5Js0Pa${n}`) as [
  string,
  string,
  string,
  string,
  string,
  string,
];
const secrets = ["p9Vq2Lx7Rw4Nz8Ty1Kb6Mc3Hd5Js0GfA", "t1Kb6Mc3Hd5Js0GfAp9Vq2Lx7Rw4Nz8Y"] as const;

function hex(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function messageOf(definition: unknown): string {
  try {
    defineCredentials(definition as CredentialsDefinition);
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return (error as Error).message;
  }
  throw new Error("was taken");
}

function oneService(service: object): unknown {
  return { tenants: { acme: { services: { orders: service } } } };
}

describe("defineCredentials", () => {
  it("finds keys by digest and kind, and JWTs by issuer", () => {
    const credentials = defineCredentials({
      tenants: {
        acme: {
          profileKeys: [{ id: "p1", key: keys[0] }],
          services: {
            orders: {
              serviceKeys: [
                { id: "k1", key: keys[1] },
                {
                  id: "k2",
                  digest: `sha256:${hex(keys[2])}`,
                  state: "inactive",
                  expiresAt: "2030-01-01T00:00:00Z",
                },
              ],
              jwt: [
                { id: "old", issuer: "orders", secret: secrets[0] },
                { id: "new", issuer: "orders", secret: secrets[1] },
              ],
            },
          },
        },
      },
    });
    expect(credentials.findKey(hex(keys[0]), "profile-key")).toMatchObject({
      id: "p1",
      kind: "profile-key",
      owner: { tenant: "acme" },
    });
    expect(credentials.findKey(hex(keys[0]), "service-key")).toBeUndefined();
    expect(credentials.findKey(hex(keys[2]), "service-key")).toMatchObject({
      id: "k2",
      active: false,
      expiresAtMs: Date.parse("2030-01-01T00:00:00Z"),
      owner: { tenant: "acme", service: "orders" },
    });
    const found = credentials.findTokenCredentials({ issuer: "orders" });
    expect(found.map(({ id }) => id)).toEqual(["old", "new"]);
    expect(credentials.findTokenCredentials({ issuer: "Orders" })).toEqual([]);
    expect(credentials.all.map(({ id }) => id)).toEqual(["p1", "k1", "k2", "old", "new"]);
    credentials.close();
  });

  it("hands on the tenant's list before the service's, and a shared list as it is", () => {
    const shared = createAllowlist(["198.51.100.0/24"]);
    const credentials = defineCredentials({
      tenants: {
        acme: {
          allowIps: ["203.0.113.0/24"],
          profileKeys: [{ id: "p", key: keys[0] }],
          services: { orders: { allowIps: shared, serviceKeys: [{ id: "k", key: keys[1] }] } },
        },
      },
    });
    const profile = credentials.findKey(hex(keys[0]), "profile-key");
    const service = credentials.findKey(hex(keys[1]), "service-key");
    expect(profile?.owner.allowIps).toHaveLength(1);
    expect(service?.owner.allowIps).toEqual([profile?.owner.allowIps[0], shared]);
    expect(service?.owner.allowIps[0]?.has(parseIp("203.0.113.9") as IpAddress)).toBe(true);
  });

  it("C06 takes __proto__ and constructor for names like any other", () => {
    const definition = JSON.parse(
      `{"tenants":{"__proto__":{"services":{"constructor":{"serviceKeys":[{"id":"__proto__","digest":"${hex(keys[0])}"}]}}}}}`,
    ) as CredentialsDefinition;
    const credentials = defineCredentials(definition);
    expect(credentials.findKey(hex(keys[0]), "service-key")).toMatchObject({
      id: "__proto__",
      owner: { tenant: "__proto__", service: "constructor" },
    });
    for (const name of ["__proto__", "constructor", "toString"]) {
      expect(credentials.findKey(name, "service-key")).toBeUndefined();
      expect(credentials.findTokenCredentials({ issuer: name })).toEqual([]);
    }
  });

  it("C11 refuses the same key twice anywhere, naming both places", () => {
    const message = messageOf({
      tenants: {
        acme: { profileKeys: [{ id: "p", digest: hex(keys[0]) }] },
        globex: { services: { "web-shop": { serviceKeys: [{ id: "k", key: keys[0] }] } } },
      },
    });
    expect(message).toBe(
      'credentials.tenants.globex.services["web-shop"].serviceKeys[0] is the same key as ' +
        "credentials.tenants.acme.profileKeys[0]: its holder could be either; use a different key in each place",
    );
  });

  it("refuses ids that repeat within their owner, and takes them from different owners", () => {
    expect(
      messageOf(
        oneService({
          serviceKeys: [{ id: "a", key: keys[0] }],
          jwt: { id: "a", issuer: "i", secret: secrets[0] },
        }),
      ),
    ).toMatch(/orders\.jwt\.id is "a", as is that of .*serviceKeys\[0\]/);
    const credentials = defineCredentials({
      tenants: {
        acme: {
          profileKeys: [{ id: "a", key: keys[0] }],
          services: { s: { serviceKeys: [{ id: "a", key: keys[1] }] } },
        },
      },
    });
    expect(credentials.all).toHaveLength(2);
  });

  it("A28 refuses JWTs of two owners that a token could not choose between", () => {
    const two = (a: object, b: object): unknown => ({
      tenants: { acme: { services: { a: { jwt: a } } }, globex: { services: { b: { jwt: b } } } },
    });
    const first = { id: "k", issuer: "hub", secret: secrets[0] };
    expect(messageOf(two(first, { ...first, secret: secrets[1] }))).toMatch(/same issuer and kid "k"/);
    expect(messageOf(two(first, { ...first, id: "other" }))).toMatch(/the same issuer and key, so a token/);
    expect(messageOf(two({ ...first, audience: "x" }, { ...first, secret: secrets[1] }))).toMatch(
      /same issuer/,
    );
    expect(
      messageOf(two({ ...first, audience: ["x", "y"] }, { ...first, audience: ["y"], secret: secrets[1] })),
    ).toMatch(/same issuer and kid/);
    const allowed = [
      two({ ...first, audience: "x" }, { ...first, audience: "y" }),
      two(first, { ...first, issuer: "other" }),
      two(first, { ...first, id: "k2", secret: secrets[1] }),
      two({ ...first, id: undefined }, { ...first, id: undefined, secret: secrets[1] }),
    ];
    for (const definition of allowed) defineCredentials(definition as CredentialsDefinition).close();
  });

  it("takes one secret under two kids of one service, for a change of kid", () => {
    const jwt = [
      { id: "a", issuer: "i", secret: secrets[0] },
      { id: "b", issuer: "i", secret: secrets[0] },
    ];
    expect(defineCredentials(oneService({ jwt }) as CredentialsDefinition).all).toHaveLength(2);
  });

  it.each([
    ["undefined", undefined, /^credentials must be an object, not undefined/],
    ["an empty object", {}, /^credentials\.tenants must be an object with a member for each name/],
    ["no tenant", { tenants: {} }, /tenants is empty/],
    ["a list of tenants", { tenants: [] }, /not an empty array/],
    ["a tenant without credentials", { tenants: { acme: {} } }, /tenants\.acme has no credential/],
    ["a tenant with a list only", { tenants: { acme: { allowIps: ["203.0.113.1"] } } }, /has no credential/],
    ["a service without credentials", oneService({}), /services\.orders has no credential/],
    ["a service with empty lists", oneService({ serviceKeys: [], jwt: [] }), /has no credential/],
    [
      "keys that are no array",
      oneService({ serviceKeys: { id: "a" } }),
      /serviceKeys must be an array, not an object/,
    ],
    ["a misspelled member", oneService({ serviceKey: [] }), /did you mean "serviceKeys"/],
    ["an unknown tenant member", { tenants: { a: { profilekeys: [] } } }, /did you mean "profileKeys"/],
    [
      "an empty name",
      { tenants: { "": { profileKeys: [{ id: "a", key: keys[0] }] } } },
      /the name of .*tenants\[""\]/,
    ],
    ["services as an array", { tenants: { a: { services: [] } } }, /services must be an object/],
    [
      "a bad list",
      oneService({ allowIps: ["10.0.0.1/8"], serviceKeys: [{ id: "a", key: keys[0] }] }),
      /10\.0\.0\.0\/8/,
    ],
    ["a JWT that is null", oneService({ jwt: null }), /jwt must be an object/],
  ])("refuses %s", (_name, definition, message) => {
    expect(messageOf(definition)).toMatch(message);
  });

  it("names all mistakes at once", () => {
    const message = messageOf({
      tenants: {
        acme: {
          profileKeys: [{ id: "p", key: "short" }],
          services: {
            a: { serviceKeys: [{ id: "k", key: "undefined" }], jwt: { issuer: "i" } },
            b: {},
          },
        },
      },
    });
    expect(message).toMatch(/^4 mistakes:\n/);
    expect(message.split("\n")).toHaveLength(5);
  });

  it("C10 shows no key in what can be printed of it", () => {
    const credentials = defineCredentials(
      oneService({
        serviceKeys: [{ id: "k", key: keys[0] }],
        jwt: { issuer: "i", secret: secrets[0] },
      }) as CredentialsDefinition,
    );
    const printed = JSON.stringify(credentials.all);
    expect(printed).not.toContain(keys[0]);
    expect(printed).not.toContain(secrets[0]);
  });
});

const [one, two] = ["kQ3v9Zt1Lw8Xy2Rb7Nc4Mf6Hd5Js0Pa1", "kQ3v9Zt1Lw8Xy2Rb7Nc4Mf6Hd5Js0Pa2"] as const;
const secret = "p9Vq2Lx7Rw4Nz8Ty1Kb6Mc3Hd5Js0GfA";

function make(options: { serviceKey?: unknown; jwt?: unknown }): ReturnType<typeof singleServiceCredentials> {
  return singleServiceCredentials({ name: "orders", ...options }, "auth", systemClock);
}

function singleMessageOf(options: { serviceKey?: unknown; jwt?: unknown }): string {
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
    const unset = make({ serviceKey: { keys: [{ id: undefined, key: one }] } });
    expect(idOf(unset, one)).toBe("key-1");
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
    expect(singleMessageOf(options)).toMatch(message);
  });

  it("names the mistakes of keys and JWTs at once", () => {
    expect(singleMessageOf({ serviceKey: "short", jwt: { issuer: "i", secret: "short" } })).toMatch(
      /^2 mistakes:/,
    );
  });
});
