import { describe, expect, it, jest } from "@jest/globals";
import { createAllowlist, createReceiver, type ExplainRequest } from "hookgate";
import { sqliteEngine } from "hookgate/sqlite";
import { createFakeClock, createTestSigner, memoryEngine, sendDelivery } from "hookgate/testing";
import { z } from "zod";
import { quiet } from "../support/quiet.js";

const key = "canary-service-key-0123456789abcdef";
const clock = createFakeClock();
const signer = await createTestSigner("ES256");
const refused = jest.fn();
const handler = jest.fn();
const list = createAllowlist({ ranges: ["203.0.113.0/24"], mode: "enforce" });
const receiver = createReceiver({
  name: "orders",
  events: { "order.paid": z.object({ orderId: z.string() }), "order.noted": z.object({}) },
  auth: { serviceKey: key, jwt: { issuer: "orders", ...signer.verification } },
  allowIps: list,
  clock,
  logger: quiet,
  hooks: { refused },
});
receiver.on("order.paid", handler);
const token = await signer.sign({ iss: "orders", exp: clock.now() / 1000 + 60 });
const good: ExplainRequest = {
  headers: { key, "content-type": "application/json" },
  remoteAddress: "203.0.113.7",
  body: { type: "order.paid", id: "e1", orderId: "canary-body" },
};
const results = async (request: ExplainRequest) => {
  const { status, code, steps } = await receiver.explain(request);
  // The check that ended it; those behind it were skipped.
  const at = steps.findIndex(({ result }) => result === "refused" || result === "answered");
  const behind = steps.slice(at + 1);
  if (at >= 0) expect(behind.map(({ result }) => result)).toEqual(behind.map(() => "skipped"));
  return [status, code, at < 0 ? "passed" : `${steps[at]?.result} by ${steps[at]?.step}`];
};

describe("receiver.explain", () => {
  it("says at each check what was decided", async () => {
    const notAsked = "not looked at: depends on what else is in progress; a live request may be answered 503";
    expect(await receiver.explain(good)).toEqual({
      status: 200,
      code: undefined,
      steps: [
        { step: "method", result: "passed", detail: "POST" },
        { step: "address", result: "passed", detail: "from 203.0.113.7" },
        { step: "handshake", result: "skipped", detail: "nothing to check" },
        { step: "headers", result: "passed", detail: "2 lines" },
        { step: "content type", result: "passed", detail: "json" },
        { step: "capacity", result: "skipped", detail: notAsked },
        {
          step: "credential",
          result: "passed",
          detail: 'service-key "key-1" of tenant "default", service "orders"',
        },
        { step: "owner allowlist", result: "skipped", detail: "nothing to check" },
        { step: "capacity to read", result: "skipped", detail: notAsked },
        { step: "body", result: "passed", detail: expect.stringMatching(/^\d+ bytes$/) },
        { step: "capacity to handle", result: "skipped", detail: notAsked },
        { step: "body hash", result: "skipped", detail: "nothing to check" },
        { step: "signature", result: "skipped", detail: "nothing to check" },
        { step: "parse", result: "passed", detail: "read as json" },
        { step: "challenge", result: "skipped", detail: "nothing to check" },
        { step: "events", result: "passed", detail: 'type "order.paid", id "e1"' },
        { step: "handlers", result: "passed", detail: "order.paid" },
        { step: "schema", result: "passed", detail: expect.any(String) },
      ],
    });
  });

  it.each<[string, ExplainRequest, unknown[]]>([
    ["a method", { ...good, method: "PUT" }, [405, "ERR_METHOD", "refused by method"]],
    [
      "an address",
      { ...good, remoteAddress: "192.0.2.1" },
      [403, "ERR_ADDRESS_REFUSED", "refused by address"],
    ],
    [
      "a key",
      { ...good, headers: { ...good.headers, key: "x" } },
      [401, "ERR_KEY_INVALID", "refused by credential"],
    ],
    [
      "a token",
      { ...good, headers: { ...good.headers, authorization: "Bearer x" } },
      [401, "ERR_TOKEN_INVALID", "refused by credential"],
    ],
    [
      "a good token",
      { ...good, headers: { "content-type": "application/json", authorization: `Bearer ${token}` } },
      [200, undefined, "passed"],
    ],
    [
      "keys twice",
      { ...good, headers: { ...good.headers, key: [key, key] } },
      [400, "ERR_CREDENTIAL_REPEATED", "refused by credential"],
    ],
    ["a body", { ...good, body: "{" }, [400, "ERR_BODY_MALFORMED", "refused by parse"]],
    [
      "a long body, which its header announces",
      { ...good, body: " ".repeat(262_145) },
      [413, "ERR_BODY_TOO_LARGE", "refused by headers"],
    ],
    [
      "a long body in chunks",
      { ...good, headers: { ...good.headers, "transfer-encoding": "chunked" }, body: " ".repeat(262_145) },
      [413, "ERR_BODY_TOO_LARGE", "refused by body"],
    ],
    [
      "OPTIONS",
      { ...good, method: "OPTIONS", remoteAddress: "192.0.2.1" },
      [204, undefined, "answered by method"],
    ],
    ["a type nobody handles", { ...good, body: { type: "order.noted" } }, [200, undefined, "passed"]],
    ["a type nobody declared", { ...good, body: { type: "constructor" } }, [200, undefined, "passed"]],
    ["data", { ...good, body: { type: "order.paid" } }, [422, "ERR_EVENT_INVALID", "refused by schema"]],
  ])("decides on %s as a delivery would", async (_what, request, expected) => {
    expect(await results(request)).toEqual(expected);
  });

  it("warns of a list in shadow mode, and hints at a proxy that was not declared", async () => {
    const shadowed = createReceiver({
      name: "shadowed",
      auth: { dangerouslyAcceptAnyone: true },
      allowIps: { ranges: ["203.0.113.0/24"], mode: "shadow" },
      type: () => "any",
      logger: quiet,
    });
    const { steps } = await shadowed.explain({
      remoteAddress: "10.0.0.1",
      headers: { "content-type": "application/json", "x-forwarded-for": "203.0.113.7" },
      body: {},
    });
    const found = (name: string) => steps.find(({ step }) => step === name);
    expect(found("address")).toMatchObject({ result: "warned" });
    expect(found("address")?.detail).toContain("declare it in clientAddress.trustedProxies");
    expect(found("credential")?.detail).toBe("anyone is accepted (dangerouslyAcceptAnyone)");
  });

  it("I01 has no side effects and holds no key, token or body", async () => {
    const text = JSON.stringify([
      await receiver.explain(good),
      await receiver.explain({ ...good, body: { type: "order.paid" } }),
    ]);
    expect(text).not.toContain("canary");
    expect(text).not.toContain(token);
    expect(handler).not.toHaveBeenCalled();
    expect(refused).not.toHaveBeenCalled();
  });

  it("says the same as a delivery that is sent", async () => {
    const listener = receiver.requestListener("/");
    const { status } = await sendDelivery(
      listener,
      { key, body: good.body },
      { remoteAddress: "203.0.113.7" },
    );
    expect(status).toBe((await receiver.explain(good)).status);
  });

  it.each([[null], ["x"], [{ header: {} }], [{ headers: { a: 1 } }]])("refuses %j", async (request) => {
    await expect(receiver.explain(request as ExplainRequest)).rejects.toThrow(TypeError);
  });
});

describe("receiver.diagnose", () => {
  it("lists what is allowed and seldom meant", () => {
    expect(receiver.diagnose()).toEqual([
      expect.stringContaining('no handler for the declared event type "order.noted"'),
    ]);
    const open = createReceiver({ name: "open", auth: { dangerouslyAcceptAnyone: true }, logger: quiet });
    open.onAny(() => {});
    expect(open.diagnose()).toEqual([expect.stringContaining("anyone may call")]);
    const over = createReceiver({
      name: "over",
      auth: { serviceKey: { keys: [{ id: "old", key, state: "inactive" }] } },
      allowIps: { ranges: ["203.0.113.0/24"], mode: "shadow" },
      logger: quiet,
    });
    over.onAny(() => {});
    expect(over.diagnose()).toEqual([
      expect.stringContaining("shadow mode"),
      expect.stringContaining('"service-key" is accepted'),
    ]);
  });

  it("are logged by start", async () => {
    const warn = jest.fn();
    const made = createReceiver({
      name: "open",
      auth: { dangerouslyAcceptAnyone: true },
      logger: { ...quiet, warn },
    });
    await made.start();
    expect(warn).toHaveBeenCalledWith({ receiver: "open" }, expect.stringContaining("anyone may call"));
  });

  it.each([
    ['sqliteEngine(":memory:")', () => sqliteEngine(":memory:"), true],
    ["memoryEngine() of hookgate/testing, which start() takes for a test", () => memoryEngine(), false],
  ])("name an inbox that is not durable: %s", async (_name, engine, logged) => {
    const warnings: string[] = [];
    const made = createReceiver({
      name: "volatile",
      auth: { serviceKey: key },
      inbox: { engine: engine() },
      logger: { ...quiet, warn: (_details, message) => warnings.push(message) },
    });
    const finding = "the engine of `inbox` is not durable";
    made.onAny(() => {});
    expect(made.diagnose()).toEqual([expect.stringContaining(finding)]);
    await made.start();
    expect(warnings.filter((message) => message.includes(finding))).toHaveLength(logged ? 1 : 0);
    await made.close();
  });

  it("have nothing to say of an inbox in a file", () => {
    const inbox = { engine: sqliteEngine("never-opened.db") };
    const kept = createReceiver({ name: "kept", auth: { serviceKey: key }, inbox });
    kept.onAny(() => {});
    // Another test of this process may have loaded another SQLite library.
    expect(kept.diagnose().filter((finding) => !finding.includes("another SQLite library"))).toEqual([]);
  });
});
