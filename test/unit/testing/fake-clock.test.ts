import { describe, expect, it } from "@jest/globals";
import { createFakeClock } from "../../../src/testing/fake-clock.js";

describe("createFakeClock", () => {
  it("starts at an instant and moves by durations", () => {
    const clock = createFakeClock("2026-01-31T23:59:59Z");
    clock.advance("1.5s");
    expect(new Date(clock.now()).toISOString()).toBe("2026-02-01T00:00:00.500Z");
  });

  it("calls the timers that fall due, in order, each at its time", () => {
    const clock = createFakeClock();
    const start = clock.now();
    const calls: number[] = [];
    clock.after(2_000, () => calls.push(clock.now() - start));
    clock.after(1_000, () => calls.push(clock.now() - start));
    clock.after(3_001, () => calls.push(clock.now() - start));
    clock.advance("3s");
    expect(calls).toEqual([1_000, 2_000]);
    expect(clock.pending).toBe(1);
  });

  it("is set back and forth without calling a timer", () => {
    const clock = createFakeClock("2026-01-01T00:00:00Z");
    let called = false;
    clock.after(1_000, () => {
      called = true;
    });
    clock.set("2027-01-01T00:00:00Z");
    clock.set(new Date(0));
    expect({ called, now: clock.now(), pending: clock.pending }).toEqual({
      called: false,
      now: 0,
      pending: 1,
    });
  });

  it("says what it takes", () => {
    const clock = createFakeClock();
    expect(() => clock.advance(1_000 as never)).toThrow('such as "250ms"');
    expect(() => createFakeClock(1_000 as never)).toThrow(
      "createFakeClock's start must be a Date or ISO 8601 text",
    );
    expect(() => clock.set("tomorrow")).toThrow("the clock's time must be a Date or ISO 8601 text");
  });
});
