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
  readonly fileBytes?: number | undefined;
  /** Size of the log of writes in bytes. */
  readonly logBytes?: number | undefined;
  /** Free bytes on its disk. */
  readonly freeBytes?: number | undefined;
}

/** One check of a receiver's health. `warn`: somebody should look at it. `fail`: deliveries cannot be taken because of it. */
export interface HealthCheck {
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
  readonly checks: {
    /** Deliveries in progress. With an inbox it fails before `start()`; it always fails after `close()` (`draining`). */
    readonly deliveries: HealthCheck & { readonly inProgress: number; readonly draining: boolean };
    /** Whether the store takes writes. */
    readonly store?: HealthCheck | undefined;
    /** Milliseconds since this process's last heartbeat in the store; left out where it runs no handlers. */
    readonly heartbeat?: (HealthCheck & { readonly ageMs: number }) | undefined;
    readonly thread?: HealthCheck | undefined;
    /** Tasks that wait, including those behind another of their ordering key, and how late the oldest is. */
    readonly backlog?:
      | (HealthCheck & { readonly waiting: number; readonly oldestWaitingMs: number | undefined })
      | undefined;
    readonly file?: (HealthCheck & { readonly fileBytes: number; readonly logBytes: number }) | undefined;
    readonly disk?: (HealthCheck & { readonly freeBytes: number }) | undefined;
  };
}
