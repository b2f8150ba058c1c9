import { inspect } from "node:util";
import type { InboxEngine, NewDelivery, Task, TaskCounts } from "../../src/types/engine.js";
import type { InboxReporter } from "../../src/types/report.js";

/** Keeps what an inbox tells: the reports by their kind, and the log. */
export interface Told {
  readonly reporter: InboxReporter;
  /** `kind` and what was given with it. */
  readonly reports: [string, ...unknown[]][];
  /** `warn message details`. */
  readonly lines: string[];
}

export function listen(): Told {
  const reports: [string, ...unknown[]][] = [];
  const lines: string[] = [];
  const line =
    (level: string) =>
    (details: object, message: string): void =>
      void lines.push(`${level} ${message} ${inspect(details)}`);
  const keep =
    (kind: string) =>
    (...given: unknown[]): void =>
      void reports.push([kind, ...given]);
  return {
    reports,
    lines,
    reporter: {
      keepStacks: false,
      logger: { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") },
      handled: keep("handled"),
      failed: keep("failed"),
      claimed: keep("claimed"),
      retried: keep("retried"),
      dead: keep("dead"),
      replayed: keep("replayed"),
      storeFailed: keep("storeFailed"),
      storeRecovered: keep("storeRecovered"),
      note: (level, message, details) => line(level)(details, message),
    },
  };
}

/** A delivery to be stored, of one event with one task. */
export function newDelivery(id: string, changes: Partial<NewDelivery> = {}): NewDelivery {
  const rawBody = changes.rawBody ?? Buffer.from(JSON.stringify({ id, type: "order.paid" }));
  return {
    receiver: "orders",
    source: "",
    tenant: "acme",
    service: "shop",
    events: [
      {
        id,
        type: "order.paid",
        digest: rawBody.toString("hex"),
        deduplicateBy: "id-and-body",
        tasks: [{ handler: "ship" }],
      },
    ],
    rememberMs: 60_000,
    maxBacklog: 1_000,
    requestId: `request-${id}`,
    method: "POST",
    url: "/hooks",
    headers: {},
    address: "192.0.2.1",
    receivedAtMs: 0,
    caller: { method: "none" },
    bodyKind: "json",
    ...changes,
    rawBody,
  };
}

/** A claimed task of handler "ship". */
export function claimedTask(changes: Partial<Task> = {}): Task {
  return {
    recordId: "rec_1",
    handler: "ship",
    attempt: 1,
    event: { id: "e1", type: "order.paid" },
    position: 0,
    delivery: newDelivery("e1"),
    ...changes,
  };
}

/** The counts of a store, or of a handler, without tasks. */
export const noTasks: TaskCounts = {
  ...{ waiting: 0, blocked: 0, blockedByDead: 0, running: 0, dead: 0, blockingDead: 0 },
  ...{ oldestWaitingMs: undefined, oldestBlockedMs: undefined, oldestBlockedByDeadMs: undefined },
};

/** An engine that has nothing and does nothing, but where a test says otherwise. */
export function idleEngine(changes: Partial<InboxEngine> = {}): InboxEngine {
  return {
    capabilities: { durable: false, shared: false, atomicEffects: false, ordered: true, search: true },
    open: async () => {},
    close: async () => {},
    accept: async (deliveries) =>
      deliveries.map(() => ({ status: "stored", recordIds: ["rec_1"], positions: [0] })),
    consume: () => ({ stop: async () => {} }),
    list: async () => ({ items: [], next: undefined }),
    get: async () => undefined,
    change: async () => ({ changed: 0, next: undefined }),
    stats: async () => ({
      ...{ ...noTasks, handlers: [], consumers: [] },
      throughput: { spanMs: 60_000, accepted: 0, handled: 0, failed: 0, dead: 0 },
    }),
    purge: async () => 0,
    ...changes,
  };
}
