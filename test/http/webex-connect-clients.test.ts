/**
 * Clients of Webex Connect's API as they are found in public code, in Java, Go, Python, TypeScript, Elixir and test tools,
 * rebuilt from the bytes that they send and the members that they read: each is pointed at the example, and only its
 * base URL and its key are others.
 */
import { createHmac, randomUUID } from "node:crypto";
import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeEach, describe, expect, it } from "@jest/globals";
import { defineCredentials } from "hookgate";
import { webexConnectServiceJwt } from "hookgate/webex-connect";
import { createApp } from "../../examples/webex-connect/app.js";
import { quiet } from "../support/quiet.js";

// The forms in which the vendor shows keys, and secrets.
const key = "0b7e3c58-4d61-11ef-9a2f-0242ac120002";
const serviceId = "c9d1f6a2-4d61-11ef-9a2f-0242ac120002";
const serviceSecret = "q83vEjRWeJCrze8SNFZ4kJq83vEjRWeJCrze8SNFZ5A=";
const signingSecret = "3sV9pQm7Xc2Kd8Rf5Tg1Yh6Jw4Zb0NuL";

const heard: unknown[] = [];
const app = createApp({
  credentials: defineCredentials({
    tenants: {
      acme: {
        allowIps: ["127.0.0.0/8"],
        services: {
          orders: {
            serviceKeys: [{ id: "key-1", key }],
            jwt: webexConnectServiceJwt({ serviceId, secret: serviceSecret }),
          },
        },
      },
    },
  }),
  webhooks: [
    { id: "AB12CD34EF" },
    { id: "OPEN12CD34", authenticated: false },
    { id: "OFF112CD34", state: "inactive" },
    { id: "SIGN12CD34", signature: { header: "x-signature", secret: signingSecret } },
    { id: "TOKN12CD34", tokenInKeyHeader: true },
    { id: "BARE12CD34", sandbox: true },
  ],
  onEvent: (data, service) => heard.push({ webhook: data, service }),
  onCustomEvent: (event, service) => heard.push({ event, service }),
  onMessage: (message, service) => heard.push({ message, service }),
  logger: quiet,
});
const server = createServer(app);
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
afterAll(async () => {
  const closed = new Promise((resolve) => server.close(resolve));
  // Clients keep connections for what they might send next.
  server.closeAllConnections();
  await closed;
});
beforeEach(() => void heard.splice(0));

interface Sent {
  readonly path: string;
  /** In this spelling. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

interface Received {
  readonly status: number;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a client reads what it expects to be there
  readonly json: any;
}

/** Header names go out as they are spelled here, and nothing is added but Host and the length. */
function send({ path, headers, body }: Sent): Promise<Received> {
  const bytes = typeof body === "string" ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const sending = httpRequest(
      `${base}${path}`,
      { method: "POST", headers: { ...headers, "Content-Length": String(Buffer.byteLength(bytes)) } },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on("data", (part: Buffer) => parts.push(part));
        answer.on("end", () => {
          const text = Buffer.concat(parts).toString("utf8");
          resolve({ status: answer.statusCode ?? 0, text, json: text === "" ? undefined : JSON.parse(text) });
        });
      },
    );
    sending.on("error", reject);
    sending.end(bytes);
  });
}

describe("Messaging API v1", () => {
  const path = "/resources/v1/messaging";
  const message = (to: string) => ({
    deliverychannel: "sms",
    channels: { sms: { text: "Your order is ready" } },
    destination: [{ msisdn: [to], correlationId: "req-42" }],
  });
  /** Reads `response`, and takes an object in it for a failure and a list for success. */
  const springClient = async (over: Partial<Sent> = {}) => {
    const headers = {
      Accept: "text/plain, application/json, application/*+json, */*",
      "Content-Type": "application/json",
      key,
      "User-Agent": "Java/11.0.12",
    };
    const { json } = await send({ path, headers, body: [message("+15550100")], ...over });
    return json.response.transid === undefined ? { sent: json.response[0] } : { failed: json.response };
  };

  it("serves a Java client (RestTemplate) that sends a list of messages", async () => {
    expect(await springClient()).toEqual({
      sent: { code: "1001", description: "Queued", transid: expect.any(String), correlationid: "req-42" },
    });
    expect(heard).toMatchObject([
      {
        message: {
          channel: "sms",
          to: ["+15550100"],
          correlationId: "req-42",
          request: message("+15550100"),
        },
        service: "orders",
      },
    ]);
  });

  it("tells the Java client of a wrong key, a missing one and a broken body by codes, with status 200", async () => {
    const headers = { "Content-Type": "application/json" };
    expect(await springClient({ headers: { ...headers, key: randomUUID() } })).toMatchObject({
      failed: { code: "7001", description: "Authentication failed" },
    });
    expect(await springClient({ headers })).toMatchObject({
      failed: { code: "7002", description: "Service Key Missing" },
    });
    expect(await springClient({ body: '[{"deliverychannel":' })).toMatchObject({
      failed: { code: "7000", description: "Invalid JSON" },
    });
    expect(await springClient({ body: [{ destination: [] }] })).toMatchObject({ failed: { code: "7003" } });
    expect(heard).toEqual([]);
  });

  it("serves a Go client that spells the header Key and wants status 200", async () => {
    const headers = {
      "User-Agent": "Go-http-client/1.1",
      "Content-Type": "application/json",
      Key: key,
      "Accept-Encoding": "gzip",
    };
    const answer = await send({ path, headers, body: [message("+15550101")] });
    expect(answer.status).toBe(200);
    expect(answer.json.response[0].code).toBe("1001");
  });

  it("serves a Go client that sends a WhatsApp template and reads response[0].transid", async () => {
    const { status, json } = await send({
      path,
      headers: { "Content-Type": "application/json", Key: key },
      body: {
        appid: "a_155054536910425280",
        deliverychannel: "whatsapp",
        message: { template: "1234567890", parameters: { "1": "Ada" } },
        destination: [{ waid: ["15550102", "15550103"] }],
      },
    });
    expect(status).toBe(200);
    expect(json.response[0].transid).toMatch(/^[0-9a-f-]{36}$/);
    expect(heard).toMatchObject([{ message: { channel: "whatsapp", to: ["15550102", "15550103"] } }]);
  });

  it("serves an Angular client with empty members, and answers each recipient of several", async () => {
    const { json } = await send({
      path,
      headers: {
        accept: "application/json, text/plain, */*",
        "cache-control": "no-cache",
        "content-type": "application/json",
        key,
      },
      body: {
        correlationid: "cid",
        conversationid: "",
        callbackData: "",
        notifyurl: "",
        route: "",
        deliverychannel: "sms",
        message: { template: "", parameters: { "sms.message": "param" } },
        channels: { sms: { text: "Hello", type: "1", senderid: "DEMO" } },
        destination: [{ msisdn: [15550104] }, { msisdn: ["15550105"], correlationid: "own" }],
      },
    });
    expect(json.response).toMatchObject([
      { code: "1001", correlationid: "cid" },
      { code: "1001", correlationid: "own" },
    ]);
  });
});

describe("Messaging API v2", () => {
  const path = "/v2/messages";
  const body = {
    channel: "sms",
    from: "15550199",
    to: [{ msisdn: ["+15550100"], correlationId: "RES-123" }],
    callbackData: "reservation-confirmation",
    notifyUrl: "https://customer.example/notify",
    content: { type: "text", text: "Here is your confirmation." },
  };
  const headers = { "Content-Type": "application/json", key };

  it("serves a TypeScript client (fetch) that reads messageId of an ok answer", async () => {
    const answer = await fetch(`${base}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    expect(answer.status).toBe(201);
    expect(await answer.json()).toEqual({
      requestTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$/),
      messageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      correlationId: "RES-123",
      status: "queued",
    });
    expect(heard).toMatchObject([{ message: { channel: "sms", to: ["+15550100"] }, service: "orders" }]);
  });

  it("serves a Python client (requests) that takes 200 and 201, and reads message of anything else", async () => {
    const pythonClient = async (payload: unknown) => {
      const { status, json } = await send({
        path,
        headers: {
          "User-Agent": "python-requests/2.31.0",
          "Accept-Encoding": "gzip, deflate",
          Accept: "*/*",
          Connection: "keep-alive",
          ...headers,
        },
        body: payload,
      });
      return status === 200 || status === 201
        ? { success: true, messageId: json.messageId, status: json.status }
        : { success: false, error: `HTTP ${status} ${json.message}` };
    };
    expect(await pythonClient(body)).toEqual({
      success: true,
      messageId: expect.any(String),
      status: "queued",
    });
    expect(await pythonClient({ ...body, sendAt: "tomorrow" })).toEqual({
      success: false,
      error: "HTTP 400 Invalid parameter - sendAt",
    });
    expect(await pythonClient("{")).toEqual({ success: false, error: "HTTP 400 Invalid JSON" });
  });

  it("serves an Elixir client (hackney) that takes 401 by its status, without a body", async () => {
    const elixirClient = (serviceKey: string) =>
      send({
        path,
        headers: { key: serviceKey, "Content-Type": "application/json", Accept: "application/json" },
        body: {
          channel: "sms",
          from: "1",
          to: [{ msisdn: ["+15550106"] }],
          content: { type: "text", text: "x" },
        },
      });
    expect((await elixirClient(key)).json.messageId).toEqual(expect.any(String));
    expect(await elixirClient(randomUUID())).toEqual({ status: 401, text: "", json: undefined });
  });
});

describe("Custom Event API v1", () => {
  const path = "/resources/v1/events/externalevent/";

  it("serves a Node client (axios) that sends its event id as a number", async () => {
    const { status, json } = await send({
      path,
      headers: {
        Accept: "application/json, text/plain, */*",
        "Content-Type": "application/json",
        key,
        "User-Agent": "axios/1.6.0",
        "Accept-Encoding": "gzip, compress, deflate, br",
      },
      body: {
        events: [
          {
            evtid: 4792,
            correlationid: "ABC123",
            parameters: { MSISDN: "15550107", templatename: "t", Var1: "a" },
          },
        ],
        notifyurl: "",
      },
    });
    expect(status).toBe(200);
    expect(json).toEqual({
      response: [
        { code: "1002", description: "Queued", transid: expect.any(String), correlationid: "ABC123" },
      ],
    });
    expect(heard).toMatchObject([{ event: { evtid: "4792", parameters: { Var1: "a" } }, service: "orders" }]);
  });

  it("serves a test tool that spells the header Key, with and without the slash at the path's end", async () => {
    const parameters = { RequestId: "101", Country: "ZA", ChannelPreference: "sms" };
    const body = { notifyurl: "", events: [{ evtid: "8494", correlationid: "ABC123", parameters }] };
    for (const at of [path, path.slice(0, -1)]) {
      const headers = { "Content-Type": "application/json", Key: key };
      expect((await send({ path: at, headers, body })).json.response[0].code).toBe("1002");
    }
  });

  it("takes no key from the body, as an undocumented older client sends it", async () => {
    const { status, json } = await send({
      path: path.slice(0, -1),
      headers: { "content-type": "application/json" },
      body: { key, events: [{ evtid: "1789", correlationid: "2394", parameters: { mobile: "1" } }] },
    });
    expect([status, json.response.code]).toEqual([200, "7002"]);
  });

  it("serves a client with a JWT made as the documentation says, and lets it decide", async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const tokenOf = (iat: number) => {
      const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part({ iss: serviceId, iat })}`;
      const mac = createHmac("sha256", Buffer.from(serviceSecret, "base64")).update(signed);
      return `${signed}.${mac.digest("base64url")}`;
    };
    const now = Math.floor(Date.now() / 1000);
    const ask = async (token: string, more: Readonly<Record<string, string>> = {}) => {
      const headers = { "Content-Type": "application/json", Authorization: `Bearer ${token}`, ...more };
      const { json } = await send({ path, headers, body: { events: [{ evtid: "1" }] } });
      return [json.response].flat()[0].code;
    };
    expect(await ask(tokenOf(now))).toBe("1002");
    expect(await ask(tokenOf(now), { key: randomUUID() })).toBe("1002");
    expect(await ask(tokenOf(now - 3_700), { key })).toBe("7001");
    expect(await ask(tokenOf(now * 1000), { key })).toBe("7001");
    const headers = { "Content-Type": "application/json", key: tokenOf(now) };
    const inbound = { headers, body: { phone: "1" } };
    expect((await send({ path: "/events/TOKN12CD34", ...inbound })).json.response[0].code).toBe("1002");
    expect((await send({ path: "/events/AB12CD34EF", ...inbound })).json.response.code).toBe("7001");
  });
});

describe("Inbound webhooks", () => {
  it("serves a Node client (fetch) with a key that looks at ok", async () => {
    const answer = await fetch(`${base}/events/AB12CD34EF`, {
      method: "POST",
      headers: { "Content-Type": "application/json", key },
      body: JSON.stringify({ phone: "15550108" }),
    });
    expect(answer.ok).toBe(true);
    expect(heard).toEqual([{ webhook: { phone: "15550108" }, service: "orders" }]);
  });

  it("serves a contact centre's flow: content type Application/JSON and a header Key", async () => {
    const { json } = await send({
      path: "/events/AB12CD34EF",
      headers: { "Content-Type": "Application/JSON", Key: key },
      body: { phone: "15550109", message: "This is a transfer from your voice queue." },
    });
    expect(json.response[0].code).toBe("1002");
  });

  it("serves senders without a credential, where the webhook asks for none", async () => {
    for (const headers of [{ "Content-Type": "application/json" }, { "Content-Type": "text/xml" }]) {
      const isXml = headers["Content-Type"] === "text/xml";
      const body = isXml ? "<room><id>7</id></room>" : { destination: "+15550110", Lastname: "Lovelace" };
      const { json } = await send({ path: "/events/OPEN12CD34", headers, body });
      expect(json.response[0].code).toBe("1002");
    }
    expect(heard).toEqual([
      { webhook: { destination: "+15550110", Lastname: "Lovelace" }, service: "" },
      { webhook: { room: { id: "7" } }, service: "" },
    ]);
  });

  it("answers 7008 for a webhook that there is not, 7007 for one that is switched off", async () => {
    const headers = { "Content-Type": "application/json", key };
    const codeOf = async (id: string) => {
      const { status, json } = await send({ path: `/events/${id}`, headers, body: {} });
      return [status, json.response.code];
    };
    expect(await codeOf("NONE12CD34")).toEqual([200, "7008"]);
    expect(await codeOf("constructor")).toEqual([200, "7008"]);
    expect(await codeOf("OFF112CD34")).toEqual([200, "7007"]);
  });

  it("serves a sender that puts the bare key into Authorization, where the webhook takes it from there", async () => {
    const headers = { "Content-Type": "application/json", Authorization: key };
    const codeOf = async (id: string) => {
      const { json } = await send({
        path: `/events/${id}`,
        headers,
        body: { from: "1", to: "2", text: "x" },
      });
      return [json.response].flat()[0].code;
    };
    expect(await codeOf("BARE12CD34")).toBe("1002");
    expect(await codeOf("AB12CD34EF")).toBe("7002");
  });

  it("asks for the signature beside the key", async () => {
    const body = '{"order":7}';
    const mac = createHmac("sha256", signingSecret).update(body).digest("hex");
    const path = "/events/SIGN12CD34";
    const headers = { "Content-Type": "application/json", key };
    const signed = await send({ path, headers: { ...headers, "X-Signature": mac }, body });
    expect(signed.json.response[0].code).toBe("1002");
    const forged = await send({ path, headers: { ...headers, "X-Signature": mac }, body: '{"order":8}' });
    expect([forged.status, forged.json.response.code]).toEqual([400, "7028"]);
  });
});

describe("Send SMS API v1", () => {
  const body = { from: "+15550198", to: "+15550111", content: "Hello", contentType: "TEXT" };
  const ask = (headers: Readonly<Record<string, string>>, more: object = {}) =>
    send({
      path: "/v1/sms/messages",
      headers: { ...headers, "Content-Type": "application/json" },
      body: { ...body, ...more },
    });

  it("serves Python clients that put the bare key into Authorization and wait for 202", async () => {
    const { status, json } = await ask({ Authorization: key }, { correlationId: "1234" });
    expect(status).toBe(202);
    expect(json).toEqual({
      acceptedTime: expect.stringContaining("T"),
      messageId: expect.any(String),
      correlationId: "1234",
    });
    expect(heard).toMatchObject([{ message: { channel: "sms", to: ["+15550111"] } }]);
  });

  it("serves the vendor's Node SDK, which reads code and message of a refusal", async () => {
    const wrong = { status: 403, json: { code: "7001", message: "Authentication failed." } };
    const refused: readonly Readonly<Record<string, string>>[] = [
      { Authorization: randomUUID() },
      { Authorization: "" },
      { key: randomUUID() },
    ];
    for (const headers of refused) {
      expect(await ask(headers)).toMatchObject(wrong);
    }
    expect((await ask({ key })).status).toBe(202);
    expect(await ask({ key }, { content: "" })).toMatchObject({
      status: 400,
      json: { code: "7004", message: "Invalid parameter - : content" },
    });
  });
});
