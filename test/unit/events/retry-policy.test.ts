import { describe, expect, it } from "@jest/globals";
import {
  defaultRetry,
  parseRetry,
  type RetryFailure,
  type RetryPolicy,
} from "../../../src/events/retry-policy.js";

function failure(attempt: number): RetryFailure {
  return { attempt, error: new Error("no"), event: { id: "e1", type: "order.paid", data: 1 } };
}

function policy(options: unknown): RetryPolicy {
  const parsed = parseRetry(options, "retry");
  if (parsed === undefined) throw new Error("left out");
  return parsed;
}

describe("retry", () => {
  it("H10 backs off by doubling, at random from nothing up to the whole, at most six hours", () => {
    const most = (attempt: number): number | undefined =>
      defaultRetry.delayMs(failure(attempt), 0.999_999_999_9);
    expect([1, 2, 3, 4, 15, 16, 1_000, 10_000].map(most)).toEqual([
      999, 1_999, 3_999, 7_999, 16_383_999, 21_599_999, 21_599_999, 21_599_999,
    ]);
    expect(defaultRetry.delayMs(failure(5), 0)).toBe(0);
    expect(defaultRetry.delayMs(failure(5), 0.5)).toBe(8_000);
  });

  it("takes another base and another bound", () => {
    const own = policy({ minDelay: "100ms", maxDelay: "350ms" });
    expect([1, 2, 3, 9].map((attempt) => own.delayMs(failure(attempt), 0.5))).toEqual([50, 100, 175, 175]);
  });

  it("takes the word of a function: a duration, or none", () => {
    const seen: RetryFailure[] = [];
    const own = policy((given: RetryFailure) => {
      seen.push(given);
      return given.attempt === 1 ? "1.5s" : undefined;
    });
    expect([own.delayMs(failure(1), 0.5), own.delayMs(failure(2), 0.5)]).toEqual([1_500, undefined]);
    expect(seen[0]).toEqual(failure(1));
    expect(policy(() => "4000d").delayMs(failure(1), 0)).toBe(315_360_000_000);
  });

  it.each([[Number.NaN], [-1], [5_000], ["5"], ["-1s"], [null], [Promise.resolve("1s")]])(
    "refuses %p from a function",
    (given) => {
      expect(() => policy(() => given).delayMs(failure(1), 0)).toThrow(
        'retry must return a duration such as "30s", or undefined',
      );
    },
  );

  it.each<[unknown, string]>([
    [5, "retry must be an object"],
    [{ minDelays: 5 }, 'retry has no option "minDelays"; did you mean "minDelay"?'],
    [{ minDelay: "0ms" }, 'retry.minDelay must be a duration such as "10s", from "1ms" to "24h"'],
    [{ maxDelay: 60_000 }, 'not 60000; write maxDelay: "1m"'],
    [{ maxDelay: Number.POSITIVE_INFINITY }, "retry.maxDelay must be a duration"],
  ])("refuses %p", (options, message) => {
    expect(() => parseRetry(options, "retry")).toThrow(message);
  });

  it("is undefined where it was left out", () => {
    expect(parseRetry(undefined, "retry")).toBeUndefined();
  });
});
