import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, expect, it, jest } from "@jest/globals";
import { Refusal } from "../../../src/errors.js";
import { createReporter } from "../../../src/receiver/reporter.js";
import { SignatureRefusal } from "../../../src/signatures/signature.js";
import { createFakeClock } from "../../../src/testing/index.js";
import type { Caller } from "../../../src/types/delivery.js";
import type { Hooks, RefusedReport } from "../../../src/types/report.js";

const request = { requestId: "r1", method: "POST", address: "192.0.2.1" };
const caller: Caller = {
  method: "jwt",
  tenant: "t",
  service: "s",
  credentialId: "c",
  claims: { iss: "canary-claim" },
};
const event = { id: "e\n1", type: "order.paid" };

function setUp(options: { hooks?: Hooks; logger?: unknown; keepStacks?: boolean } = {}) {
  const lines: { level: string; details: Record<string, unknown>; message: string }[] = [];
  const add = (level: string) => (details: object, message: string) =>
    lines.push({ level, details: { ...details }, message });
  const logger = { debug: add("debug"), info: add("info"), warn: add("warn"), error: add("error") };
  const clock = createFakeClock();
  const reporter = createReporter({
    name: "orders",
    logger,
    hooks: undefined,
    keepStacks: true,
    clock,
    where: "createReceiver",
    ...options,
  });
  return { reporter, lines, clock };
}

describe("createReporter", () => {
  it("tells hooks, channel and log of a refusal", () => {
    const refused = jest.fn<(report: RefusedReport) => void>();
    const heard = jest.fn();
    subscribe("hookgate:refused", heard);
    const { reporter, lines } = setUp({ hooks: { refused } });
    reporter.refused(request, new Refusal("ERR_KEY_INVALID", "the key is unknown"), true);
    unsubscribe("hookgate:refused", heard);
    const [report] = refused.mock.calls[0] ?? [];
    expect(report).toMatchObject({
      receiver: "orders",
      code: "ERR_KEY_INVALID",
      status: 401,
      reason: "the key is unknown",
      enforced: true,
      ...request,
    });
    expect(report?.error).toBe(report?.error);
    expect(report?.error.code).toBe("ERR_KEY_INVALID");
    expect(heard).toHaveBeenCalledWith(report, "hookgate:refused");
    expect(lines).toEqual([
      {
        level: "warn",
        message: "refused ERR_KEY_INVALID: the key is unknown",
        details: { receiver: "orders", code: "ERR_KEY_INVALID", ...request },
      },
    ]);
  });

  it("says when a list in shadow mode would have refused", () => {
    const { reporter, lines } = setUp();
    reporter.refused(request, new Refusal("ERR_ADDRESS_REFUSED", "no range"), false);
    expect(lines[0]?.message).toBe("would refuse (shadow mode) ERR_ADDRESS_REFUSED: no range");
  });

  it("logs what is our fault as an error, with its cause", () => {
    const { reporter, lines } = setUp();
    const cause = new Error("boom");
    reporter.refused(request, new Refusal("ERR_INTERNAL", "it failed", cause), true);
    expect(lines[0]).toMatchObject({ level: "error", details: { err: { name: "Error", message: "boom" } } });
    expect(lines[0]?.details.err).not.toBe(cause);
  });

  it("I01 I02 logs neither claims nor schema issues, and escapes what comes from outside", () => {
    const { reporter, lines } = setUp();
    reporter.accepted({ requestId: "r1", address: request.address, caller, signedBy: "k" }, event);
    reporter.refused(request, new Refusal("ERR_EVENT_INVALID", "x", [{ message: "canary-body" }]), true);
    reporter.handled({ requestId: "r1", event, handler: "h", attempt: 1, durationMs: 2 });
    const text = JSON.stringify(lines);
    expect(text).not.toContain("canary");
    expect(lines[0]?.details).toMatchObject({
      eventId: "e\\u000a1",
      method: "jwt",
      tenant: "t",
      credentialId: "c",
      signedBy: "k",
    });
    expect(lines.map(({ level }) => level)).toEqual(["debug", "warn", "debug"]);
  });

  it("tells the hook of a failed handler what was thrown, and the log its reason", () => {
    const failed = jest.fn();
    const { reporter, lines } = setUp({ hooks: { failed } });
    const error = new Refusal("ERR_HANDLER_FAILED", "it threw", new TypeError("boom")).toError();
    const run = { requestId: "r1", event, handler: "h", attempt: 1, durationMs: 2 };
    reporter.failed(run, "ERR_HANDLER_FAILED", error);
    reporter.failed(run, "ERR_HANDLER_FAILED", error, { maxAttempts: 20, delayMs: 3_000 });
    reporter.failed({ ...run, attempt: 20 }, "ERR_HANDLER_FAILED", error, {
      maxAttempts: 20,
      delayMs: undefined,
    });
    expect(failed).toHaveBeenCalledWith(expect.objectContaining({ receiver: "orders", error }));
    expect(lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
      'error handler "h" failed: TypeError: boom',
      'warn handler "h" failed (attempt 1 of 20, next in 3 s): TypeError: boom',
      'error handler "h" failed (attempt 20 of 20, dead letter): TypeError: boom',
    ]);
    expect(lines[0]?.details).toMatchObject({
      code: "ERR_HANDLER_FAILED",
      err: { name: "TypeError", message: "boom" },
    });
  });

  it("says a dead letter of its own where no attempt was told before", () => {
    const { reporter, lines } = setUp();
    const task = { recordId: "rec_1", event, handler: "h", attempt: 0 };
    reporter.dead(task, { name: "Error", message: "broken" }, true);
    expect(lines).toEqual([]);
    reporter.dead(task, { name: "EventInvalidError", message: "broken" });
    expect(lines[0]).toMatchObject({
      level: "error",
      message: 'dead letter of handler "h": EventInvalidError: broken',
      details: { recordId: "rec_1", err: { message: "broken" } },
    });
  });

  it("keeps of every error among the details of a note only what may be kept, under the name err", () => {
    const { reporter, lines } = setUp();
    const thrown = Object.assign(new Error("no"), { config: "canary" });
    reporter.note("warn", "a", { error: thrown, other: thrown, count: 1 });
    reporter.note("warn", "b", { err: { config: "canary" } });
    for (const { details } of lines) {
      expect(Object.values(details).some((value) => Object.hasOwn(Object(value), "config"))).toBe(false);
    }
    expect(Object.keys(lines[0]?.details ?? {})).toEqual(["receiver", "err", "other", "count"]);
    expect(lines[1]?.details.err).toMatchObject({ message: "an object was thrown instead of an Error" });
  });

  it("keeps no stack where that is switched off", () => {
    const { reporter, lines } = setUp({ keepStacks: false });
    reporter.note("warn", "a", { err: new Error("no") });
    expect(lines[0]?.details.err).toHaveProperty("stack", "Error: no");
  });

  it("goes on when a hook throws or rejects, and when the logger throws", async () => {
    const broken = () => {
      throw new Error("hook");
    };
    const { reporter, lines } = setUp({
      hooks: { accepted: broken, refused: (async () => broken()) as () => void },
    });
    reporter.accepted(
      { requestId: "r1", address: request.address, caller: { method: "none" }, signedBy: undefined },
      event,
    );
    reporter.refused(request, new Refusal("ERR_METHOD", "GET"), true);
    await new Promise(setImmediate);
    expect(lines.map(({ message }) => message)).toEqual(
      expect.arrayContaining([`the hook "accepted" threw`, `the hook "refused" rejected`]),
    );
    const throwing = setUp({ logger: { debug: broken, info: broken, warn: broken, error: broken } });
    expect(() => throwing.reporter.note("warn", "x", {})).not.toThrow();
  });

  it("writes the first ten of a cause on standard error, then counts, and names receiver and cause", () => {
    const written = jest.spyOn(process.stderr, "write").mockReturnValue(true);
    const { reporter, clock } = setUp({ logger: undefined });
    const refuse = (fault: string, times: number) => {
      const refusal = new Refusal("ERR_TOKEN_INVALID", `it is ${fault}`, undefined, fault);
      for (let i = 0; i < times; i++) reporter.refused(request, refusal, true);
    };
    refuse("expired", 13);
    refuse("parts", 1);
    reporter.refused(request, new Refusal("ERR_METHOD", "GET"), true);
    for (let i = 0; i < 12; i++) {
      reporter.refused(
        request,
        new Refusal("ERR_ADDRESS_REFUSED", "no range", undefined, "not-listed"),
        false,
      );
    }
    expect(written).toHaveBeenCalledTimes(22);
    clock.advance("1m");
    const counts = written.mock.calls.slice(22).map(([chunk]) => String(chunk));
    refuse("expired", 1);
    expect(written).toHaveBeenCalledTimes(25);
    written.mockRestore();
    expect(counts).toEqual([
      expect.stringContaining(
        'WARN hookgate: receiver "orders": 3 more refused with ERR_TOKEN_INVALID (expired) within a minute',
      ),
      expect.stringContaining(
        'receiver "orders": 2 more would have been refused (shadow mode) with ERR_ADDRESS_REFUSED (not-listed) within a minute',
      ),
    ]);
    clock.advance("1m");
    expect(clock.pending).toBe(0);
  });

  it("bounds the lines of a minute to 100 over all receivers, and the counters to 200", () => {
    const written = jest.spyOn(process.stderr, "write").mockReturnValue(true);
    const clock = createFakeClock();
    const refusal = new Refusal("ERR_METHOD", "GET");
    const rest = { logger: undefined, hooks: undefined, keepStacks: true, clock, where: "x" };
    const observers = Array.from({ length: 300 }, (_, at) => createReporter({ name: `r${at}`, ...rest }));
    const refuseAll = () => {
      for (let round = 0; round < 3; round++)
        for (const one of observers) one.refused(request, refusal, true);
    };
    refuseAll();
    expect(written).toHaveBeenCalledTimes(100);
    clock.advance("1m");
    const counts = written.mock.calls.slice(100).map(([chunk]) => String(chunk));
    const total = counts.reduce((sum, line) => sum + Number(/(\d+) more refused/.exec(line)?.[1]), 0);
    expect([counts.length, total]).toEqual([50, 800]);
    expect(counts.at(-1)).toMatch(/too many receivers and causes to count them separately \(other\)/);
    refuseAll();
    // The lines that told the counts belong to the minute that began with them.
    expect(written).toHaveBeenCalledTimes(200);
    written.mockRestore();
  });

  it("does not count what is wrong with one signature as more of what was wrong with another", () => {
    const written = jest.spyOn(process.stderr, "write").mockReturnValue(true);
    const { reporter, clock } = setUp({ logger: undefined });
    const faults = ["missing", "mismatch", "timestamp"] as const;
    for (let round = 0; round < 11; round++) {
      for (const fault of faults) {
        reporter.refused(request, new SignatureRefusal({ fault, reason: `it is ${fault}` }), true);
      }
    }
    expect(written).toHaveBeenCalledTimes(30);
    clock.advance("1m");
    const counts = written.mock.calls.slice(30).map(([text]) => String(text));
    written.mockRestore();
    expect(counts).toEqual(
      faults.map((fault) => expect.stringContaining(`1 more refused with ERR_SIGNATURE_INVALID (${fault})`)),
    );
  });

  it("passes every refusal to a logger of the user's own, with its cause", () => {
    const { reporter, lines } = setUp();
    for (let i = 0; i < 300; i++) {
      reporter.refused(request, new Refusal("ERR_TOKEN_INVALID", "x", undefined, "expired"), true);
    }
    expect(lines).toHaveLength(300);
    expect(lines[0]?.details).toMatchObject({ code: "ERR_TOKEN_INVALID", fault: "expired" });
  });

  it.each([
    [
      { logger: {} },
      "createReceiver.logger must have the methods debug, info, warn and error, as pino and console have; missing: debug, info, warn, error",
    ],
    [{ logger: null }, "createReceiver.logger must have the methods"],
    [{ hooks: { refuse: () => {} } }, `createReceiver.hooks has no option "refuse"; did you mean "refused"?`],
    [{ hooks: { refused: 1 } }, "createReceiver.hooks.refused must be a function, not 1"],
  ])("refuses %j", (options, message) => {
    expect(() => setUp(options as { hooks: Hooks })).toThrow(message);
  });
});
