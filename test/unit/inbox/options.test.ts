import { describe, expect, it } from "@jest/globals";
import { parseInboxOptions } from "../../../src/inbox/options.js";
import { idleEngine } from "../../support/inbox-parts.js";

const engine = idleEngine();

function parse(options: unknown) {
  return parseInboxOptions(options, "inbox", "X-Key");
}

describe("the option inbox", () => {
  it("has defaults for all but the engine", () => {
    expect(parse({ engine })).toEqual({
      engine,
      workers: true,
      headers: ["content-type", "user-agent"],
      deduplicateForMs: 7 * 86_400_000,
      maxBacklog: 1_000_000,
      onInvalid: "dead-letter",
      acceptTimeoutMs: 5_000,
      leaseMs: 10_000,
      maxAttempts: 20,
      retry: expect.anything(),
      retention: { doneMs: 7 * 86_400_000, deadMs: 30 * 86_400_000, maxDone: undefined, maxDead: undefined },
    });
    expect(parse(undefined)).toBeUndefined();
  });

  it("keeps headers by their lower-case names, once each", () => {
    const kept = parse({ engine, keepHeaders: ["X-Topic", "x-topic", "Content-Type"] });
    expect(kept?.headers).toEqual(["content-type", "user-agent", "x-topic"]);
  });

  it.each<[string, object | unknown, string]>([
    ["null", null, "inbox must be an object"],
    [
      "a misspelled option",
      { engine, worker: true },
      'inbox has no option "worker"; did you mean "workers"?',
    ],
    ["no engine", {}, "inbox.engine must be an engine, not undefined; use sqliteEngine(path)"],
    ["an engine's factory", { engine: () => engine }, "inbox.engine must be an engine, not a function"],
    ["half an engine", { engine: { ...engine, purge: undefined } }, "it lacks purge"],
    [
      "an engine that does not say what it can",
      { engine: { ...engine, capabilities: undefined } },
      "capabilities",
    ],
    ["a string for a switch", { engine, workers: "false" }, "inbox.workers must be true or false"],
    ["a header that is no list", { engine, keepHeaders: "x-topic" }, "inbox.keepHeaders must be a list"],
    ["the header authorization", { engine, keepHeaders: ["Authorization"] }, "holds a credential"],
    ["the header cookie", { engine, keepHeaders: ["x-a", "COOKIE"] }, "holds a credential"],
    [
      "the header proxy-authorization",
      { engine, keepHeaders: ["proxy-authorization"] },
      "holds a credential",
    ],
    [
      "the key header",
      { engine, keepHeaders: ["x-key"] },
      'inbox.keepHeaders names "x-key", which holds a credential',
    ],
    ["what is no header", { engine, keepHeaders: ["x topic"] }, "an invalid header name"],
    ["an empty header", { engine, keepHeaders: [""] }, "inbox.keepHeaders[0]"],
    [
      "a lease that is too short",
      { engine, lease: "299ms" },
      'inbox.lease must be a duration such as "10s", from "300ms"',
    ],
    ["NaN", { engine, maxBacklog: Number.NaN }, "inbox.maxBacklog"],
    ["no attempt", { engine, maxAttempts: 0 }, "inbox.maxAttempts"],
    ["half an attempt", { engine, maxAttempts: 1.5 }, "inbox.maxAttempts"],
    [
      "an unknown choice",
      { engine, onInvalid: "drop" },
      'inbox.onInvalid must be one of "dead-letter", "refuse"',
    ],
    ["an endless time", { engine, acceptTimeout: Number.POSITIVE_INFINITY }, "inbox.acceptTimeout"],
    ["an endless memory", { engine, deduplicateFor: "366d" }, "inbox.deduplicateFor"],
    ["a retention that is none", { engine, retention: 7 }, "inbox.retention must be an object"],
    ["a retention with a slip", { engine, retention: { maxdone: 1 } }, 'did you mean "maxDone"?'],
    ["a negative count", { engine, retention: { maxDone: -1 } }, "inbox.retention.maxDone"],
    ["a count for an age", { engine, retention: { dead: 500 } }, "write maxDead: 500"],
    ["a retry that is none", { engine, retry: true }, "inbox.retry must be an object"],
  ])("refuses %s", (_, options, message) => {
    expect(() => parse(options)).toThrow(TypeError);
    expect(() => parse(options)).toThrow(message);
  });

  it("I09 takes nothing from a prototype", () => {
    expect(() => parse(Object.create({ engine }))).toThrow("inbox.engine must be an engine, not undefined");
  });
});
