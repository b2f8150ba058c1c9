import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { createFakeClock } from "hookgate/testing";
import { type AuthPolicy, authenticate } from "../../src/auth/authenticate.js";
import { singleServiceCredentials } from "../../src/auth/credentials/define.js";
import { FailureRateLimiter } from "../../src/auth/failure-limiter.js";
import { VerifiedTokenCache } from "../../src/auth/jwt/cache.js";
import { createMediaTypes } from "../../src/body/media-type.js";
import { Refusal } from "../../src/errors.js";
import { createHandlers } from "../../src/events/handlers.js";
import { createCatalog } from "../../src/events/schemas.js";
import { BoundedCache } from "../../src/lib/bounded-cache.js";
import { signHs } from "../unit/auth/jwt/token-builder.js";
import { runs } from "./settings.js";

/**
 * Watches every Map and BoundedCache of the code under test for its largest size. FUZZ_RUNS=1000000 is the number that
 * the promise speaks of; the bounds show with far less.
 */
const largest = { map: 0, cache: 0 };
const setInMap = Map.prototype.set;
const setInCache = BoundedCache.prototype.set;

beforeEach(() => {
  largest.map = 0;
  largest.cache = 0;
  Map.prototype.set = function (this: Map<unknown, unknown>, key, value) {
    setInMap.call(this, key, value);
    largest.map = Math.max(largest.map, this.size);
    return this;
  };
  BoundedCache.prototype.set = function (this: BoundedCache<unknown>, key, value) {
    setInCache.call(this, key, value);
    largest.cache = Math.max(largest.cache, this.size);
  };
});
afterEach(() => {
  Map.prototype.set = setInMap;
  BoundedCache.prototype.set = setInCache;
});

const clock = createFakeClock();
const key = "canary-key-0123456789abcdef0123456789";
const secret = Buffer.from("canary-secret-0123456789abcdef-of-32-bytes");
const { credentials } = singleServiceCredentials(
  { name: "orders", serviceKey: key, jwt: { issuer: "orders", secret } },
  "auth",
  clock,
);
const policy: AuthPolicy = {
  keyKinds: ["service-key"],
  keyHeader: "key",
  credentials,
  tokens: new VerifiedTokenCache(credentials),
};
const ask = (...rawHeaders: string[]) => authenticate("/", rawHeaders, policy, clock.now());

describe("I08 what is remembered stays bounded", () => {
  it("over distinct tokens that pass", async () => {
    const exp = clock.now() / 1000 + 60;
    for (let n = 0; n < runs(5000); n++) {
      const token = signHs({ alg: "HS256" }, { iss: "orders", exp, jti: `j${n}` }, secret);
      expect(await ask("Authorization", `Bearer ${token}`)).not.toBeInstanceOf(Refusal);
    }
    expect(largest.cache).toBeGreaterThan(1000);
    expect(largest.cache).toBeLessThanOrEqual(2000);
    expect(largest.map).toBeLessThanOrEqual(1000);
  });

  it("over distinct tokens, kids and issuers that do not, and nothing of them is kept", async () => {
    for (let n = 0; n < runs(5000); n++) {
      const token = signHs({ alg: "HS256", kid: `k${n}` }, { iss: n % 2 === 0 ? "orders" : `i${n}` }, secret);
      expect(await ask("Authorization", `Bearer ${token}`)).toMatchObject({ code: "ERR_TOKEN_INVALID" });
    }
    expect(largest.cache).toBe(0);
    expect(largest.map).toBeLessThanOrEqual(10);
  });

  it("over distinct keys", async () => {
    for (let n = 0; n < runs(10_000); n++) {
      expect(await ask("Key", `${key}${n}`)).toMatchObject({ code: "ERR_KEY_INVALID" });
    }
    expect(largest).toEqual({ map: 0, cache: 0 });
  });

  it("C14 I06 over distinct addresses and networks that fail", () => {
    const budget = new FailureRateLimiter(1);
    const refusal = new Refusal("ERR_KEY_INVALID", "wrong");
    for (let n = 0; n < runs(30_000); n++) {
      budget.count(refusal, { family: 4, words: [n] }, clock.now());
      budget.count(refusal, { family: 6, words: [0x20010db8, n, 0, n] }, clock.now());
    }
    expect(largest.cache).toBeGreaterThan(5000);
    expect(largest.cache).toBeLessThanOrEqual(10_000);
    expect(largest.map).toBeLessThanOrEqual(5000);
  });

  it("over distinct content types", () => {
    const mediaTypes = createMediaTypes(["json"]);
    for (let n = 0; n < runs(10_000); n++) {
      expect(mediaTypes(["Content-Type", `application/json; v=${n}`])).toBe("json");
      expect(mediaTypes(["Content-Type", `application/x${n}`])).toBeInstanceOf(Refusal);
    }
    expect(largest.map).toBeLessThanOrEqual(16);
  });

  it.each([
    ["without a catalog", undefined],
    ["with one", { "a.b": schema() }],
  ])("over distinct event types, %s", (_name, events) => {
    const handlers = createHandlers(createCatalog(events, "events"));
    handlers.on("a.b", () => {});
    handlers.on("a.*", () => {});
    handlers.onAny(() => {}, { name: "all" });
    largest.map = 0;
    for (let n = 0; n < runs(10_000); n++) {
      handlers.handlersFor(`a.${n}`);
      handlers.handlersFor(`b${n}`);
    }
    expect(handlers.handlersFor("a.b")).toHaveLength(3);
    expect(largest.map).toBeLessThanOrEqual(1);
  });
});

function schema() {
  return { "~standard": { version: 1 as const, vendor: "x", validate: (value: unknown) => ({ value }) } };
}
