import { describe, expect, it } from "@jest/globals";
import { readHandler } from "../../../src/events/handlers.js";

function read(options: unknown, tasks: { readonly ordered: boolean } | undefined) {
  return readHandler('on("a")', "a", () => {}, { options, tasks });
}

describe("the options of a handler", () => {
  it("has other defaults with an inbox than without", () => {
    expect(read(undefined, undefined)).toMatchObject({
      concurrency: Number.POSITIVE_INFINITY,
      onDeadLetter: "continue",
    });
    expect(read({}, { ordered: false })).toMatchObject({
      concurrency: 20,
      maxAttempts: undefined,
      retry: undefined,
    });
  });

  it.each<[object, string]>([
    [{ maxAttempts: 0 }, 'on("a") maxAttempts must be a whole number from 1'],
    [{ maxAttempts: 10_001 }, "maxAttempts"],
    [{ retry: 5 }, 'on("a") retry must be an object'],
    [{ onDeadLetter: "stop" }, 'on("a") onDeadLetter must be one of "continue", "block"'],
    [{ orderingKey: "id" }, "orderingKey must be a function that returns an event's key, not a string"],
    [{ orderingkey: () => "a" }, 'did you mean "orderingKey"?'],
    [{ concurrency: 0 }, "concurrency"],
  ])("refuses %p", (options, message) => {
    expect(() => read(options, { ordered: true })).toThrow(TypeError);
    expect(() => read(options, { ordered: true })).toThrow(message);
  });

  it.each([["maxAttempts"], ["retry"], ["orderingKey"], ["onDeadLetter"]])(
    "refuses %s without an inbox",
    (option) => {
      expect(() => read({ [option]: 1 }, undefined)).toThrow(
        `on("a") ${option} is for handlers that are run from an inbox`,
      );
      expect(() => read({ [option]: undefined }, undefined)).not.toThrow();
    },
  );
});
