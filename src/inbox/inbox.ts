import { type Refusal, StoppedError } from "../errors.js";
import type { RegisteredHandler } from "../events/handlers.js";
import type { Clock } from "../lib/clock.js";
import { OptionError } from "../lib/options.js";
import { printable } from "../lib/printable.js";
import { endsBefore } from "../lib/promises.js";
import type {
  Acceptance,
  Consumer,
  EndOptions,
  HandlerPolicy,
  InboxEngine,
  NewDelivery,
} from "../types/engine.js";
import type { InboxReporter } from "../types/report.js";
import { type Acceptor, createAcceptor } from "./accept.js";
import type { Settle } from "./batching.js";
import type { InboxHealth } from "./health.js";
import type { InboxSettings } from "./options.js";
import { BlockedTasksMonitor, startRetention } from "./retention.js";
import { type ReadData, Worker } from "./worker.js";

/** What an inbox needs. */
export interface ReceiverInboxParts<Tx> {
  readonly receiver: string;
  readonly settings: InboxSettings<Tx>;
  readonly defaultTimeoutMs: number;
  readonly readData: ReadData;
  readonly clock: Clock;
  readonly reporter: InboxReporter;
  /** From 0 up to 1; the seam for tests. Default: Math.random. */
  readonly random?: (() => number) | undefined;
}

const healthTimeoutMs = 2_000;

/** The result of `work`; undefined if it rejects or takes longer. */
function resolvedWithin<Value>(
  clock: Clock,
  work: Promise<Value> | undefined,
  ms: number,
): Promise<Value | undefined> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, () => resolve(undefined));
    const end = (value: Value | undefined): void => {
      cancel();
      resolve(value);
    };
    Promise.resolve(work).then(end, () => end(undefined));
  });
}

/** What `start` created. */
interface Started<Tx> {
  readonly worker: Worker<Tx>;
  readonly consumer: Consumer | undefined;
  readonly endRetention: () => void;
}

/** Names of the started receivers of this process, by their store. */
const namesByLocation = new Map<string, Set<string>>();
const namesByEngine = new WeakMap<object, Set<string>>();

/**
 * Reserves the name for this receiver: two receivers of one name would run each other's tasks. Returns the function that
 * releases it.
 */
function reserveName<Tx>(engine: InboxEngine<Tx>, receiver: string): () => void {
  const { location } = engine;
  const known = location === undefined ? namesByEngine.get(engine) : namesByLocation.get(location);
  const names = known ?? new Set<string>();
  if (names.has(receiver)) {
    throw new OptionError(
      "createReceiver.name",
      `: another receiver of this process has the name "${printable(receiver)}" and the same inbox; give each its own name, or close the other one first`,
    );
  }
  names.add(receiver);
  if (location === undefined) namesByEngine.set(engine, names);
  else namesByLocation.set(location, names);
  return () => {
    names.delete(receiver);
    if (location !== undefined && names.size === 0) namesByLocation.delete(location);
  };
}

/** The inbox of one receiver: stores deliveries, and runs their tasks between `start` and `close`. */
export class ReceiverInbox<Tx> {
  readonly settings: InboxSettings<Tx>;
  readonly #parts: ReceiverInboxParts<Tx>;
  readonly #acceptor: Acceptor;
  readonly #blockedTasks: BlockedTasksMonitor;
  #started: Started<Tx> | undefined;
  #opening: Promise<void> | undefined;
  /** `engine.open` was called, and `close` not yet. */
  #open = false;
  #closed = false;
  #releaseName: (() => void) | undefined;

  constructor(parts: ReceiverInboxParts<Tx>) {
    const { settings, reporter, clock } = parts;
    this.#parts = parts;
    this.settings = settings;
    this.#blockedTasks = new BlockedTasksMonitor({
      engine: settings.engine,
      receiver: parts.receiver,
      reporter,
    });
    this.#acceptor = createAcceptor({
      engine: settings.engine,
      reporter,
      clock,
      timeoutMs: settings.acceptTimeoutMs,
    });
  }

  /** Stores a delivery; `settle` is called with the outcome within `acceptTimeoutMs`, and must not throw. */
  accept(delivery: NewDelivery, settle: Settle<Acceptance, Refusal>): void {
    this.#acceptor.add(delivery, settle);
  }

  /** The state of the store, as far as its engine answers in time. */
  async health(): Promise<InboxHealth> {
    const { receiver, settings, clock } = this.#parts;
    const { engine, leaseMs, maxBacklog } = settings;
    const within = <Value>(work: Promise<Value> | undefined): Promise<Value | undefined> =>
      resolvedWithin(clock, work, healthTimeoutMs);
    const [health, stats] = await Promise.all([
      engine.health === undefined ? {} : within(engine.health()),
      within(engine.stats({ receiver })),
    ]);
    const heartbeatAgeMs = this.#started?.consumer?.heartbeatAgeMs?.();
    const backlog = stats && {
      waiting: stats.waiting + stats.blocked,
      oldestWaitingMs: stats.oldestWaitingMs,
    };
    return { engine: health, heartbeatAgeMs, leaseMs, maxBacklog, backlog };
  }

  /** Findings about stored tasks, as of the last check. */
  diagnose(): readonly string[] {
    return this.#blockedTasks.findings();
  }

  /** StoppedError where the engine is not open. */
  assertOpen(): void {
    if (this.#started === undefined) {
      throw new StoppedError(
        "the inbox is not open: await receiver.start(), and ask before receiver.close()",
      );
    }
  }

  /** Opens the engine and starts to run tasks. Rejects if that fails; then it can be tried again. */
  async start(handlers: readonly RegisteredHandler[]): Promise<void> {
    const { settings, reporter, receiver, clock } = this.#parts;
    const { engine, retention } = settings;
    await this.#openEngine();
    // `close` waits for this, and closes the engine.
    if (this.#closed) throw new StoppedError("the receiver was closed while it was being started");
    try {
      this.#releaseName = reserveName(engine, receiver);
      const byName = new Map(handlers.map((handler) => [handler.name, handler]));
      const worker = this.#createWorker(byName);
      const consumer = settings.workers && handlers.length > 0 ? this.#consume(worker, byName) : undefined;
      const blockedTasks = this.#blockedTasks;
      const endRetention = startRetention({ engine, receiver, retention, clock, reporter, blockedTasks });
      this.#started = { worker, consumer, endRetention };
      void this.#reportStuckTasks(byName);
    } catch (error) {
      // The first error is the one that counts.
      await this.#closeEngine({}).catch(() => {});
      throw error;
    }
  }

  /** Claims nothing more; resolves when every run has ended and its verdict is stored. */
  async stopClaiming(signal: AbortSignal): Promise<void> {
    this.#started?.endRetention();
    await this.#started?.consumer?.stop({ signal });
  }

  /** Aborts the runs in progress and gives their tasks back. Returns their number. */
  release(): number {
    const worker = this.#started?.worker;
    const running = worker?.running ?? 0;
    worker?.release();
    return running;
  }

  /** Closes the engine. When the signal aborts, deliveries that wait for the store are answered 503. */
  async close(signal: AbortSignal): Promise<void> {
    this.#closed = true;
    if (this.#opening !== undefined) await endsBefore(signal, this.#opening);
    this.#started = undefined;
    const closing = this.#closeEngine({ signal });
    if (!(await endsBefore(signal, closing))) this.#acceptor.close();
    await closing;
  }

  async #openEngine(): Promise<void> {
    const { settings, reporter } = this.#parts;
    this.#open = true;
    try {
      this.#opening = settings.engine.open({
        note: (level, message, details) => reporter.note(level, message, details),
      });
      await this.#opening;
    } catch (error) {
      this.#open = false;
      throw error;
    } finally {
      this.#opening = undefined;
    }
  }

  async #closeEngine(options: EndOptions): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    try {
      await this.settings.engine.close(options);
    } finally {
      this.#releaseName?.();
      this.#releaseName = undefined;
    }
  }

  #createWorker(handlers: ReadonlyMap<string, RegisteredHandler>): Worker<Tx> {
    const { settings, defaultTimeoutMs, readData, clock, reporter, random = Math.random } = this.#parts;
    return new Worker({ settings, handlers, defaultTimeoutMs, readData, clock, reporter, random });
  }

  #consume(worker: Worker<Tx>, handlers: ReadonlyMap<string, RegisteredHandler>): Consumer {
    const { receiver, settings } = this.#parts;
    const policies = new Map<string, HandlerPolicy>();
    for (const [name, { concurrency, maxAttempts, onDeadLetter, orderingKey }] of handlers) {
      const policy = { concurrency, maxAttempts: maxAttempts ?? settings.maxAttempts, onDeadLetter };
      policies.set(name, orderingKey === undefined ? policy : { ...policy, ordered: true });
    }
    return settings.engine.consume({
      receiver,
      handlers: policies,
      leaseMs: settings.leaseMs,
      keepStacks: this.#parts.reporter.keepStacks,
      run: (task, lease) => worker.run(task, lease),
      settled: (report) => worker.settled(report),
    });
  }

  /** Tasks whose handler was renamed or removed, and tasks that a dead letter blocks: nothing runs them by itself. */
  async #reportStuckTasks(handlers: ReadonlyMap<string, RegisteredHandler>): Promise<void> {
    const { receiver, settings, reporter } = this.#parts;
    try {
      const stats = await settings.engine.stats({ receiver });
      // Tasks that were blocked under another policy run soon if it is "continue" now.
      const blocking = stats.handlers.filter(
        ({ handler }) => handlers.get(handler)?.onDeadLetter !== "continue",
      );
      this.#blockedTasks.update({ handlers: blocking });
      for (const { handler, waiting, blocked } of stats.handlers) {
        const left = waiting + blocked;
        if (left === 0 || handlers.has(handler)) continue;
        reporter.note(
          "warn",
          `${left} tasks wait for the handler "${printable(handler)}", which is not registered; register it, or drop them`,
          { handler, waiting: left },
        );
      }
    } catch (error) {
      if (this.#started !== undefined)
        reporter.note("warn", "the inbox's tasks could not be counted", { err: error });
    }
  }
}
