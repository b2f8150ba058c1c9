import { type Clock, timeOf } from "../lib/clock.js";

/** Called once with the outcome of an item: the store's answer, or why there is none. Must not throw. */
export type Settle<Answer, Failure> = (outcome: Answer | Failure) => void;

/** Why an item has no answer: the store rejected it, did not answer in time, or the batcher was closed. */
export type FailureReason = "rejected" | "timeout" | "closed";

/** Informed about the state of the store. */
export interface BatchReporter {
  /** The store fails: called once until it works again. `error` is undefined if it does not answer. */
  failed(error: unknown): void;
  /** The store works again after so many milliseconds. */
  recovered(downMs: number): void;
  /** Items were stored or rejected after their time limit; their outcome was "timeout". */
  late(count: number, stored: boolean): void;
}

/** What a batcher is made of. */
export interface BatcherParts<Item, Answer, Failure> {
  /** Stores items in one commit, where the store can; one answer each, in their order. */
  store(items: readonly Item[]): Promise<readonly Answer[]>;
  /** The outcome of an item without an answer. */
  failure(reason: FailureReason, error: unknown): Failure;
  /** Left out: the items of a batch are limited by their number alone. */
  bytesOf?(item: Item): number;
  /** Left out: none. */
  readonly timeLimit?: { readonly clock: Clock; readonly ms: number } | undefined;
  readonly reporter?: BatchReporter | undefined;
  /** Calls `send` when the first batch of several may start. Left out: at once. */
  schedule?(send: () => void): void;
}

interface Entry<Item, Answer, Failure> {
  /** Undefined once the item has its outcome: a delivery that was refused does not stay in memory. */
  item: Item | undefined;
  settle: Settle<Answer, Failure> | undefined;
  batch: Batch<Item, Answer, Failure> | undefined;
  /** The store rejected a batch with it: it is tried alone. */
  alone: boolean;
  deadline: Deadline<Entry<Item, Answer, Failure>> | undefined;
}

/** Items that share one commit. */
interface Batch<Item, Answer, Failure> {
  readonly entries: readonly Entry<Item, Answer, Failure>[];
  /** Entries without an outcome yet. */
  open: number;
}

const maxItems = 256;
const maxBytes = 8_388_608;
/** With so many batches unanswered only single items are tried: the store keeps in memory what it does not answer. */
const maxUnanswered = 4;

/**
 * The one place where work for a store is grouped, whatever the engine: deliveries to be accepted, and tasks to be completed.
 * Items that come while a batch is in flight share the next one, and with it the commit. A batch that is not answered within
 * the time limit no longer holds up the next one, so that a store that is back is used immediately. A batch that is rejected by
 * a store that worked before is tried item by item: one that the store cannot take then fails alone.
 */
export class Batcher<Item, Answer, Failure> {
  readonly #parts: BatcherParts<Item, Answer, Failure>;
  readonly #deadlines: Deadlines<Entry<Item, Answer, Failure>> | undefined;
  readonly #start = (): void => {
    this.#scheduled = false;
    this.#send();
  };
  #waiting: Entry<Item, Answer, Failure>[] = [];
  #inFlight: Batch<Item, Answer, Failure> | undefined;
  #unanswered = 0;
  #scheduled = false;
  /** By performance.now(); undefined while the store works. */
  #failingSinceMs: number | undefined;
  #closed = false;

  constructor(parts: BatcherParts<Item, Answer, Failure>) {
    const { timeLimit } = parts;
    this.#parts = parts;
    if (timeLimit !== undefined) {
      this.#deadlines = new Deadlines(timeLimit.clock, timeLimit.ms, (entries) => this.#expire(entries));
    }
  }

  /** Adds an item to the next batch. */
  add(item: Item, settle: Settle<Answer, Failure>): void {
    const entry: Entry<Item, Answer, Failure> = {
      item,
      settle,
      batch: undefined,
      alone: false,
      deadline: undefined,
    };
    entry.deadline = this.#deadlines?.add(entry);
    this.#waiting.push(entry);
    const { schedule } = this.#parts;
    if (schedule === undefined || this.#closed) this.#send();
    else if (this.#inFlight === undefined && !this.#scheduled) {
      this.#scheduled = true;
      schedule(this.#start);
    }
  }

  /** Sends nothing more, and fails every item that has no answer. */
  close(): void {
    this.#closed = true;
    const left = new Set([...(this.#inFlight?.entries ?? []), ...this.#waiting.splice(0)]);
    const failure = this.#parts.failure("closed", undefined);
    for (const entry of left) this.#settle(entry, failure);
  }

  #send(): void {
    if (this.#closed) return this.close();
    if (this.#inFlight !== undefined || this.#waiting.length === 0) return;
    const entries = this.#take();
    const batch: Batch<Item, Answer, Failure> = { entries, open: entries.length };
    const items: Item[] = [];
    for (const entry of entries) {
      entry.batch = batch;
      if (entry.item !== undefined) items.push(entry.item);
    }
    this.#inFlight = batch;
    this.#unanswered++;
    this.#store(items).then(
      (answers) => this.#answered(batch, answers),
      (error: unknown) => this.#rejected(batch, error),
    );
  }

  async #store(items: readonly Item[]): Promise<readonly Answer[]> {
    const answers = await this.#parts.store(items);
    if (!Array.isArray(answers) || answers.length !== items.length) {
      throw new TypeError(`the engine was given ${items.length} items and did not answer each of them`);
    }
    return answers;
  }

  #take(): Entry<Item, Answer, Failure>[] {
    const { bytesOf = () => 0 } = this.#parts;
    const single = this.#unanswered >= maxUnanswered || this.#waiting[0]?.alone === true;
    const most = single ? 1 : maxItems;
    let count = 0;
    let bytes = 0;
    for (const { item } of this.#waiting) {
      if (item !== undefined) bytes += bytesOf(item);
      if (count === most || (count > 0 && bytes > maxBytes)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  #answered(batch: Batch<Item, Answer, Failure>, answers: readonly Answer[]): void {
    this.#unanswered--;
    if (this.#failingSinceMs !== undefined) {
      const downMs = Math.round(performance.now() - this.#failingSinceMs);
      this.#failingSinceMs = undefined;
      this.#parts.reporter?.recovered(downMs);
    }
    this.#reportLate(batch, true);
    // The store works on the next batch while the callbacks of this one run.
    this.#next(batch);
    for (const [at, entry] of batch.entries.entries()) this.#settle(entry, answers[at] as Answer);
  }

  #rejected(batch: Batch<Item, Answer, Failure>, error: unknown): void {
    this.#unanswered--;
    const apart = this.#failingSinceMs === undefined && batch.entries.length > 1;
    this.#reportFailure(error);
    this.#reportLate(batch, false);
    if (apart) this.#retryAlone(batch);
    this.#next(batch);
    if (apart) return;
    const failure = this.#parts.failure("rejected", error);
    for (const entry of batch.entries) this.#settle(entry, failure);
  }

  /** Puts the items of a batch in front of all others, to be tried one by one. */
  #retryAlone({ entries }: Batch<Item, Answer, Failure>): void {
    const open = entries.filter(({ settle }) => settle !== undefined);
    for (const entry of open) {
      entry.batch = undefined;
      entry.alone = true;
    }
    this.#waiting.unshift(...open);
  }

  #next(batch: Batch<Item, Answer, Failure>): void {
    if (this.#inFlight === batch) this.#inFlight = undefined;
    this.#send();
  }

  #settle(entry: Entry<Item, Answer, Failure>, outcome: Answer | Failure): void {
    const { settle, batch, deadline } = entry;
    if (settle === undefined) return;
    entry.settle = undefined;
    entry.item = undefined;
    if (deadline !== undefined) this.#deadlines?.end(deadline);
    if (batch !== undefined) batch.open--;
    settle(outcome);
  }

  #expire(entries: readonly Entry<Item, Answer, Failure>[]): void {
    const failure = this.#parts.failure("timeout", undefined);
    for (const entry of entries) this.#settle(entry, failure);
    this.#waiting = this.#waiting.filter((entry) => entry.settle !== undefined);
    const batch = this.#inFlight;
    if (batch !== undefined && batch.open === 0) {
      this.#reportFailure(undefined);
      this.#next(batch);
    }
  }

  #reportFailure(error: unknown): void {
    if (this.#failingSinceMs !== undefined) return;
    this.#failingSinceMs = performance.now();
    this.#parts.reporter?.failed(error);
  }

  #reportLate({ entries, open }: Batch<Item, Answer, Failure>, stored: boolean): void {
    const late = entries.length - open;
    if (late > 0) this.#parts.reporter?.late(late, stored);
  }
}

/** The deadline of items that began at about the same time. */
interface Deadline<Item> {
  readonly startedMs: number;
  readonly items: Item[];
  open: number;
  cancel(): void;
}

/**
 * The deadlines of many items with the same time limit. Items that begin within a twentieth of it share a timer, since one for
 * each would cost more than the rest of the way into the store; an item may expire up to a twentieth early.
 */
class Deadlines<Item> {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #expire: (items: readonly Item[]) => void;
  #current: Deadline<Item> | undefined;

  /** `expire` gets all items of a deadline, including those that have ended. */
  constructor(clock: Clock, limitMs: number, expire: (items: readonly Item[]) => void) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#expire = expire;
  }

  add(item: Item): Deadline<Item> {
    const nowMs = timeOf(this.#clock);
    let deadline = this.#current;
    // Written so that a clock that was set starts a new one.
    if (deadline === undefined || !(Math.abs(nowMs - deadline.startedMs) < this.#limitMs / 20)) {
      deadline = this.#begin(nowMs);
    }
    deadline.items.push(item);
    deadline.open++;
    return deadline;
  }

  /** One item of it has ended. */
  end(deadline: Deadline<Item>): void {
    deadline.open--;
    if (deadline.open > 0) return;
    deadline.cancel();
    if (this.#current === deadline) this.#current = undefined;
  }

  #begin(startedMs: number): Deadline<Item> {
    const items: Item[] = [];
    const cancel = this.#clock.after(this.#limitMs, () => {
      if (this.#current === deadline) this.#current = undefined;
      this.#expire(items);
    });
    const deadline: Deadline<Item> = { startedMs, items, open: 0, cancel };
    this.#current = deadline;
    return deadline;
  }
}
