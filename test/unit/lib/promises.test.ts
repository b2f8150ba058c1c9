import { describe, expect, it } from "@jest/globals";
import { withDeadline } from "../../../src/lib/promises.js";
import { createFakeClock } from "../../../src/testing/fake-clock.js";

function scene() {
  const clock = createFakeClock();
  const listeners = new Set<() => void>();
  const onGone = (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return { clock, listeners, patience: { clock, deadlineMs: 100, onGone } };
}

describe("withDeadline", () => {
  it("settles as the promise does, and leaves neither timer nor listener", async () => {
    const { clock, listeners, patience } = scene();
    expect(await withDeadline(Promise.resolve(1), patience, () => 2)).toBe(1);
    await expect(withDeadline(Promise.reject(new Error("no")), patience, () => 2)).rejects.toThrow("no");
    expect([clock.pending, listeners.size]).toEqual([0, 0]);
  });

  it("gives the other value at the deadline, and takes no notice of what comes later", async () => {
    const { clock, listeners, patience } = scene();
    const late = withDeadline(new Promise(() => {}), patience, (why) => why);
    clock.advance("99ms");
    expect(listeners.size).toBe(1);
    clock.advance("1ms");
    expect(await late).toBe("late");
    let reject: (error: Error) => void = () => {};
    const rejecting = new Promise<number>((_resolve, no) => {
      reject = no;
    });
    const second = withDeadline(rejecting, patience, (why) => why);
    clock.advance("100ms");
    reject(new Error("late"));
    expect(await second).toBe("late");
    expect([clock.pending, listeners.size]).toEqual([0, 0]);
  });

  it("gives the other value where nobody waits any more", async () => {
    const { clock, listeners, patience } = scene();
    const gone = withDeadline(new Promise(() => {}), patience, (why) => why);
    for (const listener of [...listeners]) listener();
    expect(await gone).toBe("gone");
    expect([clock.pending, listeners.size]).toEqual([0, 0]);
  });

  it("rejects with what the other value throws", async () => {
    const { clock, patience } = scene();
    const late = withDeadline(new Promise(() => {}), patience, () => {
      throw new Error("no answer");
    });
    clock.advance("100ms");
    await expect(late).rejects.toThrow("no answer");
  });
});
