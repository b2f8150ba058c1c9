import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "@jest/globals";
import { createReceiver, NonRetriableError } from "hookgate";
import { memoryEngine, sendDelivery, signedDelivery, type TestDelivery } from "hookgate/testing";
import { type WebexConnectOutboundOptions, webexConnectOutbound } from "hookgate/webex-connect-outbound";
import { createScene, mounts } from "../support/scene.js";

interface Sample {
  readonly type: string;
  readonly body: object;
  readonly data: object;
}
const vectors = new URL("../vectors/webex-connect-outbound.json", import.meta.url);
const { samples } = JSON.parse(readFileSync(vectors, "utf8")) as { readonly samples: readonly Sample[] };
const scene = createScene();
afterAll(scene.close);
const secret = scene.secret("hub");

function signed(body: unknown, hash: "sha256" | "sha512" = "sha256", prefix = `${hash}=`): TestDelivery {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const signature = createHmac(hash, secret).update(text).digest("hex");
  return { path: "/hooks", body: text, headers: { "x-hub-signature": `${prefix}${signature}` } };
}

const receipt = (status: string) => ({
  deliveryInfoNotification: {
    deliveryInfo: {
      deliveryChannel: "SMS",
      deliveryStatus: status,
      destination: "4477362XXXX",
      code: "7500",
    },
    transid: "7f3af32c",
  },
});

describe.each(mounts)("webexConnectOutbound on %s", (_name, mount) => {
  function serve(more: object = {}, options: WebexConnectOutboundOptions = { secret }) {
    const handled: unknown[] = [];
    const receiver = createReceiver({
      name: "connect",
      source: webexConnectOutbound(options),
      ...{ logger: scene.logger, hooks: scene.hooks, ...more },
    });
    receiver.on("receipt.*", (event, { delivery }) => {
      handled.push([event.type, event.data.destination, delivery.rawBody.length]);
    });
    receiver.on("message.sms.received", ({ data }) => {
      if (data.message === "fail") throw new NonRetriableError("no");
      handled.push(data.oa);
    });
    return { receiver, handled, app: mount(receiver.middleware()) };
  }

  it("answers 200 to HEAD, by which the URL is tested before it is saved", async () => {
    const { app } = serve();
    expect((await sendDelivery(app, { method: "HEAD", path: "/hooks" })).status).toBe(200);
    expect((await sendDelivery(app, { method: "GET", path: "/hooks" })).status).toBe(405);
  });

  it("hands receipts to their handlers, also of a status that is not documented", async () => {
    const { app, handled } = serve();
    for (const status of ["Un-Delivered", "Expired"]) {
      const answer = await sendDelivery(app, signed(receipt(status)));
      expect([answer.status, answer.json()]).toMatchObject([200, { status: "handled" }]);
    }
    const bytes = JSON.stringify(receipt("Expired")).length;
    expect(handled).toEqual([
      ["receipt.sms.undelivered", "4477362XXXX", bytes + 5],
      ["receipt.sms.expired", "4477362XXXX", bytes],
    ]);
  });

  it("says 200 to what no handler is for, and to each of a list", async () => {
    const { app, handled } = serve();
    const ignored = await sendDelivery(app, signed({ channel: "viber", tid: "1" }));
    expect([ignored.status, ignored.json()]).toMatchObject([200, { status: "ignored" }]);
    const list = await sendDelivery(app, signed([receipt("Submitted"), receipt("Delivered")]));
    expect([list.status, handled.length]).toEqual([200, 2]);
  });

  it("F01 F06 answers 401, which is sent again, where the signature does not hold", async () => {
    const { app, handled } = serve();
    const good = signed(receipt("Delivered"));
    const sha1 = createHmac("sha1", secret).update(String(good.body)).digest("hex");
    for (const header of [undefined, `sha1=${sha1}`, sha1]) {
      const headers: Record<string, string> = header === undefined ? {} : { "x-hub-signature": header };
      expect((await sendDelivery(app, { ...good, headers })).status).toBe(401);
    }
    expect((await sendDelivery(app, { ...good, body: `${good.body} ` })).status).toBe(401);
    for (const delivery of [signed(receipt("Read"), "sha512"), signed(receipt("Read"), "sha512", "")]) {
      expect((await sendDelivery(app, delivery)).status).toBe(200);
    }
    expect(handled).toHaveLength(2);
  });

  it("answers 400, which is not sent again, to what cannot become right", async () => {
    const { app } = serve({ body: { maxBytes: 1_000 } });
    for (const body of ["7", "{", "x".repeat(2_000), '{"a":1,"a":2}']) {
      expect([body.length, (await sendDelivery(app, signed(body))).status]).toEqual([body.length, 400]);
    }
  });

  it("answers 500, which is sent again, where a handler failed", async () => {
    const { app } = serve();
    const body = { Channel: "SMS", oa: "44", message: "fail", tid: "1" };
    expect((await sendDelivery(app, signed(body))).status).toBe(500);
  });

  it("takes an API key in place of a signature, and both together", async () => {
    const key = scene.secret("api-key");
    const auth = { serviceKey: { header: "x-api-key", keys: [{ id: "connect", key }] } };
    const delivery = signed(receipt("Read"));
    const withKey = { ...delivery, headers: { "x-api-key": key } };
    const keyOnly = serve({ auth }, {});
    expect((await sendDelivery(keyOnly.app, withKey)).status).toBe(200);
    expect((await sendDelivery(keyOnly.app, delivery)).status).toBe(401);
    const both = serve({ auth });
    const signedToo = { ...delivery, headers: { ...delivery.headers, "x-api-key": key } };
    expect((await sendDelivery(both.app, signedToo)).status).toBe(200);
    for (const half of [withKey, delivery]) expect((await sendDelivery(both.app, half)).status).toBe(401);
  });

  it("F08 with an inbox answers 200, and takes a retry for a duplicate, though a member was added", async () => {
    const { app, receiver } = serve({ inbox: { engine: memoryEngine(), workers: false } });
    await receiver.start();
    const first = await sendDelivery(app, signed(receipt("Read")));
    expect([first.status, first.json()]).toMatchObject([200, { status: "accepted" }]);
    const again = await sendDelivery(app, signed({ ...receipt("Read"), added: 1 }));
    expect([again.status, again.json()]).toMatchObject([200, { status: "duplicate" }]);
    const other = await sendDelivery(app, signed(receipt("Delivered")));
    expect(other.json()).toMatchObject({ status: "accepted" });
    const kept = await sendDelivery(app, signed({ channel: "viber", tid: "1" }));
    expect([kept.status, kept.json()]).toMatchObject([200, { status: "ignored" }]);
    await receiver.close();
  });
});

describe("webexConnectOutbound", () => {
  it("takes every documented notification, signed and sent, once each", async () => {
    const seen: string[] = [];
    const receiver = createReceiver({ name: "all", source: webexConnectOutbound({ secret }) });
    receiver.onAny(({ type }) => void seen.push(type));
    for (const { body } of samples) {
      const answer = await sendDelivery(receiver.requestListener("/hooks"), signed(body));
      expect([answer.status, answer.json()]).toMatchObject([200, { status: "handled" }]);
    }
    expect(seen).toEqual(samples.map(({ type }) => type));
  });

  it("is signed for by the testing kit, also where the trimmed body is taken", async () => {
    for (const options of [{ secret }, { secret, trimmedBody: true }]) {
      const source = webexConnectOutbound(options);
      const receiver = createReceiver({ name: "kit", source });
      const data: unknown[] = [];
      receiver.on("receipt.email.bounced", (event) => void data.push(event.data.destination));
      const event = { type: "receipt.email.bounced", data: { destination: "a@b.tld" } };
      const delivery = await signedDelivery(source, event, { path: "/hooks" });
      expect((await sendDelivery(receiver.requestListener("/hooks"), delivery)).status).toBe(200);
      expect(data).toEqual(["a@b.tld"]);
    }
  });

  it("needs `auth` where there is no secret", () => {
    expect(() => createReceiver({ name: "open", source: webexConnectOutbound() })).toThrow(TypeError);
  });

  it("I01 lets no secret into logs and answers", () => {
    expect(scene.leaks()).toEqual([]);
  });
});
