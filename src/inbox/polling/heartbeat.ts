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
