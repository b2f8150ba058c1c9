import { createHmac } from "node:crypto";
import { afterAll, describe, expect, it } from "@jest/globals";
import express from "express";
import { createReceiver, type InboxReceiver, type Source } from "hookgate";
import type { SourceOutcome } from "hookgate/custom";
import { createFakeClock, memoryEngine, sendDelivery, type TestDelivery } from "hookgate/testing";
import { parseSecrets } from "../../src/signatures/signing-keys.js";
import { createScene, mounts } from "../support/scene.js";

const scene = createScene();
afterAll(scene.close);
const secret = scene.secret("signing");
const old = scene.secret("old");
const clock = createFakeClock();

/** A sender that signs, sends lists, says hello by GET, and asks for a reply in the body. */
function hub(changes: Partial<Source> = {}): Source {
  return {
    name: "hub",
    bodies: ["json"],
    headers: ["x-topic"],
    events: ({ body, headers }) => {
      if (!Array.isArray(body)) return { fault: "the body is no list" };
      return body.map(({ id, ...data }) => ({ type: String(headers["x-topic"]), id, data }));
    },
    signature: {
      kind: "header",
      headers: [{ signature: "x-signature", timestamp: "x-timestamp" }],
      variants: [
        {
          label: "",
          algorithm: "hmac-sha256",
          keys: parseSecrets(
            [
              { id: "new", secret },
              { id: "old", secret: old, state: "inactive" },
            ],
            "hub.secret",
          ),
        },
      ],
      encoding: "hex",
      signed: "{timestamp}.{body}",
      tolerance: "5m",
    },
    deadline: "1s",
    handshake: ({ method, url, body }) => {
      if (method === "GET")
        return { status: 200, body: new URLSearchParams(url.split("?")[1]).get("challenge") ?? "" };
      return body === "hello" ? { status: 200, body: { hello: true } } : undefined;
    },
    ...changes,
  };
}

function signed(
  body: unknown,
  { key = secret, aheadMs = 0, ...more }: Record<string, unknown> = {},
): TestDelivery {
  const text = JSON.stringify(body);
  const timestamp = String(Math.floor((clock.now() + (aheadMs as number)) / 1000));
  const signature = createHmac("sha256", key as string)
    .update(`${timestamp}.${text}`)
    .digest("hex");
  return {
    path: "/hooks",
    body: text,
    headers: { "x-topic": "order", "x-signature": signature, "x-timestamp": timestamp, ...(more as object) },
  };
}

describe.each(mounts)("a source on %s", (_name, mount) => {
  function serve(source: Source, more: object = {}) {
    const handled: unknown[] = [];
    const reports: unknown[] = [];
    const receiver = createReceiver({
      name: "orders",
      source,
      clock,
      logger: scene.logger,
      hooks: { ...scene.hooks, accepted: ({ event, signedBy }) => void reports.push([event.id, signedBy]) },
      ...more,
    });
    receiver.onAny(({ type, id, data }, { caller }) => void handled.push([type, id, data, caller.method]));
    return { receiver, handled, reports, app: mount(receiver.middleware()) };
  }

  it("hands a signed delivery to handlers, and says which secret verified it", async () => {
    const { app, handled, reports } = serve(hub());
    const answer = await sendDelivery(app, signed([{ id: "e1", x: 1 }]));
    expect([answer.status, answer.json()]).toEqual([200, { status: "handled", id: "e1" }]);
    expect(handled).toEqual([["order", "e1", { x: 1 }, "signature"]]);
    expect(reports).toEqual([["e1", "new"]]);
  });

  it("makes several events of one delivery, in their order", async () => {
    const { app, handled } = serve(hub());
    const answer = await sendDelivery(app, signed([{ id: "a" }, { id: "b" }, {}]));
    expect(answer.json()).toEqual({
      status: "handled",
      ids: ["a", "b", expect.stringMatching(/^sha256-.*-2$/)],
    });
    expect(handled.map((event) => (event as unknown[])[1])).toEqual(["a", "b", expect.any(String)]);
    expect((await sendDelivery(app, signed([]))).json()).toEqual({ status: "ignored", ids: [] });
  });

  it.each([
    ["F01 no signature", { "x-signature": [] }, "the header x-signature is missing"],
    ["F01 two signatures", { "x-signature": ["aa", "bb"] }, "came twice"],
    ["F01 no hex", { "x-signature": "zz" }, "is not 32 bytes in lower-case hex"],
    ["F02 a timestamp of next year", { aheadMs: 31_536_000_000 }, "31536000 s ahead of our clock"],
    ["F02 a timestamp of last year", { aheadMs: -31_536_000_000 }, "31536000 s behind our clock"],
    ["another secret", { key: "x".repeat(40) }, "no secret matches the signature"],
    ["a secret that was switched off", { key: old }, 'the signature was made with "old"'],
  ])("refuses %s with 401 and tells the operator which it was", async (_what, changes, reason) => {
    const { app, handled } = serve(hub());
    scene.takeLog();
    const answer = await sendDelivery(app, signed([{ id: "e1" }], changes));
    expect(answer.status).toBe(401);
    expect(answer.headers["www-authenticate"]).toBe('Signature realm="orders"');
    expect(answer.json()).toEqual({
      type: "about:blank",
      title: "Unauthorized",
      status: 401,
      code: "ERR_SIGNATURE_INVALID",
    });
    expect(scene.takeLog().join("\n")).toContain(reason);
    expect(handled).toEqual([]);
  });

  it("F03 refuses a body that an earlier parser took, with the fix", async () => {
    const { receiver } = serve(hub());
    const app = express().use(express.json()).use(receiver.middleware());
    expect((await sendDelivery(app, signed([{ id: "e1" }]))).status).toBe(500);
    const rawBodyFrom = serve(hub(), { body: { rawBodyFrom: "rawBody" } }).receiver;
    const changed = express()
      .use((req, _res, next) => {
        Object.assign(req, { rawBody: Buffer.from("[]") });
        next();
      })
      .use(rawBodyFrom.middleware());
    scene.takeLog();
    expect((await sendDelivery(changed, signed([{ id: "e1" }]))).status).toBe(500);
    expect(scene.takeLog().join("\n")).toContain("an earlier middleware changed the body");
  });

  it("E06 takes no body that is coded, whatever the signature is over", async () => {
    const { app, handled } = serve(hub());
    const coded = signed([{ id: "e1" }], { "content-encoding": "gzip" });
    expect((await sendDelivery(app, coded)).status).toBe(415);
    expect(handled).toEqual([]);
  });

  it("asks for both where a credential is asked for as well, the credential first", async () => {
    const key = scene.secret("service-key");
    const { app, handled } = serve(hub(), { auth: { serviceKey: key } });
    expect((await sendDelivery(app, signed([{ id: "a" }]))).json()).toMatchObject({
      code: "ERR_CREDENTIAL_MISSING",
    });
    expect(
      (await sendDelivery(app, { ...signed([{ id: "a" }], { "x-signature": "0" }), key })).json(),
    ).toMatchObject({
      code: "ERR_SIGNATURE_INVALID",
    });
    expect((await sendDelivery(app, { ...signed([{ id: "a" }]), key })).status).toBe(200);
    expect(handled).toEqual([["order", "a", {}, "service-key"]]);
  });

  it("answers handshakes: by method behind the address alone, by body behind every check", async () => {
    const { app } = serve(hub(), { allowIps: ["127.0.0.1"] });
    const get = { method: "GET", path: "/hooks?challenge=abc" };
    const answer = await sendDelivery(app, get);
    expect([answer.status, answer.text]).toEqual([200, "abc"]);
    expect((await sendDelivery(app, get, { remoteAddress: "192.0.2.9" })).status).toBe(403);
    expect((await sendDelivery(app, signed("hello"))).json()).toEqual({ hello: true });
    expect((await sendDelivery(app, { ...signed("hello"), headers: {} })).status).toBe(401);
    expect((await sendDelivery(app, { method: "PUT", path: "/hooks" })).status).toBe(405);
  });

  it("answers as its sender understands it, never 410", async () => {
    const outcomes: SourceOutcome[] = [];
    const answer = (outcome: SourceOutcome) => {
      outcomes.push(outcome);
      return { status: outcome.code === undefined ? 200 : 410, body: "ok" };
    };
    const { app } = serve(hub({ answer }));
    const good = await sendDelivery(app, signed([{ id: "e1", x: 1 }]));
    expect([good.status, good.text, good.headers["content-type"]]).toEqual([
      200,
      "ok",
      "text/plain; charset=utf-8",
    ]);
    scene.takeLog();
    expect((await sendDelivery(app, signed([{ id: "e1" }], { "x-signature": [] }))).status).toBe(500);
    expect(scene.takeLog().join("\n")).toContain("a source must not answer 410");
    expect(outcomes).toMatchObject([
      {
        status: "handled",
        bodyKind: "json",
        events: [{ id: "e1", type: "order", data: { x: 1 } }],
        httpStatus: 200,
      },
      { status: "refused", code: "ERR_SIGNATURE_INVALID", signatureFault: "missing", httpStatus: 401 },
    ]);
  });

  it("says how much of the sender's patience an answer took", async () => {
    const { receiver } = serve(hub());
    receiver.on("order", () => clock.advance("1500ms"));
    scene.takeLog();
    await sendDelivery(mount(receiver.middleware()), signed([{ id: "e1" }]));
    expect(scene.takeLog().join("\n")).toContain(
      "the answer took 1500 ms, 150 % of the 1000 ms that hub waits",
    );
  });

  it("refuses what its events say no to, and fails closed where they throw", async () => {
    const { app } = serve(hub());
    scene.takeLog();
    expect((await sendDelivery(app, signed({}))).status).toBe(422);
    expect(scene.takeLog().join("\n")).toContain("hub: the body is no list");
    const broken = serve(
      hub({
        events: () => {
          throw new Error("boom");
        },
      }),
    );
    expect((await sendDelivery(broken.app, signed([]))).status).toBe(500);
  });

  it("F08 stores all events of a delivery or none, and knows each of them again", async () => {
    const engine = memoryEngine();
    const { app, receiver, handled, reports } = serve(hub(), { inbox: { engine } });
    await receiver.start();
    try {
      const first = await sendDelivery(app, signed([{ id: "a" }, { id: "b" }]));
      expect([first.status, first.json()]).toEqual([202, { status: "accepted", ids: ["a", "b"] }]);
      const again = await sendDelivery(app, signed([{ id: "a" }, { id: "b" }]));
      expect([again.status, again.json()]).toEqual([200, { status: "duplicate", ids: ["a", "b"] }]);
      const more = await sendDelivery(app, signed([{ id: "b" }, { id: "c" }]));
      expect([more.status, more.json()]).toEqual([202, { status: "accepted", ids: ["b", "c"] }]);
      const conflict = await sendDelivery(app, signed([{ id: "c", other: true }, { id: "d" }]));
      expect(conflict.status).toBe(409);
      expect(reports.map((report) => (report as unknown[])[0])).toEqual(["a", "b", "c"]);
      const { items } = await (receiver as InboxReceiver).inbox.list({});
      expect(items.map(({ id, source }) => [id, source])).toEqual([
        ["c", "hub"],
        ["b", "hub"],
        ["a", "hub"],
      ]);
    } finally {
      await receiver.close();
    }
    expect(handled).toEqual([
      ["order", "a", {}, "signature"],
      ["order", "b", {}, "signature"],
      ["order", "c", {}, "signature"],
    ]);
  });

  it("answers 500, and goes on, where an engine's acceptance is none", async () => {
    const engine = memoryEngine();
    const accept = engine.accept.bind(engine);
    let broken = true;
    const half = Object.assign(engine, {
      accept: async (deliveries: Parameters<typeof accept>[0]) => {
        const answers = await accept(deliveries);
        return broken ? answers.map(() => ({ status: "stored", recordIds: ["rec_1"] }) as never) : answers;
      },
    });
    const { app, receiver } = serve(hub(), { inbox: { engine: half } });
    await receiver.start();
    try {
      expect((await sendDelivery(app, signed([{ id: "a" }]))).status).toBe(500);
      broken = false;
      expect((await sendDelivery(app, signed([{ id: "a" }]))).json()).toEqual({
        status: "duplicate",
        id: "a",
      });
    } finally {
      await receiver.close();
    }
  });

  it("explains a delivery with its signature", async () => {
    const { receiver } = serve(hub());
    const { body, headers } = signed([{ id: "e1" }]);
    const request = { body, headers: { "content-type": "application/json", ...headers } } as const;
    const good = await receiver.explain(request);
    expect(good.steps.map(({ step, result }) => `${step}: ${result}`)).toContain("signature: passed");
    const bad = await receiver.explain({ ...request, headers: { "content-type": "application/json" } });
    expect(bad).toMatchObject({ status: 401, code: "ERR_SIGNATURE_INVALID" });
  });
});

describe("a receiver below a mount path", () => {
  it("E26 sees path and query as they were sent, which is what senders sign", async () => {
    const source = hub({
      signature: {
        kind: "custom",
        publicUrl: "https://hooks.example",
        verify: ({ publicUrl, url }) => ({ fault: "mismatch", reason: `signed for ${publicUrl} at ${url}` }),
      },
    });
    const receiver = createReceiver({ name: "orders", source, logger: scene.logger });
    const app = express().use("/in", receiver.middleware());
    scene.takeLog();
    const headers = { "x-forwarded-host": "evil.example", host: "evil.example" };
    await sendDelivery(app, { path: "/in/hooks?a=1", body: [], headers });
    expect(scene.takeLog().join("\n")).toContain(
      "signed for https://hooks.example/in/hooks?a=1 at /in/hooks?a=1",
    );
  });
});

describe("the option source", () => {
  const make = (options: object) => () => createReceiver({ name: "orders", ...options } as never);

  it.each([
    [{ source: {} }, "createReceiver.source must be a source"],
    [{ source: hub({ name: "" }) }, "createReceiver.source.name must be a string"],
    [{ source: hub({ bodies: ["yaml"] as never }) }, "createReceiver.source.bodies must be a list of"],
    [
      { source: hub({ mediaTypes: { "text/plain": "yaml" } as never }) },
      "createReceiver.source.bodies must be",
    ],
    [{ source: hub({ deadline: "0ms" }) }, "createReceiver.source.deadline must be a duration"],
    [{ source: hub({ headers: ["Cookie"] }) }, "createReceiver.source.headers must be a list of lower-case"],
    [{ source: hub({ headers: ["cookie"] }) }, "none of which holds a credential"],
    [{ source: hub(), type: "type" }, "createReceiver.type cannot be combined with `source`"],
    [{ source: hub({ signature: undefined }) }, "createReceiver.auth is missing"],
    [
      { source: { ...hub(), signature: { kind: "x" } } },
      'createReceiver.source.signature.kind must be "header"',
    ],
  ])("refuses %#", (options, message) => {
    expect(make(options)).toThrow(message);
  });

  it("takes a source that does not sign with a credential, or where anyone is accepted", () => {
    const source = hub({ signature: undefined });
    expect(make({ source, auth: { serviceKey: secret } })).not.toThrow();
    expect(make({ source, auth: { dangerouslyAcceptAnyone: true } })).not.toThrow();
  });

  it("finds an open door only where neither credential nor signature is asked for", () => {
    const quiet = { source: hub(), logger: scene.logger };
    const findingsOf = (options: Parameters<typeof make>[0]) => {
      const receiver = make(options)();
      receiver.onAny(() => {});
      return receiver.diagnose();
    };
    expect(findingsOf(quiet)).toEqual([]);
    const open = { ...quiet, source: hub({ signature: undefined }), auth: { dangerouslyAcceptAnyone: true } };
    expect(findingsOf(open)).toEqual([expect.stringContaining("anyone may call")]);
  });
});
