/** A29: tokens that are good for one delivery. */
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import {
  createReceiver,
  credentialsFromLookup,
  defineCredentials,
  type InboxReceiver,
  type JwtOptions,
  requireAuth,
} from "hookgate";
import { createTestSigner, type TestSigner } from "hookgate/testing";
import { createInboxScene, type InboxScene, until } from "../support/inbox-scene.js";

let signer: TestSigner;
let scene: InboxScene;
beforeAll(async () => {
  signer = await createTestSigner("HS256");
});
beforeEach(() => {
  scene = createInboxScene();
});
afterEach(() => scene.end());

function jwt(changes: Partial<JwtOptions> = {}): JwtOptions {
  return { issuer: "shop", oneTimeUse: true, ...signer.verification, ...changes } as JwtOptions;
}

function tokenOf(claims: object): Promise<string> {
  const now = Math.floor(Date.now() / 1_000);
  return signer.sign({ iss: "shop", iat: now, exp: now + 60, ...claims });
}

async function started(auth: object): Promise<InboxReceiver> {
  const receiver = scene.receiver({ engine: scene.engine(), more: { auth } });
  receiver.on("order.paid", () => {});
  await receiver.start();
  return receiver;
}

const first = { id: "e1", type: "order.paid" };
const second = { id: "e2", type: "order.paid" };

describe("claims in the inbox", () => {
  it("have the names that the token has, escapes included", async () => {
    const receiver = scene.receiver({
      engine: scene.engine(),
      more: { auth: { jwt: jwt({ oneTimeUse: false }) } },
    });
    const names: string[][] = [];
    receiver.on("order.paid", (_event, { caller }) => {
      if (caller.method === "jwt") names.push(Object.keys(caller.claims).filter((name) => name.length === 1));
    });
    await receiver.start();
    await scene.send(receiver, first, await tokenOf({ "\\": 1 }));
    await until(() => names.length === 1);
    await scene.send(receiver, second, await tokenOf({ "\n": 1 }));
    await until(() => names.length === 2);
    expect(names).toEqual([["\\"], ["\n"]]);
  });
});

describe("oneTimeUse: true", () => {
  it("A29 answers a used token 401 with another delivery, and 200 duplicate with the same", async () => {
    const receiver = await started({ jwt: jwt() });
    const token = await tokenOf({ jti: "t1" });
    expect((await scene.send(receiver, first, token)).status).toBe(202);
    const again = await scene.send(receiver, first, token);
    expect([again.status, again.json()]).toEqual([200, { status: "duplicate", id: "e1" }]);
    const replayed = await scene.send(receiver, second, token);
    expect([replayed.status, replayed.json()]).toMatchObject([401, { code: "ERR_TOKEN_INVALID" }]);
    expect(replayed.headers["www-authenticate"]).toContain('error="invalid_token"');
    expect(scene.log.some((line) => /ERR_TOKEN_INVALID: the token was used before/.test(line))).toBe(true);
    expect((await receiver.inbox.list()).items.map(({ id }) => id)).toEqual(["e1"]);
  });

  it("A29 refuses a used token also with the same id and another body", async () => {
    const receiver = await started({ jwt: jwt() });
    const token = await tokenOf({ jti: "t1" });
    await scene.send(receiver, first, token);
    const { status } = await scene.send(receiver, { ...first, total: 1 }, token);
    expect([401, 409]).toContain(status);
    expect((await receiver.inbox.list()).items).toHaveLength(1);
  });

  it("A29 lets only one of many deliveries with one token in, sent at once", async () => {
    const receiver = await started({ jwt: jwt() });
    const token = await tokenOf({ jti: "t1" });
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, at) =>
        scene.send(receiver, { id: `e${at}`, type: "order.paid" }, token),
      ),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([202, ...Array(49).fill(401)]);
  });

  it("A29 tells the same jti of two issuers apart", async () => {
    const other = await createTestSigner("HS256");
    const receiver = await started({
      jwt: [jwt(), { issuer: "bank", id: "bank", oneTimeUse: true, ...other.verification } as JwtOptions],
    });
    const now = Math.floor(Date.now() / 1_000);
    const foreign = await other.sign({ iss: "bank", jti: "t1", exp: now + 60 }, { kid: "bank" });
    expect((await scene.send(receiver, first, await tokenOf({ jti: "t1" }))).status).toBe(202);
    expect((await scene.send(receiver, second, foreign)).status).toBe(202);
  });

  it.each<[string, object]>([
    ["no jti", {}],
    ["an empty jti", { jti: "" }],
    ["a number as jti", { jti: 5 }],
    ["a jti of 256 characters", { jti: "x".repeat(256) }],
  ])("refuses a token with %s: 401", async (_, claims) => {
    const receiver = await started({ jwt: jwt() });
    expect((await scene.send(receiver, first, await tokenOf(claims))).status).toBe(401);
  });

  it("takes a jti of 255 characters, and a token without exp where maxAge bounds it", async () => {
    const receiver = await started({ jwt: jwt({ maxAge: "1m" }) });
    const token = await tokenOf({ jti: "x".repeat(255), exp: undefined });
    expect((await scene.send(receiver, first, token)).status).toBe(202);
    expect((await scene.send(receiver, second, token)).status).toBe(401);
  });

  it("leaves other tokens alone: they are good until they expire", async () => {
    const receiver = await started({ jwt: jwt({ oneTimeUse: false }) });
    const token = await tokenOf({ jti: "t1" });
    expect((await scene.send(receiver, first, token)).status).toBe(202);
    expect((await scene.send(receiver, second, token)).status).toBe(202);
  });

  it("needs an inbox: a TypeError where the credentials are at hand", () => {
    const tenants = { acme: { services: { shop: { jwt: jwt({ id: "shop-1" }) } } } };
    const credentials = defineCredentials({ tenants });
    const needs =
      /the JWT credential "(jwt-1|shop-1)" has oneTimeUse: true, which needs a receiver with an `inbox`/;
    expect(() => createReceiver({ name: "orders", auth: { jwt: jwt() } })).toThrow(needs);
    expect(() => createReceiver({ name: "orders", auth: { credentials } })).toThrow(needs);
    expect(() => requireAuth({ credentials })).toThrow(needs);
    expect(() => requireAuth({ jwt: jwt() })).toThrow(needs);
    // A route that takes no tokens does not meet it.
    expect(() => requireAuth({ accept: ["service-key"], credentials })).not.toThrow();
    expect(() =>
      createReceiver({ name: "orders", auth: { jwt: jwt({ oneTimeUse: "yes" as never }) } }),
    ).toThrow("oneTimeUse must be true or false, not a string");
  });

  it("fails closed where a lookup answers with it and there is no inbox: 500", async () => {
    const credentials = credentialsFromLookup({
      token: () => ({ ...jwt(), id: "shop-1", tenant: "acme", service: "shop" }),
    });
    const receiver = scene.receiver({
      engine: scene.engine(),
      more: { inbox: undefined, auth: { accept: ["jwt"], credentials } },
    });
    let handled = false;
    receiver.on("order.paid", () => {
      handled = true;
    });
    expect((await scene.send(receiver, first, await tokenOf({ jti: "t1" }))).status).toBe(500);
    expect(handled).toBe(false);
    expect(
      scene.log.some((line) => line.includes('"shop-1" has oneTimeUse: true, which needs an inbox')),
    ).toBe(true);
  });

  it("takes it from a lookup where there is one", async () => {
    const credentials = credentialsFromLookup({
      token: () => ({ ...jwt(), id: "shop-1", tenant: "acme", service: "shop" }),
    });
    const receiver = await started({ accept: ["jwt"], credentials });
    const token = await tokenOf({ jti: "t1" });
    expect((await scene.send(receiver, first, token)).status).toBe(202);
    expect((await scene.send(receiver, second, token)).status).toBe(401);
  });
});
