/** Providers that have no source of their own, declared as their documentation says; with their published samples where there are some. */
import { createHmac, generateKeyPairSync, sign, timingSafeEqual } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { createSignatureGate } from "../../../src/signatures/signature.js";
import { type CustomSourceOptions, customSource } from "../../../src/sources/custom/index.js";
import type { SignatureFault, SignatureMatch, SignatureScheme } from "../../../src/types/signature.js";
import { requestOf, type SentHeaders, wordOf } from "../signatures/signed-request.js";
import { eventsOf } from "./cloudevents-request.js";

const secret = "a-secret-of-32-characters-0123456";
const now = 1_700_000_000;
const json = { "content-type": "application/json" };

interface Sent {
  readonly headers: SentHeaders;
  readonly body: string;
  readonly url?: string;
  /** Seconds since the epoch. */
  readonly at?: number;
}

async function check(
  options: CustomSourceOptions,
  { headers, body, url = "/", at = now }: Sent,
): Promise<string> {
  const gate = createSignatureGate(customSource(options).signature as SignatureScheme, "signature");
  return wordOf(await gate(requestOf(headers, body, { url }), at * 1_000));
}

function mac(content: string, encoding: "hex" | "base64" = "hex", hash = "sha256"): string {
  return createHmac(hash, secret).update(content).digest(encoding);
}

/** It passes as it is, and neither with another body nor with another secret. */
async function holds(options: CustomSourceOptions, sent: Sent): Promise<void> {
  expect(await check(options, sent)).toBe("secret-1");
  expect(await check(options, { ...sent, body: `${sent.body} ` })).toBe("mismatch");
  const signature = { ...options.signature, secret: `${secret}7` } as CustomSourceOptions["signature"];
  expect(await check({ ...options, signature }, sent)).toBe("mismatch");
}

describe("published samples", () => {
  it("of SendGrid hold: ECDSA over timestamp and body, a list of events", async () => {
    const options: CustomSourceOptions = {
      name: "sendgrid",
      each: ".",
      type: "event",
      id: "sg_event_id",
      signature: {
        header: "X-Twilio-Email-Event-Webhook-Signature",
        timestamp: "X-Twilio-Email-Event-Webhook-Timestamp",
        algorithm: "ecdsa-p256-sha256",
        encoding: "base64",
        signed: "{timestamp}{body}",
        publicKey:
          "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==",
      },
    };
    const headers = {
      "X-Twilio-Email-Event-Webhook-Signature":
        "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=",
      "X-Twilio-Email-Event-Webhook-Timestamp": "1600112502",
    };
    const event = {
      email: "hello@world.com",
      event: "dropped",
      reason: "Bounced Address",
      sg_event_id: "ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",
      sg_message_id: "LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",
      "smtp-id": "<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>",
      timestamp: 1_600_112_492,
    };
    const body = `${JSON.stringify([event])}\r\n`;
    const sent = { headers, body, at: 1_600_112_502 };
    expect(await check(options, sent)).toBe("key-1");
    expect(await check(options, { ...sent, body: body.trimEnd() })).toBe("mismatch");
    expect(await check(options, { ...sent, at: 1_600_112_803 })).toBe("timestamp");
    expect(eventsOf(customSource(options), json, body)).toEqual([
      { type: "dropped", id: event.sg_event_id, data: event },
    ]);
  });

  it("of Square hold: the URL and the body", async () => {
    const options: CustomSourceOptions = {
      name: "square",
      id: "event_id",
      signature: {
        header: "x-square-hmacsha256-signature",
        encoding: "base64",
        signed: "{url}{body}",
        publicUrl: "https://webhook.site",
        secret: "Ibxx_5AKakO-3qeNVR61Dw",
        insecureShortSecret: true,
      },
    };
    const body =
      '{"merchant_id":"MLEFBHHSJGVHD","type":"webhooks.test_notification","event_id":"ac3ac95b-f97d-458c-a6e6-18981597e05f","created_at":"2022-07-13T20:30:59.037339943Z","data":{"type":"webhooks","id":"bc368e64-01aa-407e-b46e-3231809b1129"}}';
    const headers = { "x-square-hmacsha256-signature": "GF4YkrJgGBDZ9NIYbNXBnMzqb2HoL4RW/S6vkZ9/2N4=" };
    const url = "/679a4f3a-dcfa-49ee-bac5-9d0edad886b9";
    expect(await check(options, { headers, body, url })).toBe("secret-1");
    expect(await check(options, { headers, body, url: "/79a4f3a-dcfa-49ee-bac5-9d0edad886b9" })).toBe(
      "mismatch",
    );
    expect(await check(options, { headers, body: body.replace("test_", ""), url })).toBe("mismatch");
    expect(eventsOf(customSource(options), json, body)).toMatchObject([
      { type: "webhooks.test_notification", id: "ac3ac95b-f97d-458c-a6e6-18981597e05f" },
    ]);
  });

  it("of Adyen hold, which signs a few members and puts the signature among them", async () => {
    const key = Buffer.from("44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056", "hex");
    const item = {
      pspReference: "7914073381342284",
      merchantAccountCode: "TestMerchant",
      merchantReference: "TestPayment-1407325143704",
      amount: { value: 1130, currency: "EUR" },
      eventCode: "AUTHORISATION",
      success: "true",
      additionalData: { hmacSignature: "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0=" },
    };
    type Item = typeof item & { originalReference?: string };
    const verify = ({ rawBody }: { rawBody: Buffer }): SignatureMatch | SignatureFault => {
      const { notificationItems } = JSON.parse(rawBody.toString()) as {
        notificationItems: { NotificationRequestItem: Item }[];
      };
      for (const { NotificationRequestItem: each } of notificationItems) {
        const { amount, additionalData } = each;
        const signed = [
          each.pspReference,
          each.originalReference ?? "",
          each.merchantAccountCode,
          each.merchantReference,
          amount.value,
          amount.currency,
          each.eventCode,
          each.success,
        ].join(":");
        const expected = createHmac("sha256", key).update(signed).digest();
        const given = Buffer.from(additionalData.hmacSignature, "base64");
        if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
          return { fault: "mismatch", reason: "an item's hmacSignature does not match" };
        }
      }
      return { keyId: "adyen" };
    };
    const options: CustomSourceOptions = {
      name: "adyen",
      each: "notificationItems",
      type: "NotificationRequestItem.eventCode",
      id: (_, element) => {
        const { eventCode, pspReference } = (element as { NotificationRequestItem: Item })
          .NotificationRequestItem;
        return `${eventCode}:${pspReference}`;
      },
      data: "NotificationRequestItem",
      signature: { verify },
      answer: ({ status }) => (status === "accepted" ? { status: 200, body: "[accepted]" } : undefined),
    };
    const body = JSON.stringify({ live: "false", notificationItems: [{ NotificationRequestItem: item }] });
    expect(await check(options, { headers: {}, body })).toBe("adyen");
    expect(await check(options, { headers: {}, body: body.replace("1130", "1131") })).toBe("mismatch");
    expect(eventsOf(customSource(options), json, body)).toEqual([
      { type: "AUTHORISATION", id: "AUTHORISATION:7914073381342284", data: item },
    ]);
  });
});

describe("documented algorithms", () => {
  it("PagerDuty: v1, perhaps one of several", async () => {
    const options: CustomSourceOptions = {
      name: "pagerduty",
      type: "event.event_type",
      id: "event.id",
      data: "event.data",
      signature: { header: "X-PagerDuty-Signature", parts: {}, prefix: "v1", secret },
    };
    const body = '{"event":{"id":"01BW","event_type":"incident.priority_updated","data":{"id":"PGR0VU2"}}}';
    const other = "f03de6f61df6e454f3620c4d6aca17ad072d3f8bbb2760eac3b2ad391b5e8073";
    await holds(options, { headers: { "X-PagerDuty-Signature": `v1=${mac(body)}` }, body });
    await holds(options, { headers: { "X-PagerDuty-Signature": `v1=${other},v1=${mac(body)}` }, body });
    const many = [...Array(10).fill(`v1=${other}`), `v1=${mac(body)}`].join();
    expect(await check(options, { headers: { "X-PagerDuty-Signature": many }, body })).toBe("malformed");
    expect(eventsOf(customSource(options), json, body)).toEqual([
      { type: "incident.priority_updated", id: "01BW", data: { id: "PGR0VU2" } },
    ]);
  });

  it("Zoom: v0 with a timestamp, and a challenge that is answered with the secret", async () => {
    const options: CustomSourceOptions = {
      name: "zoom",
      type: "event",
      signature: {
        header: "x-zm-signature",
        timestamp: "x-zm-request-timestamp",
        prefix: "v0=",
        signed: "v0:{timestamp}:{body}",
        secret,
      },
      deadline: "3s",
      handshake: ({ body }) => {
        const { event, payload } = (body ?? {}) as { event?: string; payload?: { plainToken?: string } };
        if (event !== "endpoint.url_validation") return undefined;
        const plainToken = payload?.plainToken ?? "";
        return { status: 200, body: { plainToken, encryptedToken: mac(plainToken) } };
      },
    };
    const body = '{"event":"meeting.started","payload":{}}';
    const headers = {
      "x-zm-signature": `v0=${mac(`v0:${now}:${body}`)}`,
      "x-zm-request-timestamp": `${now}`,
    };
    await holds(options, { headers, body });
    expect(await check(options, { headers, body, at: now + 301 })).toBe("timestamp");
    const asked = { method: "POST", url: "/", headers: {} };
    const challenge = { event: "endpoint.url_validation", payload: { plainToken: "qgg8vlvZRS6UYooatFL8Aw" } };
    expect(customSource(options).handshake?.({ ...asked, body: challenge })?.body).toEqual({
      plainToken: "qgg8vlvZRS6UYooatFL8Aw",
      encryptedToken: mac("qgg8vlvZRS6UYooatFL8Aw"),
    });
  });

  it("Discord: Ed25519 over timestamp and body, the key in hex, a PING", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const hex = publicKey.export({ type: "spki", format: "der" }).subarray(-32).toString("hex");
    const options: CustomSourceOptions = {
      name: "discord",
      type: "event.type",
      data: "event",
      signature: {
        header: "X-Signature-Ed25519",
        timestamp: "X-Signature-Timestamp",
        algorithm: "ed25519",
        signed: "{timestamp}{body}",
        publicKey: hex,
      },
      handshake: ({ body }) =>
        (body as { type?: number } | undefined)?.type === 0 ? { status: 204 } : undefined,
      answer: ({ status }) => (status === "accepted" || status === "handled" ? { status: 204 } : undefined),
    };
    const body = '{"type":1,"event":{"type":"ENTITLEMENT_CREATE"}}';
    const signature = sign(null, Buffer.from(`${now}${body}`), privateKey).toString("hex");
    const headers = { "X-Signature-Ed25519": signature, "X-Signature-Timestamp": `${now}` };
    expect(await check(options, { headers, body })).toBe("key-1");
    expect(await check(options, { headers, body: `${body} ` })).toBe("mismatch");
    // Discord sends wrong signatures on purpose; those must be 401, not an error.
    expect(
      await check(options, { headers: { ...headers, "X-Signature-Ed25519": "00".repeat(64) }, body }),
    ).toBe("mismatch");
    expect(eventsOf(customSource(options), json, body)).toMatchObject([{ type: "ENTITLEMENT_CREATE" }]);
  });

  it("Paddle: ts and h1, separated by a semicolon", async () => {
    const options: CustomSourceOptions = {
      name: "paddle",
      type: "event_type",
      id: "event_id",
      signature: {
        header: "Paddle-Signature",
        parts: { separator: ";" },
        timestamp: { part: "ts" },
        prefix: "h1",
        signed: "{timestamp}:{body}",
        secret,
      },
    };
    const body = '{"event_type":"transaction.paid","event_id":"evt_1"}';
    const h1 = mac(`${now}:${body}`);
    await holds(options, { headers: { "Paddle-Signature": `ts=${now};h1=${h1}` }, body });
    await holds(options, {
      headers: { "Paddle-Signature": `ts=${now};h1=${"0".repeat(64)};h1=${h1}` },
      body,
    });
    expect(await check(options, { headers: { "Paddle-Signature": `ts=${now + 1};h1=${h1}` }, body })).toBe(
      "mismatch",
    );
    expect(await check(options, { headers: { "Paddle-Signature": `h1=${h1}` }, body })).toBe("malformed");
  });

  it("HubSpot v3: method, URL, body and timestamp in milliseconds", async () => {
    const options: CustomSourceOptions = {
      name: "hubspot",
      each: ".",
      type: "subscriptionType",
      id: "eventId",
      signature: {
        header: "X-HubSpot-Signature-v3",
        timestamp: "X-HubSpot-Request-Timestamp",
        timestampUnit: "milliseconds",
        encoding: "base64",
        signed: "{method}{url}{body}{timestamp}",
        publicUrl: "https://www.example.com",
        secret,
      },
      deduplicateBy: "id",
    };
    const body =
      '[{"eventId":1,"subscriptionType":"contact.creation"},{"eventId":2,"subscriptionType":"deal.creation"}]';
    const ms = now * 1_000;
    const signature = mac(`POSThttps://www.example.com/webhook_uri${body}${ms}`, "base64");
    const headers = { "X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": `${ms}` };
    await holds(options, { headers, body, url: "/webhook_uri" });
    expect(await check(options, { headers, body, url: "/webhook_uri?a" })).toBe("mismatch");
    expect(eventsOf(customSource(options), json, body).map(({ type, id }) => [type, id])).toEqual([
      ["contact.creation", 1],
      ["deal.creation", 2],
    ]);
  });

  it("Linear: hex over the body, type and action joined, the delivery's header as id", async () => {
    const options: CustomSourceOptions = {
      name: "linear",
      type: ({ body }) => {
        const { type, action } = body as { type: string; action: string };
        return `${type}.${action}`;
      },
      id: { header: "Linear-Delivery" },
      signature: { header: "Linear-Signature", secret },
      deadline: "5s",
    };
    const body = '{"action":"create","type":"Issue","data":{"id":"x"}}';
    await holds(options, { headers: { "Linear-Signature": mac(body) }, body });
    const source = customSource(options);
    expect(eventsOf(source, { ...json, "Linear-Delivery": "d1" }, body)).toMatchObject([
      { type: "Issue.create", id: "d1" },
    ]);
    expect(source.headers).toEqual(["linear-delivery"]);
  });

  it("Calendly: t and v1, with its own tolerance of three minutes", async () => {
    const options: CustomSourceOptions = {
      name: "calendly",
      type: "event",
      data: "payload",
      signature: {
        header: "Calendly-Webhook-Signature",
        parts: {},
        timestamp: { part: "t" },
        prefix: "v1",
        signed: "{timestamp}.{body}",
        tolerance: "3m",
        secret,
      },
    };
    const body = '{"event":"invitee.created","payload":{}}';
    const headers = { "Calendly-Webhook-Signature": `t=${now},v1=${mac(`${now}.${body}`)}` };
    await holds(options, { headers, body });
    expect(await check(options, { headers, body, at: now + 181 })).toBe("timestamp");
    expect(await check(options, { headers, body, at: now - 181 })).toBe("timestamp");
  });

  it("Worldpay: the key's id and SHA256 before each signature", async () => {
    const options: CustomSourceOptions = {
      name: "worldpay",
      type: "eventDetails.type",
      id: "eventId",
      data: "eventDetails",
      signature: {
        header: "Event-Signature",
        parts: { assign: "/SHA256/" },
        prefix: ["1", "2"],
        secret,
      },
    };
    const body = '{"eventId":"bb55ca5a","eventDetails":{"type":"cancelled"}}';
    await holds(options, { headers: { "Event-Signature": `1/SHA256/${mac(body)}` }, body });
    await holds(options, {
      headers: { "Event-Signature": `1/SHA256/${"0".repeat(64)},2/SHA256/${mac(body)}` },
      body,
    });
    expect(await check(options, { headers: { "Event-Signature": `3/SHA256/${mac(body)}` }, body })).toBe(
      "malformed",
    );
    expect(await check(options, { headers: { "Event-Signature": `1/SHA1/${mac(body)}` }, body })).toBe(
      "malformed",
    );
  });

  it("TabaPay: v1 by the current secret, v2 by the one before", async () => {
    const options: CustomSourceOptions = {
      name: "tabapay",
      id: { header: "Idempotency-Key" },
      signature: {
        header: "X-HMAC-Signature",
        parts: {},
        timestamp: { part: "t" },
        prefix: ["v1", "v2"],
        signed: "{timestamp}.{body}",
        secret,
      },
    };
    const body = '{"type":"x"}';
    const signature = mac(`${now}.${body}`);
    await holds(options, { headers: { "X-HMAC-Signature": `t=${now},v1=${signature}` }, body });
    await holds(options, {
      headers: { "X-HMAC-Signature": `t=${now},v1=${"0".repeat(64)},v2=${signature}` },
      body,
    });
  });

  it("Typeform: base64 behind sha256=", async () => {
    const options: CustomSourceOptions = {
      name: "typeform",
      type: "event_type",
      id: "event_id",
      data: "form_response",
      signature: { header: "Typeform-Signature", prefix: "sha256=", encoding: "base64", secret },
    };
    const body = '{"event_id":"1","event_type":"form_response","form_response":{}}';
    await holds(options, { headers: { "Typeform-Signature": `sha256=${mac(body, "base64")}` }, body });
  });

  it("Intercom: SHA-1, only where that is said (ATTACKS F06)", async () => {
    const options: CustomSourceOptions = {
      name: "intercom",
      type: "topic",
      signature: {
        header: "X-Hub-Signature",
        prefix: "sha1=",
        algorithm: "hmac-sha1",
        insecureSha1: true,
        secret,
      },
    };
    const body = '{"topic":"conversation.user.created","id":"notif_1"}';
    await holds(options, { headers: { "X-Hub-Signature": `sha1=${mac(body, "hex", "sha1")}` }, body });
  });

  it("DocuSign: the header of the first of several keys", async () => {
    const options: CustomSourceOptions = {
      name: "docusign",
      type: "event",
      signature: { header: "X-DocuSign-Signature-1", encoding: "base64", secret },
    };
    const body = '{"event":"envelope-completed"}\r\n';
    await holds(options, {
      headers: { "X-DocuSign-Signature-1": mac(body, "base64"), "X-DocuSign-Signature-2": "x" },
      body,
    });
  });

  it("Mailgun: a signature in the body, over timestamp and token alone", async () => {
    const options: CustomSourceOptions = {
      name: "mailgun",
      type: "event-data.event",
      id: "event-data.id",
      data: "event-data",
      signature: {
        verify({ rawBody }, nowMs) {
          const { signature } = JSON.parse(rawBody.toString()) as {
            signature: { timestamp: string; token: string; signature: string };
          };
          if (Math.abs(Number(signature.timestamp) * 1_000 - nowMs) > 300_000) {
            return { fault: "timestamp", reason: "the signature's timestamp lies more than 300 s off" };
          }
          const expected = createHmac("sha256", secret)
            .update(`${signature.timestamp}${signature.token}`)
            .digest();
          const given = Buffer.from(signature.signature, "hex");
          const matches = given.length === expected.length && timingSafeEqual(given, expected);
          return matches
            ? { keyId: "mailgun" }
            : { fault: "mismatch", reason: "the signature does not match" };
        },
      },
    };
    const token = "e0b5477167110d68991efc6b9f89f0a11066af27834600e123";
    const signature = { token, timestamp: `${now}`, signature: mac(`${now}${token}`) };
    const body = JSON.stringify({
      signature,
      "event-data": { event: "opened", id: "Ase7i2zsRYeDXztHGENqRA" },
    });
    expect(await check(options, { headers: {}, body })).toBe("mailgun");
    expect(await check(options, { headers: {}, body, at: now + 301 })).toBe("timestamp");
    expect(await check(options, { headers: {}, body: body.replace(token, `${token}4`) })).toBe("mismatch");
    expect(eventsOf(customSource(options), json, body)).toMatchObject([
      { type: "opened", id: "Ase7i2zsRYeDXztHGENqRA" },
    ]);
  });

  it("SavvyCal: hex in capitals", async () => {
    const signature = {
      header: "x-savvycal-signature",
      prefix: "sha256=",
      hexCase: "upper",
      secret,
    } as const;
    const body = '{"type":"event.created","id":"payload_1"}';
    await holds(
      { name: "savvycal", signature },
      { headers: { "x-savvycal-signature": `sha256=${mac(body).toUpperCase()}` }, body },
    );
  });

  it("Svix's and Standard Webhooks' headers: either set, never a mixture", async () => {
    const options: CustomSourceOptions = {
      name: "standard",
      signature: {
        headers: [
          { signature: "webhook-signature", timestamp: "webhook-timestamp", id: "webhook-id" },
          { signature: "svix-signature", timestamp: "svix-timestamp", id: "svix-id" },
        ],
        parts: { separator: " ", assign: "," },
        prefix: "v1",
        encoding: "base64",
        signed: "{id}.{timestamp}.{body}",
        secret,
      },
    };
    const body = '{"type":"a"}';
    const signature = `v1,${mac(`msg_1.${now}.${body}`, "base64")}`;
    for (const set of ["webhook", "svix"]) {
      const headers = {
        [`${set}-id`]: "msg_1",
        [`${set}-timestamp`]: `${now}`,
        [`${set}-signature`]: signature,
      };
      await holds(options, { headers, body });
    }
    const mixed = { "webhook-id": "msg_1", "svix-timestamp": `${now}`, "svix-signature": signature };
    expect(await check(options, { headers: mixed, body })).toBe("missing");
  });
});
