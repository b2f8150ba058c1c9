/** What an engine says of its store. Every member may be left out where the engine cannot tell. */
export interface EngineHealth {
  /** Whether the store takes writes: by the last one, where that is recent, else by one that is made for it. */
  readonly writable?: boolean | undefined;
  /** Why not. */
  readonly reason?: string | undefined;
  /** The thread that the store runs on; false: it has ended. */
  readonly threadRuns?: boolean | undefined;
  /** The process must be restarted before the store can be used again. */
  readonly needsRestart?: boolean | undefined;
  readonly fileBytes?: number | undefined;
  /** Bytes of the log of writes beside the file. */
  readonly logBytes?: number | undefined;
  /** Bytes that are left on its disk. */
  readonly freeBytes?: number | undefined;
}

/** One part of a receiver's health. `warn`: somebody should look at it; `fail`: deliveries cannot be taken because of it. */
export interface HealthCheck {
  readonly status: "ok" | "warn" | "fail";
  /** Why it is not "ok", in words for the operator. */
  readonly reason?: string | undefined;
}

/** The health of a receiver. Without an inbox only `deliveries` is there; what an engine does not tell is left out. */
export interface ReceiverHealth {
  /** False: only a restart of the process helps. */
  readonly live: boolean;
  /** True: deliveries are taken. Late work makes nobody unready. */
  readonly ready: boolean;
  readonly checks: {
    /** Deliveries in progress; fails before `start()`, with an inbox, and from `close()` on (`draining`). */
    readonly deliveries: HealthCheck & { readonly inProgress: number; readonly draining: boolean };
    /** Whether the store takes writes. */
    readonly store?: HealthCheck | undefined;
    /** Milliseconds since this process's last heartbeat in the store; left out where it runs no handlers. */
    readonly heartbeat?: (HealthCheck & { readonly ageMs: number }) | undefined;
    readonly thread?: HealthCheck | undefined;
    /** Tasks that wait, also those behind another of their order key, and how late the oldest is. */
    readonly backlog?:
      | (HealthCheck & { readonly waiting: number; readonly oldestWaitingMs: number | undefined })
      | undefined;
    readonly file?: (HealthCheck & { readonly fileBytes: number; readonly logBytes: number }) | undefined;
    readonly disk?: (HealthCheck & { readonly freeBytes: number }) | undefined;
  };
}
