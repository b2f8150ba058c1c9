/** What an engine reports about its store. Members that the engine cannot determine are left out. */
export interface EngineHealth {
  /** Whether the store takes writes: judged by the last write if it is recent, otherwise by a test write. */
  readonly writable?: boolean | undefined;
  /** Why it takes no writes. */
  readonly reason?: string | undefined;
  /** Whether the thread that the store runs on is alive. */
  readonly threadRuns?: boolean | undefined;
  /** The process must be restarted before the store can be used again. */
  readonly needsRestart?: boolean | undefined;
  /** Size of the store's file in bytes. */
  readonly fileBytes?: number | undefined;
  /** Size of the log of writes in bytes. */
  readonly logBytes?: number | undefined;
  /** Free bytes on its disk. */
  readonly freeBytes?: number | undefined;
}

/** One check of a receiver's health. `warn`: somebody should look at it. `fail`: deliveries cannot be taken because of it. */
export interface HealthCheck {
  /** `ok`, `warn` (look at it) or `fail` (no deliveries can be taken). */
  readonly status: "ok" | "warn" | "fail";
  /** Why it is not "ok", for the operator. */
  readonly reason?: string | undefined;
}

/** The health of a receiver. Without an inbox, the only check is `deliveries`; checks that an engine does not support are left out. */
export interface ReceiverHealth {
  /** False: the process must be restarted. */
  readonly live: boolean;
  /** True: deliveries are taken. Late work does not make a receiver unready. */
  readonly ready: boolean;
  /** The checks by name. */
  readonly checks: {
    /** Deliveries in progress. With an inbox it fails before `start()`; it always fails after `close()` (`draining`). */
    readonly deliveries: HealthCheck & {
      /** Number of deliveries in progress. */
      readonly inProgress: number;
      /** Whether `close()` was called. */
      readonly draining: boolean;
    };
    /** Whether the store takes writes. */
    readonly store?: HealthCheck | undefined;
    /** Milliseconds since this process's last heartbeat in the store; left out where it runs no handlers. */
    readonly heartbeat?:
      | (HealthCheck & {
          /** Age of the heartbeat in milliseconds. */
          readonly ageMs: number;
        })
      | undefined;
    /** Whether the thread that the store runs on is alive. */
    readonly thread?: HealthCheck | undefined;
    /** Tasks that wait, including those behind another of their ordering key, and how late the oldest is. */
    readonly backlog?:
      | (HealthCheck & {
          /** Number of tasks that wait. */
          readonly waiting: number;
          /** Milliseconds since the oldest task that may run was due; undefined if there is none. */
          readonly oldestWaitingMs: number | undefined;
        })
      | undefined;
    /** Size of the store's file and of its log of writes. */
    readonly file?:
      | (HealthCheck & {
          /** Size of the file in bytes. */
          readonly fileBytes: number;
          /** Size of the log of writes in bytes. */
          readonly logBytes: number;
        })
      | undefined;
    /** Free space on the disk of the store. */
    readonly disk?:
      | (HealthCheck & {
          /** Free space in bytes. */
          readonly freeBytes: number;
        })
      | undefined;
  };
}
