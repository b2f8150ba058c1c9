import { createHmac } from "node:crypto";
import { afterAll, describe, expect, it } from "@jest/globals";
import { createReceiver } from "hookgate";
import { memoryEngine, sendDelivery, signedDelivery, type TestDelivery } from "hookgate/testing";
import { webex } from "hookgate/webex";
import { createScene, mounts } from "../support/scene.js";

const scene = createScene();
afterAll(scene.close);
const secret = scene.secret("webex");

const notification = {
  ...{ id: "hook-1", name: "all messages", resource: "messages", event: "created", status: "active" },
  ...{ actorId: "p-1", data: { id: "m-1", roomId: "r-1", personEmail: "matt@example.com" } },
};

function signed(body: unknown): TestDelivery {
  const text = JSON.stringify(body);
  const signature = createHmac("sha1", secret).update(text).digest("hex");
  return { path: "/hooks", body: text, headers: { "x-spark-signature": signature } };
}

describe.each(mounts)("webex on %s", (_name, mount) => {
  function serve(more: object = {}) {
    const handled: unknown[] = [];
    const receiver = createReceiver({
      name: "spaces",
      source: webex({ secret }),
      ...{ logger: scene.logger, hooks: scene.hooks, ...more },
    });
    receiver.on("messages.created", ({ data }) => {
      handled.push([data.data.id, data.data.personEmail, data.actorId]);
    });
    receiver.on("memberships.*", ({ type, data }) => {
      handled.push([type, data.data.isModerator]);
    });
    return { receiver, handled, app: mount(receiver.middleware()) };
  }

  it("hands notifications to their handlers", async () => {
    const { app, handled } = serve();
    const answer = await sendDelivery(app, signed(notification));
    expect([answer.status, answer.json()]).toMatchObject([200, { status: "handled" }]);
    const seen = { ...notification, resource: "memberships", event: "seen", data: { isModerator: true } };
    expect((await sendDelivery(app, signed(seen))).status).toBe(200);
    expect(handled).toEqual([
      ["m-1", "matt@example.com", "p-1"],
      ["memberships.seen", true],
    ]);
  });

  it("F01 F06 refuses what is not signed, by another secret, or with another hash", async () => {
    const { app, handled } = serve();
    const good = signed(notification);
    const mac = (hash: string, key: string) => createHmac(hash, key).update(String(good.body)).digest("hex");
    for (const signature of [undefined, mac("sha1", `${secret}x`), mac("sha256", secret)]) {
      const headers: Record<string, string> =
        signature === undefined ? {} : { "x-spark-signature": signature };
      expect((await sendDelivery(app, { ...good, headers })).status).toBe(401);
    }
    expect((await sendDelivery(app, { ...good, body: `${good.body}\n` })).status).toBe(401);
    expect(handled).toEqual([]);
  });

  it("G02 answers 200 to what no handler is for, so that the webhook stays active", async () => {
    const { app } = serve();
    const answer = await sendDelivery(app, signed({ ...notification, resource: "videoMeshAlerts" }));
    expect([answer.status, answer.json()]).toMatchObject([200, { status: "ignored" }]);
  });

  it("F08 with an inbox takes a retry for a duplicate, and not the next event of one registration", async () => {
    const { app, receiver } = serve({ inbox: { engine: memoryEngine(), workers: false } });
    await receiver.start();
    const statusOf = async (body: object): Promise<unknown> => {
      const answer = await sendDelivery(app, signed(body));
      expect(answer.status).toBe(200);
      return (answer.json() as { readonly status: string }).status;
    };
    expect(await statusOf(notification)).toBe("accepted");
    expect(await statusOf({ ...notification, name: "renamed" })).toBe("duplicate");
    expect(await statusOf({ ...notification, data: { ...notification.data, id: "m-2" } })).toBe("accepted");
    expect(await statusOf({ ...notification, resource: "rooms" })).toBe("ignored");
    await receiver.close();
  });
});

describe("webex", () => {
  it("is signed for by the testing kit", async () => {
    const source = webex({ secret });
    const receiver = createReceiver({ name: "kit", source });
    const rooms: unknown[] = [];
    receiver.on("rooms.migrated", ({ data }) => void rooms.push(data.data.title));
    const event = { type: "rooms.migrated", data: { id: "r-1", title: "moved" } };
    const delivery = await signedDelivery(source, event, { path: "/hooks" });
    expect((await sendDelivery(receiver.requestListener("/hooks"), delivery)).status).toBe(200);
    expect(rooms).toEqual(["moved"]);
  });

  it("I01 lets no secret into logs and answers", () => {
    expect(scene.leaks()).toEqual([]);
  });
});
