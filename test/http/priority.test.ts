import type { RequestListener } from "node:http";
import { describe, expect, it, jest } from "@jest/globals";
import express from "express";
import express4 from "express4";
import {
  type CredentialKind,
  type CredentialProvider,
  createReceiver,
  defineCredentials,
  requireAuth,
} from "hookgate";
import { createFakeClock, createTestSigner, sendDelivery, type TestDelivery } from "hookgate/testing";
import { quiet } from "../support/quiet.js";

const clock = createFakeClock();
const nowSeconds = clock.now() / 1000;
const signer = await createTestSigner("HS256");
const stranger = await createTestSigner("HS256");
const claims = { iss: "orders", iat: nowSeconds, exp: nowSeconds + 60 };
const token = await signer.sign(claims);
const badTokens: readonly (readonly [string, string])[] = [
  ["signed by someone else", await stranger.sign(claims)],
  ["expired", await signer.sign({ ...claims, exp: nowSeconds - 60 })],
  ["of another issuer", await signer.sign({ ...claims, iss: "other" })],
  ["that is no token", "x"],
  ["cut short", token.slice(0, -1)],
];
const key = "service-key-of-at-least-32-characters";
const [expired, inactive, early] = ["expired", "inactive", "early"].map(
  (name) => `${name}-key-of-at-least-32-characters`,
);
const day = 86_400_000;

const credentials = defineCredentials({
  tenants: {
    acme: {
      profileKeys: [{ id: "profile", key: "profile-key-of-at-least-32-characters" }],
      services: {
        orders: {
          jwt: { issuer: "orders", ...signer.verification },
          serviceKeys: [
            { id: "current", key },
            { id: "expired", key: expired!, expiresAt: new Date(clock.now() - day) },
            { id: "inactive", key: inactive!, state: "inactive" },
            { id: "early", key: early!, notBefore: new Date(clock.now() + day) },
          ],
        },
      },
    },
  },
});

/** A source that says which of its lookups were made. */
function spied(): CredentialProvider & { readonly findKey: jest.Mock<CredentialProvider["findKey"]> } {
  return {
    findKey: jest.fn((digest, kind) => credentials.findKey(digest, kind)),
    findTokenCredentials: (hint) => credentials.findTokenCredentials(hint),
  };
}

type Mount = (accept: readonly CredentialKind[], source: CredentialProvider) => RequestListener;
function receiverFor(accept: readonly CredentialKind[], source: CredentialProvider) {
  const auth = { accept, credentials: source };
  const receiver = createReceiver({ name: "orders", auth, type: () => "any", clock, logger: quiet });
  receiver.onAny(() => {});
  return receiver;
}

const mounts: readonly (readonly [string, Mount])[] = [
  ["middleware", (accept, source) => express().all("/", receiverFor(accept, source).middleware())],
  [
    "middleware on Express 4",
    (accept, source) => express4().all("/", receiverFor(accept, source).middleware()),
  ],
  ["requestListener", (accept, source) => receiverFor(accept, source).requestListener("/", express())],
  ["requireAuth", (accept, source) => guarded(express(), accept, source)],
  ["requireAuth on Express 4", (accept, source) => guarded(express4(), accept, source)],
];

function guarded(
  app: express.Express,
  accept: readonly CredentialKind[],
  source: CredentialProvider,
): RequestListener {
  app.use(requireAuth({ accept, credentials: source, clock, logger: quiet }), (_req, res) => {
    res.json({});
  });
  return app;
}

describe.each(mounts)("who decides when both are there: %s", (_name, mount) => {
  const both: readonly CredentialKind[] = ["jwt", "service-key"];
  async function send(delivery: TestDelivery, accept = both) {
    const source = spied();
    const answer = await sendDelivery(mount(accept, source), { body: {}, ...delivery });
    const code = answer.status === 200 ? undefined : (answer.json() as { code: string }).code;
    return {
      status: answer.status,
      code,
      challenge: answer.headers["www-authenticate"],
      keyRead: source.findKey.mock.calls.length > 0,
      text: answer.text,
    };
  }

  it("refuses without any credential, with a challenge that names no error", async () => {
    expect(await send({})).toMatchObject({
      status: 401,
      code: "ERR_CREDENTIAL_MISSING",
      challenge: expect.stringMatching(/^Bearer realm="[^"]+"$/),
    });
  });

  it("takes a valid key where no JWT is sent", async () => {
    expect(await send({ key })).toMatchObject({ status: 200, keyRead: true });
  });

  it.each([
    ["unknown", "k".repeat(40)],
    ["expired", expired!],
    ["inactive", inactive!],
    ["not yet valid", early!],
    ["of another kind", "profile-key-of-at-least-32-characters"],
    ["a prefix", key.slice(0, -1)],
    ["longer", `${key}x`],
  ])("C05 C07 C09 refuses a key that is %s", async (_case, wrong) => {
    expect(await send({ key: wrong })).toMatchObject({
      status: 401,
      code: "ERR_KEY_INVALID",
      challenge: expect.stringMatching(/^Bearer realm="[^"]+"$/),
    });
  });

  it("C04 refuses a key sent twice or joined", async () => {
    expect(await send({ headers: { key: [key, key] } })).toMatchObject({
      status: 400,
      code: "ERR_CREDENTIAL_REPEATED",
      keyRead: false,
    });
    expect(await send({ key: `${key}, ${key}` })).toMatchObject({
      status: 400,
      code: "ERR_CREDENTIAL_REPEATED",
    });
  });

  it.each([
    ["no key", {}],
    ["a valid key", { key }],
    ["an invalid key", { key: "wrong" }],
    ["a key sent twice", { headers: { key: [key, key] } }],
    ["joined keys", { key: "a, b" }],
  ])("C12 takes a valid JWT with %s, and never reads the key", async (_case, more) => {
    expect(await send({ token, ...more })).toMatchObject({ status: 200, keyRead: false });
  });

  describe.each(badTokens)("a JWT %s", (_case, bad) => {
    it.each([
      ["no key", {}],
      ["a valid key", { key }],
      ["an invalid key", { key: "wrong" }],
      ["a key sent twice", { headers: { key: [key, key] } }],
    ])("A35 A36 is refused with %s, and the key is never read", async (_with, more) => {
      const refused = await send({ token: bad, ...more });
      expect(refused).toMatchObject({
        status: 401,
        code: "ERR_TOKEN_INVALID",
        keyRead: false,
        challenge: expect.stringMatching(/^Bearer realm="[^"]+", error="invalid_token"$/),
      });
      expect(refused.text).toBe(
        '{"type":"about:blank","title":"Unauthorized","status":401,"code":"ERR_TOKEN_INVALID"}',
      );
    });
  });

  it.each(["Bearer", "Bearer ", "bearer"])("B05 refuses %j with a valid key", async (authorization) => {
    expect(await send({ key, headers: { authorization } })).toMatchObject({
      status: 401,
      code: "ERR_TOKEN_INVALID",
      keyRead: false,
    });
  });

  it("B02 refuses two Authorization lines, whatever else is there", async () => {
    for (const authorization of [
      [`Bearer ${token}`, `Bearer ${token}`],
      ["Basic x", "Basic x"],
    ]) {
      expect(await send({ key, headers: { authorization } })).toMatchObject({
        status: 400,
        code: "ERR_CREDENTIAL_REPEATED",
        keyRead: false,
      });
    }
  });

  it("B01 lets the key decide beside another scheme", async () => {
    expect(await send({ key, headers: { authorization: "Basic dTpw" } })).toMatchObject({
      status: 200,
      keyRead: true,
    });
    expect(await send({ headers: { authorization: "Basic dTpw" } })).toMatchObject({
      code: "ERR_CREDENTIAL_MISSING",
    });
  });

  it("ignores Authorization on a route that takes keys only, and challenges with Key", async () => {
    const keys: readonly CredentialKind[] = ["service-key"];
    expect(await send({ key, headers: { authorization: ["Bearer x", "Bearer y"] } }, keys)).toMatchObject({
      status: 200,
    });
    expect(await send({ token }, keys)).toMatchObject({
      code: "ERR_CREDENTIAL_MISSING",
      challenge: expect.stringMatching(/^Key realm="[^"]+"$/),
    });
  });

  it("ignores the key header on a route that takes JWTs only", async () => {
    expect(await send({ token, headers: { key: ["a", "b"] } }, ["jwt"])).toMatchObject({
      status: 200,
      keyRead: false,
    });
    expect(await send({ key }, ["jwt"])).toMatchObject({
      status: 401,
      code: "ERR_CREDENTIAL_MISSING",
      keyRead: false,
    });
  });

  it("B06 refuses access_token in the query even beside a valid credential, and a key", async () => {
    expect(await send({ key, path: "/?access_token=x" })).toMatchObject({
      status: 400,
      code: "ERR_CREDENTIAL_IN_QUERY",
    });
    expect(await send({ path: `/?key=${key}` })).toMatchObject({
      status: 400,
      code: "ERR_CREDENTIAL_IN_QUERY",
      keyRead: false,
    });
  });
});
