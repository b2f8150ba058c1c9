import { describe, expect, it } from "@jest/globals";
import { onFirstUse } from "../../../src/lib/module-loading.js";

describe("onFirstUse", () => {
  it("loads nothing before the first call, and once for all calls", async () => {
    let loads = 0;
    const get = onFirstUse(async () => ++loads);
    expect(loads).toBe(0);
    expect(await Promise.all([get(), get()])).toEqual([1, 1]);
    expect(await get()).toBe(1);
  });

  it("tries again after a failure", async () => {
    let loads = 0;
    const get = onFirstUse(async () => {
      if (++loads === 1) throw new Error("not there");
      return loads;
    });
    await expect(get()).rejects.toThrow("not there");
    expect(await get()).toBe(2);
  });
});
