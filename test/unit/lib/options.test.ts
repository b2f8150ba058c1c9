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
import {
  assertOptions,
  choiceOption,
  describe as describeValue,
  flagOption,
  numberOption,
  optionKeys,
  optionPlaces,
  own,
  stringOption,
} from "../../../src/lib/options.js";
import { printable } from "../../../src/lib/printable.js";

const known = optionKeys<{ maxBytes: number; timeout: string; types: string[] }>({
  maxBytes: true,
  timeout: true,
  types: true,
});
const bounds = { min: 1, max: 10, fallback: 5 };

describe("assertOptions", () => {
  it("takes an empty object, a null-prototype object and known options", () => {
    for (const options of [{}, Object.create(null), { maxBytes: undefined }]) {
      expect(() => assertOptions(options, known, "body")).not.toThrow();
    }
  });

  it.each([undefined, null, 1, "x", true, [], () => 1])("refuses %p", (value) => {
    expect(() => assertOptions(value, known, "body")).toThrow(/^body must be an object, not /);
  });

  it("names the near miss of an unknown option", () => {
    expect(() => assertOptions({ maxbytes: 1 }, known, "body")).toThrow(
      `body has no option "maxbytes"; did you mean "maxBytes"?`,
    );
    expect(() => assertOptions({ timeouts: 1 }, known, "body")).toThrow(`did you mean "timeout"?`);
  });

  it("lists the known options where nothing is near", () => {
    expect(() => assertOptions({ somethingElse: 1 }, known, "body")).toThrow(
      "known options: maxBytes, timeout, types",
    );
    expect(() => assertOptions({ [Symbol("x")]: 1 }, known, "body")).toThrow("Symbol(x)");
  });

  it("I09 sees own properties only", () => {
    const polluted = Object.create({ unknown: 1, maxBytes: 9 });
    expect(() => assertOptions(polluted, known, "body")).not.toThrow();
    expect(own(polluted as { maxBytes: number }, "maxBytes")).toBeUndefined();
    expect(own({ maxBytes: 2 }, "maxBytes")).toBe(2);
  });
});

describe("numberOption", () => {
  it("gives the default where it was left out, and takes what is within bounds", () => {
    expect(numberOption(undefined, "x", bounds)).toBe(5);
    expect(numberOption(1, "x", bounds)).toBe(1);
    expect(numberOption(2.5, "x", bounds)).toBe(2.5);
  });

  it.each([0, 11, Number.NaN, Number.POSITIVE_INFINITY, -1, "5", null, {}, 5n])("E04 refuses %p", (value) => {
    expect(() => numberOption(value, "body.maxBytes", bounds)).toThrow(
      /^body\.maxBytes must be a number from 1 to 10, not /,
    );
  });

  it("E04 refuses a fraction where a whole number is wanted", () => {
    expect(() => numberOption(2.5, "x", { ...bounds, integer: true })).toThrow(
      "a whole number from 1 to 10, not 2.5",
    );
  });
});

describe("other options", () => {
  it("takes a string with something in it", () => {
    expect(stringOption("a", "x")).toBe("a");
    for (const value of ["", "  ", undefined, 1])
      expect(() => stringOption(value, "x")).toThrow("x must be a string");
  });

  it("takes one of the choices", () => {
    expect(choiceOption(undefined, "x", ["a", "b"], "b")).toBe("b");
    expect(choiceOption("a", "x", ["a", "b"], "b")).toBe("a");
    expect(() => choiceOption("c", "x", ["a", "b"], "b")).toThrow(`x must be one of "a", "b", not a string`);
  });

  it("lets no truthy value weaken a check", () => {
    expect([flagOption(undefined, "x"), flagOption(false, "x"), flagOption(true, "x")]).toEqual([
      false,
      false,
      true,
    ]);
    for (const value of ["true", 1, {}, null])
      expect(() => flagOption(value, "x")).toThrow("x must be true or left out");
  });

  it("I01 never quotes a string, which may be a secret", () => {
    expect(describeValue("hunter2")).toBe("a string");
    expect([null, [], [1], 1, "", undefined, {}, 1n].map(describeValue)).toEqual([
      "null",
      "an empty array",
      "an array",
      "1",
      "an empty string",
      "undefined",
      "an object",
      "a bigint",
    ]);
  });
});

describe("printable", () => {
  it("I02 escapes line breaks, ANSI, U+2028 and whatever is not ASCII", () => {
    expect(printable("a\r\nb\u001b[31m\u2028é")).toBe("a\\u000d\\u000ab\\u001b[31m\\u2028\\u00e9");
  });

  it("caps the length and says how long it was", () => {
    expect(printable("x".repeat(200), 3)).toBe("xxx… (200 characters)");
  });
});

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
      { handlerTimeout: "1s" },
      "inbox.handlerTimeout",
      'createReceiver.inbox has no option "handlerTimeout"; `handlerTimeout` belongs in createReceiver\'s own options',
    ],
    [
      "the options of on()",
      { lease: "1s" },
      "lease",
      'on("order.paid") options has no option "lease"; `lease` belongs in `inbox`: write `inbox: { lease: … }`',
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
    ["inbox.lease", () => make("inbox", { lease: "1ms" })],
    ["inbox.retry.minDelay", () => make("inbox.retry", { minDelay: "1" })],
    ["auth.serviceKey", () => make("auth", { serviceKey: "short" })],
    ["auth.jwt.issuer", () => make("auth", { jwt: { secret: key } })],
    ["allowIps.ranges", () => make("allowIps", { ranges: ["300.0.0.0/8"] })],
    ["events", () => make("createReceiver's own options", { events: {} })],
    ["hooks.refused", () => make("createReceiver's own options", { hooks: { refused: 1 } })],
    ["keepStacks", () => make("createReceiver's own options", { keepStacks: "no" })],
    ["logger", () => make("createReceiver's own options", { logger: {} })],
    ["timeout", () => make("the options of on()", { timeout: "0s" })],
    ["name", () => make("the options of on()", { name: "\n" })],
    ["orderingKey", () => make("the options of on()", { orderingKey: 1 })],
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
