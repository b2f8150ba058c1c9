import { describe, expect, it } from "@jest/globals";
import { BoundedCache } from "../../../src/lib/bounded-cache.js";

describe("BoundedCache", () => {
  it("I08 never holds more than its capacity, whatever is put in", () => {
    const cache = new BoundedCache<number>(100);
    for (let i = 0; i < 10_000; i++) {
      cache.set(String(i), i);
      expect(cache.size).toBeLessThanOrEqual(100);
    }
    expect(cache.get("9999")).toBe(9999);
    expect(cache.get("0")).toBeUndefined();
  });

  it("keeps what is asked for", () => {
    const cache = new BoundedCache<number>(10);
    cache.set("kept", 1);
    for (let i = 0; i < 100; i++) {
      cache.set(String(i), i);
      expect(cache.get("kept")).toBe(1);
    }
  });

  it("replaces and takes out, in either generation", () => {
    const cache = new BoundedCache<number>(4);
    cache.set("a", 1);
    cache.set("a", 2);
    cache.set("b", 1);
    cache.set("c", 1);
    expect(cache.get("a")).toBe(2);
    cache.delete("a");
    cache.delete("b");
    expect([cache.get("a"), cache.get("b"), cache.get("c"), cache.size]).toEqual([
      undefined,
      undefined,
      1,
      1,
    ]);
  });
});
