import { generateKeyPairSync } from "node:crypto";
import { afterAll, describe, expect, it } from "@jest/globals";
import express from "express";
import { createReceiver } from "hookgate";
import { httpMessageSignatures } from "hookgate/http-signature";
import { createFakeClock, memoryEngine, sendDelivery, signedDelivery } from "hookgate/testing";
import { type MessageSigning, signMessage } from "../../src/signatures/http-message/sign.js";
import { createScene, mounts } from "../support/scene.js";

const scene = createScene();
afterAll(scene.close);
const clock = createFakeClock();
const pair = generateKeyPairSync("ed25519");
const secret = scene.secret("hmac");
const publicUrl = "https://hooks.example.com";
const source = httpMessageSignatures({
  keys: [
    {
      id: "partner",
      algorithm: "ed25519",
      publicKey: pair.publicKey.export({ type: "spki", format: "pem" }).toString(),
    },
    { id: "shared", algorithm: "hmac-sha256", secret },
  ],
  publicUrl,
});

function signed(
  body: string,
  how: Partial<MessageSigning> = {},
  path = "/hooks",
  headers: Record<string, string> = {},
) {
  const now = Math.floor(clock.now() / 1_000);
  const signature = signMessage(
    { method: "POST", url: `${publicUrl}${path}`, headers, body },
    {
      keyId: "partner",
      algorithm: "ed25519",
      key: pair.privateKey,
      components: ["@method", "@authority", "@path", "content-digest"],
      created: now,
      ...how,
    },
  );
  return { path, body, headers: { ...headers, ...signature } };
}

function serve(more: object = {}) {
  const handled: unknown[] = [];
  const receiver = createReceiver({
    name: "partners",
    source,
    clock,
    logger: scene.logger,
    hooks: scene.hooks,
    ...more,
  });
  receiver.onAny(({ type, id, data }, { caller }) => void handled.push([type, id, data, caller.method]));
  return { receiver, handled };
}

const body = '{"type":"order.paid","id":"e1","total":5}';

describe.each(mounts)("HTTP message signatures on %s", (_, mount) => {
  it("hand a signed delivery to handlers", async () => {
    const { receiver, handled } = serve();
    const app = mount(receiver.middleware());
    const answer = await sendDelivery(app, signed(body));
    expect([answer.status, answer.json()]).toEqual([200, { status: "handled", id: "e1" }]);
    expect(handled).toEqual([["order.paid", "e1", JSON.parse(body), "signature"]]);
  });

  it("take the Host that a proxy sends for nothing (E26)", async () => {
    const { receiver } = serve();
    const app = mount(receiver.middleware());
    const delivery = signed(body);
    const spoofed = { host: "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "http" };
    const headers = { ...delivery.headers, ...spoofed };
    expect((await sendDelivery(app, { ...delivery, headers })).status).toBe(200);
    const elsewhere = signMessage(
      { method: "POST", url: "https://evil.example/hooks", headers: {}, body },
      {
        keyId: "partner",
        algorithm: "ed25519",
        key: pair.privateKey,
        components: ["@method", "@authority", "@path", "content-digest"],
        created: Math.floor(clock.now() / 1_000),
      },
    );
    expect((await sendDelivery(app, { ...delivery, headers: { ...elsewhere, ...spoofed } })).status).toBe(
      401,
    );
  });

  it.each([
    [
      "F09 another body",
      (sent: ReturnType<typeof signed>) => ({ ...sent, body: body.replace("5", "6") }),
      "does not match its sha-256",
    ],
    [
      "F03 the same JSON written otherwise",
      (sent: ReturnType<typeof signed>) => ({ ...sent, body: `${body} ` }),
      "does not match its sha-256",
    ],
    [
      "F01 no signature",
      (sent: ReturnType<typeof signed>) => ({ ...sent, headers: {} }),
      "signature-input is missing",
    ],
    [
      "F01 two lines of one signature",
      (sent: ReturnType<typeof signed>) => ({
        ...sent,
        headers: { ...sent.headers, signature: [sent.headers.signature, sent.headers.signature] as never },
      }),
      "came before",
    ],
    [
      "F09 the digest taken off",
      (sent: ReturnType<typeof signed>) => ({
        ...sent,
        headers: { ...sent.headers, "content-digest": [] as never },
      }),
      "content-digest is missing",
    ],
  ])("%s: 401, and the reason for the operator alone", async (_name, change, reason) => {
    const { receiver, handled } = serve();
    scene.takeLog();
    const answer = await sendDelivery(mount(receiver.middleware()), change(signed(body)));
    expect([answer.status, answer.json()]).toEqual([
      401,
      expect.objectContaining({ code: "ERR_SIGNATURE_INVALID" }),
    ]);
    expect(answer.text).not.toContain(reason);
    expect(scene.takeLog().join("\n")).toContain(reason);
    expect(handled).toEqual([]);
  });
});

describe("HTTP message signatures in Express", () => {
  it("cover the path before Express takes a mount path off, and the query where it is signed (E25)", async () => {
    const { receiver } = serve();
    const app = express();
    app.use("/hooks", receiver.middleware());
    expect((await sendDelivery(app, signed(body))).status).toBe(200);
    const deeper = signed(body, {}, "/hooks/a%2Fb?x=%20");
    expect((await sendDelivery(app, deeper)).status).toBe(200);
    expect((await sendDelivery(app, { ...deeper, path: "/hooks/a/b?x=%20" })).status).toBe(401);
    const query = signed(body, { components: ["@method", "@target-uri", "content-digest"] }, "/hooks?x=1");
    expect((await sendDelivery(app, query)).status).toBe(200);
    expect((await sendDelivery(app, { ...query, path: "/hooks?x=2" })).status).toBe(401);
  });

  it("join several lines of a covered field", async () => {
    const { receiver } = serve();
    const app = express().all("/hooks", receiver.middleware());
    const components = ["@method", "@authority", "@path", "content-digest", "x-list"];
    const delivery = signed(body, { components }, "/hooks", { "x-list": "a, b" });
    const send = (lines: readonly string[]) =>
      sendDelivery(app, { ...delivery, headers: { ...delivery.headers, "x-list": lines } });
    expect((await send(["a", "b"])).status).toBe(200);
    expect((await send(["b", "a"])).status).toBe(401);
  });

  it("answer a delivery that comes again as a duplicate, and never run its handler twice (F08)", async () => {
    const { receiver, handled } = serve({ inbox: { engine: memoryEngine() } });
    await receiver.start();
    const app = express().all("/hooks", receiver.middleware());
    const delivery = signed(body);
    expect((await sendDelivery(app, delivery)).json()).toEqual({ status: "accepted", id: "e1" });
    expect((await sendDelivery(app, delivery)).json()).toEqual({ status: "duplicate", id: "e1" });
    await receiver.close();
    expect(handled.length).toBeLessThanOrEqual(1);
  });

  it("take what the testing kit signs, by the private key or the shared secret", async () => {
    const { receiver } = serve();
    const app = express().all("/hooks", receiver.middleware());
    const event = { type: "order.paid", id: "e2", data: { total: 5 } };
    const options = { now: new Date(clock.now()), path: "/hooks" };
    const byKey = await signedDelivery(source, event, { ...options, privateKey: pair.privateKey });
    expect((await sendDelivery(app, byKey)).json()).toEqual({ status: "handled", id: "e2" });
    const bySecret = await signedDelivery(source, event, options);
    expect((await sendDelivery(app, bySecret)).json()).toEqual({ status: "handled", id: "e2" });
  });

  it("show no secret anywhere (I01)", () => {
    expect(scene.leaks()).toEqual([]);
  });
});
