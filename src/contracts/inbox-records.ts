import type { StoredDelivery, TaskError } from "./engine.js";

/** `waiting` for its first or a later attempt, or behind another task of its order key. */
export type TaskState = "waiting" | "running" | "done" | "dead" | "dropped";

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
  /** When it may be claimed, where it waits for that; undefined behind another task of its order key. */
  readonly dueAtMs: number | undefined;
  readonly orderKey: string | undefined;
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

/** Events by their record ids, or by filter. */
export type Selection = { readonly recordIds: readonly string[] } | { readonly filter: EventFilter };

export interface Change {
  readonly action: "replay" | "drop";
  /** Only tasks of these handlers. Left out: of all. */
  readonly handlers?: readonly string[] | undefined;
  readonly dryRun?: boolean | undefined;
}

export interface InboxStats {
  readonly waiting: number;
  readonly running: number;
  readonly dead: number;
  /** Milliseconds since the oldest task that may run was due; undefined where none waits. */
  readonly oldestWaitingMs: number | undefined;
  /** Counts of the last full minute and the running one, by store, whatever the process. */
  readonly throughput: {
    readonly spanMs: number;
    readonly accepted: number;
    readonly handled: number;
    readonly failed: number;
    readonly dead: number;
  };
  readonly handlers: readonly HandlerStats[];
}

export interface HandlerStats {
  readonly receiver: string;
  readonly handler: string;
  readonly waiting: number;
  readonly running: number;
  readonly dead: number;
}

export interface PurgeOptions {
  readonly receiver?: string | undefined;
  /** `done` takes ignored events, too. */
  readonly state: "done" | "dead";
  /** Only events accepted before this instant. */
  readonly beforeMs?: number | undefined;
  /** Leave as many of the newest of this state. */
  readonly keep?: number | undefined;
  readonly limit: number;
}
