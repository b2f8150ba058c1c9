import { describe, expect, it } from "@jest/globals";
import { type HealthParts, type InboxHealth, toReceiverHealth } from "../../../src/inbox/health.js";

const inbox: InboxHealth = {
  engine: {
    writable: true,
    threadRuns: true,
    needsRestart: false,
    fileBytes: 1,
    logBytes: 2,
    freeBytes: 1e12,
  },
  heartbeatAgeMs: 100,
  leaseMs: 1_000,
  maxBacklog: 10,
  backlog: { waiting: 1, oldestWaitingMs: 5 },
};
const parts: HealthParts = { state: "started", hasInbox: true, inProgress: 3, inbox };
const judge = (changes: Partial<InboxHealth>) =>
  toReceiverHealth({ ...parts, inbox: { ...inbox, ...changes } });

describe("health", () => {
  it("is ready where every check is well", () => {
    expect(toReceiverHealth(parts)).toEqual({
      live: true,
      ready: true,
      checks: {
        deliveries: { status: "ok", inProgress: 3, draining: false },
        store: { status: "ok" },
        thread: { status: "ok" },
        heartbeat: { status: "ok", ageMs: 100 },
        backlog: { status: "ok", waiting: 1, oldestWaitingMs: 5 },
        file: { status: "ok", fileBytes: 1, logBytes: 2 },
        disk: { status: "ok", freeBytes: 1e12 },
      },
    });
  });

  it.each<[string, Partial<InboxHealth>, RegExp]>([
    ["store", { engine: undefined }, /does not answer/],
    ["store", { engine: { writable: false, reason: "disk full" } }, /disk full/],
    ["store", { engine: { writable: false } }, /takes no writes/],
    ["thread", { engine: { threadRuns: false } }, /thread/],
  ])("is not ready, and alive, where the check %s fails: %j", (name, changes, reason) => {
    const health = judge(changes);
    expect([health.live, health.ready]).toEqual([true, false]);
    expect(Object.entries(health.checks).find(([key]) => key === name)?.[1]).toMatchObject({
      status: "fail",
      reason: expect.stringMatching(reason),
    });
  });

  it.each<[string, Partial<InboxHealth>]>([
    ["heartbeat", { heartbeatAgeMs: 1_000 }],
    ["backlog", { backlog: { waiting: 10, oldestWaitingMs: undefined } }],
    ["backlog", { backlog: { waiting: 1, oldestWaitingMs: 86_400_000 } }],
    ["file", { engine: { fileBytes: 1, logBytes: 1e9 } }],
    ["disk", { engine: { freeBytes: 0 } }],
  ])("warns of %s and stays ready: %j", (name, changes) => {
    const health = judge(changes);
    expect(health.ready).toBe(true);
    const check = Object.entries(health.checks).find(([key]) => key === name)?.[1];
    expect(check).toMatchObject({ status: "warn", reason: expect.any(String) });
  });

  it("is not alive only where a restart is needed", () => {
    expect(judge({ engine: { writable: false, needsRestart: true } }).live).toBe(false);
  });

  it("leaves out what an engine does not tell", () => {
    const { ready, checks } = judge({ engine: {}, heartbeatAgeMs: undefined, backlog: undefined });
    expect(ready).toBe(true);
    expect(JSON.parse(JSON.stringify(checks))).toEqual({
      deliveries: { status: "ok", inProgress: 3, draining: false },
    });
  });

  it("is ready without a start where there is no inbox, and never once it is closed", () => {
    const without = { hasInbox: false, inbox: undefined, inProgress: 0 };
    expect(toReceiverHealth({ ...without, state: "new" }).ready).toBe(true);
    expect(toReceiverHealth({ ...without, state: "new", hasInbox: true }).ready).toBe(false);
    const closed = toReceiverHealth({ ...without, state: "closed" });
    expect([closed.live, closed.ready, closed.checks.deliveries.draining]).toEqual([true, false, true]);
  });
});
