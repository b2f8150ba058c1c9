import { describe, expect, it } from "@jest/globals";
import { BlockedTasksMonitor } from "../../../src/inbox/retention.js";
import type { HandlerStats } from "../../../src/types/engine.js";
import { idleEngine, listen, noTasks } from "../../support/inbox-parts.js";

function scene() {
  const told = listen();
  let handlers: readonly HandlerStats[] = [];
  const idle = idleEngine();
  const engine = { stats: async () => ({ ...(await idle.stats({})), handlers }) };
  const watch = new BlockedTasksMonitor({ engine, receiver: "orders", reporter: told.reporter });
  const see = async (held: Readonly<Record<string, number>>): Promise<void> => {
    handlers = Object.entries(held).map(([handler, count]) => ({
      ...{ ...noTasks, receiver: "orders", handler, ordered: true },
      ...{ blockedByDead: count, blocked: count, blockingDead: 1, oldestBlockedByDeadMs: 125 * 60_000 },
    }));
    await watch.check();
  };
  return { watch, see, ...told };
}

describe("the watch on held tasks", () => {
  it("warns when a handler's first task is held, once until none is", async () => {
    const { watch, see, lines } = scene();
    await see({ ledger: 0 });
    expect([watch.findings(), lines]).toEqual([[], []]);
    await see({ ledger: 2, mail: 0 });
    await see({ ledger: 3, mail: 1 });
    expect(lines.map((line) => line.split(" blocked by")[0])).toEqual([
      'warn 2 tasks of the handler "ledger"',
      'warn 1 task of the handler "mail"',
    ]);
    expect(watch.findings()).toEqual([
      '3 tasks of the handler "ledger" blocked by 1 dead letter (onDeadLetter: "block"), the oldest for 125 minutes; replay, drop or purge the dead letters: retention keeps them',
      expect.stringContaining('1 task of the handler "mail"'),
    ]);
    await see({});
    expect(watch.findings()).toEqual([]);
    await see({ ledger: 1 });
    expect(lines).toHaveLength(3);
  });
});
