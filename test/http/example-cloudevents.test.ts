/** The example of CloudEvents, as its sender sees it. */
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { sendDelivery, type TestDelivery } from "hookgate/testing";
import { createApp } from "../../examples/cloudevents/app.js";
import { createInboxScene, type InboxScene, key, until } from "../support/inbox-scene.js";
import { quiet } from "../support/quiet.js";

const event = {
  specversion: "1.0",
  id: "1",
  source: "/shop",
  type: "com.example.order.paid",
  subject: "A-17",
  data: { total: 42 },
};

let scene: InboxScene;
beforeEach(() => {
  scene = createInboxScene();
});
afterEach(() => scene.end());

describe("examples/cloudevents", () => {
  it("holds the handshake, takes events of each mode once, and parks what its handlers cannot read", async () => {
    const lines: string[] = [];
    const onOrder = (line: string): void => void lines.push(line);
    const options = { serviceKey: key, allowedOrigins: ["broker.example"], onOrder, logger: quiet };
    const { app, receiver } = createApp({ engine: scene.engine(), ...options });
    await receiver.start();
    try {
      const send = (delivery: TestDelivery) => sendDelivery(app, { path: "/events", key, ...delivery });
      const asked = await send({
        method: "OPTIONS",
        headers: { "WebHook-Request-Origin": "broker.example" },
      });
      expect(asked).toMatchObject({ status: 200, headers: { "webhook-allowed-rate": "600" } });

      const { data, ...attributes } = event;
      const headers = Object.fromEntries(
        Object.entries(attributes).map(([name, value]) => [`ce-${name}`, value]),
      );
      const structured = "application/cloudevents+json";
      const batch = [event, { ...event, id: "2", type: "com.example.order.cancelled" }];
      const answers = [
        await send({ headers, body: data }),
        await send({ contentType: structured, body: event }),
        await send({ contentType: "application/cloudevents-batch+json", body: batch }),
        await send({ contentType: structured, body: { ...event, id: "3", data: {} } }),
      ];
      expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
      await until(() => lines.length === 2);
      expect(lines.sort()).toEqual([
        "order A-17 of /shop was cancelled: 42 (event /shop 2)",
        "order A-17 of /shop was paid: 42 (event /shop 1)",
      ]);
      const { items } = await receiver.inbox.list({ state: "dead" });
      expect(items).toMatchObject([{ id: "/shop 3" }]);
      expect(await send({ key: "wrong", contentType: structured, body: event })).toMatchObject({
        status: 401,
      });
    } finally {
      await receiver.close({ grace: "0ms" });
    }
  });
});
