import type { EngineHealth } from "./health.js";
import type {
  Change,
  Changed,
  EventRecord,
  InboxQuery,
  InboxStats,
  Page,
  PurgeOptions,
  Selection,
  StoredDelivery,
  TaskError,
} from "./inbox-records.js";

export type * from "./health.js";
export type * from "./inbox-records.js";

/** What an engine can do beyond the least that every one does. */
export interface EngineCapabilities {
  /** What was accepted outlives a power failure. */
  readonly durable: boolean;
  /** Several processes may work on one store. */
  readonly shared: boolean;
  /** `lease.complete` takes writes of the user's own into the transaction of the completion. */
  readonly atomicEffects: boolean;
  /** Tasks with an ordering key run one at a time, in the order of their acceptance. */
  readonly ordered: boolean;
  /** `list` takes every filter; without it state, receiver, type, handler and time alone. */
  readonly search: boolean;
}

/** What an inbox stores into: ten members, all that a receiver asks of a store. `Tx` is what `lease.complete` hands out. */
export interface InboxEngine<Tx = never> {
  /** What the engine can do beyond the minimum. */
  readonly capabilities: EngineCapabilities;
  /** Once it is open: the same text for every engine of this process that keeps the same store. Left out: the engine itself. */
  readonly location?: string | undefined;
  /** `true` on an engine that is made for tests: `receiver.start()` does not warn that it is not durable. */
  readonly forTests?: boolean | undefined;
  /** What an operator should look at, one sentence each: logged by `receiver.start()` and printed by `hookgate doctor`. */
  diagnose?(): readonly string[];
  /** Opens the store; every `open` is followed by one `close`, the store stays open until the last. */
  open(context: EngineContext): Promise<void>;
  /** May be called while `open` has not resolved, once its signal has aborted. */
  close(options?: EndOptions): Promise<void>;
  /**
   * Stores deliveries, all in one commit where the store can; answers in their order. When it resolves, nothing of a
   * stored delivery can be lost. The events of one delivery are stored all or none. Rejects where the store cannot; a delivery
   * may be repeated then, and whatever half of it was stored is completed.
   */
  accept(deliveries: readonly NewDelivery[]): Promise<readonly Acceptance[]>;
  /** Runs the tasks of one receiver's handlers, until the consumer is stopped. */
  consume(options: ConsumeOptions<Tx>): Consumer;
  /** Events by filter, newest first unless asked otherwise, without bodies and histories. */
  list(query: InboxQuery): Promise<Page<EventRecord>>;
  /** One event with its delivery, the attempts of its tasks and its replays. */
  get(recordId: string): Promise<EventRecord | undefined>;
  /**
   * Retries, replays or drops tasks, one step of the whole selection at a time, so that long work can report progress and
   * stop between two steps. A step is one commit if the store supports it.
   */
  change(selection: Selection, change: Change): Promise<Changed>;
  /** How many tasks are in which state, of one receiver or of all, and who runs them. */
  stats(query: {
    /** Only tasks of this receiver. Left out: of all. */
    readonly receiver?: string | undefined;
  }): Promise<InboxStats>;
  /** What the engine knows about the store's health, for `receiver.health()`. Optional. Must not reject. */
  health?(): Promise<EngineHealth>;
  /**
   * Deletes at most `limit` events, oldest first, and resolves with their number; none with a task that is
   * waiting, blocked or running. When a dead letter that blocked others is deleted, the next task of its ordering key runs.
   */
  purge(options: PurgeOptions): Promise<number>;
  /**
   * Copies the current state of the store into a new file while the store is in use. Rejects if the file exists. Left out:
   * the store is backed up with its own tools.
   */
  backup?(path: string): Promise<BackupReport>;
  /** Gives the space of deleted events back to the disk. Left out: the store does so by itself. */
  compact?(): Promise<CompactReport>;
}

/** A copy of a store. */
export interface BackupReport {
  /** Path of the copy. */
  readonly path: string;
  /** Size of the copy in bytes. */
  readonly sizeBytes: number;
  /** How long it took, in milliseconds. */
  readonly durationMs: number;
}

/** The size of a store before and after it was compacted. */
export interface CompactReport {
  /** Size before, in bytes. */
  readonly beforeBytes: number;
  /** Size after, in bytes. */
  readonly afterBytes: number;
}

/** What an engine is given to speak to the operator. */
export interface EngineContext {
  /** Says what an operator should know: a network file system, a store that fails, a clock that was set. */
  note(level: "warn" | "error", message: string, details: object): void;
}

/** A delivery to be stored. Deduplication is by receiver, source, tenant, service and the event's id. */
export interface NewDelivery extends StoredDelivery {
  /** The receiver's `name`. */
  readonly receiver: string;
  /** Name of the receiver's source. */
  readonly source: string;
  /** Empty where the caller has none. */
  readonly tenant: string;
  /** Empty where the caller has none. */
  readonly service: string;
  /** In the order in which the delivery has them. */
  readonly events: readonly NewEvent[];
  /** How long an id is remembered from its acceptance on. */
  readonly rememberMs: number;
  /** As many tasks of this receiver as may wait or run; beyond them the delivery is not stored. */
  readonly maxBacklog: number;
  /** The use of a token that is good for one delivery; stored with it, in the same commit. */
  readonly tokenUse?: TokenUse | undefined;
}

/**
 * A token is used up by a delivery that is stored or was there already. Shown again with another one, nothing else is
 * looked at: `replayed`.
 */
export interface TokenUse {
  /** What tells the token apart from any other: a hash. */
  readonly tokenId: string;
  /** Until then the use is remembered at least; milliseconds since the epoch. */
  readonly expiresAtMs: number;
  /** What tells two deliveries apart: the same for one that is sent again. */
  readonly delivery: string;
}

/** An event to be stored with its tasks; without tasks it is kept as ignored. */
export interface NewEvent {
  /** The sender's id, or the derived one. */
  readonly id: string;
  /** The event's type. */
  readonly type: string;
  /** What tells two bodies under one id apart. */
  readonly digest: string;
  /** `id`: another digest under the same id is the same event nevertheless. */
  readonly deduplicateBy: "id" | "id-and-body";
  /** One task for each handler. */
  readonly tasks: readonly NewTask[];
}

/** One event for one handler. */
export interface NewTask {
  /** Name of the handler. */
  readonly handler: string;
  /** Tasks of one handler with the same key run one at a time. */
  readonly orderingKey?: string | undefined;
  /** With `orderingKey`: the handler's policy, for a store that knows none yet. Left out: "continue". */
  readonly onDeadLetter?: HandlerPolicy["onDeadLetter"] | undefined;
  /** Why the task is a dead letter from the start: its data breaks the schema. */
  readonly dead?: TaskError | undefined;
}

/** What became of a delivery that was to be stored. */
export type Acceptance =
  | {
      /** At least one of its events is new. */
      readonly status: "stored";
      /** The store's own ids of the new events, in order. */
      readonly recordIds: readonly string[];
      /** Their positions among the delivery's events, from 0. */
      readonly positions: readonly number[];
    }
  | {
      /** All of its events were already stored. */
      readonly status: "duplicate";
      /** Under `deduplicateBy: "id"`: one of them was stored with another body. */
      readonly bodyDiffers: boolean;
    }
  | {
      /** An id was already stored with another body; nothing of the delivery was stored. */
      readonly status: "conflict";
      /** That id. */
      readonly id: string;
    }
  | {
      /** Its token was used before, with another delivery; nothing was stored. */
      readonly status: "replayed";
    }
  | {
      /** `maxBacklog` would be exceeded; nothing was stored. */
      readonly status: "full";
      /** Tasks that wait or run. */
      readonly backlog: number;
    };

/** How an engine runs the tasks of a handler. */
export interface HandlerPolicy {
  /** Runs in progress at once in this consumer. */
  readonly concurrency: number;
  /** Claims after which a task is a dead letter. */
  readonly maxAttempts: number;
  /**
   * What happens to later tasks of the same ordering key after a dead letter. A changed policy applies as soon as the
   * consumer starts, to tasks already in the store as well.
   */
  readonly onDeadLetter: "continue" | "block";
  /** Its tasks may have ordering keys. Left out: no. */
  readonly ordered?: boolean | undefined;
}

/** What an engine needs to run the tasks of one receiver. */
export interface ConsumeOptions<Tx> {
  /** The receiver's `name`. */
  readonly receiver: string;
  /** The policies of its handlers, by their names. */
  readonly handlers: ReadonlyMap<string, HandlerPolicy>;
  /** Milliseconds without a sign of life after which a consumer's tasks are given to others. */
  readonly leaseMs: number;
  /** False: errors that the engine itself keeps have no stack. Default: true. */
  readonly keepStacks?: boolean | undefined;
  /** Runs one claimed task; must not reject. */
  run(task: Task, lease: Lease<Tx>): Promise<Verdict>;
  /** Told when the store has taken a verdict, refused it (`kept` false: the lease was lost), or made a dead letter at the claim. */
  settled(report: SettledReport): void;
}

/** A task that was claimed: its attempt is counted. */
export interface Task {
  /** The store's own id of the event. */
  readonly recordId: string;
  /** Name of the handler. */
  readonly handler: string;
  /** 1 for the first run since acceptance or replay. */
  readonly attempt: number;
  /** The event, without its data. */
  readonly event: {
    /** The sender's id, or the derived one. */
    readonly id: string;
    /** The event's type. */
    readonly type: string;
  };
  /** Which of the delivery's events it is, from 0. */
  readonly position: number;
  /** The delivery that brought it. */
  readonly delivery: StoredDelivery;
}

/** The time-limited right to run a task. Every step after the claim carries it and is refused when it is lost. */
export interface Lease<Tx> {
  /** Calls `listener` once when the lease is lost; at once where it is. */
  onLost(listener: () => void): void;
  /**
   * Commits the completion, together with the writes of `write` where the engine has `atomicEffects`. Rejects with
   * LeaseLostError, or with what the store makes of the writes; then nothing was committed. The verdict that follows a
   * completion is not looked at.
   */
  complete(write?: (tx: Tx) => void | Promise<void>): Promise<void>;
}

/** What became of a run. */
export type Verdict =
  | {
      /** The task is completed. */
      readonly outcome: "done";
    }
  | {
      /** The attempt failed, and there will be another one. */
      readonly outcome: "retry";
      /** Milliseconds until the next attempt. */
      readonly delayMs: number;
      /** Why the attempt failed. */
      readonly error: TaskError;
    }
  | {
      /** The task becomes a dead letter. */
      readonly outcome: "dead";
      /** Why the attempt failed. */
      readonly error: TaskError;
    }
  | {
      /** The process is shutting down: the attempt is not counted. */
      readonly outcome: "release";
    };

/** What became of a run, as the engine reports it. */
export interface SettledReport {
  /** The store's own id of the event. */
  readonly recordId: string;
  /** Name of the handler. */
  readonly handler: string;
  /** The attempt that it is about; 0 for a dead letter that never ran. */
  readonly attempt: number;
  /** The event, without its data. */
  readonly event: {
    /** The sender's id, or the derived one. */
    readonly id: string;
    /** The event's type. */
    readonly type: string;
  };
  /** The verdict of the run. */
  readonly verdict: Verdict;
  /** False: the lease was lost, another consumer has the task. */
  readonly kept: boolean;
}

/** The running of one receiver's tasks. */
export interface Consumer {
  /** Claims nothing more; resolves when every run has its verdict and the store has it. */
  stop(options?: EndOptions): Promise<void>;
  /** Milliseconds since the store last saw a heartbeat of this consumer. Optional. */
  heartbeatAgeMs?(): number;
}

/** How long closing or stopping may take. */
export interface EndOptions {
  /**
   * Aborts when the time is up: waiting work is rejected, no new work is started, and only a system call in progress may
   * keep the process alive. Left out: no time limit.
   */
  readonly signal?: AbortSignal | undefined;
}
