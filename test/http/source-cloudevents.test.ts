/** CloudEvents as their senders and handlers see them, over real requests. */
import { createHmac } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { HTTP, CloudEvent as PeerEvent } from "cloudevents";
import express from "express";
import { createReceiver, type Receiver, type WebhookEvent } from "hookgate";
import { type CloudEvent, type CloudEventsOptions, cloudEvents } from "hookgate/cloudevents";
import { standardWebhooks } from "hookgate/standard-webhooks";
import { sendDelivery, type TestAnswer, type TestDelivery } from "hookgate/testing";
import { z } from "zod";
import { createInboxScene, type InboxScene, key, until } from "../support/inbox-scene.js";
import { quiet } from "../support/quiet.js";

const small = { specversion: "1.0", id: "1", source: "/context", type: "com.example.paid" };
const structured = "application/cloudevents+json";
const batch = "application/cloudevents-batch+json";
const binary = {
  "ce-specversion": "1.0",
  "ce-id": "1",
  "ce-source": "/context",
  "ce-type": "com.example.paid",
};

function appOf(receiver: Pick<Receiver, "middleware">) {
  const app = express();
  app.all("/hooks", receiver.middleware());
  return app;
}

const send = (receiver: Pick<Receiver, "middleware">, delivery: TestDelivery): Promise<TestAnswer> =>
  sendDelivery(appOf(receiver), { path: "/hooks", ...delivery });

function receiverOf(options: CloudEventsOptions<"event"> = {}) {
  const refused: string[] = [];
  const events: WebhookEvent<string, CloudEvent>[] = [];
  const receiver = createReceiver({
    name: "events",
    source: cloudEvents(options),
    auth: { serviceKey: key },
    logger: quiet,
    hooks: { refused: ({ code, reason }) => refused.push(`${code} ${reason}`) },
  });
  receiver.on("com.example.*", (event) => {
    events.push(event);
  });
  return { receiver, events, refused };
}

describe("deliveries of CloudEvents", () => {
  it("are handled in each mode, and answered 204 without a body: brokers take one for a failure", async () => {
    const { receiver, events } = receiverOf();
    const answers = [
      await send(receiver, { key, headers: binary, body: { total: 5 } }),
      await send(receiver, { key, headers: { ...binary, "ce-id": "2" } }),
      await send(receiver, { key, contentType: structured, body: { ...small, id: "3" } }),
      await send(receiver, {
        key,
        contentType: batch,
        body: [
          { ...small, id: "4" },
          { ...small, id: "5" },
        ],
      }),
      await send(receiver, { key, contentType: batch, body: [] }),
      await send(receiver, { key, contentType: structured, body: { ...small, type: "nobody.listens" } }),
    ];
    for (const { status, text, headers } of answers) {
      expect([status, text]).toEqual([204, ""]);
      expect(headers).not.toHaveProperty("content-type");
    }
    expect(events.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5].map((id) => `/context ${id}`));
    expect(events[0]?.data).toEqual({ ...small, datacontenttype: "application/json", data: { total: 5 } });
    expect(events[1]?.data).toEqual({ ...small, id: "2" });
  });

  it("need a credential, which never stands in the query", async () => {
    const { receiver, events } = receiverOf();
    const body = { contentType: structured, body: small };
    expect(await send(receiver, body)).toMatchObject({ status: 401 });
    const inQuery = await send(receiver, { ...body, key, path: `/hooks?access_token=${key}` });
    expect([inQuery.status, inQuery.json()]).toMatchObject([400, { code: "ERR_CREDENTIAL_IN_QUERY" }]);
    expect(events).toEqual([]);
    expect(() => createReceiver({ name: "open", source: cloudEvents() })).toThrow(/auth/);
  });

  it.each([
    ["text/plain", "x"],
    ["application/cloudevents+avro", "x"],
    ["application/cloudevents+xml", "<a/>"],
    ["multipart/form-data; boundary=a", "x"],
    ["application/cloudevents+json; charset=utf-16", "{}"],
  ])("of the type %s are answered 415 (ATTACKS E14, E16, E22)", async (contentType, body) => {
    const { receiver, events } = receiverOf();
    expect(await send(receiver, { key, headers: binary, contentType, body })).toMatchObject({ status: 415 });
    expect(events).toEqual([]);
  });

  it.each<[string, TestDelivery, string]>([
    ["no ce- headers", { body: {} }, "no CloudEvent"],
    ["an older version", { headers: { ...binary, "ce-specversion": "0.3" }, body: {} }, "1.0"],
    ["a header twice", { headers: { ...binary, "ce-source": ["/a", "/b"] }, body: {} }, "source"],
    ["a time that is none", { contentType: structured, body: { ...small, time: "now" } }, "time"],
    ["one bad event in a batch", { contentType: batch, body: [small, { ...small, id: "" }] }, "`id`"],
    ["a format that is none", { contentType: "application/cloudevents-other+json", body: small }, "format"],
  ])("with %s are answered 422, and the operator reads why", async (_name, delivery, words) => {
    const { receiver, events, refused } = receiverOf();
    const answer = await send(receiver, { key, ...delivery });
    expect([answer.status, answer.json()]).toMatchObject([422, { code: "ERR_EVENT_INVALID" }]);
    expect(refused).toEqual([expect.stringContaining(words)]);
    expect(answer.text).not.toContain("CloudEvent");
    expect(events).toEqual([]);
  });

  it.each([
    ["members twice (ATTACKS E17)", `{"specversion":"1.0","id":"1","id":"2","source":"/s","type":"t"}`],
    ["nothing at all", ""],
    ["no JSON", "{"],
  ])("with %s in a structured body are refused", async (_name, body) => {
    const { receiver, events } = receiverOf();
    const { status } = await send(receiver, { key, contentType: structured, body });
    expect([400, 422]).toContain(status);
    expect(events).toEqual([]);
  });

  it("are validated as data alone where the option says so", async () => {
    const totals: number[] = [];
    const receiver = createReceiver({
      name: "events",
      source: cloudEvents({ data: "data" }),
      events: { "com.example.paid": z.object({ total: z.number() }) },
      auth: { serviceKey: key },
      logger: quiet,
    });
    receiver.on("com.example.paid", (event) => {
      totals.push(event.data.total);
    });
    expect(await send(receiver, { key, headers: binary, body: { total: 5 } })).toMatchObject({ status: 204 });
    expect(await send(receiver, { key, headers: binary, body: { total: "5" } })).toMatchObject({
      status: 422,
    });
    expect(await send(receiver, { key, headers: binary })).toMatchObject({ status: 422 });
    expect(totals).toEqual([5]);
  });

  it("fail with a handler that fails", async () => {
    const { receiver } = receiverOf();
    receiver.on("com.example.paid", () => {
      throw new Error("no");
    });
    expect(await send(receiver, { key, headers: binary, body: {} })).toMatchObject({ status: 500 });
  });

  it("come from the JavaScript SDK as it sends them", async () => {
    const { receiver, events } = receiverOf();
    const event = new PeerEvent({ type: "com.example.paid", source: "/peer", data: { total: 5 }, ext: "x" });
    for (const { headers, body } of [HTTP.binary(event), HTTP.structured(event)]) {
      const sent = { key, headers: headers as Record<string, string>, body };
      expect(await send(receiver, sent)).toMatchObject({ status: 204 });
    }
    const same = { id: event.id, time: event.time, source: "/peer", ext: "x", data: { total: 5 } };
    expect(events.map(({ data }) => data)).toMatchObject([same, same]);
  });
});

describe("the OPTIONS handshake", () => {
  const origin = "eventgrid.azure.net";
  const ask = {
    method: "OPTIONS",
    headers: { "WebHook-Request-Origin": origin, "WebHook-Request-Rate": "120" },
  };

  it("is answered for a known origin, without a credential", async () => {
    const { receiver } = receiverOf({ allowedOrigins: [origin], ratePerMinute: 100 });
    const answer = await send(receiver, ask);
    expect([answer.status, answer.text]).toEqual([200, ""]);
    expect(answer.headers).toMatchObject({
      allow: "POST",
      "webhook-allowed-origin": origin,
      "webhook-allowed-rate": "100",
    });
    expect(await send(receiver, { headers: binary, body: {} })).toMatchObject({ status: 401 });
  });

  it("gives others what any OPTIONS gets, and no CORS (ATTACKS E01)", async () => {
    const { receiver } = receiverOf({ allowedOrigins: ["other.example"] });
    for (const delivery of [ask, { method: "OPTIONS" }]) {
      const answer = await send(receiver, delivery);
      expect(answer).toMatchObject({ status: 204, headers: { allow: "POST" } });
      const names = Object.keys(answer.headers);
      expect(names.filter((name) => /^webhook-|^access-control-/.test(name))).toEqual([]);
    }
    expect(await send(receiver, { ...ask, method: "GET" })).toMatchObject({
      status: 405,
      headers: { allow: "POST" },
    });
  });

  it("is not held with addresses that are not allowed", async () => {
    const receiver = createReceiver({
      name: "events",
      source: cloudEvents({ allowedOrigins: [origin] }),
      auth: { serviceKey: key },
      allowIps: ["192.0.2.0/24"],
      logger: quiet,
    });
    const answer = await send(receiver, ask);
    expect(answer.headers).not.toHaveProperty("webhook-allowed-origin");
  });
});

describe("CloudEvents that are signed", () => {
  const secret = "whsec_ZXhhbXBsZS1zaWduaW5nLXNlY3JldC0wMTIzNDU2Nzg5";
  const receiver = createReceiver({
    name: "signed",
    source: cloudEvents({ signature: standardWebhooks({ secret }).signature }),
    logger: quiet,
  });
  const callers: unknown[] = [];
  receiver.on("com.example.paid", (_event, { caller }) => callers.push(caller.method));
  const sign = (body: string): Record<string, string> => {
    const timestamp = String(Math.floor(Date.now() / 1000));
    const mac = createHmac("sha256", Buffer.from(secret.slice("whsec_".length), "base64"));
    const signature = mac.update(`msg_1.${timestamp}.${body}`).digest("base64");
    return { "webhook-id": "msg_1", "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
  };

  it("pass by the signature of another source, without a further credential", async () => {
    const body = JSON.stringify(small);
    expect(await send(receiver, { contentType: structured, headers: sign(body), body })).toMatchObject({
      status: 204,
    });
    expect(callers).toEqual(["signature"]);
  });

  it("are refused unsigned, changed, and in binary mode, whose headers nobody signed", async () => {
    const body = JSON.stringify(small);
    const changed = JSON.stringify({ ...small, id: "2" });
    expect(await send(receiver, { contentType: structured, body })).toMatchObject({ status: 401 });
    expect(
      await send(receiver, { contentType: structured, headers: sign(body), body: changed }),
    ).toMatchObject({
      status: 401,
    });
    expect(await send(receiver, { headers: { ...sign("{}"), ...binary }, body: "{}" })).toMatchObject({
      status: 415,
    });
    expect(callers).toHaveLength(1);
  });
});

describe("CloudEvents with an inbox", () => {
  let scene: InboxScene;
  beforeEach(() => {
    scene = createInboxScene();
  });
  afterEach(() => scene.end());

  async function start() {
    const events: WebhookEvent<string, CloudEvent>[] = [];
    const receiver = scene.receiver({
      engine: scene.engine(),
      more: { source: cloudEvents({ dataTypes: ["application/octet-stream"] }) },
    });
    receiver.on("com.example.*", (event) => {
      events.push(event as WebhookEvent<string, CloudEvent>);
    });
    await receiver.start();
    const settled = (count: number) => until(() => events.length === count);
    return { receiver, events, settled };
  }

  it("keep the attributes of binary mode, those of extensions among them, for each later read", async () => {
    const { receiver, events, settled } = await start();
    const headers = { ...binary, "ce-subject": "a%20b", "ce-anyextension": "kept", "x-other": "not kept" };
    const answer = await send(receiver, {
      key,
      headers,
      contentType: "application/octet-stream",
      body: Buffer.from([0, 255]),
    });
    expect([answer.status, answer.text]).toEqual([202, ""]);
    await send(receiver, { key, headers: { ...headers, "ce-id": "2" } });
    await settled(2);
    const attributes = { ...small, subject: "a b", anyextension: "kept" };
    expect(events.map(({ data }) => data)).toEqual([
      { ...attributes, datacontenttype: "application/octet-stream", data: Buffer.from([0, 255]) },
      { ...attributes, id: "2" },
    ]);
    const [record] = (await receiver.inbox.list()).items;
    const stored = record && (await receiver.inbox.get(record.recordId));
    expect(Object.keys(stored?.delivery?.headers ?? {})).not.toContain("key");
    expect(Object.keys(stored?.delivery?.headers ?? {})).not.toContain("x-other");
  });

  it("are one event by source and id, in whatever mode and with whatever body they come again (ATTACKS F08)", async () => {
    const { receiver, events, settled } = await start();
    const answers = [
      await send(receiver, { key, headers: binary, body: { total: 5 } }),
      await send(receiver, { key, contentType: structured, body: { ...small, data: { total: 5 } } }),
      await send(receiver, { key, contentType: batch, body: [{ ...small, type: "com.example.other" }] }),
      await send(receiver, { key, contentType: structured, body: { ...small, source: "/other" } }),
    ];
    expect(answers.map(({ status, text }) => [status, text])).toEqual(answers.map(() => [202, ""]));
    await settled(2);
    expect(events.map(({ id }) => id).sort()).toEqual(["/context 1", "/other 1"]);
    expect((await receiver.inbox.list()).items).toHaveLength(2);
  });

  it("are several of one batch, and those that are new of one that comes again longer", async () => {
    const { receiver, events, settled } = await start();
    const ids = (count: number) =>
      Array.from({ length: count }, (_, at) => ({ ...small, id: `${at}`, data: at }));
    await send(receiver, { key, contentType: batch, body: ids(3) });
    await send(receiver, { key, contentType: batch, body: ids(5) });
    await send(receiver, { key, contentType: batch, body: [] });
    await settled(5);
    expect(events.map(({ data }) => data.data).sort()).toEqual([0, 1, 2, 3, 4]);
    expect((await receiver.inbox.list()).items).toHaveLength(5);
  });

  it("of a batch are stored all or none", async () => {
    const { receiver } = await start();
    const body = [small, { ...small, id: "2", time: "never" }];
    expect(await send(receiver, { key, contentType: batch, body })).toMatchObject({ status: 422 });
    expect((await receiver.inbox.list()).items).toEqual([]);
  });
});
