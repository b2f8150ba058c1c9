import { describe, expect, it } from "@jest/globals";
import { HandlerFailedError } from "../../../src/errors.js";
import { stderrLogger, type TextLog } from "../../../src/telemetry/logger.js";
import { createFakeClock } from "../../../src/testing/index.js";

function textOf(log: (logger: TextLog) => void, terminal = false): string {
  let text = "";
  log(
    stderrLogger(createFakeClock(), {
      terminal,
      write(more) {
        text += more;
        return true;
      },
    }),
  );
  return text;
}

const lineOf = (details: object, terminal = false): string =>
  textOf((logger) => logger.error(details, "it failed"), terminal);

const failedBy = (cause: unknown) => new HandlerFailedError('handler "ship" failed', { cause });

describe("stderrLogger", () => {
  it("writes warnings and errors as one line each, and says so once at the start", () => {
    const text = textOf((logger) => {
      logger.announce("hello");
      logger.debug({}, "no");
      logger.info({}, "no");
      logger.warn({ a: 1n }, "careful");
      logger.error({ err: new Error("boom"), receiver: "orders" }, "broken");
    });
    const lines = text.split("\n");
    expect(lines[0]).toBe("2026-01-01T00:00:00.000Z INFO hookgate: hello");
    expect(lines[1]).toBe('2026-01-01T00:00:00.000Z WARN hookgate: careful {"a":"1"}');
    expect(lines[2]).toMatch(/ERROR hookgate: broken \{"err":"Error: boom\\n +at .*"receiver":"orders"\}$/);
    expect(lines).toHaveLength(4);
  });

  it("begins at INFO on a terminal, and gives a stack lines of its own below", () => {
    const text = textOf((logger) => {
      logger.info({}, "delivered");
      logger.error({ receiver: "orders", err: new Error("boom") }, "broken");
    }, true);
    const [first, second, third, fourth] = text.split("\n");
    expect(first).toMatch(/INFO hookgate: delivered$/);
    expect(second).toMatch(/ERROR hookgate: broken \{"receiver":"orders"\}$/);
    expect(third).toBe("    Error: boom");
    expect(fourth).toMatch(/^ {8}at .*logger\.test\.ts/);
  });

  it("knows which levels it writes", () => {
    const levels = (logger: TextLog) => ["debug", "info", "warn", "error"].filter(logger.isLevelEnabled);
    expect(levels(stderrLogger(createFakeClock(), { terminal: false }))).toEqual(["warn", "error"]);
    expect(levels(stderrLogger(createFakeClock(), { terminal: true }))).toEqual(["info", "warn", "error"]);
  });

  it("writes the first cause first, on the same line", () => {
    const err = failedBy(new Error("no stock", { cause: new TypeError("no shelf") }));
    const line = lineOf({ err });
    expect(line).toMatch(
      /TypeError: no shelf.+which caused Error: no stock.+which caused HandlerFailedError: handler .+ failed/,
    );
    expect(line).toMatch(/^[^\n]*\n$/);
  });

  it("writes a text that was thrown, and nothing of other objects", () => {
    expect(lineOf({ err: failedBy("out of ink") })).toMatch(
      /"err":"out of ink\\nwhich caused HandlerFailedError/,
    );
    expect(lineOf({ err: failedBy([{ message: "canary" }]) })).not.toContain("canary");
  });

  it("I02 has no member of an error that may hold a secret, whatever its toJSON says", () => {
    const thrown = Object.assign(new Error("no"), {
      config: { key: "canary" },
      toJSON: () => ({ key: "canary" }),
    });
    expect(lineOf({ err: thrown, nested: { deep: [thrown] } })).not.toContain("canary");
    expect(lineOf({ err: thrown }, true)).not.toContain("canary");
  });

  it.each([false, true])(
    "I02 escapes what a terminal obeys: C1, DEL, U+202E, U+2028 (terminal: %p)",
    (terminal) => {
      const nasty = "\u001b[2J\r\n\u007f\u0085\u009b31m\u202e\u2028\u2029\u200e";
      const text = textOf((logger) => {
        logger.warn({ detail: nasty, err: new Error(nasty) }, nasty);
      }, terminal);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
      expect(text.replaceAll("\n", "")).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e\u2028\u2029\u200e]/);
      expect(text).toContain("\\u202e");
      if (!terminal) expect(text.match(/\n/g)).toHaveLength(1);
    },
  );

  it("writes the sentence alone where the details cannot be read", () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    expect(lineOf(circular)).toMatch(/ERROR hookgate: it failed\n$/);
    const thorny = Object.defineProperty({}, "err", {
      enumerable: true,
      get() {
        throw new Error("do not touch");
      },
    });
    expect(lineOf(thorny)).toMatch(/ERROR hookgate: it failed\n$/);
  });
});
