import { describe, expect, it } from "@jest/globals";
import {
  createReceiver,
  credentialsFromLookup,
  defineCredentials,
  OptionError,
  requireAllowedIp,
  requireAuth,
} from "hookgate";
import { memoryEngine } from "hookgate/testing";
import { optionPlaces } from "../../../src/lib/option-places.js";

const key = "option-places-0123456789abcdef0123456789abcdef";

/** Makes a receiver with an inbox and a handler, where the options at a place have something more. */
function make(place: string, more: object): void {
  const at = (where: string): object => (where === place ? more : {});
  const receiver = createReceiver({
    name: "orders",
    auth: { serviceKey: key, ...at("auth") },
    inbox: {
      engine: memoryEngine(),
      ...at("inbox"),
      retry: at("inbox.retry"),
      retention: at("inbox.retention"),
    },
    body: at("body"),
    clientAddress: at("clientAddress"),
    allowIps: { ranges: ["192.0.2.0/24"], ...at("allowIps") },
    ...at("createReceiver's own options"),
  } as never);
  receiver.on("order.paid", () => {}, at("the options of on()"));
}

function errorOf(run: () => unknown): OptionError {
  try {
    run();
  } catch (error) {
    if (error instanceof OptionError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("options in the wrong place", () => {
  it.each([...optionPlaces])("knows all of %s", (place, names) => {
    const { message } = errorOf(() => make(place, { zzzzzzzzzzzzzzzz: 1 }));
    const known = (/known options: (.*)$/.exec(message)?.[1] ?? "").split(", ");
    expect([...names].sort()).toEqual(known.sort());
  });

  it.each<[string, object, string, string]>([
    [
      "createReceiver's own options",
      { retry: {} },
      "retry",
      'createReceiver has no option "retry"; `retry` belongs in `inbox`, or in the options of on(): write `inbox: { retry: … }`',
    ],
    [
      "createReceiver's own options",
      { engine: {} },
      "engine",
      'createReceiver has no option "engine"; `engine` belongs in `inbox`: write `inbox: { engine: … }`',
    ],
    [
      "createReceiver's own options",
      { serviceKey: key },
      "serviceKey",
      'createReceiver has no option "serviceKey"; `serviceKey` belongs in `auth`: write `auth: { serviceKey: … }`',
    ],
    [
      "createReceiver's own options",
      { trustedProxies: 1 },
      "trustedProxies",
      'createReceiver has no option "trustedProxies"; `trustedProxies` belongs in `clientAddress`: write `clientAddress: { trustedProxies: … }`',
    ],
    [
      "inbox",
      { maxBytes: 1 },
      "inbox.maxBytes",
      'createReceiver.inbox has no option "maxBytes"; `maxBytes` belongs in `body`: write `body: { maxBytes: … }`',
    ],
    [
      "inbox.retry",
      { maxAttempts: 1 },
      "inbox.retry.maxAttempts",
      'createReceiver.inbox.retry has no option "maxAttempts"; `maxAttempts` belongs in `inbox`, or in the options of on(): write `inbox: { maxAttempts: … }`',
    ],
    [
      "inbox",
      { handlerTimeoutMs: 1 },
      "inbox.handlerTimeoutMs",
      'createReceiver.inbox has no option "handlerTimeoutMs"; `handlerTimeoutMs` belongs in createReceiver\'s own options',
    ],
    [
      "the options of on()",
      { leaseMs: 1_000 },
      "leaseMs",
      'on("order.paid") options has no option "leaseMs"; `leaseMs` belongs in `inbox`: write `inbox: { leaseMs: … }`',
    ],
    [
      "body",
      { maxByte: 1 },
      "body.maxByte",
      'createReceiver.body has no option "maxByte"; did you mean "maxBytes"?',
    ],
  ])("in %s: %j", (place, more, option, message) => {
    const error = errorOf(() => make(place, more));
    expect(error).toMatchObject({ code: "ERR_OPTION", option, message });
  });

  it("says so where the engine is given as the inbox", () => {
    const error = errorOf(() => make("createReceiver's own options", { inbox: memoryEngine() }));
    expect(error.message).toBe("createReceiver.inbox is an engine itself: write `inbox: { engine: … }`");
    expect(error.option).toBe("inbox");
  });
});

describe("an error about an option", () => {
  it.each<[string, () => unknown]>([
    ["name", () => make("createReceiver's own options", { name: "" })],
    ["inbox.leaseMs", () => make("inbox", { leaseMs: 1 })],
    ["inbox.retry.baseMs", () => make("inbox.retry", { baseMs: "1" })],
    ["auth.serviceKey", () => make("auth", { serviceKey: "short" })],
    ["auth.jwt.issuer", () => make("auth", { jwt: { secret: key } })],
    ["allowIps.ranges", () => make("allowIps", { ranges: ["300.0.0.0/8"] })],
    ["events", () => make("createReceiver's own options", { events: {} })],
    ["hooks.refused", () => make("createReceiver's own options", { hooks: { refused: 1 } })],
    ["keepStacks", () => make("createReceiver's own options", { keepStacks: "no" })],
    ["logger", () => make("createReceiver's own options", { logger: {} })],
    ["timeoutMs", () => make("the options of on()", { timeoutMs: 0 })],
    ["name", () => make("the options of on()", { name: "\n" })],
    ["orderBy", () => make("the options of on()", { orderBy: 1 })],
    ["types", () => createReceiver({ name: "a", auth: { serviceKey: key } }).on("a*b", () => {})],
    ["handler", () => createReceiver({ name: "a", auth: { serviceKey: key } }).on("a", 1 as never)],
    ["realm", () => requireAuth({ serviceKey: key, realm: "" })],
    ["name", () => requireAllowedIp(["192.0.2.1"], { name: "" })],
    ["list", () => requireAllowedIp(1 as never)],
    ["tenants", () => defineCredentials({ tenants: 1 } as never)],
    ["timeout", () => credentialsFromLookup({ key: () => undefined }, { timeout: "0s" })],
    ["options", () => createReceiver(undefined as never)],
  ])("is a TypeError with its code, and names %s", (option, run) => {
    const error = errorOf(run);
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({ name: "TypeError", code: "ERR_OPTION", option });
  });
});
