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
  /** Name of the receiver. */
  readonly receiver?: string | undefined;
  /** State of the event. */
  readonly state?: EventState | undefined;
  /** The event's type, as a whole. */
  readonly type?: string | undefined;
  /** With a task for this handler. */
  readonly handler?: string | undefined;
  /** Name of the source. */
  readonly source?: string | undefined;
  /** Tenant of the caller. */
  readonly tenant?: string | undefined;
  /** Service of the caller. */
  readonly service?: string | undefined;
  /** Text that the event's id holds; case counts. */
  readonly idContains?: string | undefined;
  /** Accepted at this instant or later. */
  readonly fromMs?: number | undefined;
  /** Accepted before this instant. */
  readonly beforeMs?: number | undefined;
}

/** Filters and paging of `list`. */
export interface InboxQuery extends EventFilter {
  /** `true`: oldest first. Default: newest first. */
  readonly oldestFirst?: boolean | undefined;
  /** Most records of a page, 1 to 1,000. */
  readonly limit?: number | undefined;
  /** `next` of the page before. */
  readonly cursor?: string | undefined;
}

/** One page of a list. */
export interface Page<Item> {
  /** The items of this page. */
  readonly items: readonly Item[];
  /** The cursor of the next page; undefined after the last. */
  readonly next: string | undefined;
}

/** An event as the store keeps it. */
export interface EventRecord {
  /** The store's own name of this event; the sender's is `id`. */
  readonly recordId: string;
  /** Name of the receiver that accepted it. */
  readonly receiver: string;
  /** Name of its source. */
  readonly source: string;
  /** Tenant of the caller; empty if it has none. */
  readonly tenant: string;
  /** Service of the caller; empty if it has none. */
  readonly service: string;
  /** The sender's id, or the derived one. */
  readonly id: string;
  /** The event's type. */
  readonly type: string;
  /** State of the event, from those of its tasks. */
  readonly state: EventState;
  /** When it was accepted, in milliseconds since the epoch. */
  readonly acceptedAtMs: number;
  /** Which of its delivery's events it is, from 0. */
  readonly position: number;
  /** One task for each handler. */
  readonly tasks: readonly TaskRecord[];
  /** With `get` alone. */
  readonly delivery?: StoredDelivery | undefined;
  /** With `get` alone: when it was replayed, and to whom. */
  readonly replays?: readonly ReplayRecord[] | undefined;
}

/** A task: one event for one handler. */
export interface TaskRecord {
  /** Name of the handler. */
  readonly handler: string;
  /** State of the task. */
  readonly state: TaskState;
  /** Attempts since acceptance or the last replay. */
  readonly attempts: number;
  /** When a waiting task may be claimed; undefined if it is blocked. */
  readonly dueAtMs: number | undefined;
  /** Its ordering key, if the handler has one. */
  readonly orderingKey: string | undefined;
  /** Only from `get`, for a blocked task: the record whose task of this handler must end first. */
  readonly blockedBy?: string | undefined;
  /** The error of the last attempt that failed. */
  readonly lastError: TaskError | undefined;
  /** With `get` alone: attempts that ended, oldest first; at most the last 100. */
  readonly history?: readonly AttemptRecord[] | undefined;
}

/** One attempt of a task that has ended. */
export interface AttemptRecord {
  /** 1 for the first attempt since acceptance or the last replay. */
  readonly attempt: number;
  /** When it began, in milliseconds since the epoch. */
  readonly startedAtMs: number;
  /** Undefined where the process ended or stalled in it. */
  readonly durationMs: number | undefined;
  /** `lost`: another worker took the task over. */
  readonly outcome: "done" | "failed" | "lost";
  /** Why it failed. */
  readonly error: TaskError | undefined;
}

/** One replay of an event. */
export interface ReplayRecord {
  /** When it was replayed, in milliseconds since the epoch. */
  readonly atMs: number;
  /** Handlers whose tasks were replayed. */
  readonly handlers: readonly string[];
}

/** Events by their record ids (of one receiver, if it is named), or by filter. */
export type Selection =
  | {
      /** The store's own ids of the events. */
      readonly recordIds: readonly string[];
      /** Only events of this receiver. Left out: of any. */
      readonly receiver?: string | undefined;
    }
  | {
      /** Filters, all of which must hold. */
      readonly filter: EventFilter;
    };

/**
 * What to do with the tasks of selected events. `retry`: a task that is waiting or retrying is due now. `replay`: one
 * that is done, dead or dropped runs again with all its attempts. `drop`: one that is waiting, retrying, blocked or dead is
 * given up.
 */
export interface Change {
  /** What to do with the tasks. */
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
  /** The store's own id of the event. */
  readonly recordId: string;
  /** Name of the handler. */
  readonly handler: string;
  /** Ordering key of the task. */
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
  /** Blocked tasks that come after a dead letter, until it is replayed, dropped or purged. */
  readonly blockedByDead: number;
  /** Tasks that are running. */
  readonly running: number;
  /** Dead letters. */
  readonly dead: number;
  /** Dead letters that block other tasks. */
  readonly blockingDead: number;
  /** Milliseconds since the oldest task that may run was due; undefined if there is none. */
  readonly oldestWaitingMs: number | undefined;
  /** Milliseconds since the oldest blocked task was accepted or replayed; undefined if there is none. */
  readonly oldestBlockedMs: number | undefined;
  /** The same for tasks that are blocked by a dead letter. */
  readonly oldestBlockedByDeadMs: number | undefined;
}

/** Numbers about the tasks of an inbox. */
export interface InboxStats extends TaskCounts {
  /** Counts of the last full minute and the running one, by store, whatever the process. */
  readonly throughput: {
    /** Length of the time counted, in milliseconds. */
    readonly spanMs: number;
    /** Events that were accepted. */
    readonly accepted: number;
    /** Tasks that were completed. */
    readonly handled: number;
    /** Attempts that failed. */
    readonly failed: number;
    /** Tasks that became dead letters. */
    readonly dead: number;
  };
  /** The numbers of each handler. */
  readonly handlers: readonly HandlerStats[];
  /** The processes that run tasks. */
  readonly consumers: readonly ConsumerStats[];
}

/** The numbers of one handler. */
export interface HandlerStats extends TaskCounts {
  /** The receiver's `name`. */
  readonly receiver: string;
  /** Name of the handler. */
  readonly handler: string;
  /** Its tasks may have ordering keys, which only the receiver's own code can compute. */
  readonly ordered: boolean;
}

/** A process that runs the tasks of one receiver. If it was killed, it is listed until another one takes its tasks. */
export interface ConsumerStats {
  /** The store's name for it. */
  readonly consumer: string;
  /** The receiver's `name`. */
  readonly receiver: string;
  /** Milliseconds since its last heartbeat; undefined if that is not known. */
  readonly heartbeatAgeMs: number | undefined;
  /** After this many milliseconds without a heartbeat, its tasks are given to others. */
  readonly leaseMs: number;
  /** Number of tasks it is running. */
  readonly running: number;
}

/** Which events `purge` deletes. */
export interface PurgeOptions {
  /** Only events of this receiver. Left out: of all. */
  readonly receiver?: string | undefined;
  /** `done` takes ignored events, too. */
  readonly state: "done" | "dead";
  /** Only events accepted before this instant. */
  readonly beforeMs?: number | undefined;
  /** Leave as many of the newest of this state. */
  readonly keep?: number | undefined;
  /** Keep events with a dead letter that blocks others, whatever its age. Otherwise the later tasks of its key are released. */
  readonly keepBlocking?: boolean | undefined;
  /**
   * Delete by `beforeMs` even if the machine's clock is far ahead of the last activity in the store. Otherwise an engine
   * that compares the two rejects with an error whose code is ERR_CLOCK_AHEAD.
   */
  readonly trustClock?: boolean | undefined;
  /** Maximum number of events that are deleted. */
  readonly limit: number;
}

/** A delivery that passed every check, as it is stored. Times are milliseconds since the epoch. */
export interface StoredDelivery {
  /** Id of the request. */
  readonly requestId: string;
  /** The request's method. */
  readonly method: string;
  /** Path, and the names of the query parameters: `/hooks?a&b`. */
  readonly url: string;
  /** The headers that are kept; never a credential. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** The sender's address; undefined if it could not be known. */
  readonly address: string | undefined;
  /** When the request arrived. */
  readonly receivedAtMs: number;
  /** Who the delivery proved to be. */
  readonly caller: Caller;
  /** How the body is to be read. */
  readonly bodyKind: string;
  /** The body, byte for byte. */
  readonly rawBody: Buffer;
}

/** An error as it is kept with a task: these members of the thrown value, and no others. */
export interface TaskError {
  /** The error's name, such as `TypeError`. */
  readonly name: string;
  /** The error's `code`. */
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
