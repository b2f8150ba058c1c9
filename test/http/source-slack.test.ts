import { createHmac } from "node:crypto";
import { afterAll, describe, expect, it } from "@jest/globals";
import { HTTPModuleFunctions } from "@slack/bolt";
import { createReceiver } from "hookgate";
import { slack } from "hookgate/slack";
import { createFakeClock, memoryEngine, sendDelivery, type TestDelivery } from "hookgate/testing";
import { until } from "../support/inbox-scene.js";
import { createScene, mounts } from "../support/scene.js";

const scene = createScene();
afterAll(scene.close);
const secret = scene.secret("slack");
const clock = createFakeClock();
const form = "application/x-www-form-urlencoded";

function signed(body: string, contentType = "application/json", more: object = {}): TestDelivery {
  const timestamp = String(Math.floor(clock.now() / 1_000));
  const mac = createHmac("sha256", secret).update(`v0:${timestamp}:${body}`).digest("hex");
  const headers = { "X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": `v0=${mac}`, ...more };
  return { path: "/hooks", body, contentType, headers };
}

const mention = JSON.stringify({
  type: "event_callback",
  team_id: "T1",
  api_app_id: "A1",
  event_id: "Ev1",
  event_time: 1_515_449_522,
  event: { type: "app_mention", text: "hello" },
});
const command = "token=gIkuvaNzQIHg97ATvDxqgjtO&command=%2Fweather&text=94070&trigger_id=1.2.3";

describe.each(mounts)("slack on %s", (_name, mount) => {
  function serve(more: object = {}) {
    const handled: unknown[] = [];
    const receiver = createReceiver({
      name: "chat",
      source: slack({ secret }),
      ...{ clock, logger: scene.logger, hooks: scene.hooks, ...more },
    });
    receiver.on("app_mention", ({ id, data }) => void handled.push([id, data.team_id, data.event.text]));
    receiver.on("command.*", ({ type, data }) => void handled.push([type, data.text]));
    receiver.on("interaction.block_actions", ({ data }) => void handled.push([data.type, data.user.id]));
    return { receiver, handled, app: mount(receiver.middleware()) };
  }

  it("hands events, commands and interactions to their handlers, and shows users nothing", async () => {
    const { app, handled } = serve();
    const event = await sendDelivery(app, signed(mention));
    expect([event.status, event.json()]).toMatchObject([200, { status: "handled", id: "Ev1" }]);
    const answer = await sendDelivery(app, signed(command, form));
    expect([answer.status, answer.text]).toEqual([200, ""]);
    const payload = JSON.stringify({ type: "block_actions", trigger_id: "4.5.6", user: { id: "U1" } });
    const pressed = await sendDelivery(app, signed(`payload=${encodeURIComponent(payload)}`, form));
    expect([pressed.status, pressed.text]).toEqual([200, ""]);
    expect(handled).toEqual([
      ["Ev1", "T1", "hello"],
      ["command.weather", "94070"],
      ["block_actions", "U1"],
    ]);
  });

  it("E16 refuses a validly signed event that is sent again as a command or an interaction", async () => {
    const receiver = createReceiver({ name: "chat", source: slack({ secret }), clock, logger: scene.logger });
    const types: string[] = [];
    receiver.onAny(({ type }) => types.push(type));
    const app = mount(receiver.middleware());
    const pressed = encodeURIComponent('{"type":"block_actions","user":{"id":"U1"}}');
    const texts = ["&command=%2Fdeploy&text=prod&", `&payload=${pressed}&`, "&ssl_check=1&"];
    for (const text of texts) {
      const event = { type: "app_mention", text };
      const recorded = JSON.stringify({ type: "event_callback", event_id: `Ev${text.length}`, event });
      expect((await sendDelivery(app, signed(recorded))).status).toBe(200);
      expect((await sendDelivery(app, signed(recorded, form))).status).toBe(400);
      expect((await sendDelivery(app, signed(` \n${recorded}`, form))).status).toBe(400);
    }
    expect(types).toEqual(texts.map(() => "app_mention"));
  });

  it("E01 answers the challenge behind the signature, and no other", async () => {
    const { app, handled } = serve();
    const challenge = JSON.stringify({ token: "x", challenge: "3eZbrw1aBm2rZgRN", type: "url_verification" });
    const answer = await sendDelivery(app, signed(challenge));
    expect([answer.status, answer.text]).toEqual([200, "3eZbrw1aBm2rZgRN"]);
    expect(answer.headers["content-type"]).toMatch(/^text\/plain/);
    const unsigned = await sendDelivery(app, { ...signed(challenge), headers: {} });
    expect([unsigned.status, unsigned.text.includes("3eZbrw1aBm2rZgRN")]).toEqual([401, false]);
    expect(handled).toEqual([]);
  });

  it("answers the check of its certificate by GET, and refuses the one by POST, which nobody signed", async () => {
    const { app } = serve();
    const path = "/hooks?ssl_check=1&token=x";
    expect((await sendDelivery(app, { method: "GET", path })).status).toBe(200);
    expect((await sendDelivery(app, { method: "GET", path: "/hooks" })).status).toBe(405);
    const posted = { path: "/hooks", body: "ssl_check=1&command=%2Fweather", contentType: form };
    expect((await sendDelivery(app, posted)).status).toBe(401);
    expect((await sendDelivery(app, signed("ssl_check=1", form))).status).toBe(200);
  });

  it("F01 F02 F03 refuses what Slack did not sign, or signed at another time", async () => {
    const { app, handled } = serve();
    const good = signed(mention);
    const late = { "X-Slack-Request-Timestamp": String(Math.floor(clock.now() / 1_000) + 301) };
    for (const delivery of [
      { ...good, body: `${mention} ` },
      { ...good, headers: { ...good.headers, ...late } },
      { ...good, headers: { "X-Slack-Request-Timestamp": "1" } },
    ]) {
      expect((await sendDelivery(app, delivery)).status).toBe(401);
    }
    expect(handled).toEqual([]);
  });

  it("refuses a command that failed with a status, so that Slack tells the user", async () => {
    const { receiver, app } = serve();
    receiver.on("command.fail", () => {
      throw new Error("no weather");
    });
    const answer = await sendDelivery(app, signed("command=%2Ffail&trigger_id=7", form));
    expect([answer.status, answer.text.includes("no weather")]).toEqual([500, false]);
  });

  it("F08 stores an event once, though Slack sends it again with other bytes", async () => {
    const { app, receiver, handled } = serve({ inbox: { engine: memoryEngine() } });
    await receiver.start();
    expect((await sendDelivery(app, signed(mention))).status).toBe(202);
    const retry = { "X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout" };
    const again = await sendDelivery(app, signed(`${mention}\n`, "application/json", retry));
    expect([again.status, again.json()]).toMatchObject([200, { status: "duplicate" }]);
    const stored = await sendDelivery(app, signed(command, form));
    expect([stored.status, stored.text]).toEqual([200, ""]);
    await until(() => handled.length > 1);
    await receiver.close();
    expect(handled).toHaveLength(2);
  });

  it("is read by Bolt in the same way", async () => {
    const { body, headers, contentType } = signed(command, form);
    const lower = Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]);
    const request = {
      rawBody: Buffer.from(body as string),
      headers: { ...Object.fromEntries(lower), "content-type": contentType },
    };
    const parsed = HTTPModuleFunctions.parseHTTPRequestBody(request as never);
    expect(parsed).toMatchObject({ command: "/weather", text: "94070" });
  });
});
