import { createHash } from "node:crypto";
import { afterAll, describe, expect, it } from "@jest/globals";
import { createReceiver } from "hookgate";
import { createFakeClock, memoryEngine, sendDelivery, type TestDelivery } from "hookgate/testing";
import { twilio } from "hookgate/twilio";
import twilioNode from "twilio";
import { until } from "../support/inbox-scene.js";
import { createScene, mounts } from "../support/scene.js";

const scene = createScene();
afterAll(scene.close);
const secret = scene.secret("twilio");
const clock = createFakeClock();
const publicUrl = "https://hooks.example.com";

/** Signed by Twilio's own package. */
function form(params: Record<string, string | string[]>, path = "/hooks"): TestDelivery {
  const pairs = Object.entries(params).flatMap(([name, value]) =>
    [value].flat().map((each): [string, string] => [name, each]),
  );
  return {
    path,
    body: new URLSearchParams(pairs).toString(),
    contentType: "application/x-www-form-urlencoded; charset=UTF-8",
    headers: {
      "X-Twilio-Signature": twilioNode.getExpectedTwilioSignature(secret, `${publicUrl}${path}`, params),
      "I-Twilio-Idempotency-Token": "e8d7a9b5-0e1c-4c4f-9f0e-3f1b0c2d4e5f",
    },
  };
}

function stream(events: unknown): TestDelivery {
  const body = JSON.stringify(events);
  const path = `/hooks?bodySHA256=${createHash("sha256").update(body).digest("hex")}`;
  const signature = twilioNode.getExpectedTwilioSignature(secret, `${publicUrl}${path}`, {});
  return { path, body, headers: { "X-Twilio-Signature": signature } };
}

const message = { MessageSid: "SM1", SmsStatus: "received", From: "+15551234567", Body: "é & 😀" };
const sent = {
  specversion: "1.0",
  type: "com.twilio.messaging.message.sent",
  source: "/x",
  id: "EZ1",
  data: {},
};

describe.each(mounts)("twilio on %s", (_name, mount) => {
  function serve(more: object = {}) {
    const handled: unknown[] = [];
    const receiver = createReceiver({
      name: "phone",
      source: twilio({ secret, publicUrl }),
      ...{ clock, logger: scene.logger, hooks: scene.hooks, ...more },
    });
    receiver.on("message.*", ({ id, data }) => void handled.push([id, data.Body]));
    receiver.on("com.twilio.*", ({ id, type }) => void handled.push([id, type]));
    return { receiver, handled, app: mount(receiver.middleware()) };
  }

  it("hands a message to its handlers, and answers with empty TwiML", async () => {
    const { app, handled } = serve();
    const answer = await sendDelivery(app, form(message));
    expect([answer.status, answer.headers["content-type"]]).toEqual([200, "text/xml; charset=utf-8"]);
    expect(answer.text).toBe(new twilioNode.twiml.MessagingResponse().toString());
    expect(handled).toEqual([["SM1:received", "é & 😀"]]);
  });

  it("hands each event of a stream to its handlers, and answers as usual", async () => {
    const { app, handled } = serve();
    const answer = await sendDelivery(app, stream([sent, { ...sent, id: "EZ2" }]));
    expect([answer.status, answer.headers["content-type"]]).toMatchObject([200, /json/]);
    expect(handled).toEqual([
      ["EZ1", sent.type],
      ["EZ2", sent.type],
    ]);
  });

  it("E26 F01 F03 refuses what Twilio did not sign for this URL, whatever the headers say of it", async () => {
    const { app, handled } = serve();
    const good = form(message);
    const streamed = stream([sent]);
    for (const delivery of [
      { ...good, body: `${good.body}&Body=x` },
      { ...good, path: "/hooks?a=1" },
      { ...good, headers: {} },
      { ...streamed, path: "/hooks" },
      { ...streamed, body: JSON.stringify([sent, sent]) },
      { ...streamed, body: "a=", contentType: "application/x-www-form-urlencoded" },
      {
        ...form(message, "/other"),
        path: "/hooks",
        headers: { ...form(message, "/other").headers, Host: "x" },
      },
    ]) {
      expect((await sendDelivery(app, delivery)).status).toBe(401);
    }
    expect((await sendDelivery(app, { method: "GET", path: "/hooks" })).status).toBe(405);
    expect(handled).toEqual([]);
  });

  it("F08 stores each status of a message once, and one stream as one", async () => {
    const { app, receiver, handled } = serve({ inbox: { engine: memoryEngine() } });
    await receiver.start();
    for (const MessageStatus of ["sent", "delivered", "delivered"]) {
      const answer = await sendDelivery(app, form({ MessageSid: "SM1", MessageStatus, Body: MessageStatus }));
      expect([answer.status, answer.headers["content-type"]]).toEqual([200, "text/xml; charset=utf-8"]);
    }
    const accepted = await sendDelivery(app, stream([sent]));
    expect(accepted.status).toBe(202);
    await until(() => handled.length > 2);
    await receiver.close();
    expect(handled).toHaveLength(3);
  });
});
