/** The example of Webex Connect's and Webex's webhooks, as their senders see it. */
import { createHmac } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { sendDelivery } from "hookgate/testing";
import { createApp } from "../../examples/webex-connect-outbound/app.js";
import { createInboxScene, type InboxScene, until } from "../support/inbox-scene.js";
import { quiet } from "../support/quiet.js";

const hubSecret = "hub-secret-0123456789abcdef0123456789";
const webexSecret = "webex-secret-0123456789abcdef01234567";
const receipt = {
  deliveryInfoNotification: {
    deliveryInfo: {
      ...{ timeStamp: "2022-10-10T13:53:13.749+01:00", Description: "Invalid address", code: "7102" },
      ...{ deliveryChannel: "SMS", deliveryStatus: "Un-Delivered", destination: "9189xxxxxxxx" },
    },
    transid: "f7541551",
  },
};
const whatsApp = {
  ...{ channel: "WhatsApp", event: "MO", waid: "9199xxxxxxxx", message: "Hello", tid: "0cab6280_0" },
  attachments: '[{"mime_type":"image/jpeg","url":"https://files.example.com/1.jpg"}]',
};
const message = {
  ...{ id: "hook-1", resource: "messages", event: "created" },
  data: { id: "m-1", personEmail: "matt@example.com" },
};

let scene: InboxScene;
beforeEach(() => {
  scene = createInboxScene();
});
afterEach(() => scene.end());

describe("examples/webex-connect-outbound", () => {
  it("can be saved as a URL, takes receipts and messages once, and says what they are", async () => {
    const lines: string[] = [];
    const { app, connect, spaces } = createApp({
      ...{ createEngine: () => scene.engine(), hubSecret, webexSecret, logger: quiet },
      onLine: (line) => void lines.push(line),
    });
    await connect.start();
    await spaces.start();
    try {
      const send = async (path: string, body: object): Promise<unknown> => {
        const text = JSON.stringify(body);
        const sign = (hash: string, secret: string) => createHmac(hash, secret).update(text).digest("hex");
        const headers = {
          "x-hub-signature": `sha512=${sign("sha512", hubSecret)}`,
          "x-spark-signature": sign("sha1", webexSecret),
        };
        const answer = await sendDelivery(app, { path, body: text, headers });
        return [answer.status, (answer.json() as { readonly status: unknown }).status];
      };
      expect((await sendDelivery(app, { method: "HEAD", path: "/connect" })).status).toBe(200);
      expect(await send("/connect", receipt)).toEqual([200, "accepted"]);
      expect(await send("/connect", receipt)).toEqual([200, "duplicate"]);
      expect(await send("/connect", whatsApp)).toEqual([200, "accepted"]);
      expect(await send("/spaces", message)).toEqual([200, "accepted"]);
      expect(await sendDelivery(app, { path: "/connect", body: receipt })).toMatchObject({ status: 401 });
      await until(() => lines.length === 4);
      expect(lines.sort()).toEqual([
        "SMS to 9189xxxxxxxx undelivered: Invalid address (7102)",
        "WhatsApp from 9199xxxxxxxx: Hello [image/jpeg https://files.example.com/1.jpg]",
        "message m-1 of matt@example.com: fetch its text by its id",
        "receipt.sms.undelivered of f7541551",
      ]);
    } finally {
      await Promise.all([connect.close({ grace: "0ms" }), spaces.close({ grace: "0ms" })]);
    }
  });
});
