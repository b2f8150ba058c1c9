/** The examples of sources with key pairs, tokens, or a declaration of one's own, as their senders see them. */
import { generateKeyPairSync } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { atlassianConnect } from "hookgate/atlassian-connect";
import { googlePubSub } from "hookgate/google-pubsub";
import { httpMessageSignatures } from "hookgate/http-signature";
import { type PlaidKey, plaid } from "hookgate/plaid";
import { signedDelivery } from "hookgate/testing";
import { vonage } from "hookgate/vonage";
import * as atlassianExample from "../../examples/atlassian-connect/app.js";
import * as pubSubExample from "../../examples/google-pubsub/app.js";
import * as messagesExample from "../../examples/http-signature/app.js";
import * as plaidExample from "../../examples/plaid/app.js";
import * as vonageExample from "../../examples/vonage/app.js";
import { createExampleScene, type ExampleScene } from "../support/example-scene.js";
import { quiet } from "../support/quiet.js";

let scene: ExampleScene;
beforeEach(() => {
  scene = createExampleScene();
});
afterEach(() => scene.end());

const logger = quiet;
const publicUrl = "https://hooks.example.com";

describe("the example of", () => {
  it("HTTP message signatures takes what the partner's key signed, and refuses a forged body and another path", async () => {
    const { publicKey, privateKey } = pems();
    const { deliver, send } = await scene.run(
      messagesExample.createApp({ publicKey, publicUrl, say: scene.say, logger }),
      "/hooks/partner",
    );
    const sent = { type: "shipment.sent", data: { parcel: "P-17" } };
    const source = httpMessageSignatures({
      keys: [{ id: "partner-1", algorithm: "ed25519", publicKey }],
      publicUrl,
      required: ["@method", "@target-uri"],
    });
    expect(await deliver(source, sent, { privateKey })).toMatchObject({ status: 200 });
    expect(await deliver(source, sent, { privateKey, forged: true })).toMatchObject({ status: 401 });
    expect(await deliver(source, sent, { privateKey: pems().privateKey })).toMatchObject({ status: 401 });
    const elsewhere = await signedDelivery(source, sent, { privateKey, path: "/elsewhere" });
    expect(await send({ ...elsewhere, path: "/hooks/partner" })).toMatchObject({ status: 401 });
    expect(scene.lines).toEqual(["parcel P-17 is on its way"]);
  });

  it("Google Pub/Sub takes the service account's tokens, and refuses other accounts and other keys", async () => {
    const google = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const jwk = { ...google.publicKey.export({ format: "jwk" }), kty: "RSA", kid: "google-1" };
    const options = {
      audience: `${publicUrl}/hooks/pubsub`,
      serviceAccount: "push@example.iam.gserviceaccount.com",
      jwks: { keys: [jwk] },
    };
    const { deliver } = await scene.run(
      pubSubExample.createApp({ ...options, say: scene.say, logger }),
      "/hooks/pubsub",
    );
    const source = googlePubSub({ ...options, data: "json" });
    const paid = { type: "order.paid", id: "1", data: { orderId: "A-17", total: 42 } };
    const { privateKey } = google;
    const sign = { privateKey, keyId: "google-1" };
    expect(await deliver(source, paid, sign)).toMatchObject({ status: 200 });
    const other = googlePubSub({ ...options, data: "json", serviceAccount: "eve@example.com" });
    expect(await deliver(other, paid, sign)).toMatchObject({ status: 401 });
    const forged = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
    expect(await deliver(source, paid, { ...sign, privateKey: forged })).toMatchObject({ status: 401 });
    expect(scene.lines).toEqual([expect.stringMatching(/^order A-17 was paid: 42 \(.*\/1\)$/)]);
  });

  it("Plaid takes what its key signed, and refuses unknown keys and a forged body", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const key = (keyId: string) => ({ ...publicKey.export({ format: "jwk" }), kid: keyId }) as PlaidKey;
    const findKey = async (keyId: string) => (keyId === "plaid-1" ? key(keyId) : undefined);
    const { deliver } = await scene.run(
      plaidExample.createApp({ findKey, say: scene.say, logger }),
      "/hooks/plaid",
    );
    const source = plaid({ key });
    const event = { type: "TRANSACTIONS.SYNC_UPDATES_AVAILABLE", data: { item_id: "item-1" } };
    const sign = { privateKey, keyId: "plaid-1" };
    expect(await deliver(source, event, sign)).toMatchObject({ status: 200 });
    await deliver(source, { type: "ITEM.ERROR", data: { item_id: "item-2" } }, sign);
    expect(await deliver(source, event, { ...sign, keyId: "plaid-2" })).toMatchObject({ status: 401 });
    expect(await deliver(source, event, { ...sign, forged: true })).toMatchObject({ status: 401 });
    expect(scene.lines).toEqual(["new transactions of item-1", "ERROR of item-2"]);
  });

  it("Vonage takes its account's tokens, and refuses other accounts and a forged body", async () => {
    const secret = scene.secret("vonage");
    const options = { signatureSecret: secret, apiKey: "abcd1234" };
    const { deliver } = await scene.run(
      vonageExample.createApp({ ...options, say: scene.say, logger }),
      "/hooks/vonage",
    );
    const source = vonage({ secret, apiKey: "abcd1234" });
    const received = { type: "message.received", data: { from: "15550100", text: "Hello" } };
    expect(await deliver(source, received)).toMatchObject({ status: 200 });
    await deliver(source, {
      type: "message.rejected",
      data: { to: "15550100", error: { title: "Blocked" } },
    });
    expect(await deliver(vonage({ secret, apiKey: "other" }), received)).toMatchObject({ status: 401 });
    expect(await deliver(source, received, { forged: true })).toMatchObject({ status: 401 });
    expect(scene.lines).toEqual(["15550100 writes: Hello", "the message to 15550100 was rejected: Blocked"]);
  });

  it("Atlassian Connect takes what an installation signed, and refuses those that are not installed", async () => {
    const sharedSecret = scene.secret("jira");
    const baseUrl = "https://app.example.com";
    const findClient = async (key: string) => (key === "client-1" ? { sharedSecret } : undefined);
    const { deliver, send } = await scene.run(
      atlassianExample.createApp({ baseUrl, findClient, say: scene.say, logger }),
      "/hooks/jira",
    );
    const source = atlassianConnect({ baseUrl, client: () => ({ sharedSecret }) });
    const updated = { type: "jira:issue_updated", data: { issue: { key: "DEMO-7" } } };
    expect(await deliver(source, updated, { issuer: "client-1" })).toMatchObject({ status: 200 });
    expect(await deliver(source, updated, { issuer: "client-2" })).toMatchObject({ status: 401 });
    const forOther = await signedDelivery(source, updated, { issuer: "client-1", path: "/hooks/other" });
    expect(await send({ ...forOther, path: "/hooks/jira" })).toMatchObject({ status: 401 });
    expect(scene.lines).toEqual(["DEMO-7 was updated"]);
  });

  it("sources of one's own takes Paddle's and Zoom's deliveries, answers Zoom's challenge, and refuses forged ones", async () => {
    // Read where the module is loaded, as an app would.
    process.env.PADDLE_SECRET = scene.secret("paddle");
    process.env.ZOOM_SECRET_TOKEN = scene.secret("zoom");
    try {
      const { createApp } = await import("../../examples/custom/app.js");
      const { paddle, zoom } = await import("../../examples/custom/sources.js");
      const { app, receivers } = createApp(scene.say, logger);
      const { deliver } = await scene.run({ app, receivers }, "/hooks/paddle");
      const paid = { type: "transaction.paid", id: "evt_1", data: { data: { id: "txn_1" } } };
      expect(await deliver(paddle, paid)).toMatchObject({ status: 200 });
      expect(await deliver(paddle, paid, { forged: true })).toMatchObject({ status: 401 });

      const path = "/hooks/zoom";
      const started = { type: "meeting.started", data: { object: { topic: "Monday" } } };
      expect(await deliver(zoom, started, { path })).toMatchObject({ status: 200 });
      const challenge = { type: "endpoint.url_validation", data: { plainToken: "qgg8vlvZ" } };
      expect((await deliver(zoom, challenge, { path })).json()).toEqual({
        plainToken: "qgg8vlvZ",
        encryptedToken: expect.stringMatching(/^[0-9a-f]{64}$/),
      });
      expect(await deliver(zoom, challenge, { path, forged: true })).toMatchObject({ status: 401 });
      expect(scene.lines).toEqual(["txn_1 was paid (evt_1)", "meeting.started: Monday"]);
    } finally {
      delete process.env.PADDLE_SECRET;
      delete process.env.ZOOM_SECRET_TOKEN;
    }
  });
});

function pems() {
  return generateKeyPairSync("ed25519", {
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
}
