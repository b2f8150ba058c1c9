import { Refusal } from "../errors.js";
import type { Clock } from "../lib/clock.js";
import type { Acceptance, InboxEngine, NewDelivery } from "../types/engine.js";
import type { InboxReporter } from "./reporter.js";
import { Timeouts } from "./timeouts.js";

/** Told what became of a delivery, once: what the store says, or ERR_STORE_UNAVAILABLE. */
export type SettleAcceptance = (outcome: Acceptance | Refusal) => void;

/** Who is told of a store that fails. */
type AcceptorReporter = Pick<InboxReporter, "note" | "logger" | "storeFailed" | "storeRecovered">;

/** A delivery on its way into the store. */
interface Entry {
  /** Undefined once the outcome is told: what was refused is not to be held in memory. */
  delivery: NewDelivery | undefined;
  settle: SettleAcceptance | undefined;
  /** The group that it was sent with. */
  group: Group | undefined;
  /** True: the store has rejected a group with it, so that it is tried by itself. */
  alone: boolean;
  /** Of `Timeouts`. */
  bucket: unknown;
}

/** Deliveries that share one commit. */
interface Group {
  readonly entries: readonly Entry[];
  /** Those whose outcome is still to be told. */
  live: number;
}

const mostDeliveries = 256;
const mostBytes = 8_388_608;
/** So many groups without any answer, and only single deliveries are tried: what hangs is held in memory by the store. */
const mostUnanswered = 4;

/**
 * Brings deliveries into the store in groups: those that come while one is under way share the next one, and with it
 * the commit. Whatever the store does, every delivery has its outcome within the time limit; a group that got none is
 * given up, and the next one is tried, so that a store that is back is used at once. A group that is rejected by a store
 * that worked before is tried one by one: a delivery that the store cannot take then takes no other with it.
 */
export class Acceptor {
  readonly #engine: Pick<InboxEngine, "accept">;
  readonly #reporter: AcceptorReporter;
  readonly #timeouts: Timeouts<Entry>;
  readonly #timeoutMs: number;
  #waiting: Entry[] = [];
  #underWay: Group | undefined;
  #unanswered = 0;
  /** By the monotonic clock; undefined while the store works. */
  #failingSinceMs: number | undefined;
  #givenUp = false;

  constructor(parts: {
    readonly engine: Pick<InboxEngine, "accept">;
    readonly reporter: AcceptorReporter;
    readonly clock: Clock;
    readonly timeoutMs: number;
  }) {
    this.#engine = parts.engine;
    this.#reporter = parts.reporter;
    this.#timeoutMs = parts.timeoutMs;
    this.#timeouts = new Timeouts(parts.clock, parts.timeoutMs, (entries) => this.#expire(entries));
  }

  /** Stores a delivery. `settle` must not throw. */
  accept(delivery: NewDelivery, settle: SettleAcceptance): void {
    const entry: Entry = { delivery, settle, group: undefined, alone: false, bucket: undefined };
    entry.bucket = this.#timeouts.add(entry);
    this.#waiting.push(entry);
    this.#send();
  }

  /** The time is up: nothing more is sent, and whoever waits is answered. */
  giveUp(): void {
    const left = new Set([...(this.#underWay?.entries ?? []), ...this.#waiting.splice(0)]);
    this.#givenUp = true;
    const reason = "the receiver was closed before the inbox's store had answered";
    for (const entry of left) this.#settle(entry, new Refusal("ERR_STORE_UNAVAILABLE", reason));
  }

  #send(): void {
    if (this.#givenUp) return this.giveUp();
    if (this.#underWay !== undefined || this.#waiting.length === 0) return;
    const entries = this.#take();
    const group: Group = { entries, live: entries.length };
    const deliveries: NewDelivery[] = [];
    for (const entry of entries) {
      entry.group = group;
      if (entry.delivery !== undefined) deliveries.push(entry.delivery);
    }
    this.#underWay = group;
    this.#unanswered++;
    this.#ask(deliveries).then(
      (answers) => this.#answered(group, answers),
      (error: unknown) => this.#failed(group, error),
    );
  }

  async #ask(deliveries: readonly NewDelivery[]): Promise<readonly Acceptance[]> {
    const answers = await this.#engine.accept(deliveries);
    if (!Array.isArray(answers) || answers.length !== deliveries.length) {
      throw new TypeError(
        `the engine's accept was given ${deliveries.length} deliveries and answered otherwise`,
      );
    }
    return answers;
  }

  /** The next group, out of the waiting. */
  #take(): Entry[] {
    const single = this.#unanswered >= mostUnanswered || this.#waiting[0]?.alone === true;
    const most = single ? 1 : mostDeliveries;
    let count = 0;
    let bytes = 0;
    for (const { delivery } of this.#waiting) {
      bytes += delivery?.rawBody.length ?? 0;
      if (count === most || (count > 0 && bytes > mostBytes)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  #answered(group: Group, answers: readonly Acceptance[]): void {
    this.#unanswered--;
    if (this.#failingSinceMs !== undefined) {
      const downMs = Math.round(performance.now() - this.#failingSinceMs);
      this.#failingSinceMs = undefined;
      this.#reporter.note("warn", "the inbox's store takes deliveries again", { downMs });
      this.#reporter.storeRecovered(downMs);
    }
    this.#tellLate(group, "stored after all");
    // The store works on the next group while the answers of this one are written.
    this.#next(group);
    for (const [at, entry] of group.entries.entries()) this.#settle(entry, answers[at] as Acceptance);
  }

  #failed(group: Group, error: unknown): void {
    this.#unanswered--;
    const apart = this.#failingSinceMs === undefined && group.entries.length > 1;
    this.#noteFailure(
      "the inbox's store did not take a delivery; deliveries are answered 503 until it does",
      error,
    );
    this.#tellLate(group, "refused by the store");
    if (apart) this.#takeApart(group);
    this.#next(group);
    if (apart) return;
    const refusal = new Refusal(
      "ERR_STORE_UNAVAILABLE",
      "the inbox's store did not take the delivery",
      error,
    );
    for (const entry of group.entries) this.#settle(entry, refusal);
  }

  /** Puts the deliveries of a group before all others, to be tried one by one. */
  #takeApart({ entries }: Group): void {
    const waiting = entries.filter(({ settle }) => settle !== undefined);
    for (const entry of waiting) {
      entry.group = undefined;
      entry.alone = true;
    }
    this.#waiting.unshift(...waiting);
  }

  #next(group: Group): void {
    if (this.#underWay === group) this.#underWay = undefined;
    this.#send();
  }

  #settle(entry: Entry, outcome: Acceptance | Refusal): void {
    const { settle, group } = entry;
    if (settle === undefined) return;
    entry.settle = undefined;
    entry.delivery = undefined;
    this.#timeouts.end(entry.bucket);
    if (group !== undefined) group.live--;
    settle(outcome);
  }

  #expire(entries: readonly Entry[]): void {
    const refusal = new Refusal(
      "ERR_STORE_UNAVAILABLE",
      `the inbox's store had not answered within ${this.#timeoutMs} ms (acceptTimeoutMs)`,
    );
    for (const entry of entries) this.#settle(entry, refusal);
    this.#waiting = this.#waiting.filter((entry) => entry.settle !== undefined);
    const group = this.#underWay;
    if (group !== undefined && group.live === 0) {
      this.#noteFailure(
        "the inbox's store does not answer; deliveries are answered 503 until it does",
        undefined,
      );
      this.#next(group);
    }
  }

  /** Once until it works again; each refused delivery is reported besides. */
  #noteFailure(message: string, error: unknown): void {
    if (this.#failingSinceMs !== undefined) return;
    this.#failingSinceMs = performance.now();
    this.#reporter.note("error", message, error === undefined ? {} : { err: error });
    this.#reporter.storeFailed(error);
  }

  /** Their senders were answered 503, and send again: a duplicate then. */
  #tellLate(group: Group, what: string): void {
    const late = group.entries.length - group.live;
    if (late > 0) this.#reporter.logger.debug({ deliveries: late }, `${what}, behind acceptTimeoutMs`);
  }
}
