import { generateKeyPairSync } from "node:crypto";
import { afterAll, describe, expect, it } from "@jest/globals";
import express from "express";
import { createReceiver, type Source } from "hookgate";
import { atlassianConnect } from "hookgate/atlassian-connect";
import { cloudEvents } from "hookgate/cloudevents";
import { customSource } from "hookgate/custom";
import { github } from "hookgate/github";
import { googlePubSub } from "hookgate/google-pubsub";
import { httpMessageSignatures } from "hookgate/http-signature";
import { plaid } from "hookgate/plaid";
import { shopify } from "hookgate/shopify";
import { slack } from "hookgate/slack";
import { standardWebhooks } from "hookgate/standard-webhooks";
import { stripe } from "hookgate/stripe";
import {
  createFakeClock,
  type EventToSend,
  type SignedDeliveryOptions,
  sendDelivery,
  signBody,
  signedDelivery,
  type TestAnswer,
} from "hookgate/testing";
import { twilio } from "hookgate/twilio";
import { vonage } from "hookgate/vonage";
import { webex } from "hookgate/webex";
import { webexConnect, webexConnectEvents } from "hookgate/webex-connect";
import { webexConnectOutbound } from "hookgate/webex-connect-outbound";
import { createScene } from "../support/scene.js";

const scene = createScene();
afterAll(scene.close);
const secret = scene.secret("signing");
const old = scene.secret("old");
const clock = createFakeClock();
const nowMs = clock.now();
const publicUrl = "https://hooks.example.com";

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const edwards = generateKeyPairSync("ed25519");
const pemOf = (key: typeof edwards.publicKey) => key.export({ format: "pem", type: "spki" }).toString();
const jwkOf = (key: typeof edwards.publicKey, kid: string) =>
  ({ ...key.export({ format: "jwk" }), kid }) as never;

interface Kind {
  readonly source: Source<never>;
  readonly type: string;
  readonly data?: unknown;
  readonly options?: SignedDeliveryOptions;
  /** The body is not signed by this sender. */
  readonly anyBody?: true;
}

const kind = (source: unknown, type: string, more: Omit<Kind, "source" | "type"> = {}): Kind => ({
  source: source as Source<never>,
  type,
  ...more,
});

/** One of each source, in each of the ways in which it is signed. */
const kinds: ReadonlyMap<string, Kind> = new Map([
  ["GitHub", kind(github({ secret }), "issues.opened")],
  ["Stripe", kind(stripe({ secret }), "invoice.paid")],
  ["Shopify", kind(shopify({ secret }), "orders.create")],
  ["Slack's events", kind(slack({ secret }), "app_mention")],
  ["Slack's commands", kind(slack({ secret }), "command.deploy")],
  ["Twilio's forms", kind(twilio({ secret, publicUrl }), "message.received")],
  ["Twilio's streams", kind(twilio({ secret, publicUrl }), "com.twilio.messaging.sent")],
  ["Twilio with a SharedKey", kind(twilio({ sharedKey: secret, publicUrl }), "call.completed")],
  ["Standard Webhooks", kind(standardWebhooks({ secret: { base64: btoa(secret) } }), "user.created")],
  [
    "Standard Webhooks v1a",
    kind(standardWebhooks({ publicKey: pemOf(edwards.publicKey) }), "user.created", {
      options: { privateKey: edwards.privateKey },
    }),
  ],
  [
    "Svix's headers",
    kind(standardWebhooks({ secret: { base64: btoa(secret) } }), "a", {
      options: { headers: { "Svix-Id": "event-1" } },
    }),
  ],
  ["CloudEvents", kind(cloudEvents({ signature: github({ secret }).signature }), "com.example.made")],
  ["Webex", kind(webex({ secret }), "messages.created")],
  [
    "Webex Connect",
    kind(webexConnect({ signature: { header: "x-sig", secret, algorithm: "sha512" } }), "inbound"),
  ],
  ["Webex Connect's events", kind(webexConnectEvents({ signature: { header: "x-sig", secret } }), "order")],
  ["Webex Connect's webhooks", kind(webexConnectOutbound({ secret }), "receipt.sms.delivered")],
  [
    "a declared source",
    kind(
      customSource({
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
      }),
      "transaction.paid",
    ),
  ],
  [
    "HTTP message signatures with HMAC",
    kind(
      httpMessageSignatures({
        publicUrl,
        keys: [{ id: "k", algorithm: "hmac-sha256", secret }],
        tag: "hooks",
      }),
      "a.b",
    ),
  ],
  [
    "HTTP message signatures with Ed25519",
    kind(
      httpMessageSignatures({
        publicUrl,
        keys: [{ id: "k", algorithm: "ed25519", publicKey: pemOf(edwards.publicKey) }],
      }),
      "a.b",
      { options: { privateKey: edwards.privateKey } },
    ),
  ],
  ["Vonage", kind(vonage({ secret, apiKey: "abcd" }), "inbound", { data: { type: "inbound" } })],
  [
    "Plaid",
    kind(plaid({ key: async (kid) => jwkOf(ec.publicKey, kid) }), "TRANSACTIONS.READY", {
      options: { privateKey: ec.privateKey, keyId: "p-1" },
    }),
  ],
  [
    "Google Pub/Sub",
    kind(
      googlePubSub({
        audience: `${publicUrl}/hooks`,
        serviceAccount: "push@example.iam.gserviceaccount.com",
        jwks: { keys: [jwkOf(rsa.publicKey, "g-1")] },
      }),
      "order.paid",
      {
        options: { privateKey: rsa.privateKey.export({ format: "pem", type: "pkcs8" }).toString() },
        anyBody: true,
      },
    ),
  ],
  [
    "Atlassian Connect",
    kind(
      atlassianConnect({
        baseUrl: publicUrl,
        client: (key) => (key === "tenant-1" ? { sharedSecret: secret } : undefined),
      }),
      "jira:issue_updated",
      { options: { issuer: "tenant-1", path: "/hooks?a=1&b=2" }, anyBody: true },
    ),
  ],
]);

/** An app that takes deliveries of one source, what its handlers saw, and what it refused. */
function receive(source: Source<never>) {
  const seen: string[] = [];
  const refused: string[] = [];
  const receiver = createReceiver({
    name: "kit",
    source,
    clock,
    logger: scene.logger,
    hooks: { refused: ({ code, reason }) => refused.push(`${code} ${reason}`) },
  });
  receiver.onAny((event) => {
    seen.push((event as { readonly type: string }).type);
  });
  const app = express();
  app.all("/hooks", receiver.middleware());
  return { app, seen, refusals: () => refused };
}

const isTaken = ({ status }: TestAnswer): boolean => status >= 200 && status < 300;

/** Headers that prove something, among those that the kit sets. */
const isProof = /^(authorization|signature|x-sig|plaid-verification|.*-signature(-256)?|.*-hmac-sha256)$/;

/** Another character near the end, out of every alphabet that signatures are written in. */
function altered(value: string): string {
  const at = value.length - 10;
  return `${value.slice(0, at)}${value[at] === "0" ? "1" : "0"}${value.slice(at + 1)}`;
}

describe("a delivery that the testing kit signs", () => {
  it.each([...kinds])(
    "of %s is taken, and handed to the handler of its type",
    async (_name, { source, type, data, options }) => {
      const { app, seen, refusals } = receive(source);
      const event: EventToSend = { type, id: "event-1", data: data ?? { made: "here" } };
      const delivery = await signedDelivery(source, event, {
        path: "/hooks",
        now: new Date(nowMs),
        ...options,
      });
      const answer = await sendDelivery(app, delivery);
      expect([isTaken(answer), refusals()]).toEqual([true, []]);
      expect(seen).toEqual([type]);
    },
  );

  it.each([...kinds])(
    "of %s is refused once a byte of it is changed",
    async (_name, { source, type, data, options, anyBody }) => {
      const { app, seen } = receive(source);
      const event: EventToSend = { type, id: "event-1", data: data ?? { made: "here" } };
      const delivery = await signedDelivery(source, event, {
        path: "/hooks",
        now: new Date(nowMs),
        ...options,
      });
      const changed = Object.fromEntries(
        Object.entries(delivery.headers).map(([name, value]) => [
          name,
          isProof.test(name) ? altered(value) : value,
        ]),
      );
      expect(changed).not.toEqual(delivery.headers);
      expect(isTaken(await sendDelivery(app, { ...delivery, headers: changed }))).toBe(false);
      if (anyBody !== true) {
        const body = Buffer.concat([delivery.body, Buffer.from(" ")]);
        expect(isTaken(await sendDelivery(app, { ...delivery, body }))).toBe(false);
      }
      expect(seen).toEqual([]);
    },
  );
});

describe("who signs", () => {
  const rotated = github({
    secret: [
      { id: "new", secret, notBefore: new Date(nowMs + 1_000) },
      { id: "current", secret: scene.secret("current") },
      { id: "old", secret: old, state: "inactive" },
    ],
  });
  const sendBy = async (keyId?: string): Promise<number> => {
    const delivery = await signedDelivery(
      rotated,
      { type: "push" },
      { path: "/hooks", now: new Date(nowMs), keyId, body: "{}" },
    );
    return (await sendDelivery(receive(rotated as Source<never>).app, delivery)).status;
  };

  it("is the first secret in use, or the one that is named, in use or not", async () => {
    expect([await sendBy(), await sendBy("current"), await sendBy("new"), await sendBy("old")]).toEqual([
      200, 200, 401, 401,
    ]);
  });

  it("is said where it cannot be found", async () => {
    const event = { type: "push", data: {} };
    const noneInUse = github({ secret: [{ secret, state: "inactive" }] });
    const publicOnly = standardWebhooks({ publicKey: pemOf(edwards.publicKey) });
    const messages = httpMessageSignatures({
      publicUrl,
      keys: [{ id: "k", algorithm: "ed25519", publicKey: pemOf(edwards.publicKey) }],
    });
    const hmac = httpMessageSignatures({ publicUrl, keys: [{ id: "k", algorithm: "hmac-sha256", secret }] });
    const lookup = plaid({ key: async () => undefined });
    const cases: [unknown, SignedDeliveryOptions, string][] = [
      [noneInUse, {}, "no secret of this source is in use now"],
      [rotated, { keyId: "newer" }, 'no secret with the id "newer"'],
      [rotated, { privateKey: ec.privateKey }, "privateKey is of kind ec"],
      [publicOnly, {}, "give the privateKey"],
      [publicOnly, { privateKey: edwards.publicKey }, "which cannot sign"],
      [publicOnly, { privateKey: rsa.privateKey }, "privateKey is of kind rsa"],
      [messages, {}, "give the privateKey"],
      [messages, { privateKey: rsa.privateKey }, "no key in use that fits"],
      [hmac, { keyId: "other" }, 'no secret with the id "other"'],
      [
        hmac,
        { now: "yesterday" },
        'signedDelivery.now must be a Date or ISO 8601 text with its zone, such as "2030-01-31T00:00:00Z", not "yesterday"',
      ],
      [lookup, { privateKey: ec.privateKey, keyId: "x" }, "finds no credential"],
      [googlePubSub({ audience: "a", serviceAccount: "b" }), {}, "give the privateKey"],
    ];
    for (const [source, options, message] of cases) {
      await expect(signedDelivery(source as Source, event, options)).rejects.toThrow(message);
    }
  });

  it("is the user's function for a check in code", async () => {
    const source: Source = {
      ...(github({ secret }) as unknown as Source),
      signature: {
        kind: "custom",
        publicUrl,
        verify: ({ headers, publicUrl: url }) =>
          headers["x-proof"] === `${url}!` ? { keyId: "k" } : { fault: "mismatch", reason: "no" },
      },
    };
    const event = { type: "push", data: {} };
    await expect(signedDelivery(source, event, { path: "/hooks" })).rejects.toThrow("give `sign`");
    const sign = async ({ publicUrl: url }: { publicUrl?: string | undefined }) => ({ "x-proof": `${url}!` });
    const delivery = await signedDelivery(source, event, { path: "/hooks", sign });
    expect((await sendDelivery(receive(source as Source<never>).app, delivery)).status).toBe(200);
  });

  it("signs a body that the source does not write, and says where there is none", async () => {
    const source: Source = { ...(github({ secret }) as unknown as Source), compose: undefined } as never;
    await expect(signedDelivery(source, { type: "push" })).rejects.toThrow("give the body");
    const headers = await signBody(source, Buffer.from("{}"), { headers: { "X-GitHub-Event": "push" } });
    const { app, seen } = receive(source as Source<never>);
    expect((await sendDelivery(app, { path: "/hooks", body: "{}", headers })).status).toBe(200);
    expect(seen).toEqual(["push"]);
  });

  it("refuses to sign what would be read otherwise", async () => {
    const source = standardWebhooks({ secret: { base64: btoa(secret) } });
    await expect(signedDelivery(source, { type: "a", id: "a.b" })).rejects.toThrow("cannot be signed");
  });
});
