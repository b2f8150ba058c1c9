/** What the heartbeat of a consumer calls. */
export interface HeartbeatParts {
  readonly leaseMs: number;
  /** A sign of life; false: what was claimed before it was taken by others. */
  beat(): Promise<boolean>;
  /** Called before each sign of life; what it returns is called where that comes back false. */
  prepare(): () => void;
  /** After a failure, once until the next success. */
  failed(error: unknown): void;
  /** Whenever a sign of life has ended, well or not. */
  ended(revived: boolean): void;
}

/** A consumer's sign of life, given ten times within a lease: who watches is that much late in seeing that none comes. */
export interface Heartbeat {
  /** A sign of life is under way. */
  readonly inFlight: boolean;
  /** None has reached the store for the length of a lease, by the monotonic clock: others may have our tasks. */
  isStale(): boolean;
  /** Milliseconds since the last one that reached the store. */
  ageMs(): number;
  stop(): void;
}

/** Gives the first sign of life at once. */
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
      // The store may have taken it at any time since it was sent: the earliest is the safe one.
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
