import { createHash } from "node:crypto";
import { afterAll, describe, expect, it } from "@jest/globals";
import { createReceiver } from "hookgate";
import { createFakeClock, createTestSigner, memoryEngine, sendDelivery } from "hookgate/testing";
import { vonage } from "hookgate/vonage";
import { createScene, mounts } from "../support/scene.js";

const scene = createScene();
afterAll(scene.close);
const secret = scene.secret("signature");
const signer = await createTestSigner("HS256", Buffer.from(secret));
const clock = createFakeClock();

/** Spaces and a line end, which parsing and writing again would lose. */
const text = (message: object) => `${JSON.stringify(message, null, 1)}\r\n`;
const inbound = { message_uuid: "m1", channel: "whatsapp", message_type: "text", text: "hi" };

async function signed(body: string, over: object = {}, by = signer) {
  const claims = {
    iat: clock.now() / 1_000,
    jti: "j1",
    iss: "Vonage",
    payload_hash: createHash("sha256").update(body).digest("hex"),
    api_key: "a1b2c3d",
    ...over,
  };
  return { path: "/hooks", body, token: scene.keep(await by.sign(claims, { typ: "JWT" })) };
}

describe.each(mounts)("vonage on %s", (_name, mount) => {
  function serve(more: object = {}) {
    const handled: unknown[] = [];
    const receiver = createReceiver({
      name: "sms",
      source: vonage({ secret, apiKey: "a1b2c3d" }),
      ...{ clock, logger: scene.logger, hooks: scene.hooks, ...more },
    });
    receiver.onAny(({ type, id, data }, { caller }) => void handled.push([type, id, data, caller.method]));
    return { receiver, handled, app: mount(receiver.middleware()) };
  }

  it("hands a message to its handlers", async () => {
    const { app, handled } = serve();
    const answer = await sendDelivery(app, await signed(text(inbound)));
    expect([answer.status, answer.json()]).toEqual([200, { status: "handled", id: "m1" }]);
    expect(handled).toEqual([["message.received", "m1", inbound, "jwt"]]);
  });

  it("F03 A28 refuses other bodies, stale tokens and other accounts with 401", async () => {
    const { app, handled } = serve();
    const good = await signed(text(inbound));
    const { token: stranger } = await signed(good.body, {}, await createTestSigner("HS256"));
    const refused = [
      { ...good, body: JSON.stringify(inbound) },
      { ...good, body: good.body.replace("hi", "ho") },
      await signed(good.body, { iat: clock.now() / 1_000 - 305 }),
      await signed(good.body, { api_key: "other" }),
      { ...good, token: stranger },
    ];
    for (const delivery of refused) {
      const answer = await sendDelivery(app, delivery);
      expect([answer.status, answer.json()]).toMatchObject([401, { code: "ERR_TOKEN_INVALID" }]);
    }
    expect(handled).toEqual([]);
  });

  it("answers an unsigned delivery 503, so that Vonage sends it again, signed", async () => {
    const { app, handled } = serve();
    const answer = await sendDelivery(app, { path: "/hooks", body: text(inbound) });
    expect([answer.status, answer.headers["retry-after"]]).toEqual([503, "5"]);
    expect(handled).toEqual([]);
  });

  it("F08 stores a message once, whatever token it comes with", async () => {
    const { app, receiver, handled } = serve({ inbox: { engine: memoryEngine() } });
    await receiver.start();
    expect((await sendDelivery(app, await signed(text(inbound)))).status).toBe(202);
    const again = await sendDelivery(app, await signed(text(inbound), { jti: "j2" }));
    expect([again.status, again.json()]).toEqual([200, { status: "duplicate", id: "m1" }]);
    await receiver.close();
    expect(handled).toEqual([["message.received", "m1", inbound, "jwt"]]);
  });
});

it("leaves no secret and no token in log and answers", () => {
  expect(scene.leaks()).toEqual([]);
});
