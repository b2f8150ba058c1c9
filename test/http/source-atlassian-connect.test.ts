import { createHash } from "node:crypto";
import { afterAll, describe, expect, it } from "@jest/globals";
import express from "express";
import { createReceiver } from "hookgate";
import { atlassianConnect } from "hookgate/atlassian-connect";
import {
  createFakeClock,
  createTestSigner,
  memoryEngine,
  sendDelivery,
  type TestDelivery,
} from "hookgate/testing";
import { createScene, mounts } from "../support/scene.js";

const scene = createScene();
afterAll(scene.close);
const sharedSecret = scene.secret("installation");
const signer = await createTestSigner("HS256", Buffer.from(sharedSecret));
const clock = createFakeClock();
const clientKey = "3a5a9c2e-0000-4000-8000-6b1d2f3c4d5e";
const path = "/hooks?project=AB&user_id=1";
const data = { webhookEvent: "jira:issue_updated", issue: { key: "AB-1" } };

async function signed(over: object = {}, url = path) {
  const [, query = ""] = url.split("?");
  const qsh = createHash("sha256").update(`POST&/&${query}`).digest("hex");
  const iat = clock.now() / 1_000;
  const token = scene.keep(await signer.sign({ iss: clientKey, iat, exp: iat + 180, qsh, ...over }));
  return {
    ...{ path: url, body: data },
    headers: { authorization: `JWT ${token}`, "x-atlassian-webhook-identifier": "w1" },
  };
}

describe.each(mounts)("atlassianConnect on %s", (_name, mount) => {
  function serve(more: object = {}) {
    const installed = new Map([[clientKey, { sharedSecret }]]);
    const handled: unknown[] = [];
    const receiver = createReceiver({
      name: "jira",
      source: atlassianConnect({
        baseUrl: "https://app.example.com/hooks",
        client: async (key) => installed.get(key),
      }),
      ...{ clock, logger: scene.logger, hooks: scene.hooks, ...more },
    });
    receiver.on("jira:issue_updated", (event, { caller }) => {
      if (caller.method === "jwt") handled.push([event.id, event.data, caller.claims.iss]);
    });
    return { receiver, installed, handled, app: mount(receiver.middleware()) };
  }

  it("hands a webhook to its handlers, below the base URL with its query", async () => {
    const { app, handled } = serve();
    const answer = await sendDelivery(app, await signed());
    expect([answer.status, answer.json()]).toEqual([200, { status: "handled", id: "w1" }]);
    expect(handled).toEqual([["w1", data, clientKey]]);
  });

  it("A28 refuses a token of another request, of the browser, and of nobody", async () => {
    const { app, handled } = serve();
    const good = await signed();
    const refused: TestDelivery[] = [
      { ...good, path: "/hooks?project=CD&user_id=1" },
      { ...good, path: "/hooks" },
      await signed({ qsh: "context-qsh" }),
      await signed({ iss: "another" }),
      await signed({ exp: undefined }),
      { ...good, headers: {} },
      { ...good, headers: { authorization: good.headers.authorization.replace("JWT", "Bearer") } },
    ];
    for (const delivery of refused) expect((await sendDelivery(app, delivery)).status).toBe(401);
    expect(handled).toEqual([]);
  });

  it("B06 refuses a token in the query, also beside a good one", async () => {
    const { app } = serve();
    const { headers } = await signed();
    const delivery = { ...(await signed({}, "/hooks?jwt=a.b.c")), headers };
    const answer = await sendDelivery(app, delivery);
    expect([answer.status, answer.json()]).toMatchObject([400, { code: "ERR_CREDENTIAL_IN_QUERY" }]);
  });

  it("A30 refuses an installation as soon as it is gone", async () => {
    const { app, installed } = serve();
    const delivery = await signed();
    expect((await sendDelivery(app, delivery)).status).toBe(200);
    installed.delete(clientKey);
    expect((await sendDelivery(app, delivery)).status).toBe(401);
  });

  it("F08 stores a webhook once", async () => {
    const { app, receiver, handled } = serve({ inbox: { engine: memoryEngine() } });
    await receiver.start();
    expect((await sendDelivery(app, await signed())).status).toBe(202);
    expect((await sendDelivery(app, await signed())).status).toBe(200);
    await receiver.close();
    expect(handled).toEqual([["w1", data, clientKey]]);
  });
});

it("E25 hashes the path as it came, also where Express took a mount path off", async () => {
  const receiver = createReceiver({
    name: "jira",
    source: atlassianConnect({ baseUrl: "https://app.example.com", client: () => ({ sharedSecret }) }),
    ...{ clock, logger: scene.logger, hooks: scene.hooks },
  });
  const app = express().use("/hooks", receiver.middleware());
  const qsh = createHash("sha256").update("POST&/hooks&project=AB&user_id=1").digest("hex");
  expect((await sendDelivery(app, await signed({ qsh }))).status).toBe(200);
  expect((await sendDelivery(app, await signed())).status).toBe(401);
});

it("leaves no secret and no token in log and answers", () => {
  expect(scene.leaks()).toEqual([]);
});
