import assert from "node:assert/strict";
import type {
  Acceptance,
  Change,
  Consumer,
  EventRecord,
  HandlerPolicy,
  InboxEngine,
  Lease,
  NewDelivery,
  NewEvent,
  NewTask,
  Selection,
  SettledReport,
  StoredDelivery,
  Task,
  TaskState,
  Verdict,
} from "../../types/engine.js";

/** A store that is empty, and what the suite needs to look into it. */
export interface ConformanceStore<Tx = never> {
  /** Not yet open. */
  readonly engine: InboxEngine<Tx>;
  /** A further engine object on the same store, as after a restart or in another process. Needed where `durable` or `shared`. */
  reopen?(): Promise<InboxEngine<Tx>>;
  /**
   * Keeps an engine's consumers from giving signs of life and from storing anything, as when their process is stopped;
   * resolves with the function that lets them go on. Left out: the cases with a stopped process do nothing.
   */
  freeze?(engine: InboxEngine<Tx>): Promise<() => Promise<void>>;
  /** Writes of the user's own. Needed where `atomicEffects`. */
  readonly effects?: ConformanceEffects<Tx> | undefined;
  /** Called when the engine is closed. */
  dispose(): Promise<void>;
}

/** How the suite writes into the user's part of a store. */
export interface ConformanceEffects<Tx> {
  /** Adds one to the number under a key. */
  add(tx: Tx, key: string): void | Promise<void>;
  /** A write that the store refuses. */
  refuse(tx: Tx): void | Promise<void>;
  /** The number under a key; 0 where nothing was added. */
  read(key: string): Promise<number>;
}

/** What makes stores for the suite. */
export interface ConformanceHarness<Tx = never> {
  /** Called once for each case. */
  create(): Promise<ConformanceStore<Tx>>;
  /** Milliseconds of the leases in the cases where one is lost; 400 where left out. */
  readonly leaseMs?: number | undefined;
}

/** One case of the suite, for any test runner. */
export interface ConformanceCase {
  /** What the engine must do. */
  readonly name: string;
  /** Rejects where the engine does not do what the contract says. */
  run(): Promise<void>;
}

/** A case, and what an engine must be capable of for it to be asked. */
export interface CaseDefinition {
  readonly name: string;
  readonly needs?: "ordered" | "atomicEffects" | "search" | "shared" | "reopen" | "freeze" | undefined;
  run<Tx>(scene: Scene<Tx>): Promise<void>;
}

/** What `consume` of the scene is told; the rest is set. */
export interface ConsumeParts<Tx> {
  readonly engine?: InboxEngine<Tx> | undefined;
  readonly receiver?: string | undefined;
  readonly leaseMs?: number | undefined;
  /** Handlers with what differs from the policy of the suite: 5 at once, 20 attempts, skip. */
  readonly handlers: Readonly<Record<string, Partial<HandlerPolicy>>>;
  run(task: Task, lease: Lease<Tx>): Verdict | Promise<Verdict>;
  settled?(report: SettledReport): void;
}

/** Runs in progress, and what became of them. */
export interface Working {
  readonly consumer: Consumer;
  readonly tasks: readonly Task[];
  readonly reports: readonly SettledReport[];
}

export const done: Verdict = { outcome: "done" };
export const dead: Verdict = { outcome: "dead", error: { name: "Error", message: "of the suite" } };
export const everyState: readonly TaskState[] = [
  ...(["waiting", "retrying", "blocked", "running", "done", "dead", "dropped"] as const),
];
export const failure = { name: "Error", message: "of the suite" } as const;
const waitMs = 15_000;

/** One store with one open engine, and what a case does with them. */
export class Scene<Tx> {
  readonly store: ConformanceStore<Tx>;
  readonly engine: InboxEngine<Tx>;
  readonly leaseMs: number;
  readonly #consumers: Consumer[] = [];
  readonly #opened: InboxEngine<Tx>[] = [];
  /** Ends the runs of a case that failed with runs under way. */
  readonly #over = latch<Verdict>();
  #faults: unknown[] = [];

  constructor(store: ConformanceStore<Tx>, leaseMs: number) {
    this.store = store;
    this.engine = store.engine;
    this.leaseMs = leaseMs;
  }

  async open(engine: InboxEngine<Tx>): Promise<InboxEngine<Tx>> {
    await engine.open({ note: () => undefined });
    this.#opened.push(engine);
    return engine;
  }

  /** Closes an engine before the end of the case. */
  async close(engine: InboxEngine<Tx>): Promise<void> {
    this.#opened.splice(this.#opened.indexOf(engine), 1);
    await engine.close();
  }

  /** A further engine on the same store, open. */
  async reopen(): Promise<InboxEngine<Tx>> {
    assert.ok(this.store.reopen, "the harness needs reopen for an engine that is durable or shared");
    return await this.open(await this.store.reopen());
  }

  /** What the harness says of the user's writes. */
  effects(): ConformanceEffects<Tx> {
    assert.ok(this.store.effects, "the harness needs effects for an engine that has atomicEffects");
    return this.store.effects;
  }

  async accept(delivery: NewDelivery, engine: InboxEngine<Tx> = this.engine): Promise<Acceptance> {
    const [acceptance, ...more] = await engine.accept([delivery]);
    assert.ok(acceptance !== undefined && more.length === 0, "accept answers every delivery once");
    return acceptance;
  }

  /** Stores a delivery that is new; resolves with its record ids. */
  async stored(delivery: NewDelivery, engine: InboxEngine<Tx> = this.engine): Promise<readonly string[]> {
    const acceptance = await this.accept(delivery, engine);
    assert.equal(acceptance.status, "stored");
    return acceptance.status === "stored" ? acceptance.recordIds : [];
  }

  /** Stores an event with its tasks; resolves with its record id. */
  async event(
    id: string,
    tasks: readonly (string | NewTask)[] = ["a"],
    more: Partial<NewEvent> = {},
  ): Promise<string> {
    const [recordId] = await this.stored(deliveryOf([eventOf(id, tasks, more)]));
    assert.ok(recordId !== undefined, "a stored delivery has the record ids of its new events");
    return recordId;
  }

  /** The record of an event that is there. */
  async record(recordId: string, engine: InboxEngine<Tx> = this.engine): Promise<EventRecord> {
    const record = await engine.get(recordId);
    assert.ok(record !== undefined, `${recordId} is there`);
    return record;
  }

  /** All steps of a change; resolves with the number of tasks. Without `states`: all that the action takes. */
  async change(
    selection: Selection,
    change: Omit<Change, "states"> & Partial<Pick<Change, "states">>,
    engine: InboxEngine<Tx> = this.engine,
  ): Promise<number> {
    let count = 0;
    let after: string | undefined;
    do {
      const step = await engine.change(selection, { states: everyState, ...change, after });
      count += step.changed;
      after = step.next;
    } while (after !== undefined);
    return count;
  }

  consume(parts: ConsumeParts<Tx>): Working {
    const [tasks, reports]: [Task[], SettledReport[]] = [[], []];
    const policy: HandlerPolicy = { concurrency: 5, maxAttempts: 20, onDeadLetter: "continue" };
    const handlers = Object.entries(parts.handlers).map(
      ([name, more]) => [name, { ...policy, ...more }] as const,
    );
    const consumer = (parts.engine ?? this.engine).consume({
      receiver: parts.receiver ?? "receiver",
      handlers: new Map(handlers),
      leaseMs: parts.leaseMs ?? 60_000,
      run: async (task, lease) => {
        tasks.push(task);
        try {
          return await Promise.race([parts.run(task, lease), this.#over.promise]);
        } catch (error) {
          // An assertion within a run: the case fails with it, the engine sees an ordinary end.
          this.#faults.push(error);
          return done;
        }
      },
      settled: (report) => {
        reports.push(report);
        parts.settled?.(report);
      },
    });
    this.#consumers.push(consumer);
    return { consumer, tasks, reports };
  }

  /** Waits until something is so, for no longer than a case may take. */
  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const giveUpAt = performance.now() + waitMs;
    while (!(await holds())) {
      this.throwFault();
      assert.ok(performance.now() < giveUpAt, `waited in vain until ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    this.throwFault();
  }

  /** Throws what went wrong within a run. */
  throwFault(): void {
    const [fault] = this.#faults;
    this.#faults = [];
    if (fault !== undefined) throw fault;
  }

  async end(): Promise<void> {
    this.#over.open({ outcome: "release" });
    await Promise.all(this.#consumers.map((consumer) => consumer.stop()));
    for (const engine of this.#opened.splice(0)) await engine.close();
  }
}

export function eventOf(
  id: string,
  tasks: readonly (string | NewTask)[] = ["a"],
  more: Partial<NewEvent> = {},
): NewEvent {
  return {
    id,
    type: "type",
    digest: "digest",
    deduplicateBy: "id-and-body",
    tasks: tasks.map((task) => (typeof task === "string" ? { handler: task } : task)),
    ...more,
  };
}

export function deliveryOf(events: readonly NewEvent[], more: Partial<NewDelivery> = {}): NewDelivery {
  return {
    requestId: "request",
    method: "POST",
    url: "/hooks?x=1",
    headers: { "content-type": "application/json", "x-many": ["one", "two"] },
    address: "203.0.113.7",
    receivedAtMs: 1_790_000_000_123,
    caller: { method: "service-key", tenant: "tenant", service: "service", credentialId: "key" },
    bodyKind: "json",
    rawBody: Buffer.from('{"ok":true}'),
    receiver: "receiver",
    source: "source",
    tenant: "tenant",
    service: "service",
    events,
    rememberMs: 3_600_000,
    maxBacklog: 1_000_000,
    ...more,
  };
}

/** What of a delivery is stored. */
export function storedPart(delivery: NewDelivery): StoredDelivery {
  const { requestId, method, url, headers, address, receivedAtMs, caller, bodyKind, rawBody } = delivery;
  return { requestId, method, url, headers, address, receivedAtMs, caller, bodyKind, rawBody };
}

/**
 * Asserts that two data are the same. A member that is undefined is one that is left out, and the prototypes do not count:
 * some test runners have arrays and objects of several realms.
 */
export function assertSame(actual: unknown, expected: unknown): void {
  assert.deepEqual(plain(actual), plain(expected));
}

function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array || Buffer.isBuffer(value))
    return `bytes ${Buffer.from(value).toString("hex")}`;
  // Not `value.map`: it makes an array of the other's realm.
  if (Array.isArray(value)) return Array.from(value as unknown[], (item) => plain(item));
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, plain(member)]));
}

/** A promise, and the function that fulfils it. */
export function latch<Value>(): { readonly promise: Promise<Value>; open(value: Value): void } {
  let fulfil: (value: Value) => void = () => undefined;
  const promise = new Promise<Value>((resolve) => {
    fulfil = resolve;
  });
  return { promise, open: (value) => fulfil(value) };
}
