import { generateKeyPairSync, sign } from "node:crypto";
import { afterAll, describe, expect, it } from "@jest/globals";
import { createReceiver } from "hookgate";
import { standardWebhooks } from "hookgate/standard-webhooks";
import { createFakeClock, memoryEngine, sendDelivery, type TestDelivery } from "hookgate/testing";
import { Webhook } from "standardwebhooks";
import { until } from "../support/inbox-scene.js";
import { createScene, mounts } from "../support/scene.js";

const scene = createScene();
afterAll(scene.close);
const secret = `whsec_${Buffer.from(scene.secret("standard").slice(0, 40)).toString("base64")}`;
const pair = generateKeyPairSync("ed25519");
const rawKey = Buffer.from(pair.publicKey.export({ format: "jwk" }).x as string, "base64url");
const clock = createFakeClock();
const body = '{"type":"user.created","timestamp":"2026-01-01T00:00:00Z","data":{"name":"Ada"}}';

interface Signing {
  readonly id?: string;
  readonly prefix?: string;
  readonly by?: string;
  readonly aheadSeconds?: number;
  readonly text?: string;
}

function signed({
  id = "msg_1",
  prefix = "webhook",
  by = secret,
  aheadSeconds = 0,
  text = body,
}: Signing = {}) {
  const at = new Date((Math.floor(clock.now() / 1000) + aheadSeconds) * 1000);
  const headers: Record<string, string> = {
    [`${prefix}-id`]: id,
    [`${prefix}-timestamp`]: String(at.getTime() / 1000),
    [`${prefix}-signature`]: new Webhook(by).sign(id, at, text),
  };
  return { path: "/hooks", body: text, headers } satisfies TestDelivery;
}

describe.each(mounts)("standardWebhooks on %s", (_name, mount) => {
  function serve(more: object = {}) {
    const handled: unknown[] = [];
    const receiver = createReceiver({
      name: "hooks",
      source: standardWebhooks({ secret, publicKey: `whpk_${rawKey.toString("base64")}`, data: "data" }),
      ...{ clock, logger: scene.logger, hooks: scene.hooks, ...more },
    });
    receiver.on("user.*", ({ id, type, data }, { caller }) => {
      handled.push([id, type, data, "credentialId" in caller && caller.credentialId]);
    });
    return { receiver, handled, app: mount(receiver.middleware()) };
  }

  it("takes what the reference library signs, with either set of headers", async () => {
    const { app, handled } = serve();
    expect((await sendDelivery(app, signed())).status).toBe(200);
    expect((await sendDelivery(app, signed({ prefix: "svix", id: "msg_2" }))).status).toBe(200);
    expect(handled).toEqual([
      ["msg_1", "user.created", { name: "Ada" }, "secret-1"],
      ["msg_2", "user.created", { name: "Ada" }, "secret-1"],
    ]);
  });

  it("F09 takes signatures by the sender's private key", async () => {
    const { app, handled } = serve();
    const { headers, ...rest } = signed();
    const content = Buffer.from(`msg_1.${headers["webhook-timestamp"]}.${body}`);
    const v1a = `v1a,${sign(null, content, pair.privateKey).toString("base64")}`;
    expect(
      (await sendDelivery(app, { ...rest, headers: { ...headers, "webhook-signature": v1a } })).status,
    ).toBe(200);
    expect(handled).toEqual([["msg_1", "user.created", { name: "Ada" }, "key-1"]]);
  });

  it("F01 F02 F03 F05 refuses what was not signed like this", async () => {
    const { app, handled } = serve();
    const good = signed();
    const { "webhook-id": _id, ...withoutId } = good.headers;
    for (const delivery of [
      signed({ by: "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }),
      signed({ aheadSeconds: 301 }),
      signed({ aheadSeconds: -301 }),
      signed({ id: "msg.1" }),
      { ...good, body: `${body} ` },
      { ...good, headers: withoutId },
      { ...good, headers: { ...good.headers, "webhook-id": "msg_9" } },
      { ...good, headers: { ...good.headers, "webhook-id": ["msg_1", "msg_1"] } },
      {
        ...signed({ prefix: "svix" }),
        headers: { ...signed({ prefix: "svix" }).headers, "webhook-id": "msg_9" },
      },
    ]) {
      expect((await sendDelivery(app, delivery)).status).toBe(401);
    }
    expect(handled).toEqual([]);
  });

  it("F08 stores a delivery once, also when it is sent again with a new timestamp", async () => {
    const { app, receiver, handled } = serve({ inbox: { engine: memoryEngine() } });
    await receiver.start();
    expect((await sendDelivery(app, signed({ prefix: "svix" }))).status).toBe(202);
    const again = await sendDelivery(app, signed({ prefix: "svix", aheadSeconds: 5 }));
    expect([again.status, again.json()]).toMatchObject([200, { status: "duplicate" }]);
    await until(() => handled.length > 0);
    await receiver.close();
    expect(handled).toEqual([["msg_1", "user.created", { name: "Ada" }, "secret-1"]]);
  });

  it("answers 422 where there is no type", async () => {
    expect((await sendDelivery(serve().app, signed({ text: "{}" }))).status).toBe(422);
  });
});
