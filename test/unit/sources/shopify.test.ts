import { describe, expect, it } from "@jest/globals";
import { shopify } from "hookgate/shopify";
import { createSignatureGate } from "../../../src/signatures/signature.js";
import type { ParsedDelivery } from "../../../src/types/source.js";
import { hmac, requestOf, wordOf } from "../signatures/signed-request.js";

const secret = "hush-hush-hush-0123456789-client";
const source = shopify({ secret });
const gate = createSignatureGate(source.signature as never, "source.signature");
const body = '{"id":820982911946154508}';
const headers = {
  "x-shopify-topic": "orders/create",
  "x-shopify-webhook-id": "w-1",
  "x-shopify-event-id": "e-1",
};
const read = (delivery: Partial<ParsedDelivery> = {}) =>
  source.events({ body: {}, kind: "json", headers, ...delivery });
const check = async (signature: string, of = body): Promise<string> =>
  wordOf((await gate(requestOf({ "X-Shopify-Hmac-SHA256": signature }, of), 0)) as never);

describe("shopify", () => {
  it("F03 checks base64 over the bytes, so that ids beyond 2^53 do no harm", async () => {
    const signature = hmac(secret, body).toString("base64");
    expect(await check(signature)).toBe("secret-1");
    expect(await check(signature, JSON.stringify(JSON.parse(body)))).toBe("mismatch");
    expect(await check(hmac(secret, body).toString("base64url"))).toBe("malformed");
    expect(await check(hmac(secret, body).toString("hex"))).toBe("malformed");
    expect(await check(`sha256=${signature}`)).toBe("malformed");
  });

  it("makes types of topics, with dots for slashes, so that patterns match", () => {
    expect(read({ body: { id: 1 } })).toEqual([{ type: "orders.create", id: "w-1", data: { id: 1 } }]);
    expect(read({ headers: { "x-shopify-topic": "a/b/c" } })).toEqual([
      { type: "a.b.c", id: undefined, data: {} },
    ]);
  });

  it("goes by the webhook's id, which stays on a retry, not by the event's, which several webhooks share", () => {
    expect(read({ headers: { ...headers, "x-shopify-webhook-id": "w-2" } })).toMatchObject([{ id: "w-2" }]);
    expect(read({ headers: { "x-shopify-topic": "a/b", "x-shopify-event-id": "e" } })).toMatchObject([
      { id: undefined },
    ]);
    expect(source.deduplicateBy).toBeUndefined();
  });

  it("says that the topic is missing", () => {
    const fault = { fault: "the header X-Shopify-Topic is missing" };
    expect(read({ headers: {} })).toEqual(fault);
    expect(read({ headers: { ...headers, "x-shopify-topic": "" } })).toEqual(fault);
    expect(read({ headers: Object.create(headers) })).toEqual(fault);
  });

  it("composes what it reads", () => {
    const composed = source.compose?.({ type: "orders.create", id: "w", data: { a: 1 }, nowMs: 0 });
    expect(composed?.headers).toMatchObject({ "x-shopify-topic": "orders/create" });
    expect(read({ body: JSON.parse(composed?.body ?? ""), headers: composed?.headers })).toEqual([
      { type: "orders.create", id: "w", data: { a: 1 } },
    ]);
  });

  it("keeps the shop, the version and the time for handlers, and waits as long as Shopify does", () => {
    expect(source.headers).toEqual(
      expect.arrayContaining(["x-shopify-shop-domain", "x-shopify-api-version", "x-shopify-triggered-at"]),
    );
    expect(source.headers).not.toContain("x-shopify-hmac-sha256");
    expect(source.deadline).toBe("5s");
  });

  it.each([
    [{ secret: "hush" }, /^shopify\.secret has 4 bytes/],
    [{ secret: undefined }, /^shopify\.secret is undefined/],
    [{ secret, insecureShortSecret: "true" }, /^shopify\.insecureShortSecret must be true/],
    [{ clientSecret: secret }, /^shopify has no option "clientSecret"/],
  ])("F07 refuses the options %j", (options, message) => {
    expect(() => shopify(options as never)).toThrow(TypeError);
    expect(() => shopify(options as never)).toThrow(message);
  });
});
