import { afterAll, describe, expect, it } from "@jest/globals";
import { createReceiver, type Source } from "hookgate";
import { type GooglePubSubOptions, googlePubSub, type PubSubMessage } from "hookgate/google-pubsub";
import { createFakeClock, createTestSigner, memoryEngine, sendDelivery } from "hookgate/testing";
import type { PublicJwk } from "../../src/keys/public-key.js";
import { createScene, mounts } from "../support/scene.js";

const scene = createScene();
afterAll(scene.close);
const signer = await createTestSigner("RS256");
const clock = createFakeClock();
const audience = "https://hooks.example.com/hooks";
const serviceAccount = "push@project.iam.gserviceaccount.com";
const options: GooglePubSubOptions = {
  ...{ audience, serviceAccount },
  jwks: { keys: [{ ...(signer.verification.publicKey as PublicJwk), kid: "g1", use: "sig" }] },
};
const subscription = "projects/p/subscriptions/s";

const token = async (over: object = {}) => {
  const iat = clock.now() / 1_000;
  const claims = { iss: "https://accounts.google.com", aud: audience, iat, exp: iat + 3_600 };
  const account = { email: serviceAccount, email_verified: true, sub: "1" };
  return scene.keep(await signer.sign({ ...claims, ...account, ...over }, { kid: "g1" }));
};
const push = (data: unknown, more: object = {}) => ({
  message: {
    attributes: { eventType: "order.paid" },
    data: Buffer.from(JSON.stringify(data)).toString("base64"),
    messageId: "7",
    publishTime: "2026-01-01T00:00:00Z",
  },
  subscription,
  ...more,
});

describe.each(mounts)("googlePubSub on %s", (_name, mount) => {
  function serve(source: Source<never> | Source, more: object = {}) {
    const handled: unknown[] = [];
    const receiver = createReceiver({
      name: "push",
      source: source as Source,
      ...{ clock, logger: scene.logger, hooks: scene.hooks, ...more },
    });
    receiver.onAny(({ type, id, data }, { caller }) => void handled.push([type, id, data, caller.method]));
    return { receiver, handled, app: mount(receiver.middleware()) };
  }

  it("hands a message to its handlers", async () => {
    const { app, handled } = serve(googlePubSub(options) as Source);
    const answer = await sendDelivery(app, {
      path: "/hooks",
      body: push({ total: 1 }),
      token: await token(),
    });
    expect([answer.status, answer.json()]).toEqual([200, { status: "handled", id: `${subscription}/7` }]);
    const data: Partial<PubSubMessage> = { json: { total: 1 }, messageId: "7", subscription };
    expect(handled).toEqual([["order.paid", `${subscription}/7`, expect.objectContaining(data), "jwt"]]);
  });

  it("A28 E10 refuses another account's token with 401, before the body is read", async () => {
    const { app, handled } = serve(googlePubSub(options) as Source);
    const refused = [
      { email: "evil@other.iam.gserviceaccount.com" },
      { email_verified: false },
      { aud: "https://hooks.example.com" },
      { iss: "accounts.google.com" },
    ];
    for (const over of refused) {
      const delivery = { path: "/hooks", body: "no JSON at all", token: await token(over) };
      const answer = await sendDelivery(app, delivery);
      expect([answer.status, answer.json()]).toMatchObject([401, { code: "ERR_TOKEN_INVALID" }]);
    }
    expect((await sendDelivery(app, { path: "/hooks", body: push({}) })).status).toBe(401);
    expect(handled).toEqual([]);
  });

  it("F08 knows a message again whose further attempts are counted in the body", async () => {
    const source = googlePubSub({ ...options, data: "json" });
    const { app, receiver, handled } = serve(source, { inbox: { engine: memoryEngine() } });
    await receiver.start();
    const statuses: unknown[] = [];
    for (const deliveryAttempt of [1, 2]) {
      const body = push({ total: 1 }, { deliveryAttempt });
      const answer = await sendDelivery(app, { path: "/hooks", body, token: await token() });
      statuses.push([answer.status, (answer.json() as { status: string }).status]);
    }
    await receiver.close();
    expect(statuses).toEqual([
      [202, "accepted"],
      [200, "duplicate"],
    ]);
    expect(handled).toEqual([["order.paid", `${subscription}/7`, { total: 1 }, "jwt"]]);
  });

  it("takes unwrapped messages, also when they are read again from the inbox", async () => {
    const source = googlePubSub({ ...options, unwrapped: true });
    const { app, receiver, handled } = serve(source, { inbox: { engine: memoryEngine() } });
    await receiver.start();
    const headers = {
      "x-goog-pubsub-message-id": "8",
      "x-goog-pubsub-subscription-name": subscription,
      eventType: "order.paid",
    };
    const delivery = { path: "/hooks", body: { total: 2 }, token: await token(), headers };
    expect((await sendDelivery(app, delivery)).status).toBe(202);
    await receiver.close();
    expect(handled).toEqual([["order.paid", `${subscription}/8`, { total: 2 }, "jwt"]]);
  });
});

it("types the data as whole messages, or not at all where it is the JSON alone", async () => {
  const receiver = createReceiver({ name: "push", source: googlePubSub(options), clock });
  const ids: (string | undefined)[] = [];
  receiver.on("order.paid", ({ data }) => void ids.push(data.messageId));
  const app = receiver.middleware();
  const delivery = { body: push({}), token: await token() };
  const answer = await sendDelivery((req, res) => app(req, res, () => res.end()), delivery);
  expect([answer.status, ids]).toEqual([200, ["7"]]);
  const plain = createReceiver({ name: "push", source: googlePubSub({ ...options, data: "json" }), clock });
  // @ts-expect-error: nothing is known of it
  plain.on("order.paid", ({ data }) => void ids.push(data.messageId));
});

it("leaves no token in log and answers", () => {
  expect(scene.leaks()).toEqual([]);
});
