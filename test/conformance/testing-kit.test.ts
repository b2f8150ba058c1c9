import { createHmac, generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { sign, verify } from "@octokit/webhooks-methods";
import bolt from "@slack/bolt";
import { HTTP } from "cloudevents";
import { cloudEvents } from "hookgate/cloudevents";
import { github } from "hookgate/github";
import { shopify } from "hookgate/shopify";
import { slack } from "hookgate/slack";
import { standardWebhooks } from "hookgate/standard-webhooks";
import { stripe } from "hookgate/stripe";
import { type SignedDelivery, signBody, signedDelivery } from "hookgate/testing";
import { twilio } from "hookgate/twilio";
import { jwtVerify } from "jose";
import { Webhook } from "standardwebhooks";
import Stripe from "stripe";
import { Webhook as SvixWebhook } from "svix";
import twilioPeer from "twilio";

const secret = "f0d1c2b3a495867768594a3b2c1d0e0f";
const data = { text: "déjà vu", amount: 12.5, "a.b": [1, null] };

const text = ({ body }: SignedDelivery): string => body.toString();
const headerOf = ({ headers }: SignedDelivery, name: string): string => headers[name] ?? "";

describe("what the testing kit signs, checked by the libraries of those who receive it", () => {
  it("GitHub: @octokit/webhooks-methods", async () => {
    const delivery = await signedDelivery(github({ secret }), { type: "issues.opened", id: "g-1", data });
    expect(delivery.headers).toMatchObject({ "x-github-event": "issues", "x-github-delivery": "g-1" });
    const signature = headerOf(delivery, "x-hub-signature-256");
    expect(await verify(secret, text(delivery), signature)).toBe(true);
    expect(await sign(secret, text(delivery))).toBe(signature);
    expect(await verify(secret, `${text(delivery)} `, signature)).toBe(false);
  });

  it("Stripe: constructEvent", async () => {
    const delivery = await signedDelivery(stripe({ secret }), { type: "invoice.paid", id: "evt_1", data });
    const peer = new Stripe("sk_test_nothing");
    const event = peer.webhooks.constructEvent(delivery.body, headerOf(delivery, "stripe-signature"), secret);
    expect(event).toMatchObject({ id: "evt_1", type: "invoice.paid", data: { object: data } });
    const other = `${text(delivery)} `;
    expect(() =>
      peer.webhooks.constructEvent(other, headerOf(delivery, "stripe-signature"), secret),
    ).toThrow();
  });

  it("Standard Webhooks: standardwebhooks and svix, under either name of the headers", async () => {
    const shared = `whsec_${Buffer.from(secret).toString("base64")}`;
    const source = standardWebhooks({ secret: shared });
    const event = { type: "user.created", id: "msg_1", data };
    const standard = await signedDelivery(source, event);
    expect(new Webhook(shared).verify(text(standard), { ...standard.headers })).toMatchObject(data);
    const svix = await signedDelivery(source, event, { headers: { "svix-id": "msg_2" } });
    expect(Object.keys(svix.headers).sort()).toEqual(["svix-id", "svix-signature", "svix-timestamp"]);
    expect(headerOf(svix, "svix-id")).toBe("msg_2");
    expect(new SvixWebhook(shared).verify(text(svix), { ...svix.headers })).toMatchObject(data);
    expect(() => new SvixWebhook(shared).verify(`${text(svix)} `, { ...svix.headers })).toThrow();
  });

  it("Slack: verifySlackRequest of @slack/bolt", async () => {
    for (const type of ["app_mention", "command.deploy", "interaction.block_actions"]) {
      const delivery = await signedDelivery(slack({ secret }), { type, data });
      const headers = {
        "x-slack-signature": headerOf(delivery, "x-slack-signature"),
        "x-slack-request-timestamp": Number(headerOf(delivery, "x-slack-request-timestamp")),
      };
      const check = (body: string) => bolt.verifySlackRequest({ signingSecret: secret, body, headers });
      expect(() => check(text(delivery))).not.toThrow();
      expect(() => check(`${text(delivery)} `)).toThrow("signature mismatch");
    }
  });

  it("Twilio: validateRequest over a form, validateRequestWithBody over JSON", async () => {
    const source = twilio({ secret, publicUrl: "https://hooks.example.com" });
    const form = await signedDelivery(source, {
      type: "message.received",
      id: "SM1",
      data: { Body: "a b&c=é" },
    });
    const parameters = Object.fromEntries(new URLSearchParams(text(form)));
    const valid = (url: string, fields: object) =>
      twilioPeer.validateRequest(secret, headerOf(form, "x-twilio-signature"), url, fields as never);
    expect(parameters.Body).toBe("a b&c=é");
    expect(valid("https://hooks.example.com/", parameters)).toBe(true);
    expect(valid("https://hooks.example.com/", { ...parameters, Body: "x" })).toBe(false);

    const event = { type: "com.twilio.messaging.message.sent", id: "EV1", data };
    const json = await signedDelivery(source, event, { path: "/sms?x=1" });
    expect(json.path).toMatch(/^\/sms\?x=1&bodySHA256=[0-9a-f]{64}$/);
    const url = `https://hooks.example.com${json.path}`;
    const signature = headerOf(json, "x-twilio-signature");
    expect(twilioPeer.validateRequestWithBody(secret, signature, url, text(json))).toBe(true);
    expect(twilioPeer.validateRequestWithBody(secret, signature, url, `${text(json)} `)).toBe(false);
  });

  it("CloudEvents: HTTP.toEvent", async () => {
    const event = { type: "com.example.made", id: "c-1", data };
    const delivery = await signedDelivery(cloudEvents(), event);
    const headers = { ...delivery.headers, "content-type": delivery.contentType };
    expect(HTTP.toEvent({ headers, body: text(delivery) })).toMatchObject(event);
    const signed = await signedDelivery(cloudEvents({ signature: github({ secret }).signature }), event);
    expect(await verify(secret, text(signed), headerOf(signed, "x-hub-signature-256"))).toBe(true);
  });

  it("Shopify: HMAC-SHA-256 in base64 over the body", async () => {
    const delivery = await signedDelivery(shopify({ secret }), { type: "orders.create", data });
    const mac = createHmac("sha256", secret).update(delivery.body).digest("base64");
    expect(delivery.headers).toMatchObject({
      "x-shopify-topic": "orders/create",
      "x-shopify-hmac-sha256": mac,
    });
  });

  it("signs the bytes that are given, as they are", async () => {
    const body = ' {"ref" : "main"}\r\n';
    const headers = await signBody(github({ secret }), body, { headers: { "X-GitHub-Event": "push" } });
    expect(headers).toMatchObject({ "content-type": "application/json", "x-github-event": "push" });
    expect(await verify(secret, body, headers["x-hub-signature-256"] ?? "")).toBe(true);
    const delivery = await signedDelivery(github({ secret }), { type: "push" }, { body: Buffer.from(body) });
    expect(text(delivery)).toBe(body);
    expect(delivery.headers["x-hub-signature-256"]).toBe(headers["x-hub-signature-256"]);
  });

  it("signs Standard Webhooks v1a with a private key", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const pem = publicKey.export({ format: "pem", type: "spki" }).toString();
    const delivery = await signedDelivery(
      standardWebhooks({ publicKey: pem, secret }),
      { type: "a", data },
      { privateKey },
    );
    expect(headerOf(delivery, "webhook-signature")).toMatch(/^v1a,[A-Za-z0-9+/]{86}==$/);
  });

  it("jose reads its tokens", async () => {
    const { vonage } = await import("hookgate/vonage");
    const source = vonage({ secret, apiKey: "abcd1234" });
    const delivery = await signedDelivery(
      source,
      { type: "x", data: { type: "x" } },
      { claims: { jti: "t-1" } },
    );
    const token = headerOf(delivery, "authorization").replace("Bearer ", "");
    const { payload } = await jwtVerify(token, Buffer.from(secret), {
      issuer: "Vonage",
      algorithms: ["HS256"],
    });
    expect(payload).toMatchObject({ api_key: "abcd1234", jti: "t-1" });
    expect(payload.payload_hash).toMatch(/^[0-9a-f]{64}$/);
  });
});
