import { endsBefore } from "../../lib/promises.js";
import type {
  ConsumeOptions,
  Consumer,
  EndOptions,
  EngineContext,
  HandlerPolicy,
  SettledReport,
  Verdict,
} from "../../types/engine.js";
import { Batcher } from "../batching.js";
import {
  ClaimedLease,
  callQuietly,
  type LeaseParts,
  type OpenTx,
  retryAfterFault,
  toReport,
  verdictAfterCompletion,
} from "./claimed-lease.js";
import type { ClaimedTask, Claims, EndedRun, TaskQueue } from "./task-queue.js";

/** What an engine adds to the loop. */
export interface ConsumerParts<Tx, Write> {
  /** Opens a transaction's recorder; undefined without atomic effects: `complete` with a function is a TypeError. */
  readonly openTx: OpenTx<Tx, Write> | undefined;
  readonly note: EngineContext["note"];
  /** Milliseconds between two claims while nothing signals work. Default: 200. */
  readonly pollMs?: number | undefined;
}

const defaultPollMs = 200;
const firstBackoffMs = 50;
const longestBackoffMs = 1_000;
const lastSettlesTimeoutMs = 5_000;

/**
 * Claims and runs the tasks of a queue; for any engine whose store hands out tasks. Claims no more than the free slots of each
 * handler, one claim at a time; a slot is free again when its run has ended, before the verdict is stored. Reports a verdict as
 * not kept if the lease was lost, or if a stopping consumer could not store it.
 */
export function createConsumer<Tx, Write>(
  queue: TaskQueue<Write>,
  options: ConsumeOptions<Tx>,
  parts: ConsumerParts<Tx, Write>,
): Consumer {
  const loop = new ClaimLoop(queue, options, parts);
  loop.start();
  return { stop: (ending) => loop.stop(ending), heartbeatAgeMs: () => loop.heartbeatAgeMs() };
}

class ClaimLoop<Tx, Write> {
  readonly #queue: TaskQueue<Write>;
  readonly #options: ConsumeOptions<Tx>;
  readonly #parts: ConsumerParts<Tx, Write>;
  readonly #pollMs: number;
  readonly #slots: Slots;
  /** Claimed, and not settled yet. */
  readonly #leases = new Set<ClaimedLease<Tx, Write>>();
  /** Verdicts on their way into the store. */
  readonly #verdicts: Batcher<EndedRun, boolean, Error>;
  readonly #leaseParts: LeaseParts<Tx, Write>;
  /** Sends verdicts together with the claim for the slots that they free, so that they can share a commit. */
  readonly #turn = (): void => {
    this.#scheduled = false;
    const send = this.#sendVerdicts;
    this.#sendVerdicts = undefined;
    send?.();
    if (!this.#claimWanted) return;
    this.#claimWanted = false;
    void this.#claim();
  };
  readonly #wake = (): void => this.#wakeUp();
  #runs = 0;
  #releases = 0;
  #scheduled = false;
  #claimWanted = false;
  #sendVerdicts: (() => void) | undefined;
  #claiming = false;
  #claimAgain = false;
  #claimFails = false;
  #timer: NodeJS.Timeout | undefined;
  /** When the next task is due as far as known since the last claim began; by performance.now(). */
  #dueAt = Number.POSITIVE_INFINITY;
  #heartbeat: Heartbeat | undefined;
  #settleFails = 0;
  #unsubscribe: (() => void) | undefined;
  #stopped: Promise<void> | undefined;
  #resolveIdle: (() => void) | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #settleTimeIsOver = false;

  constructor(queue: TaskQueue<Write>, options: ConsumeOptions<Tx>, parts: ConsumerParts<Tx, Write>) {
    this.#queue = queue;
    this.#options = options;
    this.#parts = parts;
    this.#pollMs = parts.pollMs ?? defaultPollMs;
    this.#slots = new Slots(options.handlers);
    this.#verdicts = new Batcher({
      store: (runs) => queue.settle(runs),
      failure: (_, error) => (error instanceof Error ? error : new Error(String(error))),
      schedule: (send) => {
        this.#sendVerdicts = send;
        this.#scheduleTurn();
      },
    });
    this.#leaseParts = { queue, openTx: parts.openTx, settle: (run) => this.#store(run) };
  }

  start(): void {
    this.#unsubscribe = this.#queue.onWork(this.#wake);
    // Before the first claim, so that the store knows the consumer.
    this.#heartbeat = this.#startHeartbeat();
    this.#wakeUp();
  }

  stop({ signal }: EndOptions = {}): Promise<void> {
    this.#stopped ??= this.#stop(signal);
    return this.#stopped;
  }

  heartbeatAgeMs(): number {
    return this.#heartbeat?.ageMs() ?? 0;
  }

  #wakeUp(): void {
    if (this.#stopped !== undefined) return;
    if (this.#claiming) this.#claimAgain = true;
    else {
      this.#claimWanted = true;
      this.#scheduleTurn();
    }
  }

  /** Collects what one turn of the event loop brings. */
  #scheduleTurn(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  /** Stores a verdict in a batch. */
  #store(run: EndedRun): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#verdicts.add(run, (kept) => (kept instanceof Error ? reject(kept) : resolve(kept)));
    });
  }

  /** Wakes the loop after `ms` at the latest. */
  #schedulePoll(ms: number): void {
    const now = performance.now();
    this.#dueAt = Math.min(this.#dueAt, now + Math.min(Math.max(ms, 1), this.#pollMs));
    if (this.#claiming || this.#stopped !== undefined) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#wake, this.#dueAt - now).unref();
  }

  async #claim(): Promise<void> {
    if (this.#stopped !== undefined) return;
    const wants = this.#slots.requests();
    // Without free slots the end of a run wakes the loop, without a recent heartbeat the next one does.
    if (wants.length === 0 || this.#heartbeat?.isStale() === true) return;
    this.#claiming = true;
    this.#claimAgain = false;
    this.#dueAt = Number.POSITIVE_INFINITY;
    let sleepMs = this.#pollMs;
    try {
      const claims = await this.#queue.claim(wants);
      this.#claimFails = false;
      if (!this.#settleTimeIsOver) sleepMs = this.#take(claims);
    } catch (error) {
      if (!this.#claimFails) this.#note("warn", "tasks could not be claimed; it is tried again", error);
      this.#claimFails = true;
    }
    this.#claiming = false;
    if (this.#claimAgain || (!this.#claimFails && this.#slots.canClaimMore())) this.#wakeUp();
    else this.#schedulePoll(sleepMs);
    this.#checkIdle();
  }

  /** Runs the claimed tasks; returns the milliseconds until the next one is due. */
  #take(claims: Claims): number {
    for (const task of claims.tasks) {
      const slot = this.#slots.of(task.handler);
      if (slot === undefined || this.#stopped !== undefined) void this.#release(task);
      else {
        slot.received += 1;
        void this.#work(task, slot);
      }
    }
    this.#slots.updateAfterClaim();
    for (const report of claims.dead) this.#report(report);
    if (hasMore(claims)) this.#claimAgain = true;
    return claims.nextDueMs ?? this.#pollMs;
  }

  async #work(task: ClaimedTask, slot: Slot): Promise<void> {
    const lease = new ClaimedLease(task, this.#leaseParts);
    this.#leases.add(lease);
    slot.used += 1;
    this.#runs += 1;
    let verdict: Verdict;
    try {
      verdict = await this.#options.run(task, lease);
    } catch (error) {
      verdict = retryAfterFault(error, this.#options.keepStacks);
    }
    lease.ended = true;
    slot.used -= 1;
    this.#runs -= 1;
    if (slot.hasMore) this.#wakeUp();
    this.#checkIdle();
    await this.#finish(lease, slot, verdict);
    this.#leases.delete(lease);
    this.#checkIdle();
  }

  /** Stores the verdict, unless the task was completed or lost, and reports it. */
  async #finish(lease: ClaimedLease<Tx, Write>, slot: Slot, given: Verdict): Promise<void> {
    const { task } = lease;
    const verdict =
      lease.completing === undefined
        ? given
        : await verdictAfterCompletion(lease, given, this.#options.keepStacks);
    if (lease.completed) {
      this.#report(toReport(task, { outcome: "done" }, true));
      if (task.ordered !== false) this.#wakeUp();
      return;
    }
    if (lease.lost) {
      this.#report(toReport(task, verdict, false));
      // Refused by the fence, unless the claim came after the loss and before we learned of it: nobody else would end it.
      await this.#release(task);
      return;
    }
    const kept = await this.#settle(lease, slot, verdict);
    if (!kept) lease.markLost();
    this.#report(toReport(task, verdict, kept));
    if (kept) this.#scheduleNext(task, verdict);
  }

  #scheduleNext(task: ClaimedTask, verdict: Verdict): void {
    if (verdict.outcome === "retry" && verdict.delayMs > 0) this.#schedulePoll(verdict.delayMs);
    else if (verdict.outcome === "retry" || task.ordered !== false) this.#wakeUp();
  }

  /** Tries until the verdict is stored (true) or refused, the lease is lost, or the time of a stop is up. */
  async #settle(lease: ClaimedLease<Tx, Write>, slot: Slot, verdict: Verdict): Promise<boolean> {
    let backoffMs = 0;
    for (;;) {
      try {
        const kept = await this.#store({ task: lease.task, verdict });
        if (backoffMs > 0) this.#endSettleFailure(slot);
        return kept;
      } catch (error) {
        if (backoffMs === 0) this.#beginSettleFailure(slot, error);
      }
      backoffMs = Math.min(longestBackoffMs, Math.max(firstBackoffMs, backoffMs * 2));
      if (!this.#settleTimeIsOver && !lease.lost) await lease.pause(backoffMs);
      if (this.#settleTimeIsOver || lease.lost) {
        this.#endSettleFailure(slot);
        return false;
      }
    }
  }

  /** An unstored verdict keeps its slot: a store that claims but does not settle must not be drained into memory. */
  #beginSettleFailure(slot: Slot, error: unknown): void {
    slot.used += 1;
    this.#settleFails += 1;
    if (this.#settleFails === 1)
      this.#note("warn", "a verdict could not be stored; it is tried again", error);
  }

  #endSettleFailure(slot: Slot): void {
    slot.used -= 1;
    this.#settleFails -= 1;
    this.#wakeUp();
  }

  /** Releases a claimed task that is not run. Tried once: if it fails, the lease expires. */
  async #release(task: ClaimedTask): Promise<void> {
    this.#releases += 1;
    try {
      await this.#store({ task, verdict: { outcome: "release" } });
    } catch {
      // The consumer leaves or loses its lease: either way others get the task.
    }
    this.#releases -= 1;
    this.#checkIdle();
  }

  #startHeartbeat(): Heartbeat {
    return startHeartbeat({
      leaseMs: this.#options.leaseMs,
      beat: () => this.#queue.heartbeat(),
      // A task claimed while the heartbeat is in flight may have been claimed after it: its lease is valid.
      prepare:
        (before = [...this.#leases]) =>
        () => {
          for (const lease of before) lease.markLost();
        },
      failed: (error) => this.#note("warn", "a lease could not be renewed; it is tried again", error),
      ended: (revived) => {
        if (revived) this.#wakeUp();
        this.#checkIdle();
      },
    });
  }

  async #stop(signal: AbortSignal | undefined): Promise<void> {
    this.#unsubscribe?.();
    clearTimeout(this.#timer);
    // The timers of the loop do not keep the process alive, but storing the last verdicts must.
    const alive = setInterval(() => undefined, 60_000);
    const quiet = new Promise<void>((resolve) => {
      this.#resolveIdle = resolve;
      this.#checkIdle();
    });
    await endsBefore(signal, quiet);
    this.#settleTimeIsOver = true;
    this.#resolveIdle = undefined;
    clearTimeout(this.#idleTimer);
    this.#heartbeat?.stop();
    for (const lease of this.#leases) lease.endPause();
    await endsBefore(signal, this.#leave());
    clearInterval(alive);
  }

  async #leave(): Promise<void> {
    try {
      await this.#queue.leave();
    } catch (error) {
      this.#note(
        "warn",
        "the store could not be told that this consumer stops; its lease will expire",
        error,
      );
    }
  }

  /** Lets `stop` go on once nothing is in flight, or the runs have ended and the time for their verdicts is up. */
  #checkIdle(): void {
    const quiet = this.#resolveIdle;
    if (quiet === undefined || this.#runs > 0) return;
    if (this.#leases.size + this.#releases === 0 && !this.#claiming && this.#heartbeat?.inFlight !== true)
      quiet();
    else this.#idleTimer ??= setTimeout(quiet, lastSettlesTimeoutMs);
  }

  #report(report: SettledReport): void {
    callQuietly(() => this.#options.settled(report));
  }

  #note(level: "warn" | "error", message: string, error: unknown): void {
    callQuietly(() => this.#parts.note(level, message, { err: error }));
  }
}

/** The concurrency of one handler: its runs in progress, and verdicts that could not be stored. */
export interface Slot {
  readonly handler: string;
  readonly concurrency: number;
  used: number;
  /** More of its tasks may be due. */
  hasMore: boolean;
  /** Tasks that the claim in flight asks for. */
  requested: number;
  /** Tasks that it brought. */
  received: number;
}

/** The slots of a consumer's handlers, and what to claim for them. */
class Slots {
  readonly #slots: ReadonlyMap<string, Slot>;

  constructor(handlers: ReadonlyMap<string, HandlerPolicy>) {
    this.#slots = new Map(
      [...handlers].map(([handler, { concurrency }]) => [
        handler,
        { handler, concurrency, used: 0, hasMore: true, requested: 0, received: 0 },
      ]),
    );
  }

  of(handler: string): Slot | undefined {
    return this.#slots.get(handler);
  }

  /** The free slots of each handler that has any. */
  requests(): { readonly handler: string; readonly limit: number }[] {
    const wants: { readonly handler: string; readonly limit: number }[] = [];
    for (const slot of this.#slots.values()) {
      slot.requested = Math.max(0, slot.concurrency - slot.used);
      slot.received = 0;
      // Its next free slot triggers a claim.
      if (slot.requested === 0) slot.hasMore = true;
      else wants.push({ handler: slot.handler, limit: slot.requested });
    }
    return wants;
  }

  /** A handler that got all that it asked for may have more. */
  updateAfterClaim(): void {
    for (const slot of this.#slots.values()) {
      if (slot.requested > 0) slot.hasMore = slot.received >= slot.requested;
    }
  }

  /** A slot is free for which there may be a task. */
  canClaimMore(): boolean {
    for (const slot of this.#slots.values()) {
      if (slot.hasMore && slot.used < slot.concurrency) return true;
    }
    return false;
  }
}

/** Whether more is due than a claim brought. */
function hasMore(claims: Claims): boolean {
  return (
    claims.nextDueMs !== undefined && claims.nextDueMs <= 0 && claims.tasks.length + claims.dead.length > 0
  );
}

/** What a heartbeat needs. */
export interface HeartbeatParts {
  readonly leaseMs: number;
  /** Sends a heartbeat; false: what was claimed before it was taken by others. */
  beat(): Promise<boolean>;
  /** Called before each heartbeat; returns what to call if that comes back false. */
  prepare(): () => void;
  /** Called once per series of failures. */
  failed(error: unknown): void;
  /** Called after each heartbeat; `revived`: the lease had been stale. */
  ended(revived: boolean): void;
}

/** The heartbeat of a consumer, ten times per lease: others notice its end that much later. */
export interface Heartbeat {
  readonly inFlight: boolean;
  /** None has reached the store for the length of a lease, by the monotonic clock: others may have our tasks. */
  isStale(): boolean;
  /** Milliseconds since the last heartbeat that reached the store. */
  ageMs(): number;
  stop(): void;
}

/** Sends the first heartbeat immediately. */
export function startHeartbeat(parts: HeartbeatParts): Heartbeat {
  let timer: NodeJS.Timeout | undefined;
  let [inFlight, failing, stopped] = [false, false, false];
  let aliveAt = performance.now();
  const ageMs = (): number => performance.now() - aliveAt;
  const isStale = (): boolean => ageMs() >= parts.leaseMs;
  const beat = async (): Promise<void> => {
    const at = performance.now();
    const lose = parts.prepare();
    let revived = false;
    inFlight = true;
    try {
      if (!(await parts.beat())) lose();
      failing = false;
      revived = isStale();
      // The store may have taken it at any time since it was sent; the earliest is the safe one.
      aliveAt = at;
    } catch (error) {
      if (!failing) parts.failed(error);
      failing = true;
    }
    inFlight = false;
    if (!stopped) {
      const inMs = Math.max(1, parts.leaseMs / 10 - (performance.now() - at));
      timer = setTimeout(() => void beat(), inMs).unref();
    }
    parts.ended(revived);
  };
  void beat();
  return {
    get inFlight() {
      return inFlight;
    },
    isStale,
    ageMs,
    stop(): void {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
