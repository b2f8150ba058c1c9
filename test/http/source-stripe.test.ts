import { afterAll, describe, expect, it } from "@jest/globals";
import { createReceiver } from "hookgate";
import { stripe } from "hookgate/stripe";
import { createFakeClock, memoryEngine, sendDelivery, type TestDelivery } from "hookgate/testing";
import Stripe from "stripe";
import { until } from "../support/inbox-scene.js";
import { createScene, mounts } from "../support/scene.js";

const scene = createScene();
afterAll(scene.close);
const secret = scene.secret("stripe");
const old = scene.secret("stripe-old");
const clock = createFakeClock();
const peer = new Stripe("sk_test_nothing");

const event = (more: object = {}): string =>
  JSON.stringify({
    id: "evt_1",
    object: "event",
    type: "invoice.paid",
    pending_webhooks: 2,
    data: { object: { id: "in_1", amount_paid: 700 } },
    ...more,
  });

function signed(body: string, by = secret, aheadSeconds = 0): TestDelivery {
  const timestamp = Math.floor(clock.now() / 1000) + aheadSeconds;
  const header = peer.webhooks.generateTestHeaderString({ payload: body, secret: by, timestamp });
  return {
    path: "/hooks",
    body,
    contentType: "application/json; charset=utf-8",
    headers: { "Stripe-Signature": header },
  };
}

describe.each(mounts)("stripe on %s", (_name, mount) => {
  function serve(more: object = {}) {
    const handled: unknown[] = [];
    const receiver = createReceiver({
      name: "billing",
      source: stripe({
        secret: [
          { id: "new", secret },
          { id: "old", secret: old },
        ],
      }),
      ...{ clock, logger: scene.logger, hooks: scene.hooks, ...more },
    });
    receiver.on("invoice.paid", ({ id, data }, { caller }) => {
      handled.push([id, data.data.object.amount_paid, "credentialId" in caller && caller.credentialId]);
    });
    receiver.on("v1.billing.*", ({ type, data }) => void handled.push([type, data.object]));
    return { receiver, handled, app: mount(receiver.middleware()) };
  }

  it("takes what Stripe's own library signs, and says which secret it was", async () => {
    const { app, handled } = serve();
    expect((await sendDelivery(app, signed(event()))).status).toBe(200);
    expect((await sendDelivery(app, signed(event(), old))).status).toBe(200);
    expect(handled).toEqual([
      ["evt_1", 700, "new"],
      ["evt_1", 700, "old"],
    ]);
  });

  it("takes notifications of API v2", async () => {
    const { app, handled } = serve();
    const thin = JSON.stringify({
      id: "evt_2",
      object: "v2.core.event",
      type: "v1.billing.meter.no_meter_found",
    });
    expect((await sendDelivery(app, signed(thin))).status).toBe(200);
    expect(handled).toEqual([["v1.billing.meter.no_meter_found", "v2.core.event"]]);
  });

  it("F01 F02 F03 refuses other secrets, other bodies, other times, before anything is parsed", async () => {
    const { app, handled } = serve();
    const good = signed(event());
    for (const delivery of [
      signed(event(), `${secret}x`),
      signed(event(), secret, -301),
      signed(event(), secret, 301),
      { ...good, body: `${event()} ` },
      { ...good, body: "{" },
      { ...good, headers: {} },
      {
        ...good,
        headers: { "Stripe-Signature": [good.headers?.["Stripe-Signature"] as string, "t=1,v1=0"] },
      },
    ]) {
      const answer = await sendDelivery(app, delivery);
      expect(answer.status).toBe(401);
      expect(answer.text).not.toContain("timestamp");
    }
    expect(handled).toEqual([]);
  });

  it("answers 422 to a signed body that is no event", async () => {
    expect((await sendDelivery(serve().app, signed("{}"))).status).toBe(422);
    expect((await sendDelivery(serve().app, signed("{"))).status).toBe(400);
  });

  it("F08 stores an event once, though its count of pending webhooks and its timestamp differ", async () => {
    const { app, receiver, handled } = serve({ inbox: { engine: memoryEngine() } });
    await receiver.start();
    expect((await sendDelivery(app, signed(event()))).status).toBe(202);
    const again = await sendDelivery(app, signed(event({ pending_webhooks: 1 }), secret, 5));
    expect([again.status, again.json()]).toMatchObject([200, { status: "duplicate" }]);
    await until(() => handled.length > 0);
    await receiver.close();
    expect(handled).toHaveLength(1);
  });
});
