import { describe, expect, it } from "@jest/globals";
import { defineCredentials } from "hookgate";
import { createFakeClock, createTestSigner, sendDelivery, type TestDelivery } from "hookgate/testing";
import { webexConnectServiceJwt } from "hookgate/webex-connect";
import { createApp, inboundWebhook, routes } from "../../examples/webex-connect/app.js";

const secrets = [new Uint8Array(32).map((_, i) => i), new Uint8Array(32).map((_, i) => 255 - i)] as const;
const [oldSigner, newSigner] = await Promise.all(secrets.map((secret) => createTestSigner("HS256", secret)));
const stranger = await createTestSigner("HS256");
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
const named = (name: string) => `${name}-0123456789abcdef0123456789abcdef`;
const hour = 3_600_000;

async function setUp() {
  const clock = createFakeClock();
  const seconds = () => clock.now() / 1000;
  // The old ones of each kind end in one hour; the new ones are active already: the overlap.
  const end = new Date(clock.now() + hour);
  const credentials = defineCredentials({
    tenants: {
      acme: {
        allowIps: ["203.0.113.0/24", "2001:db8::/32"],
        profileKeys: [
          { id: "old", key: named("profile-old"), expiresAt: end },
          { id: "new", key: named("profile-new") },
        ],
        services: {
          orders: {
            serviceKeys: [
              { id: "old", key: named("service-old"), expiresAt: end },
              { id: "new", key: named("service-new") },
              { id: "off", key: named("service-off"), state: "inactive" },
            ],
            jwt: [
              webexConnectServiceJwt({ serviceId: "SID1", secret: base64(secrets[0]), expiresAt: end }),
              webexConnectServiceJwt({ serviceId: "SID1", secret: base64(secrets[1]) }),
            ],
          },
        },
      },
    },
  });
  const events: unknown[] = [];
  const app = createApp({
    credentials,
    answers: "http",
    clock,
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    onEvent: (data, service) => events.push([data, service]),
  });
  const token = (signer = newSigner!, claims = {}) => signer.sign({ iss: "SID1", iat: seconds(), ...claims });
  const send = async (path: string, delivery: TestDelivery, remoteAddress = "203.0.113.7") => {
    const { status } = await sendDelivery(
      app,
      { path, body: samples.get(path), ...delivery },
      { remoteAddress },
    );
    return status;
  };
  return { clock, events, token, send, seconds };
}

const samples = new Map([...routes, inboundWebhook].map(({ path, sample }) => [path, sample]));
const table = [...routes, inboundWebhook].map((route) => [route.api, route] as const);

describe.each(table)("Webex Connect: %s", (_api, { path, accept }) => {
  const takesKey = accept.includes("service-key");
  const takesProfile = accept.includes("profile-key");
  const takesJwt = accept.includes("jwt");
  const verdict = (accepted: boolean) => (accepted ? 200 : 401);

  it("refuses a call without credential", async () => {
    const { send } = await setUp();
    expect(await send(path, {})).toBe(401);
  });

  it("takes a valid credential of the kinds it accepts, and no other", async () => {
    const { send, token } = await setUp();
    expect(await send(path, { key: named("service-new") })).toBe(verdict(takesKey));
    expect(await send(path, { key: named("profile-new") })).toBe(verdict(takesProfile));
    expect(await send(path, { token: await token() })).toBe(verdict(takesJwt));
  });

  it("refuses invalid ones of each kind", async () => {
    const { send, token, seconds } = await setUp();
    for (const key of [named("unknown"), named("service-off"), `${named("service-new")}x`, "x"]) {
      expect(await send(path, { key })).toBe(401);
    }
    const bad = [
      token(stranger),
      token(newSigner, { iss: "SID2" }),
      token(newSigner, { iat: seconds() - 3700 }),
      token(newSigner, { iat: seconds() + 60 }),
      token(newSigner, { iat: undefined }),
      token(newSigner, { iat: seconds() * 1000 }),
      token(newSigner, { exp: seconds() - 10 }),
    ];
    for (const each of bad) expect(await send(path, { token: await each })).toBe(401);
  });

  it("lets the JWT decide where both are sent", async () => {
    const { send, token } = await setUp();
    expect(await send(path, { token: await token(), key: named("unknown") })).toBe(verdict(takesJwt));
    // Where no JWT is accepted the key decides alone.
    const rightKey = named(takesProfile ? "profile-new" : "service-new");
    expect(await send(path, { token: await token(stranger), key: rightKey })).toBe(verdict(!takesJwt));
  });

  it("takes old and new in the overlap, and the old no more behind its end", async () => {
    const { send, token, clock } = await setUp();
    const kinds = [
      [takesKey, async (age: string) => ({ key: named(`service-${age}`) })],
      [takesProfile, async (age: string) => ({ key: named(`profile-${age}`) })],
      [takesJwt, async (age: string) => ({ token: await token(age === "old" ? oldSigner : newSigner) })],
    ] as const;
    for (const [taken, make] of kinds) {
      expect([await send(path, await make("old")), await send(path, await make("new"))]).toEqual([
        verdict(taken),
        verdict(taken),
      ]);
    }
    clock.advance(`${hour - 1}ms`);
    for (const [taken, make] of kinds) expect(await send(path, await make("old"))).toBe(verdict(taken));
    clock.advance("1ms");
    for (const [taken, make] of kinds) {
      expect([await send(path, await make("old")), await send(path, await make("new"))]).toEqual([
        401,
        verdict(taken),
      ]);
    }
  });

  it("holds the tenant's allowlist behind the credential", async () => {
    const { send, token } = await setUp();
    const right = takesJwt ? { token: await token() } : { key: named("profile-new") };
    expect(await send(path, right, "2001:db8::1")).toBe(200);
    expect(await send(path, right, "::ffff:203.0.113.9")).toBe(200);
    expect(await send(path, right, "198.51.100.1")).toBe(403);
    expect(await send(path, { key: "x" }, "198.51.100.1")).toBe(401);
    expect(
      await send(path, { ...right, headers: { "x-forwarded-for": "203.0.113.7" } }, "198.51.100.1"),
    ).toBe(403);
  });
});

describe("Webex Connect: tokens", () => {
  it("lets the shorter of exp and iat + 60 minutes count", async () => {
    const { send, token, clock, seconds } = await setUp();
    const late = await token(newSigner, { exp: seconds() + 86_400 * 30 });
    expect(await send(inboundWebhook.path, { token: late })).toBe(200);
    clock.advance(`${hour + 5_000}ms`);
    expect(await send(inboundWebhook.path, { token: late })).toBe(401);
  });

  it("hands an inbound webhook's body to the handler, with the service it came from", async () => {
    const { send, events } = await setUp();
    expect(await send(inboundWebhook.path, { key: named("service-new"), body: { a: [1] } })).toBe(200);
    expect(events).toEqual([[{ a: [1] }, "orders"]]);
  });
});
