import type { Caller } from "./delivery.js";

/**
 * `waiting`: for its first attempt. `retrying`: waiting for a further one. `blocked`: waiting for another task of its order
 * key. `running`, `done`, `dead` (a dead letter) and `dropped` (given up by an operator).
 */
export type TaskState = "waiting" | "retrying" | "blocked" | "running" | "done" | "dead" | "dropped";

/** `pending`: a task waits or runs; else `dead` where one is a dead letter; `ignored` where there is none; else `done`. */
export type EventState = "pending" | "done" | "dead" | "ignored";

/** Filters, all of which must hold. Times are milliseconds since the epoch. */
export interface EventFilter {
  readonly receiver?: string | undefined;
  readonly state?: EventState | undefined;
  readonly type?: string | undefined;
  readonly handler?: string | undefined;
  readonly source?: string | undefined;
  readonly tenant?: string | undefined;
  readonly service?: string | undefined;
  /** Text that the event's id holds; case counts. */
  readonly idContains?: string | undefined;
  /** Accepted at this instant or later. */
  readonly fromMs?: number | undefined;
  /** Accepted before this instant. */
  readonly beforeMs?: number | undefined;
}

export interface InboxQuery extends EventFilter {
  readonly oldestFirst?: boolean | undefined;
  /** Most records of a page, 1 to 1,000. */
  readonly limit?: number | undefined;
  /** `next` of the page before. */
  readonly cursor?: string | undefined;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** The cursor of the next page; undefined behind the last. */
  readonly next: string | undefined;
}

export interface EventRecord {
  /** The store's own name of this event; the sender's is `id`. */
  readonly recordId: string;
  readonly receiver: string;
  readonly source: string;
  readonly tenant: string;
  readonly service: string;
  readonly id: string;
  readonly type: string;
  readonly state: EventState;
  readonly acceptedAtMs: number;
  /** Which of its delivery's events it is, from 0. */
  readonly position: number;
  readonly tasks: readonly TaskRecord[];
  /** With `get` alone. */
  readonly delivery?: StoredDelivery | undefined;
  /** With `get` alone: when it was replayed, and to whom. */
  readonly replays?: readonly ReplayRecord[] | undefined;
}

export interface TaskRecord {
  readonly handler: string;
  readonly state: TaskState;
  /** Attempts since acceptance or the last replay. */
  readonly attempts: number;
  /** When a waiting task may be claimed; undefined if it is blocked. */
  readonly dueAtMs: number | undefined;
  readonly orderingKey: string | undefined;
  /** Only from `get`, for a blocked task: the record whose task of this handler must end first. */
  readonly blockedBy?: string | undefined;
  readonly lastError: TaskError | undefined;
  /** With `get` alone: attempts that ended, oldest first; at most the last 100. */
  readonly history?: readonly AttemptRecord[] | undefined;
}

export interface AttemptRecord {
  readonly attempt: number;
  readonly startedAtMs: number;
  /** Undefined where the process ended or stalled in it. */
  readonly durationMs: number | undefined;
  readonly outcome: "done" | "failed" | "lost";
  readonly error: TaskError | undefined;
}

export interface ReplayRecord {
  readonly atMs: number;
  readonly handlers: readonly string[];
}

/** Events by their record ids (of one receiver, if it is named), or by filter. */
export type Selection =
  | { readonly recordIds: readonly string[]; readonly receiver?: string | undefined }
  | { readonly filter: EventFilter };

/**
 * What to do with the tasks of selected events. `retry`: a task that is waiting or retrying is due now. `replay`: one
 * that is done, dead or dropped runs again with all its attempts. `drop`: one that is waiting, retrying, blocked or dead is
 * given up.
 */
export interface Change {
  readonly action: "retry" | "replay" | "drop";
  /** Only tasks in one of these states. States that the action does not take are ignored. */
  readonly states: readonly TaskState[];
  /** Only tasks of these handlers. Left out: of all. */
  readonly handlers?: readonly string[] | undefined;
  /**
   * With `replay`, for selected events: the task is created if its event has none for the handler, regardless of `states`
   * and `handlers`. A replayed task without an ordering key takes the one given here.
   */
  readonly tasks?: readonly ReplayTask[] | undefined;
  /** Only count. */
  readonly dryRun?: boolean | undefined;
  /** Maximum number of events in this step; the engine may take fewer. */
  readonly limit?: number | undefined;
  /** `next` of the previous step. */
  readonly after?: string | undefined;
}

/** A task of an event that is replayed. */
export interface ReplayTask {
  readonly recordId: string;
  readonly handler: string;
  readonly orderingKey?: string | undefined;
  /** As in `NewTask`. */
  readonly onDeadLetter?: "continue" | "block" | undefined;
}

/** One step of a change. */
export interface Changed {
  /** Tasks that were changed, or would be. */
  readonly changed: number;
  /** Where the next step begins; undefined after the last. */
  readonly next: string | undefined;
}

/** How many tasks are in which state, of one handler or of all. */
export interface TaskCounts {
  /** Tasks that are waiting or retrying. */
  readonly waiting: number;
  /** Tasks that wait for another task of their ordering key. */
  readonly blocked: number;
  /** Blocked tasks that are behind a dead letter, until it is replayed, dropped or purged. */
  readonly held: number;
  readonly running: number;
  readonly dead: number;
  /** Dead letters that hold others back. */
  readonly holding: number;
  /** Milliseconds since the oldest task that may run was due; undefined if there is none. */
  readonly oldestWaitingMs: number | undefined;
  /** Milliseconds since the oldest blocked task was accepted or replayed; undefined if there is none. */
  readonly oldestBlockedMs: number | undefined;
  /** The same for held tasks. */
  readonly oldestHeldMs: number | undefined;
}

export interface InboxStats extends TaskCounts {
  /** Counts of the last full minute and the running one, by store, whatever the process. */
  readonly throughput: {
    readonly spanMs: number;
    readonly accepted: number;
    readonly handled: number;
    readonly failed: number;
    readonly dead: number;
  };
  readonly handlers: readonly HandlerStats[];
  readonly consumers: readonly ConsumerStats[];
}

export interface HandlerStats extends TaskCounts {
  readonly receiver: string;
  readonly handler: string;
  /** Its tasks may have ordering keys, which only the receiver's own code can compute. */
  readonly ordered: boolean;
}

/** A process that runs the tasks of one receiver. If it was killed, it is listed until another one takes its tasks. */
export interface ConsumerStats {
  /** The store's name for it. */
  readonly consumer: string;
  readonly receiver: string;
  /** Milliseconds since its last heartbeat; undefined if that is not known. */
  readonly heartbeatAgeMs: number | undefined;
  /** After this many milliseconds without a heartbeat, its tasks are given to others. */
  readonly leaseMs: number;
  /** Number of tasks it is running. */
  readonly running: number;
}

export interface PurgeOptions {
  readonly receiver?: string | undefined;
  /** `done` takes ignored events, too. */
  readonly state: "done" | "dead";
  /** Only events accepted before this instant. */
  readonly beforeMs?: number | undefined;
  /** Leave as many of the newest of this state. */
  readonly keep?: number | undefined;
  /** Keep events with a dead letter that holds others back, whatever its age. Otherwise the later tasks of its key are released. */
  readonly keepHolding?: boolean | undefined;
  /**
   * Delete by `beforeMs` even if the machine's clock is far ahead of the last activity in the store. Otherwise an engine
   * that compares the two rejects with an error whose code is ERR_CLOCK_AHEAD.
   */
  readonly trustClock?: boolean | undefined;
  readonly limit: number;
}

/** A delivery that passed every check, as it is stored. Times are milliseconds since the epoch. */
export interface StoredDelivery {
  readonly requestId: string;
  readonly method: string;
  readonly url: string;
  /** The headers that are kept; never a credential. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly address: string | undefined;
  readonly receivedAtMs: number;
  readonly caller: Caller;
  /** How the body is to be read. */
  readonly bodyKind: string;
  readonly rawBody: Buffer;
}

/** An error as it is kept with a task: these members of the thrown value, and no others. */
export interface TaskError {
  readonly name: string;
  readonly code?: string | number | undefined;
  /** At most 2,000 characters. */
  readonly message: string;
  /** At most 2 KB, the first line being name and message; none with `keepStacks: false`. */
  readonly stack?: string | undefined;
  /** Its cause, at most three deep. */
  readonly cause?: TaskError | undefined;
  /** For data that breaks its schema: where, and how. */
  readonly issues?: readonly string[] | undefined;
}
