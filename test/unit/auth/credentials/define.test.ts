import { createHash } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { type CredentialsDefinition, defineCredentials } from "../../../../src/auth/credentials/define.js";
import { parseIp } from "../../../../src/ip/address.js";
import { createAllowlist } from "../../../../src/ip/allowlist.js";
import type { IpAddress } from "../../../../src/types/ip.js";

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
        "credentials.tenants.acme.profileKeys[0]: whoever holds it could be either; give each place a key of its own",
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
