import { describe, expect, it } from "@jest/globals";
import { stripe } from "hookgate/stripe";
import Stripe from "stripe";
import { createSignatureGate } from "../../../src/signatures/signature.js";
import type { ParsedDelivery } from "../../../src/types/source.js";
import { requestOf, wordOf } from "../signatures/signed-request.js";

const secret = "whsec_5f0c1e9a7b3d42868a6f1c0e";
const peer = new Stripe("sk_test_nothing");
const now = 1_700_000_000;
const body = JSON.stringify(
  { id: "evt_1", object: "event", type: "invoice.paid", data: { object: {} } },
  null,
  2,
);

const gateOf = (options: Partial<Parameters<typeof stripe>[0]> = {}) =>
  createSignatureGate(stripe({ secret, ...options }).signature as never, "source.signature");
const check = async (header: string, of = body, options = {}, at = now * 1000): Promise<string> =>
  wordOf((await gateOf(options)(requestOf({ "Stripe-Signature": header }, of), at)) as never);
const header = (options: object = {}): string =>
  peer.webhooks.generateTestHeaderString({ payload: body, secret, timestamp: now, ...options });

const source = stripe({ secret });
const read = (delivered: unknown) =>
  source.events({ body: delivered, kind: "json", headers: {} } satisfies ParsedDelivery);

describe("stripe, against its own library", () => {
  it("takes what generateTestHeaderString signs, and what constructEvent takes", async () => {
    expect(await check(header())).toBe("secret-1");
    expect(peer.webhooks.constructEvent(body, header(), secret, 300, undefined, now * 1000)).toMatchObject({
      id: "evt_1",
    });
  });

  it("F04 takes any of several v1, as while a secret is rolled, and ignores other schemes", async () => {
    const other = header({ secret: "whsec_another_secret_0123456789" }).replace(/^t=\d+,/, "");
    expect(await check(`${header()},${other}`)).toBe("secret-1");
    expect(await check(`t=${now},${other},${header().replace(/^t=\d+,/, "")}`)).toBe("secret-1");
    expect(await check(header({ scheme: "v0" }))).toBe("malformed");
    expect(await check(`${header()},${header({ scheme: "v0" }).replace(/^t=\d+,/, "")}`)).toBe("secret-1");
    expect(await check(`t=${now},${other}`)).toBe("mismatch");
  });

  it("uses the secret as text, with its prefix", async () => {
    const decoded = Buffer.from(secret.slice(6), "base64").toString("latin1");
    expect(await check(header({ secret: decoded }))).toBe("mismatch");
    expect(await check(header({ secret: secret.slice(6) }))).toBe("mismatch");
  });

  it("names the secret that matched while both count", async () => {
    const both = [
      { id: "old", secret: "whsec_another_secret_0123456789" },
      { id: "new", secret },
    ];
    expect(await check(header(), body, { secret: both })).toBe("new");
  });

  it("F02 takes timestamps up to the tolerance on both sides", async () => {
    for (const offset of [-300, 300])
      expect(await check(header({ timestamp: now + offset }))).toBe("secret-1");
    for (const offset of [-301, 301])
      expect(await check(header({ timestamp: now + offset }))).toBe("timestamp");
    expect(await check(header({ timestamp: now - 61 }), body, { tolerance: "1m" })).toBe("timestamp");
    expect(await check(header({ timestamp: now - 60 }), body, { tolerance: "1m" })).toBe("secret-1");
  });

  it("F03 refuses a body that was parsed and written again", async () => {
    expect(await check(header(), JSON.stringify(JSON.parse(body)))).toBe("mismatch");
  });

  it("takes notifications of API v2 as the library does", async () => {
    const thin = JSON.stringify({
      id: "evt_2",
      object: "v2.core.event",
      type: "v1.billing.meter.no_meter_found",
    });
    const signature = header({ payload: thin });
    expect(peer.parseEventNotification(thin, signature, secret, 1e9)).toMatchObject({ id: "evt_2" });
    expect(await check(signature, thin)).toBe("secret-1");
    expect(read(JSON.parse(thin))).toEqual([
      { type: "v1.billing.meter.no_meter_found", id: "evt_2", data: JSON.parse(thin) },
    ]);
  });
});

describe("stripe", () => {
  it("gives the whole event as data, under its own type and id", () => {
    const event = JSON.parse(body);
    expect(read(event)).toEqual([{ type: "invoice.paid", id: "evt_1", data: event }]);
  });

  it("goes by the id alone: the count of pending webhooks differs between deliveries", () => {
    expect(source.deduplicateBy).toBe("id");
  });

  it.each([
    null,
    [],
    "x",
    {},
    { id: "evt_1" },
    { type: "a" },
    { id: 5, type: "a" },
    { id: "evt_1", type: "" },
  ])("cannot read %j", (delivered) => {
    const fault = { fault: "the body has no `type` and `id`, as events have" };
    expect(read(delivered)).toEqual(fault);
    expect(read(Object.create({ id: "evt_1", type: "a" }))).toEqual(fault);
  });

  it("composes an event around an object, and leaves an event one", () => {
    const compose = (data: unknown) =>
      JSON.parse(source.compose?.({ type: "a.b", id: "evt_9", data, nowMs: 1_500_000_000_999 }).body ?? "");
    expect(compose({ object: "invoice" })).toMatchObject({
      object: "event",
      id: "evt_9",
      type: "a.b",
      created: 1_500_000_000,
      data: { object: { object: "invoice" } },
    });
    const thin = { object: "v2.core.event", id: "evt_1", type: "x", related_object: { id: "r" } };
    expect(compose(thin)).toEqual({ ...thin, id: "evt_9", type: "a.b" });
    expect(compose({ object: "event", data: { object: 1 } })).toMatchObject({
      data: { object: 1 },
      id: "evt_9",
    });
    for (const data of [{ object: "invoice" }, thin, null]) {
      expect(read(compose(data))).toMatchObject([{ type: "a.b", id: "evt_9" }]);
    }
  });

  it.each([
    [{ secret: "" }, /^stripe\.secret is empty/],
    [{ secret: "whsec_" }, /^stripe\.secret has 6 bytes/],
    [{ secret: undefined }, /^stripe\.secret is undefined/],
    [{ tolerance: "0s" }, /^stripe\.tolerance must be a duration such as "10s", from "1s" to "1h", not "0s"/],
    [{ tolerance: Number.POSITIVE_INFINITY }, /^stripe\.tolerance/],
    [{ tolerances: 5 }, /^stripe has no option "tolerances"; did you mean "tolerance"/],
    [{ insecureShortSecret: 1 }, /^stripe\.insecureShortSecret must be true/],
  ])("F02 F07 refuses the options %j", (options, message) => {
    expect(() => stripe({ secret, ...options } as never)).toThrow(TypeError);
    expect(() => stripe({ secret, ...options } as never)).toThrow(message);
  });

  it("takes a short secret where that is asked for by name", () => {
    expect(stripe({ secret: "whsec_short", insecureShortSecret: true }).deadline).toBe("10s");
  });
});
