import { createHmac } from "node:crypto";
import { afterAll, describe, expect, it } from "@jest/globals";
import { createReceiver } from "hookgate";
import { shopify } from "hookgate/shopify";
import { createFakeClock, memoryEngine, sendDelivery, type TestDelivery } from "hookgate/testing";
import { z } from "zod";
import { until } from "../support/inbox-scene.js";
import { createScene, mounts } from "../support/scene.js";

const scene = createScene();
afterAll(scene.close);
const secret = scene.secret("shopify");
const clock = createFakeClock();
const body = '{"id":820982911946154508,"email":"jon@example.com"}';

function signed(text = body, more: object = {}): TestDelivery {
  return {
    path: "/hooks",
    body: text,
    headers: {
      "X-Shopify-Topic": "orders/create",
      "X-Shopify-Hmac-SHA256": createHmac("sha256", secret).update(text).digest("base64"),
      "X-Shopify-Shop-Domain": "jons.myshopify.com",
      "X-Shopify-API-Version": "2026-07",
      "X-Shopify-Webhook-Id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
      "X-Shopify-Event-Id": "98880550-7158-44d4-b7cd-2c97c8a091b5",
      "X-Shopify-Triggered-At": "2026-03-29T18:00:27.877041743Z",
      ...more,
    },
  };
}

describe.each(mounts)("shopify on %s", (_name, mount) => {
  function serve(more: object = {}) {
    const handled: unknown[] = [];
    const receiver = createReceiver({
      name: "shop",
      source: shopify({ secret }),
      ...{ clock, logger: scene.logger, hooks: scene.hooks, ...more },
    });
    receiver.on("orders.*", ({ id, type, data }, { delivery }) => {
      const { email } = data as { email: string };
      handled.push([id, type, email, delivery.headers["x-shopify-shop-domain"]]);
    });
    return { receiver, handled, app: mount(receiver.middleware()) };
  }
  const expected = [
    "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
    "orders.create",
    "jon@example.com",
    "jons.myshopify.com",
  ];

  it("hands a webhook to the handlers of its topic, with the shop in the delivery's headers", async () => {
    const { app, handled } = serve();
    expect((await sendDelivery(app, signed())).status).toBe(200);
    expect(handled).toEqual([expected]);
  });

  it("F01 F03 refuses what Shopify did not sign", async () => {
    const { app, handled } = serve();
    for (const delivery of [
      { ...signed(), body: JSON.stringify(JSON.parse(body)) },
      signed(body, {
        "X-Shopify-Hmac-SHA256": createHmac("sha256", `${secret}x`).update(body).digest("base64"),
      }),
      signed(body, { "X-Shopify-Hmac-SHA256": createHmac("sha256", secret).update(body).digest("hex") }),
      signed(body, { "X-Shopify-Hmac-SHA256": [] }),
    ]) {
      expect((await sendDelivery(app, delivery)).status).toBe(401);
    }
    expect(handled).toEqual([]);
  });

  it("answers 422 where the topic is missing", async () => {
    expect((await sendDelivery(serve().app, signed(body, { "X-Shopify-Topic": [] }))).status).toBe(422);
  });

  it("F08 goes by the webhook's id: a retry is a duplicate, another webhook of the same event is not", async () => {
    const { app, receiver, handled } = serve({ inbox: { engine: memoryEngine() } });
    await receiver.start();
    const statuses = [];
    for (const more of [{}, {}, { "X-Shopify-Webhook-Id": "another", "X-Shopify-Topic": "orders/paid" }]) {
      statuses.push((await sendDelivery(app, signed(body, more))).status);
    }
    expect(statuses).toEqual([202, 200, 202]);
    await until(() => handled.length === 2);
    await receiver.close();
    expect(handled).toContainEqual(expected);
    expect(handled).toContainEqual(["another", "orders.paid", "jon@example.com", "jons.myshopify.com"]);
  });

  it("takes schemas for its topics", async () => {
    const receiver = createReceiver({
      name: "shop",
      source: shopify({ secret }),
      events: { "orders.create": z.object({ email: z.email() }) },
      ...{ clock, logger: scene.logger, hooks: scene.hooks },
    });
    const emails: string[] = [];
    receiver.on("orders.create", ({ data }) => void emails.push(data.email));
    const app = mount(receiver.middleware());
    expect((await sendDelivery(app, signed())).status).toBe(200);
    expect((await sendDelivery(app, signed('{"email":"none"}'))).status).toBe(422);
    expect(emails).toEqual(["jon@example.com"]);
  });
});
