import { createHmac } from "node:crypto";
import { afterAll, describe, expect, it } from "@jest/globals";
import { expectTypeOf } from "expect-type";
import { createReceiver } from "hookgate";
import { type CustomSourceOptions, customSource } from "hookgate/custom";
import {
  createFakeClock,
  memoryEngine,
  sendDelivery,
  signedDelivery,
  type TestDelivery,
} from "hookgate/testing";
import { until } from "../support/inbox-scene.js";
import { createScene, mounts } from "../support/scene.js";

const scene = createScene();
afterAll(scene.close);
const secret = scene.secret("custom");
const clock = createFakeClock();
const hex = (text: string): string => createHmac("sha256", secret).update(text).digest("hex");

/** Zoom, with its challenge. */
const zoom: CustomSourceOptions<{ "meeting.started": { object: { id: string } } }> = {
  name: "zoom",
  type: "event",
  data: "payload",
  signature: {
    header: "x-zm-signature",
    timestamp: "x-zm-request-timestamp",
    prefix: "v0=",
    signed: "v0:{timestamp}:{body}",
    secret,
  },
  deadline: "3s",
  handshake: ({ body }) => {
    const { event, payload } = (body ?? {}) as { event?: unknown; payload?: { plainToken?: unknown } };
    const plainToken = payload?.plainToken;
    if (event !== "endpoint.url_validation" || typeof plainToken !== "string") return undefined;
    return { status: 200, body: { plainToken, encryptedToken: hex(plainToken) } };
  },
};

function fromZoom(event: string, payload: unknown): TestDelivery {
  const body = JSON.stringify({ event, payload });
  const timestamp = String(Math.floor(clock.now() / 1_000));
  const headers = {
    "x-zm-request-timestamp": timestamp,
    "x-zm-signature": `v0=${hex(`v0:${timestamp}:${body}`)}`,
  };
  return { path: "/hooks", body, headers };
}

/** A list whose elements are events, checked by a function, answered in the sender's way. */
const list: CustomSourceOptions = {
  name: "list",
  each: "items",
  type: { header: "X-Topic" },
  headers: ["X-Shop"],
  signature: {
    verify: ({ rawBody, headers }) => {
      JSON.parse(rawBody.toString());
      return headers["x-check"] === "yes"
        ? { keyId: "check" }
        : { fault: "mismatch", reason: "the header says no" };
    },
  },
  answer: ({ status }) => (status === "accepted" ? { status: 200, body: "[accepted]" } : undefined),
};

describe.each(mounts)("customSource on %s", (_name, mount) => {
  function serve(options: CustomSourceOptions, more: object = {}) {
    const handled: unknown[] = [];
    const receiver = createReceiver({
      name: "own",
      source: customSource(options),
      ...{ clock, logger: scene.logger, hooks: scene.hooks, ...more },
    });
    receiver.onAny(({ id, type, data }, { delivery, caller }) => {
      handled.push([id, type, data, delivery.headers["x-shop"], caller.method]);
    });
    return { receiver, handled, app: mount(receiver.middleware()) };
  }

  it.each([
    ["bodies", { bodies: ["json", "form"] }, "application/x-www-form-urlencoded"],
    ["mediaTypes for the form", { mediaTypes: { "text/x-form": "form" } }, "text/x-form"],
    [
      "mediaTypes for the JSON",
      { bodies: ["form"], mediaTypes: { "text/json": "json" } },
      "application/x-www-form-urlencoded",
    ],
    ["XML", { bodies: ["json", "xml"] }, "application/xml"],
  ] as const)(
    "E16 refuses signed JSON that is sent as another kind: %s",
    async (_case, kinds, contentType) => {
      const types: string[] = [];
      const receiver = createReceiver({
        name: "shop",
        source: customSource({ name: "shop", ...kinds, signature: { header: "x-signature", secret } }),
        ...{ clock, logger: scene.logger },
      });
      receiver.onAny(({ type }) => types.push(type));
      const app = mount(receiver.middleware());
      const sent = (body: string, type: string) =>
        sendDelivery(app, { path: "/hooks", body, contentType: type, headers: { "x-signature": hex(body) } });
      const body = '{"type":"note.added","text":"&type=account.deleted&"}';
      const json =
        "mediaTypes" in kinds && "text/json" in kinds.mediaTypes ? "text/json" : "application/json";
      expect((await sent(body, json)).status).toBe(200);
      expect((await sent(body, contentType)).status).toBe(400);
      expect(types).toEqual(["note.added"]);
    },
  );

  it("hands over what was declared, with an id from the bytes where there is none", async () => {
    const { app, handled } = serve(zoom as CustomSourceOptions);
    const answer = await sendDelivery(app, fromZoom("meeting.started", { object: { id: "1" } }));
    expect(answer.status).toBe(200);
    const id = expect.stringMatching(/^sha256-/);
    expect(handled).toEqual([[id, "meeting.started", { object: { id: "1" } }, undefined, "signature"]]);
  });

  it("takes what the testing kit signs for it", async () => {
    const { app, handled } = serve(zoom as CustomSourceOptions);
    const event = { type: "meeting.ended", data: { object: { id: "2" } } };
    const delivery = await signedDelivery(customSource(zoom), event, {
      path: "/hooks",
      now: new Date(clock.now()),
    });
    expect((await sendDelivery(app, delivery)).status).toBe(200);
    expect(handled).toMatchObject([
      [expect.any(String), "meeting.ended", event.data, undefined, "signature"],
    ]);
  });

  it("E01 answers a challenge behind the signature alone", async () => {
    const { app, handled } = serve(zoom as CustomSourceOptions);
    const challenge = fromZoom("endpoint.url_validation", { plainToken: "qgg8vlvZRS6UYooatFL8Aw" });
    const answer = await sendDelivery(app, challenge);
    expect([answer.status, answer.json()]).toEqual([
      200,
      { plainToken: "qgg8vlvZRS6UYooatFL8Aw", encryptedToken: hex("qgg8vlvZRS6UYooatFL8Aw") },
    ]);
    expect((await sendDelivery(app, { ...challenge, headers: {} })).status).toBe(401);
    expect(handled).toEqual([]);
  });

  it("stores each event of a list, keeps the headers that were named, and answers as declared", async () => {
    const { app, receiver, handled } = serve(list, { inbox: { engine: memoryEngine() } });
    await receiver.start();
    const headers = { "x-check": "yes", "x-topic": "order", "x-shop": "7", "x-other": "8" };
    const delivery = { path: "/hooks", body: { items: [{ id: 1 }, { id: 2 }] }, headers };
    const answer = await sendDelivery(app, delivery);
    expect([answer.status, answer.text]).toEqual([200, "[accepted]"]);
    await until(() => handled.length > 1);
    await receiver.close();
    expect(handled).toEqual([
      ["1", "order", { id: 1 }, "7", "signature"],
      ["2", "order", { id: 2 }, "7", "signature"],
    ]);
  });

  it("refuses with 401 what its own check refuses, and what that cannot read", async () => {
    const { app, handled } = serve(list);
    const headers = { "x-check": "no", "x-topic": "order" };
    const delivery = { path: "/hooks", body: { items: [] }, headers };
    expect((await sendDelivery(app, delivery)).status).toBe(401);
    expect((await sendDelivery(app, { ...delivery, body: "{" })).status).toBe(401);
    const signed = { ...headers, "x-check": "yes" };
    expect((await sendDelivery(app, { ...delivery, headers: signed, body: {} })).status).toBe(422);
    expect((await sendDelivery(app, { ...delivery, headers: signed })).json()).toMatchObject({
      status: "ignored",
    });
    expect(handled).toEqual([]);
  });
});

it("types handlers of a declared source", () => {
  const receiver = createReceiver({ name: "typed", source: customSource(zoom) });
  receiver.on("meeting.started", ({ data }) => expectTypeOf(data.object.id).toEqualTypeOf<string>());
  // @ts-expect-error A type that the map does not name.
  receiver.on("meeting.strated", () => undefined);
  expect(receiver.on).toBeInstanceOf(Function);
});
