import { createHmac } from "node:crypto";
import { afterEach, describe, expect, it } from "@jest/globals";
import express from "express";
import { createReceiver, defineCredentials, type InboxReceiver, type Receiver } from "hookgate";
import { createFakeClock, memoryEngine, sendDelivery, type TestDelivery } from "hookgate/testing";
import {
  type WebexConnectEventsOptions,
  type WebexConnectOptions,
  webexConnect,
  webexConnectEvents,
  webexConnectServiceJwt,
} from "hookgate/webex-connect";
import { z } from "zod";
import { quiet } from "../support/quiet.js";

const key = "6fa459ea-ee8a-11e3-ac10-0800200c9a66";
const offKey = "7fa459ea-ee8a-11e3-ac10-0800200c9a66";
const serviceSecret = Buffer.from(Array.from({ length: 32 }, (_, at) => (at * 37 + 11) % 256));
const signingSecret = "8Z1v0hQkXq3nLr7Tt5Wb2Yd9Cf4Gj6Mp";
const uuid = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/;

const closers: Receiver<never>[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((receiver) => receiver.close({ grace: "0ms" })));
});

/** As the vendor's page describes it: HS256 by hand, the secret decoded from base64. */
function serviceToken(claims: object, secret = serviceSecret): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

interface SetUp {
  readonly source?: WebexConnectOptions;
  readonly events?: WebexConnectEventsOptions;
  readonly more?: object;
  readonly handler?: (event: { id: string; type: string; data: unknown }) => unknown;
  readonly tenantIps?: readonly string[];
}

function setUp({ source, events, more = {}, handler, tenantIps = ["127.0.0.1"] }: SetUp = {}) {
  const clock = createFakeClock();
  const credentials = defineCredentials({
    tenants: {
      acme: {
        allowIps: tenantIps,
        services: {
          orders: {
            serviceKeys: [
              { id: "key-1", key },
              { id: "off", key: offKey, state: "inactive" },
            ],
            jwt: webexConnectServiceJwt({ serviceId: "SID1", secret: serviceSecret.toString("base64") }),
          },
        },
      },
    },
  });
  const seen: unknown[] = [];
  const receiver = createReceiver({
    name: "inbound",
    source: events === undefined ? webexConnect(source) : (webexConnectEvents(events) as never),
    auth: { credentials },
    clock,
    logger: quiet,
    ...more,
  });
  receiver.onAny((event) => {
    seen.push([event.type, event.data]);
    return handler?.(event as never);
  });
  closers.push(receiver as never);
  const app = express();
  app.all("/in", receiver.middleware());
  const send = async (delivery: TestDelivery, remoteAddress?: string) => {
    const options = remoteAddress === undefined ? {} : { remoteAddress };
    const answer = await sendDelivery(app, { path: "/in", body: { a: 1 }, ...delivery }, options);
    const parsed = answer.headers["content-type"]?.includes("json") === true ? answer.json() : undefined;
    const response = (parsed as { response?: unknown } | undefined)?.response;
    const codes = [response].flat().map((each) => (each as { code?: unknown } | undefined)?.code);
    return { ...answer, response, codes: Array.isArray(response) ? codes : codes[0] };
  };
  const token = (claims: object = {}) => serviceToken({ iss: "SID1", iat: clock.now() / 1000, ...claims });
  return { clock, receiver, seen, send, token };
}

describe("webexConnect: answers", () => {
  it("answers real statuses unless the vendor's are asked for", async () => {
    const { send, seen } = setUp();
    expect((await send({ key })).json()).toMatchObject({ status: "handled" });
    expect((await send({ key: "x" })).status).toBe(401);
    expect(seen).toEqual([["inbound", { a: 1 }]]);
  });

  it("answers 1002 with our request id as transid, in the header as well", async () => {
    const { send } = setUp({ source: { answers: "webex" } });
    const { status, headers, response } = await send({ key });
    expect({ status, response }).toEqual({
      status: 200,
      response: [{ code: "1002", description: "Queued", transid: expect.stringMatching(uuid) }],
    });
    expect(headers["x-request-id"]).toBe((response as readonly { transid: string }[])[0]?.transid);
  });

  it("tells a credential that is missing from one that is wrong, and no more than that", async () => {
    const { send, token, clock } = setUp({ source: { answers: "webex" } });
    const failed = {
      code: "7001",
      description: "Authentication failed",
      transid: expect.stringMatching(uuid),
    };
    const missing = {
      code: "7002",
      description: "Service Key Missing",
      transid: expect.stringMatching(uuid),
    };
    expect(await send({})).toMatchObject({ status: 200, response: missing });
    const wrong: readonly TestDelivery[] = [
      { key: "x" },
      { key: offKey },
      { token: token({ iss: "SID2" }) },
      { token: token({ iat: clock.now() / 1000 - 3_606 }) },
      { token: "", key },
      { token: "a.b.c", key },
      { headers: { key: [key, key] } },
      { path: "/in?access_token=x", key },
    ];
    for (const delivery of wrong)
      expect(await send(delivery)).toMatchObject({ status: 200, response: failed });
    expect(await send({ token: token(), key: "x" })).toMatchObject({ codes: ["1002"] });
  });

  it("answers 7010 where the tenant's list or the receiver's has no place for the address", async () => {
    const inTenant = setUp({ source: { answers: "webex" } });
    expect(await inTenant.send({ key }, "203.0.113.7")).toMatchObject({ status: 200, codes: "7010" });
    expect(await inTenant.send({ key: "x" }, "203.0.113.7")).toMatchObject({ codes: "7001" });
    const inFront = setUp({ source: { answers: "webex" }, more: { allowIps: ["203.0.113.0/24"] } });
    expect(await inFront.send({})).toMatchObject({ status: 200, codes: "7010" });
  });

  it("E16 refuses JSON that is sent as XML", async () => {
    const { send } = setUp();
    for (const body of ['{"eventType":"order"}', ' ["<a/>"]', "1"]) {
      expect((await send({ key, body, contentType: "application/xml" })).status).toBe(400);
    }
  });

  it("E15 E17 E23 answers 7000 for broken JSON and 7027 for broken XML", async () => {
    const { send, seen } = setUp({ source: { answers: "webex" } });
    for (const body of ["{", "", '{"a":1,"a":2}']) {
      expect(await send({ key, body, contentType: "application/json" })).toMatchObject({
        status: 200,
        codes: "7000",
      });
    }
    const doctype = '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>';
    for (const body of ["<a>", "a", doctype]) {
      expect(await send({ key, body, contentType: "application/xml" })).toMatchObject({
        status: 200,
        codes: "7027",
      });
    }
    expect(await send({ key, body: "a=1", contentType: "text/plain" })).toMatchObject({
      status: 415,
      codes: "7000",
    });
    expect(seen).toEqual([]);
  });

  it("E02 answers 430 beyond 256 KB, closes, and takes what is just that long", async () => {
    const { send } = setUp({ source: { answers: "webex" } });
    const bytes = (length: number) => JSON.stringify("x".repeat(length - 2));
    const contentType = "application/json";
    expect(await send({ key, contentType, body: bytes(262_144) })).toMatchObject({ codes: ["1002"] });
    const answer = await send({ key, contentType, body: bytes(262_145) });
    expect(answer).toMatchObject({ status: 413, codes: "430" });
    expect(answer.headers.connection).toBe("close");
  });

  it("E01 leaves other methods to us", async () => {
    const { send } = setUp({ source: { answers: "webex" } });
    expect(await send({ method: "GET", body: undefined })).toMatchObject({ status: 405 });
    expect(await send({ method: "OPTIONS", body: undefined })).toMatchObject({ status: 204 });
  });

  it("G04 answers 7005 and a 5xx where a handler fails, without its words", async () => {
    const handler = () => {
      throw new Error("database password is hunter2");
    };
    const { send } = setUp({ source: { answers: "webex" }, handler });
    const answer = await send({ key });
    expect(answer).toMatchObject({ status: 500, codes: "7005" });
    expect(answer.text).not.toContain("hunter2");
  });

  it("answers 7005 with a time to come again where the receiver has stopped", async () => {
    const { receiver, send } = setUp({ source: { answers: "webex" } });
    await receiver.close();
    const answer = await send({ key });
    expect(answer).toMatchObject({ status: 503, codes: "7005" });
    expect(answer.headers["retry-after"]).toBe("5");
  });

  it("C14 answers 7020 where one address fails too often", async () => {
    const { send } = setUp({ source: { answers: "webex" }, more: { maxFailuresPerMinute: 1 } });
    expect(await send({ key: "x" })).toMatchObject({ codes: "7001" });
    expect(await send({ key: "x" })).toMatchObject({ status: 200, codes: "7020" });
    expect(await send({ key })).toMatchObject({ codes: ["1002"] });
  });
});

describe("webexConnect: bodies", () => {
  it("hands XML over as data", async () => {
    const { send, seen } = setUp({ source: { type: "order.@kind", id: "order.@id" } });
    const body = '<?xml version="1.0"?><order kind="paid" id="7"><line>a</line><line>b</line></order>';
    expect((await send({ key, body, contentType: "text/xml; charset=utf-8" })).json()).toEqual({
      status: "handled",
      id: "7",
    });
    expect(seen).toEqual([["paid", { order: { "@kind": "paid", "@id": "7", line: ["a", "b"] } }]]);
  });

  it("refuses XML where it is switched off", async () => {
    const { send } = setUp({ source: { xml: false } });
    expect((await send({ key, body: "<a/>", contentType: "application/xml" })).status).toBe(415);
  });

  it("answers 7004 where there is no type or id that it can read", async () => {
    const { send } = setUp({ source: { answers: "webex", type: "type", id: "id" } });
    expect(await send({ key, body: { id: "1" } })).toMatchObject({ status: 200, codes: "7004" });
    expect(await send({ key, body: { type: "a", id: {} } })).toMatchObject({ status: 200, codes: "7004" });
    expect(await send({ key, body: { type: "a" } })).toMatchObject({ codes: ["1002"] });
  });
});

describe("webexConnect: places of credentials", () => {
  it("takes a JWT from the key header where it is told to, and only there", async () => {
    const usual = setUp();
    expect((await usual.send({ key: usual.token() })).status).toBe(401);
    const asked = setUp({ source: { tokenInKeyHeader: true } });
    expect((await asked.send({ key: asked.token() })).status).toBe(200);
    expect((await asked.send({ key })).status).toBe(200);
    expect((await asked.send({ key: `${asked.token().slice(0, -2)}AA` })).status).toBe(401);
    expect((await asked.send({ key: asked.token(), token: "a.b.c" })).status).toBe(401);
  });

  it("takes a bare key from Authorization where it is told to, and only there", async () => {
    const bare = { headers: { authorization: key } };
    expect((await setUp().send(bare)).status).toBe(401);
    const { send, token } = setUp({ source: { sandbox: true } });
    expect((await send(bare)).status).toBe(200);
    expect((await send({ key })).status).toBe(200);
    expect((await send({ ...bare, key })).status).toBe(400);
    expect((await send({ headers: { authorization: `Basic ${key}` } })).status).toBe(401);
    expect((await send({ headers: { authorization: token() } })).status).toBe(401);
    expect((await send({ token: "a.b.c", key })).status).toBe(401);
  });
});

describe("webexConnect: explain", () => {
  it("sees credentials where the source has them, and says what is wrong with a member", async () => {
    const { receiver, token } = setUp({ source: { sandbox: true, tokenInKeyHeader: true, type: "type" } });
    const explained = async (headers: Readonly<Record<string, string>>, body: object = { type: "a" }) => {
      const explanation = await receiver.explain({
        headers: { "content-type": "application/json", ...headers },
        remoteAddress: "127.0.0.1",
        body,
      });
      return explanation.code ?? "accepted";
    };
    expect(await explained({ authorization: key })).toBe("accepted");
    expect(await explained({ key: token() })).toBe("accepted");
    expect(await explained({ key: "a.b.c" })).toBe("ERR_TOKEN_INVALID");
    expect(await explained({ key }, {})).toBe("ERR_EVENT_INVALID");
  });
});

describe("webexConnect: signature beside the credential", () => {
  const source = { answers: "webex", signature: { header: "x-sig", secret: signingSecret } } as const;
  const body = '{ "a": 1 }';
  const mac = createHmac("sha256", signingSecret).update(body).digest("hex");

  it("takes both together, and neither alone", async () => {
    const { send, seen } = setUp({ source });
    const signed = { body, contentType: "application/json", headers: { "x-sig": mac } };
    expect(await send({ ...signed, key })).toMatchObject({ status: 200, codes: ["1002"] });
    expect(await send(signed)).toMatchObject({ status: 200, codes: "7002" });
    expect(await send({ ...signed, headers: {}, key })).toMatchObject({ status: 400, codes: "7029" });
    expect(seen).toHaveLength(1);
  });

  it("F01 F03 answers 7028 with status 400 where it does not hold", async () => {
    const { send } = setUp({ source });
    const contentType = "application/json";
    expect(await send({ key, body: '{"a":1}', contentType, headers: { "x-sig": mac } })).toMatchObject({
      status: 400,
      codes: "7028",
    });
    expect(await send({ key, body, contentType, headers: { "x-sig": "zz" } })).toMatchObject({
      status: 400,
      codes: "7028",
    });
  });
});

describe("webexConnectEvents", () => {
  const events = [
    { evtid: "1789", correlationid: "ABC12", parameters: { mobile: "1" } },
    { evtid: "8494", parameters: { mobile: "2" } },
  ];

  it("handles each event by its type, and answers each", async () => {
    const { send, seen } = setUp({ events: { answers: "webex" } });
    const { status, response } = await send({ key, body: { events } });
    expect(status).toBe(200);
    expect(response).toEqual([
      { code: "1002", description: "Queued", transid: expect.stringMatching(/_0$/), correlationid: "ABC12" },
      { code: "1002", description: "Queued", transid: expect.stringMatching(/_1$/) },
    ]);
    expect(seen).toEqual(events.map((data) => [data.evtid, data]));
  });

  it("answers 7003 without the list, 7004 for what is wrong in it, and handles none of it", async () => {
    const { send, seen } = setUp({ events: { answers: "webex" } });
    expect(await send({ key, body: {} })).toMatchObject({ status: 200, codes: "7003" });
    expect(await send({ key, body: { events: [] } })).toMatchObject({ status: 200, codes: "7004" });
    const body = { events: [...events, { evtid: "" }] };
    expect(await send({ key, body })).toMatchObject({ status: 200, codes: ["7004"] });
    expect(seen).toEqual([]);
  });

  it("G03 answers each event 7025 where one breaks its schema", async () => {
    const more = {
      events: { "1789": z.object({ parameters: z.object({ mobile: z.number() }) }), "8494": z.any() },
    };
    const { send, seen } = setUp({ events: { answers: "webex" }, more });
    expect(await send({ key, body: { events } })).toMatchObject({ status: 200, codes: ["7025", "7025"] });
    expect(seen).toEqual([]);
  });

  it("F08 with an inbox: stores all events of a request, and takes its repetition for one", async () => {
    const more = { inbox: { engine: memoryEngine() } };
    const { receiver, send } = setUp({ events: { answers: "webex" }, more });
    expect(await send({ key, body: { events } })).toMatchObject({ status: 503, codes: "7005" });
    await receiver.start();
    for (const _ of [1, 2]) {
      expect(await send({ key, body: { events } })).toMatchObject({ status: 200, codes: ["1002", "1002"] });
    }
    const { items } = (await (receiver as unknown as InboxReceiver).inbox.list({})) as unknown as {
      items: readonly { type: string }[];
    };
    expect(items.map(({ type }) => type).sort()).toEqual(["1789", "8494"]);
  });

  it("tells repetitions by the member that it is given", async () => {
    const more = { inbox: { engine: memoryEngine() } };
    const { receiver, send } = setUp({ events: { id: "correlationid" }, more });
    await receiver.start();
    const event = { evtid: "1", correlationid: "c", parameters: {} };
    const answers = [
      await send({ key, body: { events: [event] } }),
      await send({ key, body: { events: [event] } }),
      await send({ key, body: { events: [{ ...event, evtid: "2" }] } }),
      await send({ key, body: { events: [{ ...event, parameters: { changed: true } }] } }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([202, 200, 202, 409]);
  });
});
