import { describe, expect, it } from "@jest/globals";
import { type Clock, parseClock, systemClock, timeOf } from "../../../src/lib/clock.js";

const fail = (): never => {
  throw new Error("no time");
};

describe("parseClock", () => {
  it("takes the machine's clock where none is given", () => {
    expect(parseClock(undefined, "clock")).toBe(systemClock);
  });

  it.each([[{}], [{ now: () => 1 }], [null], ["now"]])("refuses %j", (clock) => {
    expect(() => parseClock(clock as unknown as Clock, "clock")).toThrow(/^clock must have the methods/);
  });

  it.each([[Number.NaN], [Number.POSITIVE_INFINITY], [undefined], ["1"], [new Date()]])(
    "throws where now() returns %p, which would compare with nothing",
    (nowMs) => {
      const clock = parseClock({ now: () => nowMs as number, after: () => () => {} }, "clock");
      expect(() => clock.now()).toThrow(/the clock's now\(\) returned/);
    },
  );

  it("lets through what now() throws", () => {
    expect(() => parseClock({ now: fail, after: () => () => {} }, "clock").now()).toThrow("no time");
  });

  it("takes the machine's timers where after() throws, and ends one whose end throws", async () => {
    const broken = parseClock({ now: () => 1, after: fail }, "clock");
    await new Promise<void>((resolve) => void broken.after(1, resolve));
    const endless = parseClock({ now: () => 1, after: () => fail }, "clock");
    expect(() => endless.after(1, () => {})()).not.toThrow();
  });

  it("keeps the methods of a class", () => {
    class Fixed implements Clock {
      readonly #nowMs = 5;
      now(): number {
        return this.#nowMs;
      }
      after(_ms: number, callback: () => void): () => void {
        callback();
        return () => {};
      }
    }
    const clock = parseClock(new Fixed(), "clock");
    let called = 0;
    clock.after(1, () => called++);
    expect([clock.now(), called]).toEqual([5, 1]);
  });
});

describe("timeOf", () => {
  it("is the clock's, and the machine's where the clock fails", () => {
    expect(timeOf({ now: () => 5 })).toBe(5);
    const before = Date.now();
    expect(timeOf({ now: fail })).toBeGreaterThanOrEqual(before);
  });
});
