/** I09: what somebody put on Object.prototype before a source was made lowers none of its floors. */
import { afterEach, describe, expect, it } from "@jest/globals";
import { createReceiver } from "hookgate";
import { customSource } from "hookgate/custom";
import { github } from "hookgate/github";
import { shopify } from "hookgate/shopify";
import { slack } from "hookgate/slack";
import { standardWebhooks } from "hookgate/standard-webhooks";
import { stripe } from "hookgate/stripe";
import { sendDelivery } from "hookgate/testing";
import { vonage } from "hookgate/vonage";
import { quiet } from "../support/quiet.js";

const polluted: string[] = [];
function pollute(name: string, value: unknown): void {
  polluted.push(name);
  Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true });
}
afterEach(() => {
  for (const name of polluted.splice(0)) Reflect.deleteProperty(Object.prototype, name);
});

const short = "k3Jx9";
const sources: readonly (readonly [string, () => unknown])[] = [
  ["github", () => github({ secret: short })],
  ["slack", () => slack({ secret: short })],
  ["stripe", () => stripe({ secret: `whsec_${short}` })],
  ["shopify", () => shopify({ secret: short })],
  ["standardWebhooks", () => standardWebhooks({ secret: "whsec_a3hKcXA5" })],
  ["vonage", () => vonage({ secret: short })],
  ["customSource", () => customSource({ name: "s", signature: { header: "x-s", secret: short } })],
];

describe("a polluted Object.prototype", () => {
  it.each(sources)("I09 makes %s take no short secret", (_name, make) => {
    expect(make).toThrow(/at least \d+ are required/);
    for (const [name, value] of [
      ["minBytes", 1],
      ["insecureShortSecret", true],
      ["decode", () => Buffer.alloc(64, "x9kQ2")],
    ] as const) {
      pollute(name, value);
      expect(make).toThrow(/at least \d+ are required/);
      Reflect.deleteProperty(Object.prototype, name);
    }
  });

  it("I09 widens no bounds of a timestamp, and reads it in no other unit", async () => {
    pollute("timestampUnit", "milliseconds");
    pollute("tolerance", "1h");
    pollute("clockTolerance", "5m");
    pollute("hexCase", "any");
    const receiver = createReceiver({
      name: "chat",
      source: slack({ secret: "p9Vq2Lx7Rw4Nz8Ty1Kb6Mc3Hd5Js0GfA" }),
      logger: quiet,
    });
    const reasons: string[] = [];
    const timestamp = String(Math.floor(Date.now() / 1_000) - 600);
    const headers = { "x-slack-request-timestamp": timestamp, "x-slack-signature": `v0=${"a".repeat(64)}` };
    const explained = await receiver.explain({
      url: "/",
      headers: { ...headers, "content-type": "application/json" },
      body: "{}",
    });
    reasons.push(JSON.stringify(explained));
    expect(reasons.join()).toContain("300 s are allowed");
  });

  it("I09 gives the one-line form no other place for its credentials", async () => {
    const key = "polluted-0123456789abcdef0123456789abcdef";
    pollute("keyInAuthorization", true);
    pollute("tokenCarrier", { header: "x-token" });
    pollute("checkToken", () => undefined);
    pollute("places", { keyInAuthorization: true });
    const receiver = createReceiver({ name: "orders", auth: { serviceKey: key }, logger: quiet });
    const sent = await sendDelivery(receiver.requestListener("/"), {
      path: "/",
      body: { type: "a" },
      headers: { authorization: key },
    });
    expect(sent.status).toBe(401);
  });
});
