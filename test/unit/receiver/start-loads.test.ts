import { describe, expect, it, jest } from "@jest/globals";

const loaded: string[] = [];

jest.unstable_mockModule("raw-body", () => {
  loaded.push("raw-body");
  return { default: () => {} };
});
jest.unstable_mockModule("jose/jws/compact/verify", () => {
  loaded.push("jose");
  return { compactVerify: () => {} };
});

const { createReceiver } = await import("../../../src/index.js");

const serviceKey = "start-loads-0123456789abcdef-0123456789abcdef";
const jwt = { issuer: "orders", secret: "start-loads-0123456789abcdef-fedcba9876543210" };

describe("packages that importing hookgate does not load", () => {
  it("are loaded by start, so that the first delivery need not wait: jose only where JWTs are accepted", async () => {
    const keys = createReceiver({ name: "keys", auth: { serviceKey } });
    const tokens = createReceiver({ name: "tokens", auth: { jwt } });
    expect(loaded).toEqual([]);
    await keys.start();
    expect(loaded).toEqual(["raw-body"]);
    await tokens.start();
    expect(loaded).toEqual(["raw-body", "jose"]);
    await Promise.all([keys.close(), tokens.close()]);
  });
});
