import type {
  Acceptance,
  Change,
  ConsumeOptions,
  Consumer,
  EngineContext,
  EventRecord,
  InboxEngine,
  InboxQuery,
  InboxStats,
  NewDelivery,
  Page,
  PurgeOptions,
  Selection,
} from "../../contracts/engine.js";
import { OptionError } from "../../lib/options.js";
import { createConsumer } from "../claim-loop.js";
import { changeTasks, purgeEvents } from "./changes.js";
import { Consumers } from "./consumers.js";
import { getEvent, listEvents, readStats } from "./records.js";
import { MemoryTaskSource } from "./source.js";
import { MemoryStore } from "./store.js";
import { type MemoryTransaction, openTransaction } from "./transaction.js";

export type { MemoryTransaction } from "./transaction.js";

/** Options of the engine in memory. */
export interface MemoryEngineOptions {
  /** Milliseconds since the epoch: dates, due times and remembered ids go by it. The machine's clocks where left out. */
  readonly now?: (() => number) | undefined;
}

/**
 * An inbox in the memory of the process, for tests: it keeps the whole contract but outlives nothing. Its content stays
 * while the engine object lives, also when it is closed and opened again.
 */
export function memoryEngine(options: MemoryEngineOptions = {}): InboxEngine<MemoryTransaction> {
  if (options.now !== undefined && typeof options.now !== "function") {
    throw new OptionError(
      "memoryEngine's now",
      " must be a function that returns milliseconds since the epoch",
    );
  }
  return new MemoryEngine(options.now);
}

class MemoryEngine implements InboxEngine<MemoryTransaction> {
  readonly capabilities = {
    durable: false,
    shared: false,
    atomicEffects: true,
    ordered: true,
    search: true,
  } as const;
  readonly #store: MemoryStore;
  readonly #consumers: Consumers;
  #opens = 0;
  #lastFence = 0;
  #note: EngineContext["note"] = () => undefined;

  constructor(now: (() => number) | undefined) {
    this.#store = new MemoryStore(now);
    this.#consumers = new Consumers(this.#store);
  }

  async open(context: EngineContext): Promise<void> {
    this.#note = (level, message, details) => context.note(level, message, details);
    this.#opens += 1;
  }

  async close(): Promise<void> {
    this.#opens = Math.max(0, this.#opens - 1);
  }

  async accept(deliveries: readonly NewDelivery[]): Promise<readonly Acceptance[]> {
    return this.#open().accept(deliveries);
  }

  consume(options: ConsumeOptions<MemoryTransaction>): Consumer {
    const source = new MemoryTaskSource(this.#open(), this.#consumers, options, () => ++this.#lastFence);
    return createConsumer(source, options, {
      openTx: openTransaction,
      note: (level, message, details) => this.#note(level, message, details),
    });
  }

  async list(query: InboxQuery): Promise<Page<EventRecord>> {
    return listEvents(this.#open(), query);
  }

  async get(recordId: string): Promise<EventRecord | undefined> {
    return getEvent(this.#open(), recordId);
  }

  async change(selection: Selection, change: Change): Promise<number> {
    return changeTasks(this.#open(), selection, change);
  }

  async stats(query: { readonly receiver?: string | undefined }): Promise<InboxStats> {
    return readStats(this.#open(), query.receiver);
  }

  async purge(options: PurgeOptions): Promise<number> {
    return purgeEvents(this.#open(), options);
  }

  #open(): MemoryStore {
    if (this.#opens === 0) throw new Error("the engine is not open: call open first");
    return this.#store;
  }
}
