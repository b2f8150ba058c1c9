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
      deduplicationMs: 7 * 86_400_000,
      maxBacklog: 1_000_000,
      invalid: "park",
      acceptTimeoutMs: 5_000,
      leaseMs: 10_000,
      maxAttempts: 20,
      retry: expect.anything(),
      retention: { doneMs: 7 * 86_400_000, deadMs: 30 * 86_400_000, done: undefined, dead: undefined },
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
    ["a lease that is too short", { engine, leaseMs: 299 }, "inbox.leaseMs must be a whole number from 300"],
    ["NaN", { engine, maxBacklog: Number.NaN }, "inbox.maxBacklog"],
    ["no attempt", { engine, maxAttempts: 0 }, "inbox.maxAttempts"],
    ["half an attempt", { engine, maxAttempts: 1.5 }, "inbox.maxAttempts"],
    ["an unknown choice", { engine, invalid: "drop" }, 'inbox.invalid must be one of "park", "refuse"'],
    ["an endless time", { engine, acceptTimeoutMs: Number.POSITIVE_INFINITY }, "inbox.acceptTimeoutMs"],
    ["an endless memory", { engine, deduplicationMs: 1e15 }, "inbox.deduplicationMs"],
    ["a retention that is none", { engine, retention: 7 }, "inbox.retention must be an object"],
    ["a retention with a slip", { engine, retention: { doneMS: 1 } }, 'did you mean "doneMs"?'],
    ["a negative count", { engine, retention: { done: -1 } }, "inbox.retention.done"],
    ["a retry that is none", { engine, retry: true }, "inbox.retry must be an object"],
  ])("refuses %s", (_, options, message) => {
    expect(() => parse(options)).toThrow(TypeError);
    expect(() => parse(options)).toThrow(message);
  });

  it("I09 takes nothing from a prototype", () => {
    expect(() => parse(Object.create({ engine }))).toThrow("inbox.engine must be an engine, not undefined");
  });
});
