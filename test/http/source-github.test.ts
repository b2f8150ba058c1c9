import { createRequire } from "node:module";
import { afterAll, describe, expect, it } from "@jest/globals";
import { sign } from "@octokit/webhooks-methods";
import { createReceiver } from "hookgate";
import { github } from "hookgate/github";
import { createFakeClock, memoryEngine, sendDelivery, type TestDelivery } from "hookgate/testing";
import { until } from "../support/inbox-scene.js";
import { createScene, mounts } from "../support/scene.js";

interface Example {
  readonly name: string;
  readonly examples: readonly { readonly action?: string }[];
}
const webhooks: readonly Example[] = createRequire(import.meta.url)("@octokit/webhooks-examples");
const payloads = webhooks.flatMap(({ name, examples }) => examples.map((payload) => ({ name, payload })));

const scene = createScene();
afterAll(scene.close);
const secret = scene.secret("github");
const clock = createFakeClock();

async function signed(event: string, body: string, more: object = {}): Promise<TestDelivery> {
  return {
    path: "/hooks",
    body,
    headers: {
      "User-Agent": "GitHub-Hookshot/044aadd",
      "X-GitHub-Event": event,
      "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
      "X-Hub-Signature": "sha1=0000000000000000000000000000000000000000",
      "X-Hub-Signature-256": await sign(secret, body),
      ...more,
    },
  };
}

describe.each(mounts)("github on %s", (_name, mount) => {
  function serve(more: object = {}) {
    const handled: unknown[] = [];
    const receiver = createReceiver({
      name: "hub",
      source: github({ secret }),
      ...{ clock, logger: scene.logger, hooks: scene.hooks, ...more },
    });
    receiver.on("issues.*", ({ id, type, data }, { caller }) => {
      handled.push([id, type, data.issue.number, caller.method]);
    });
    receiver.on("ping", ({ type, data }) => void handled.push([type, data.zen]));
    return { receiver, handled, app: mount(receiver.middleware()) };
  }
  const issue = JSON.stringify({ action: "opened", issue: { number: 7 } });

  it("hands JSON and form-encoded deliveries to the same handlers", async () => {
    const { app, handled } = serve();
    expect((await sendDelivery(app, await signed("issues", issue))).status).toBe(200);
    const form = await signed("issues", `payload=${encodeURIComponent(issue)}`);
    const contentType = "application/x-www-form-urlencoded";
    expect((await sendDelivery(app, { ...form, contentType })).status).toBe(200);
    const expected = ["72d3162e-cc78-11e3-81ab-4c9367dc0958", "issues.opened", 7, "signature"];
    expect(handled).toEqual([expected, expected]);
  });

  it("answers a ping as any event, and ignores what nobody handles", async () => {
    const { app, handled } = serve();
    const ping = await sendDelivery(
      app,
      await signed("ping", '{"zen":"Keep it logically awesome.","hook_id":1}'),
    );
    expect(ping.status).toBe(200);
    expect(handled).toEqual([["ping", "Keep it logically awesome."]]);
    const other = await sendDelivery(app, await signed("star", '{"action":"created"}'));
    expect([other.status, other.json()]).toMatchObject([200, { status: "ignored" }]);
  });

  it("F01 F03 F06 refuses what GitHub did not sign, before it is parsed", async () => {
    const { app, handled } = serve();
    const good = await signed("issues", issue);
    for (const more of [
      { "X-Hub-Signature-256": await sign(`${secret}x`, issue) },
      { "X-Hub-Signature-256": (await sign(secret, issue)).replace("sha256", "sha1") },
      { "X-Hub-Signature-256": "sha256=" },
      { "X-Hub-Signature-256": [await sign(secret, issue), await sign(secret, issue)] },
    ]) {
      const answer = await sendDelivery(app, { ...good, headers: { ...good.headers, ...more } });
      expect(answer.status).toBe(401);
    }
    expect((await sendDelivery(app, { ...good, body: "{" })).status).toBe(401);
    const { "X-Hub-Signature-256": _dropped, ...unsigned } = good.headers ?? {};
    expect((await sendDelivery(app, { ...good, headers: unsigned })).status).toBe(401);
    expect(handled).toEqual([]);
  });

  it("E21 refuses signed deliveries that cannot be read", async () => {
    const { app } = serve();
    expect((await sendDelivery(app, await signed("issues", "{"))).status).toBe(400);
    expect((await sendDelivery(app, await signed("", issue))).status).toBe(422);
    const contentType = "application/x-www-form-urlencoded";
    for (const form of ["payload=%7B", "payload=%7B%7D&payload=%7B%7D", "other=1"]) {
      const { status } = await sendDelivery(app, { ...(await signed("issues", form)), contentType });
      expect([400, 422]).toContain(status);
    }
  });

  it("E16 refuses a validly signed JSON delivery that is sent again as a form", async () => {
    const receiver = createReceiver({ name: "hub", source: github({ secret }), clock, logger: scene.logger });
    const types: string[] = [];
    receiver.onAny(({ type }) => types.push(type));
    const app = mount(receiver.middleware());
    const forged = encodeURIComponent('{"action":"deleted","repository":{"full_name":"victim/prod"}}');
    const recorded = JSON.stringify({
      action: "opened",
      issue: { number: 7, title: `x&payload=${forged}&y` },
    });
    expect((await sendDelivery(app, await signed("issues", recorded))).status).toBe(200);
    for (const body of [recorded, ` \r\n\t${recorded}`, `["&payload=${forged}&"]`, `"&payload=${forged}&"`]) {
      for (const contentType of ["application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded"]) {
        const { status } = await sendDelivery(app, { ...(await signed("repository", body)), contentType });
        expect([body, status]).toEqual([body, 400]);
      }
    }
    expect(types).toEqual(["issues.opened"]);
  });

  it("E21 refuses a signed form with a field beside `payload`", async () => {
    const { app, handled } = serve();
    const contentType = "application/x-www-form-urlencoded";
    const payload = `payload=${encodeURIComponent(issue)}`;
    for (const form of [`a=1&${payload}`, `${payload}&a=1`, `${payload}&a`, `a={&${payload}&=`]) {
      expect((await sendDelivery(app, { ...(await signed("issues", form)), contentType })).status).toBe(422);
    }
    expect(handled).toEqual([]);
  });

  it("F08 stores a delivery once, however often it is delivered again", async () => {
    const { app, receiver, handled } = serve({ inbox: { engine: memoryEngine() } });
    await receiver.start();
    expect((await sendDelivery(app, await signed("issues", issue))).status).toBe(202);
    const again = await sendDelivery(app, await signed("issues", issue));
    expect([again.status, again.json()]).toMatchObject([200, { status: "duplicate" }]);
    await until(() => handled.length > 0);
    await receiver.close();
    expect(handled).toHaveLength(1);
  });
});

describe("github with every published payload", () => {
  it("verifies, types and stores all 329, and hands the parsed bytes to handlers", async () => {
    const receiver = createReceiver({
      name: "hub",
      source: github({ secret }),
      inbox: { engine: memoryEngine() },
      ...{ clock, logger: scene.logger, hooks: scene.hooks },
    });
    const handled = new Map<string, unknown>();
    receiver.onAny(({ id, type, data }) => void handled.set(`${id} ${type}`, data));
    await receiver.start();
    const app = receiver.requestListener("/hooks");
    expect(payloads).toHaveLength(329);
    for (const [at, { name, payload }] of payloads.entries()) {
      const delivery = await signed(name, JSON.stringify(payload), { "X-GitHub-Delivery": `id-${at}` });
      expect((await sendDelivery(app, delivery)).status).toBe(202);
    }
    const page = await receiver.inbox?.list({ limit: 1000 });
    const stored = page?.items.map(({ id, type }) => `${id} ${type}`) ?? [];
    await until(() => handled.size === 329);
    await receiver.close();
    const names = payloads.map(
      ({ name, payload }, at) => `id-${at} ${"action" in payload ? `${name}.${payload.action}` : name}`,
    );
    expect(stored.sort()).toEqual([...names].sort());
    for (const [at, { payload }] of payloads.entries()) expect(handled.get(names[at] ?? "")).toEqual(payload);
  });
});
