import type { RequestListener } from "node:http";
import { setImmediate as turn } from "node:timers/promises";
import { afterAll, describe, expect, it } from "@jest/globals";
import express from "express";
import {
  type Allowlist,
  createAllowlist,
  createReceiver,
  credentialsFromLookup,
  defineCredentials,
  type FoundKey,
  type ReceiverOptions,
  requireAllowedIp,
  requireAuth,
} from "hookgate";
import { createFakeClock, sendDelivery } from "hookgate/testing";
import { createScene, mounts } from "../support/scene.js";
import { postHead } from "../support/wire.js";

type AllowIpsOptions = Exclude<ReceiverOptions["allowIps"], undefined>;
type ClientAddressOptions = Exclude<ReceiverOptions["clientAddress"], undefined>;

const scene = createScene();
afterAll(scene.close);
const clock = createFakeClock();
const key = scene.secret("key");
const anyAddress = { ranges: ["0.0.0.0/0", "::/0"], dangerouslyAllowAnyAddress: true } as const;

function createTarget(options: Partial<ReceiverOptions> = {}) {
  const addresses: (string | undefined)[] = [];
  const receiver = createReceiver({
    name: "orders",
    auth: { serviceKey: key },
    type: () => "any",
    clock,
    logger: scene.logger,
    hooks: scene.hooks,
    ...options,
  });
  receiver.onAny((_event, { delivery }) => addresses.push(delivery.address));
  const listener = receiver.middleware() as unknown as RequestListener;
  const from = async (
    remoteAddress: string,
    headers: Record<string, string | string[]> = {},
    withKey = key,
  ) => (await sendDelivery(listener, { key: withKey, body: {}, headers }, { remoteAddress })).status;
  return { receiver, addresses, from, listener };
}

describe.each(mounts)("D: the sender's address on %s", (_name, mount) => {
  // Every connection of these tests comes from 127.0.0.1.
  const listen = (allowIps: AllowIpsOptions | Allowlist, clientAddress?: ClientAddressOptions) =>
    scene.listen(mount(createTarget({ allowIps, clientAddress }).receiver.middleware()));

  it("D01 does not believe headers of a peer that is no declared proxy", async () => {
    const port = await listen(["203.0.113.7"]);
    for (const name of [
      "X-Forwarded-For",
      "X-Real-IP",
      "CF-Connecting-IP",
      "True-Client-IP",
      "X-Client-IP",
      "Fastly-Client-IP",
      "X-Cluster-Client-IP",
    ]) {
      const answer = await scene.send(port, { key, body: {}, headers: { [name]: "203.0.113.7" } });
      expect([name, answer.status]).toEqual([name, 403]);
    }
    const forwarded = { forwarded: "for=203.0.113.7" };
    const answer = await scene.send(port, { key, body: {}, headers: forwarded });
    expect([answer.status, answer.json()]).toMatchObject([403, { code: "ERR_ADDRESS_REFUSED" }]);
  });

  it("D01 is checked before the credential, and behind the method", async () => {
    const port = await listen(["203.0.113.7"]);
    expect((await scene.send(port, { body: {} })).status).toBe(403);
    expect((await scene.send(port, { key: "wrong", body: {} })).status).toBe(403);
    expect((await scene.send(port, { method: "GET" })).status).toBe(405);
  });

  it.each([
    ["D03 walks from the right past proxies", ["203.0.113.7, 127.0.0.9"], 200],
    ["D03 does not believe what stands further left", ["203.0.113.7, 198.51.100.1"], 403],
    ["D03 joins several lines in their order", ["198.51.100.1", "203.0.113.7"], 200],
    ["D03 does not take the first line for the last", ["203.0.113.7", "198.51.100.1"], 403],
    ["D03 strips a port", ["203.0.113.7:5000"], 200],
    ["D03 refuses a port that is none", ["203.0.113.7:99999"], 403],
    ["D03 refuses unknown", ["unknown"], 403],
    ["D03 refuses an empty entry at the right", ["203.0.113.7, "], 403],
    ["D03 refuses an obfuscated name", ["_hidden"], 403],
    ["D10 refuses octal", ["0313.0.113.7"], 403],
    ["D04 refuses more than 32 entries", [Array(33).fill("203.0.113.7").join(", ")], 403],
    ["D04 takes 32 entries", [Array(32).fill("203.0.113.7").join(", ")], 200],
    ["D04 refuses more than 4 KiB", [`${"x".repeat(4096)},203.0.113.7`], 403],
  ] as const)("%s", async (_case, lines, status) => {
    const port = await listen(["203.0.113.7"], { trustedProxies: ["loopback"] });
    const wire = await scene.open(port);
    await wire.send(
      `${postHead(
        ...lines.map((line) => `X-Forwarded-For: ${line}`),
        `Key: ${key}`,
        "Content-Type: application/json",
        "Content-Length: 2",
      )}{}`,
    );
    expect((await wire.answers(1))[0]?.status).toBe(status);
  });

  it("D14 lets nobody in by an empty list", async () => {
    expect((await scene.send(await listen([]), { key, body: {} })).status).toBe(403);
  });

  it("D15 loses no delivery while the list is replaced 500 times, and keeps the old one for a bad one", async () => {
    const list = createAllowlist(["127.0.0.0/8"]);
    const port = await listen(list);
    const statuses = new Map<number, number>();
    let replacing = true;
    const load = Array.from({ length: 3 }, async () => {
      while (replacing) {
        const { status } = await scene.send(port, { key, body: {} });
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    });
    for (let round = 0; round < 500; round++) {
      list.replace(["127.0.0.1", `10.${round % 256}.0.0/16`]);
      if (round % 50 === 0) expect(() => list.replace(["10.0.0.1/8"])).toThrow("10.0.0.0/8");
      await turn();
    }
    replacing = false;
    await Promise.all(load);
    expect([...statuses.keys()]).toEqual([200]);
    list.replace(["10.0.0.0/8"]);
    expect((await scene.send(port, { key, body: {} })).status).toBe(403);
    expect(() => list.replace(undefined as never)).toThrow(TypeError);
    expect((await scene.send(port, { key, body: {} })).status).toBe(403);
    list.replace(["127.0.0.1"]);
    expect((await scene.send(port, { key, body: {} })).status).toBe(200);
  });
});

describe("D: configuration", () => {
  it.each([
    ["D02 true", { trustedProxies: true }],
    ["D02 everyone", { trustedProxies: ["0.0.0.0/0"] }],
    ["D02 too many hops", { trustedProxies: 33 }],
    ["D12 host bits", { trustedProxies: ["10.0.0.1/8"] }],
  ])("refuses %s as proxies", (_case, clientAddress) => {
    const options = { clientAddress: clientAddress as ClientAddressOptions };
    expect(() => createTarget(options)).toThrow(/createReceiver\.clientAddress\.trustedProxies/);
    expect(() => requireAllowedIp(["10.0.0.0/8"], options)).toThrow(/clientAddress\.trustedProxies/);
  });

  it.each([
    ["D11 every IPv4 address", ["0.0.0.0/0"]],
    ["D11 every IPv6 address", ["::/0"]],
    ["D11 every IPv4 address in halves", ["0.0.0.0/1", "128.0.0.0/1"]],
    ["D11 every IPv4 address in mapped form", ["::ffff:0.0.0.0/96"]],
    ["D13 octal", ["010.0.0.1/8"]],
    ["D14 null", null],
    ["D14 a list of nothing", [undefined]],
  ])("refuses %s as allowlist", (_case, allowIps) => {
    expect(() => createTarget({ allowIps: allowIps as never })).toThrow(/createReceiver\.allowIps/);
  });

  it("D02 is not moved by Express's trust proxy", async () => {
    const app = express();
    app.set("trust proxy", true);
    app.all("/hooks", createTarget({ allowIps: ["203.0.113.7"] }).receiver.middleware());
    const guarded = requireAllowedIp(["203.0.113.7"], { logger: scene.logger });
    app.post("/guarded", guarded, (_req, res) => void res.end());
    const port = await scene.listen(app);
    const headers = { "x-forwarded-for": "203.0.113.7" };
    expect((await scene.send(port, { key, body: {}, headers })).status).toBe(403);
    expect((await scene.send(port, { path: "/guarded", body: {}, headers })).status).toBe(403);
  });

  it("D01 hands the handler the proven address, in canonical form", async () => {
    const { from, addresses } = createTarget({ clientAddress: { trustedProxies: ["10.0.0.0/8"] } });
    await from("10.0.0.1", { "x-forwarded-for": "::FFFF:203.0.113.7" });
    await from("2001:DB8:0::1", { "x-forwarded-for": "203.0.113.9" });
    expect(addresses).toEqual(["203.0.113.7", "2001:db8::1"]);
  });
});

describe("D: lists of receiver, tenant and service", () => {
  const keys = { open: scene.secret("open"), narrow: scene.secret("narrow"), shadow: scene.secret("shadow") };
  const credentials = defineCredentials({
    tenants: {
      acme: {
        allowIps: ["203.0.113.0/24", "2001:db8::/32"],
        profileKeys: [{ id: "profile", key: scene.secret("profile") }],
        services: {
          open: { serviceKeys: [{ id: "k", key: keys.open }] },
          narrow: { allowIps: ["203.0.113.7"], serviceKeys: [{ id: "k", key: keys.narrow }] },
          shadow: {
            allowIps: { ranges: ["203.0.113.7"], mode: "shadow" },
            serviceKeys: [{ id: "k", key: keys.shadow }],
          },
        },
      },
    },
  });
  const auth = { accept: ["service-key"], credentials } as const;

  it("D01 asks them all, the receiver's before the credential and the others behind it", async () => {
    const { from } = createTarget({ auth, allowIps: ["203.0.113.0/25", "198.51.100.0/24"] });
    expect([
      await from("203.0.113.7", {}, keys.open),
      await from("203.0.113.7", {}, keys.narrow),
      await from("203.0.113.8", {}, keys.open),
    ]).toEqual([200, 200, 200]);
    expect(await from("203.0.113.8", {}, keys.narrow)).toBe(403);
    expect(await from("203.0.113.200", {}, keys.open)).toBe(403);
    expect(await from("198.51.100.1", {}, keys.open)).toBe(403);
    // Who has no valid credential does not learn whether the address would have done.
    expect(await from("198.51.100.1", {}, "wrong")).toBe(401);
    expect(await from("192.0.2.1", {}, "wrong")).toBe(403);
  });

  it("D14 reports what a shadow list would refuse, and lets it pass", async () => {
    const reports: [string, boolean][] = [];
    const hooks = {
      refused: (report: { code: string; enforced: boolean }) => reports.push([report.code, report.enforced]),
    };
    const { from } = createTarget({ auth, hooks, allowIps: { ranges: ["192.0.2.0/24"], mode: "shadow" } });
    expect(await from("203.0.113.7", {}, keys.shadow)).toBe(200);
    expect(reports).toEqual([["ERR_ADDRESS_REFUSED", false]]);
    expect(await from("203.0.113.8", {}, keys.shadow)).toBe(200);
    expect(reports).toHaveLength(3);
    expect(await from("198.51.100.1", {}, keys.shadow)).toBe(403);
    expect(reports.at(-1)).toEqual(["ERR_ADDRESS_REFUSED", true]);
  });

  it("D14 lets an address that cannot be known pass a shadow list only", async () => {
    const shadow = createTarget({ allowIps: { ranges: [], mode: "shadow" } });
    expect([await shadow.from("unknown"), shadow.addresses]).toEqual([200, [undefined]]);
    expect(await createTarget({ allowIps: anyAddress }).from("unknown")).toBe(403);
    expect(await createTarget().from("unknown")).toBe(200);
  });
});

it("D19 decides by the address at arrival, though the connection is closed when the lookup answers", async () => {
  let answer = (_found: FoundKey): void => {};
  let asked = (): void => {};
  const wasAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const credentials = credentialsFromLookup(
    {
      key: () => {
        asked();
        return new Promise<FoundKey>((resolve) => {
          answer = resolve;
        });
      },
    },
    { clock },
  );
  const guard = requireAuth({
    accept: ["service-key"],
    credentials,
    clock,
    logger: scene.logger,
    hooks: { refused: ({ reason }) => settle(reason) },
  });
  let closed = Promise.resolve();
  let settle = (_verdict: string): void => {};
  const verdict = new Promise<string>((resolve) => {
    settle = resolve;
  });
  const port = await scene.listen((req, res) => {
    closed = new Promise((resolve) => req.socket.once("close", () => resolve()));
    guard(req, res, () => settle("passed"));
  });
  const wire = await scene.open(port);
  await wire.send(postHead(`Key: ${key}`, "Content-Type: application/json", "Content-Length: 2"));
  await wasAsked;
  wire.socket.destroy();
  await closed;
  answer({ id: "k", tenant: "t", service: "s", allowIps: ["127.0.0.1"] });
  expect(await verdict).toBe("passed");
});

it("I01 shows no key in log and answers", () => {
  expect(scene.takeLog().length).toBeGreaterThan(50);
  expect(scene.leaks()).toEqual([]);
});
