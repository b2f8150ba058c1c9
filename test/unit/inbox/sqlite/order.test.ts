import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { ClaimedTask } from "../../../../src/inbox/polling/task-queue.js";
import {
  loadDriver,
  type SqliteDatabase,
  type SqliteStatement,
} from "../../../../src/inbox/sqlite/driver.js";
import type { Answers, Request } from "../../../../src/inbox/sqlite/protocol.js";
import { packDeliveries } from "../../../../src/inbox/sqlite/protocol.js";
import { Store } from "../../../../src/inbox/sqlite/store.js";
import type { NewTask, Verdict } from "../../../../src/types/engine.js";
import { newDelivery } from "../../../support/inbox-parts.js";

const error = { name: "Error", message: "no" };
const receiver = "orders";
const handler = "ship";
const maxAttempts = 3;

/** A store in memory, asked request by request, at times that the test tells. */
class Bench {
  readonly claimed: ClaimedTask[] = [];
  consumer = 1;
  #db: SqliteDatabase | undefined;
  readonly #store = new Store(
    { path: ":memory:", readOnly: false, busyTimeoutMs: 100, setup: [] },
    (...given) => {
      this.#db = loadDriver()(...given);
      return this.#db;
    },
  );
  readonly #statements = new Map<string, SqliteStatement>();
  #storeMs = 1_000;
  #ids = 0;

  constructor() {
    this.#store.open();
  }

  ask<Op extends Request["op"]>(request: Extract<Request, { op: Op }>): Answers[Op] {
    const [reply] = this.#store.handle([request], { wallMs: this.#storeMs, storeMs: this.#storeMs });
    if (reply?.ok !== true) throw reply?.error;
    return reply.value as Answers[Op];
  }

  advance(ms: number): void {
    this.#storeMs += ms;
  }

  /** An event with a task, or with none. */
  accept(task: Omit<NewTask, "handler"> | undefined): void {
    const id = `e${++this.#ids}`;
    const tasks = task === undefined ? [] : [{ ...task, handler }];
    const event = { id, type: "order.paid", digest: id, deduplicateBy: "id", tasks } as const;
    this.ask<"accept">(packDeliveries([newDelivery(id, { events: [event], maxBacklog: 1_000_000 })]));
  }

  join(hold: boolean): void {
    const handlers = [{ name: handler, hold, ordered: true }];
    this.ask<"join">({ op: "join", consumer: this.consumer, receiver, leaseMs: 1_000, handlers });
  }

  /** All steps of what a changed policy does. */
  align(): void {
    for (let after: string | null = null; ; ) {
      after = this.ask<"align">({ op: "align", receiver, handler, after });
      if (after === null) return;
    }
  }

  claim(limit: number): void {
    const wants = [{ handler, limit, maxAttempts }];
    const { tasks } = this.ask<"claim">({ op: "claim", consumer: this.consumer, receiver, wants });
    this.claimed.push(...tasks);
  }

  settle(at: number, verdict: Verdict): void {
    const [task] = this.claimed.splice(at % Math.max(1, this.claimed.length), 1);
    if (task === undefined) return;
    const claim = { event: Number(task.recordId.slice(4)), handler, receiver, fence: task.fence };
    this.ask<"settle">({ op: "settle", runs: [{ claim, verdict }] });
  }

  /** The process is killed: its consumer gives no further sign, and another takes over. */
  kill(): void {
    const gone = this.consumer++;
    this.claimed.length = 0;
    const [row] = this.rows(`SELECT beat FROM hookgate_consumers WHERE consumer = ${gone}`);
    this.ask<"expire">({ op: "expire", consumer: gone, beat: row === undefined ? -1 : Number(row.beat) });
  }

  rows(sql: string): readonly Record<string, unknown>[] {
    const statement = this.#statements.get(sql) ?? this.#db?.prepare(sql);
    if (statement === undefined) throw new Error("not open");
    this.#statements.set(sql, statement);
    return statement.all() as Record<string, unknown>[];
  }

  exec(sql: string): void {
    this.#db?.exec(sql);
  }

  close(): void {
    this.#store.close();
  }
}

/** Keys of which two tasks may run at once, and keys of which none ever will although nothing holds them. */
function faultsOf(it: Bench): { readonly doubled: readonly unknown[]; readonly stuck: readonly unknown[] } {
  const doubled = it.rows(
    "SELECT order_key FROM hookgate_tasks WHERE order_key IS NOT NULL AND state IN (0, 2) GROUP BY handler, order_key HAVING count(*) > 1",
  );
  const stuck = it.rows(
    "SELECT b.order_key, min(b.event) FROM hookgate_tasks b JOIN hookgate_handlers h ON h.handler = b.handler WHERE b.state = 1 " +
      "AND NOT EXISTS (SELECT 1 FROM hookgate_tasks o WHERE o.handler = b.handler AND o.order_key = b.order_key AND o.state IN (0, 2)) " +
      "AND NOT (h.hold = 1 AND EXISTS (SELECT 1 FROM hookgate_tasks d WHERE d.handler = b.handler AND d.order_key = b.order_key AND d.state = 4 " +
      "AND d.event < (SELECT min(event) FROM hookgate_tasks f WHERE f.handler = b.handler AND f.order_key = b.order_key AND f.state = 1))) " +
      "GROUP BY b.handler, b.order_key",
  );
  return { doubled, stuck };
}

const verdicts: readonly Verdict[] = [
  { outcome: "done" },
  { outcome: "dead", error },
  { outcome: "retry", delayMs: 50, error },
  { outcome: "release" },
];

const key = fc.constantFrom("k", "k", "\ud83d\ude00");
const records = fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 1, maxLength: 5 });
const states = fc.subarray([
  ...(["waiting", "retrying", "blocked", "running", "done", "dead", "dropped"] as const),
]);
const toIds = (events: readonly number[]): readonly string[] => events.map((event) => `rec_${event}`);

type Step = (it: Bench) => void;
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: key.map(
      (orderingKey): Step =>
        (it) =>
          it.accept({ orderingKey }),
    ),
  },
  {
    weight: 1,
    arbitrary: key.map(
      (orderingKey): Step =>
        (it) =>
          it.accept({ orderingKey, onDeadLetter: "block", dead: error }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom({}, undefined).map(
      (task): Step =>
        (it) =>
          it.accept(task),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.integer({ min: 1, max: 3 }).map(
      (limit): Step =>
        (it) =>
          it.claim(limit),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.nat(10), fc.constantFrom(...verdicts)).map(
      ([at, verdict]): Step =>
        (it) =>
          it.settle(at, verdict),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 100 }).map(
      (ms): Step =>
        (it) =>
          it.advance(ms),
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom("retry", "replay", "drop"), records, states, key)
      .map(([action, events, wanted, orderingKey]): Step => {
        const recordIds = toIds(events);
        const tasks = recordIds.map((recordId) => ({ recordId, handler, orderingKey }));
        const change = { action, states: wanted, tasks } as const;
        return (it) => it.ask<"change">({ op: "change", events, filter: {}, change });
      }),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(records, fc.boolean()).map(
      ([events, keepBlocking]): Step =>
        (it) =>
          it.ask<"purge">({ op: "purge", events, keepBlocking }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.boolean().map(
      (hold): Step =>
        (it) => {
          it.join(hold);
          it.align();
        },
    ),
  },
  { weight: 1, arbitrary: fc.constant<Step>((it) => it.kill()) },
);

describe("ordering keys in the file", () => {
  it("H11 H21: whatever is done in whatever order, one of a key is next at most, and none is stuck", () => {
    fc.assert(
      fc.property(fc.boolean(), fc.array(step, { minLength: 20, maxLength: 60 }), (hold, steps) => {
        const it = new Bench();
        try {
          it.join(hold);
          it.align();
          for (const one of steps) {
            one(it);
            expect(faultsOf(it)).toEqual({ doubled: [], stuck: [] });
          }
        } finally {
          it.close();
        }
      }),
      { numRuns: 200 },
    );
  });

  it("H11: frees keys that an older version left stuck, when a consumer joins, in steps", () => {
    const it = new Bench();
    it.join(true);
    const keys = Array.from({ length: 450 }, (_, count) => `key ${count}`);
    for (const orderingKey of keys) {
      it.accept({ orderingKey, dead: error });
      it.accept({ orderingKey });
    }
    // As a purge of the dead letters left it.
    it.exec("DELETE FROM hookgate_tasks WHERE state = 4");
    expect(faultsOf(it).stuck).toHaveLength(450);
    it.join(true);
    let steps = 0;
    for (let after: string | null = null; ; steps++) {
      after = it.ask<"align">({ op: "align", receiver, handler, after });
      if (after === null) break;
    }
    expect(steps).toBeGreaterThan(1);
    expect(faultsOf(it)).toEqual({ doubled: [], stuck: [] });
    it.close();
  });

  it("H08: a purge that keeps what holds looks again on the connection that writes", () => {
    const it = new Bench();
    it.join(true);
    it.accept({ orderingKey: "k", dead: error });
    it.accept({ orderingKey: "k" });
    expect(it.ask<"purge">({ op: "purge", events: [1], keepBlocking: true })).toMatchObject({ purged: 0 });
    expect(it.ask<"purge">({ op: "purge", events: [1], keepBlocking: false })).toMatchObject({ purged: 1 });
    expect(faultsOf(it)).toEqual({ doubled: [], stuck: [] });
    it.close();
  });
});
