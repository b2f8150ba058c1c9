import { createHash } from "node:crypto";
import { afterAll, describe, expect, it } from "@jest/globals";
import { createReceiver } from "hookgate";
import { type PlaidKey, plaid } from "hookgate/plaid";
import { createFakeClock, createTestSigner, memoryEngine, sendDelivery } from "hookgate/testing";
import { createScene, mounts } from "../support/scene.js";

const scene = createScene();
afterAll(scene.close);
const signer = await createTestSigner("ES256");
const clock = createFakeClock();
const kid = "bfbd5111-8e33-4643-8ced-b2e642a72f3c";
const jwk = {
  ...(signer.verification.publicKey as PlaidKey),
  kid,
  alg: "ES256",
  use: "sig",
  expired_at: null,
};
const type = "TRANSACTIONS.SYNC_UPDATES_AVAILABLE";
const data = { webhook_type: "TRANSACTIONS", webhook_code: "SYNC_UPDATES_AVAILABLE", item_id: "i1" };
const body = `${JSON.stringify(data, null, 2)}\n`;

async function signed(over: object = {}, header: object = { kid }) {
  const request_body_sha256 = createHash("sha256").update(body).digest("hex");
  const claims = { iat: clock.now() / 1_000, request_body_sha256, ...over };
  const token = scene.keep(await signer.sign(claims, header));
  return { path: "/hooks", body, headers: { "Plaid-Verification": token } };
}

describe.each(mounts)("plaid on %s", (_name, mount) => {
  function serve(more: object = {}, key: (keyId: string) => unknown = async () => jwk) {
    const handled: unknown[] = [];
    const receiver = createReceiver({
      name: "bank",
      source: plaid({ key: key as (keyId: string) => PlaidKey }),
      ...{ clock, logger: scene.logger, hooks: scene.hooks, ...more },
    });
    receiver.on("TRANSACTIONS.*", (event, { caller }) => void handled.push([event.type, event.data, caller]));
    return { receiver, handled, app: mount(receiver.middleware()) };
  }

  it("hands a webhook to its handlers", async () => {
    const { app, handled } = serve();
    const answer = await sendDelivery(app, await signed());
    expect([answer.status, answer.json()]).toMatchObject([200, { status: "handled" }]);
    expect(handled).toEqual([
      [type, data, expect.objectContaining({ method: "jwt", service: "bank", credentialId: kid })],
    ]);
  });

  it("F01 F03 refuses other bodies, stale tokens, and tokens in other places", async () => {
    const { app, handled } = serve();
    const good = await signed();
    const token = good.headers["Plaid-Verification"];
    const refused = [
      { ...good, body: JSON.stringify(data) },
      await signed({ iat: clock.now() / 1_000 - 305 }),
      await signed({}, {}),
      await signed({}, { kid, jku: "https://evil.example/keys" }),
      { ...good, headers: {} },
      { ...good, headers: {}, token },
    ];
    for (const delivery of refused) expect((await sendDelivery(app, delivery)).status).toBe(401);
    const twice = { ...good, headers: { "Plaid-Verification": [token, token] } };
    expect((await sendDelivery(app, twice)).status).toBe(400);
    expect(handled).toEqual([]);
  });

  it("C13 answers 503 where the key cannot be asked for, and 401 where there is none", async () => {
    const down = serve({}, async () => Promise.reject(new Error("down")));
    expect((await sendDelivery(down.app, await signed())).status).toBe(503);
    expect((await sendDelivery(serve({}, () => undefined).app, await signed())).status).toBe(401);
  });

  it("F08 stores a webhook once and answers 200, the only status that Plaid takes for success", async () => {
    const { app, receiver, handled } = serve({ inbox: { engine: memoryEngine() } });
    await receiver.start();
    for (const iat of [clock.now() / 1_000 - 30, clock.now() / 1_000]) {
      expect((await sendDelivery(app, await signed({ iat }))).status).toBe(200);
    }
    await receiver.close();
    expect(handled).toHaveLength(1);
  });

  it("A31 finds a new key for a known sender while strangers invent ids", async () => {
    const asked: string[] = [];
    const next = { ...jwk, kid: "next" };
    const keys = new Map([jwk, next].map((key) => [key.kid, key]));
    const key = (keyId: string) => {
      asked.push(keyId);
      return keys.get(keyId);
    };
    const { app } = serve({ clientAddress: { trustedProxies: ["loopback"] } }, key);
    const from = (delivery: Awaited<ReturnType<typeof signed>>, address: string) => ({
      ...delivery,
      headers: { ...delivery.headers, "X-Forwarded-For": address },
    });
    const sender = "52.21.26.131";
    expect((await sendDelivery(app, from(await signed(), sender))).status).toBe(200);
    const statuses = new Map<string, number[]>();
    for (let i = 0; i < 40; i++) {
      const address = i < 20 ? "203.0.113.7" : `2001:db8:0:${i}::1`;
      const { status } = await sendDelivery(app, from(await signed({}, { kid: `invented-${i}` }), address));
      statuses.set(address, [...(statuses.get(address) ?? []), status]);
    }
    // The address that sent the most had its third; with the others two thirds of the ration are gone.
    expect(statuses.get("203.0.113.7")?.slice(0, 4)).toEqual([401, 401, 401, 503]);
    expect(asked).toHaveLength(7);
    expect((await sendDelivery(app, from(await signed({}, { kid: "next" }), sender))).status).toBe(200);
    // A known key costs nothing of the ration, whoever uses it.
    expect((await sendDelivery(app, from(await signed({}, { kid: "next" }), "198.51.100.4"))).status).toBe(
      200,
    );
  });

  it("explains a delivery", async () => {
    const { receiver } = serve();
    const { headers } = await signed();
    const request = { body, headers: { "content-type": "application/json", ...headers } };
    expect(await receiver.explain(request)).toMatchObject({ status: 200 });
    const bad = await receiver.explain({ ...request, body: "{}" });
    expect(bad).toMatchObject({ status: 401, code: "ERR_TOKEN_INVALID" });
  });
});

it("leaves no token in log and answers", () => {
  expect(scene.leaks()).toEqual([]);
});
