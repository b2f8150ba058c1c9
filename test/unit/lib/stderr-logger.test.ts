import { describe, expect, it } from "@jest/globals";
import { HandlerFailedError } from "../../../src/errors.js";
import { stderrLogger } from "../../../src/lib/stderr-logger.js";
import { createFakeClock } from "../../../src/testing/index.js";

function lineOf(details: object): string {
  const lines: string[] = [];
  stderrLogger(createFakeClock(), (line) => lines.push(line)).error(details, "it failed");
  expect(lines).toHaveLength(1);
  return lines[0] ?? "";
}
const failedBy = (cause: unknown) => new HandlerFailedError('handler "ship" failed', { cause });

describe("stderrLogger", () => {
  it("writes what an error was caused by, down to the first cause, on the same line", () => {
    const line = lineOf({ error: failedBy(new Error("no stock", { cause: new TypeError("no shelf") })) });
    expect(line).toMatch(/handler .+ failed.+caused by: Error: no stock.+caused by: TypeError: no shelf/);
    expect(line).toMatch(/^[^\n]*\n$/);
  });

  it("writes a text that was thrown, and of anything else only its kind", () => {
    expect(lineOf({ error: failedBy("out of ink") })).toContain("caused by: out of ink");
    expect(lineOf({ error: failedBy([{ message: "quotes the body" }]) })).toMatch(/caused by: an array"}$/m);
    expect(lineOf({ error: failedBy(null) })).toContain("caused by: null");
    expect(lineOf({ error: failedBy(undefined) })).not.toContain("caused by: undefined");
  });

  it("ends where errors are each other's cause", () => {
    const error = new Error("hen");
    error.cause = new Error("egg", { cause: error });
    expect(lineOf({ error }).match(/caused by/g)).toHaveLength(5);
  });

  it("writes the sentence alone where the details cannot be read", () => {
    const error = Object.defineProperty(new Error("x"), "stack", {
      get() {
        throw new Error("do not touch");
      },
    });
    expect(lineOf({ error })).toMatch(/ERROR hookgate: it failed\n$/);
  });
});
