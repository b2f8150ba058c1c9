/** The examples of sources with a shared secret, as their senders see them. */
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { github } from "hookgate/github";
import { shopify } from "hookgate/shopify";
import { slack } from "hookgate/slack";
import { sqliteEngine } from "hookgate/sqlite";
import { standardWebhooks } from "hookgate/standard-webhooks";
import { stripe } from "hookgate/stripe";
import { signBody } from "hookgate/testing";
import { twilio } from "hookgate/twilio";
import * as githubExample from "../../examples/github/app.js";
import * as shopifyExample from "../../examples/shopify/app.js";
import * as slackExample from "../../examples/slack/app.js";
import * as standardExample from "../../examples/standard-webhooks/app.js";
import * as stripeExample from "../../examples/stripe/app.js";
import * as twilioExample from "../../examples/twilio/app.js";
import { createExampleScene, type ExampleScene } from "../support/example-scene.js";
import { until } from "../support/inbox-scene.js";
import { quiet } from "../support/quiet.js";
import { query } from "../torture/file.js";

let scene: ExampleScene;
beforeEach(() => {
  scene = createExampleScene();
});
afterEach(() => scene.end());

const logger = quiet;
const publicUrl = "https://hooks.example.com";

describe("the example of", () => {
  it("GitHub takes its events once, from disk, and refuses a forged one", async () => {
    const secret = scene.secret("github");
    const { deliver } = await scene.run(
      githubExample.createApp({ secret, engine: scene.engine(), say: scene.say, logger }),
      "/hooks/github",
    );
    const source = github({ secret });
    const push = { type: "push", id: "d-1", data: { ref: "main", pusher: { name: "ann" }, commits: [{}] } };
    expect(await deliver(source, push)).toMatchObject({ status: 202 });
    expect((await deliver(source, push)).json()).toMatchObject({ status: "duplicate" });
    const issue = { number: 7, title: "It rains in" };
    await deliver(source, { type: "issues.opened", data: { issue } });
    await deliver(source, { type: "pull_request.closed", data: { number: 8, pull_request: issue } });
    await deliver(source, { type: "ping", data: { zen: "Keep it simple." } });
    expect(await deliver(source, push, { forged: true })).toMatchObject({ status: 401 });
    await until(() => scene.lines.length === 4);
    expect(scene.lines.sort()).toEqual([
      "ann pushed 1 commits to main",
      "issue 7: It rains in",
      "pull request 8 was closed: It rains in",
      "the webhook is set up: Keep it simple.",
    ]);
  });

  it("Stripe enters a payment once, and refuses a forged one", async () => {
    const secret = scene.secret("stripe");
    const path = scene.file();
    const engine = sqliteEngine(path, { onCallersThread: true, setup: stripeExample.tables });
    const { deliver } = await scene.run(
      stripeExample.createApp({ secret, engine, say: scene.say, logger }),
      "/hooks/stripe",
    );
    const source = stripe({ secret });
    const paid = { id: "in_1", customer: "cus_9", amount_paid: 1200, currency: "eur" };
    const event = { type: "invoice.paid", id: "evt_1", data: paid };
    expect(await deliver(source, event)).toMatchObject({ status: 202 });
    expect((await deliver(source, event)).json()).toMatchObject({ status: "duplicate" });
    await deliver(source, { type: "customer.subscription.deleted", data: { id: "sub_1" } });
    expect(await deliver(source, event, { forged: true })).toMatchObject({ status: 401 });
    await until(() => scene.lines.length === 2);
    expect(scene.lines.sort()).toEqual(["cus_9 paid 1200 eur for in_1", "sub_1 has ended"]);
    expect(query(path, "SELECT * FROM payments")).toEqual([
      { invoice: "in_1", customer: "cus_9", amount: 1200 },
    ]);
  });

  it("Shopify takes orders as their schema says, parks others, and refuses a forged one", async () => {
    const secret = scene.secret("shopify");
    const example = shopifyExample.createApp({ secret, engine: scene.engine(), say: scene.say, logger });
    const { deliver } = await scene.run(example, "/hooks/shopify");
    const source = shopify({ secret });
    const data = { id: 1, name: "#9999", total_price: "398.00", currency: "USD" };
    expect(await deliver(source, { type: "orders.create", data })).toMatchObject({ status: 202 });
    await deliver(source, { type: "orders.cancelled", data });
    await deliver(source, { type: "shop.redact", data: { shop_domain: "a.myshopify.com" } });
    await deliver(source, { type: "orders.create", id: "strange", data: {} });
    expect(await deliver(source, { type: "orders.create", data }, { forged: true })).toMatchObject({
      status: 401,
    });
    await until(() => scene.lines.length === 3);
    expect(scene.lines.sort()).toEqual([
      "order #9999 was cancelled",
      "order #9999: 398.00 USD",
      "shop.redact of a.myshopify.com",
    ]);
    const { items } = await example.receiver.inbox.list({ state: "dead" });
    expect(items).toMatchObject([{ id: "strange" }]);
  });

  it("Standard Webhooks takes either secret and Svix's headers, and refuses a forged one", async () => {
    const secrets = { current: encoded("current"), old: encoded("old") };
    const { deliver } = await scene.run(
      standardExample.createApp({ secrets, say: scene.say, logger }),
      "/hooks/users",
    );
    const by = (secret: string) => standardWebhooks({ secret, data: "data" });
    const created = { type: "user.created", data: { id: "usr_1", email: "ann@example.com" } };
    expect(await deliver(by(secrets.current), created)).toMatchObject({ status: 200 });
    const deleted = { type: "user.deleted", data: { id: "usr_1" } };
    const headers = { "svix-id": "msg_1" };
    expect(await deliver(by(secrets.old), { ...deleted, id: "msg_1" }, { headers })).toMatchObject({
      status: 200,
    });
    expect(await deliver(by(secrets.current), { ...created, data: {} })).toMatchObject({ status: 422 });
    expect(await deliver(by(encoded("other")), created)).toMatchObject({ status: 401 });
    expect(await deliver(by(secrets.current), created, { forged: true })).toMatchObject({ status: 401 });
    expect(scene.lines).toEqual([
      "user usr_1 was created: ann@example.com",
      "user usr_1 was deleted (event msg_1)",
    ]);
  });

  it("Slack answers the challenge, replies to a command without a word in the answer, and refuses forged ones", async () => {
    const secret = scene.secret("slack");
    const replies: unknown[] = [];
    const fetch = async (url: unknown, init?: RequestInit) => {
      replies.push([url, init?.body]);
      return new Response();
    };
    const { deliver, send } = await scene.run(
      slackExample.createApp({ secret, engine: scene.engine(), say: scene.say, fetch, logger }),
      "/hooks/slack",
    );
    const source = slack({ secret });
    const challenge = JSON.stringify({ type: "url_verification", challenge: "3eZbrw1a" });
    const headers = await signBody(source, challenge);
    expect(await send({ body: challenge, headers })).toMatchObject({ status: 200, text: "3eZbrw1a" });
    expect(await send({ body: `${challenge} `, headers })).toMatchObject({ status: 401 });

    const mention = { type: "app_mention", data: { user: "U1", text: "hello" } };
    expect(await deliver(source, mention)).toMatchObject({ status: 202 });
    const command = {
      type: "command.deploy",
      data: { user_id: "U1", text: "api", response_url: "https://hooks.slack.com/commands/1" },
    };
    expect(await deliver(source, command)).toMatchObject({ status: 200, text: "" });
    await deliver(source, { type: "interaction.block_actions", data: { user: { id: "U2" } } });
    expect(await deliver(source, command, { forged: true })).toMatchObject({ status: 401 });
    await until(() => scene.lines.length === 3 && replies.length === 1);
    expect(scene.lines.sort()).toEqual(["U1 deploys api", "U1 says: hello", "U2 pressed a button"]);
    expect(replies).toEqual([
      ["https://hooks.slack.com/commands/1", JSON.stringify({ text: "api is being deployed" })],
    ]);
  });

  it("Twilio answers messages with TwiML, and refuses forged ones and those for another URL", async () => {
    const authToken = scene.secret("twilio");
    const { deliver } = await scene.run(
      twilioExample.createApp({ authToken, publicUrl, engine: scene.engine(), say: scene.say, logger }),
      "/hooks/twilio",
    );
    const source = twilio({ secret: authToken, publicUrl });
    const received = { type: "message.received", data: { From: "+15550100", Body: "Hello" } };
    const answer = await deliver(source, received);
    expect(answer).toMatchObject({ status: 200, text: expect.stringContaining("<Response/>") });
    const data = { MessageSid: "SM1", To: "+15550100", ErrorCode: "30003" };
    await deliver(source, { type: "message.undelivered", data });
    const elsewhere = twilio({ secret: authToken, publicUrl: "https://other.example.com" });
    expect(await deliver(elsewhere, received)).toMatchObject({ status: 401 });
    expect(await deliver(source, received, { forged: true })).toMatchObject({ status: 401 });
    await until(() => scene.lines.length === 2);
    expect(scene.lines.sort()).toEqual([
      "+15550100 writes: Hello",
      "SM1 to +15550100 was not delivered: 30003",
    ]);
  });
});

/** A secret of 32 bytes as Standard Webhooks writes it. */
function encoded(name: string): string {
  return `whsec_${Buffer.from(`${name}-0123456789abcdef0123456789abcdef`.slice(0, 32)).toString("base64")}`;
}
