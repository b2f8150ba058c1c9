import type { EngineHealth, HealthCheck, ReceiverHealth } from "../types/health.js";

/** What the health of a receiver is computed from. */
export interface HealthParts {
  readonly state: "new" | "started" | "closed";
  readonly inProgress: number;
  readonly hasInbox: boolean;
  /** Undefined: no inbox, or it is not open. */
  readonly inbox: InboxHealth | undefined;
}

/** The state of an inbox. */
export interface InboxHealth {
  /** Undefined: the engine did not answer in time. */
  readonly engine: EngineHealth | undefined;
  /** Undefined: this process runs no handlers, or the engine does not know. */
  readonly heartbeatAgeMs: number | undefined;
  readonly leaseMs: number;
  readonly maxBacklog: number;
  /** Undefined: they could not be counted. */
  readonly backlog: { readonly waiting: number; readonly oldestWaitingMs: number | undefined } | undefined;
}

const ok: HealthCheck = { status: "ok" };
const maxLatenessMs = 60_000;
/** A longer log means that a read does not end. */
const maxLogBytes = 256 * 1024 * 1024;
const minFreeBytes = 256 * 1024 * 1024;

/** Computes the health of a receiver from the state of its parts. */
export function toReceiverHealth({ state, hasInbox, inProgress, inbox }: HealthParts): ReceiverHealth {
  const deliveries = { ...deliveriesCheck(state, hasInbox), inProgress, draining: state === "closed" };
  if (inbox === undefined) {
    return { live: true, ready: deliveries.status === "ok", checks: { deliveries } };
  }
  const { engine, heartbeatAgeMs, leaseMs, backlog, maxBacklog } = inbox;
  const checks = {
    deliveries,
    store: storeCheck(engine),
    thread: engine?.threadRuns === undefined ? undefined : threadCheck(engine.threadRuns),
    heartbeat: heartbeatAgeMs === undefined ? undefined : heartbeatCheck(heartbeatAgeMs, leaseMs),
    backlog: backlog === undefined ? undefined : { ...backlogCheck(backlog, maxBacklog), ...backlog },
    ...fileChecks(engine),
  };
  const ready = Object.values(checks).every((check) => check?.status !== "fail");
  return { live: engine?.needsRestart !== true, ready, checks };
}

function deliveriesCheck(state: HealthParts["state"], hasInbox: boolean): HealthCheck {
  if (state === "closed") return { status: "fail", reason: "the receiver is being closed" };
  if (state === "new" && hasInbox) return { status: "fail", reason: "the receiver was not started" };
  return ok;
}

function storeCheck(engine: EngineHealth | undefined): HealthCheck | undefined {
  if (engine === undefined) return { status: "fail", reason: "the store does not answer" };
  if (engine.writable === undefined) return undefined;
  return engine.writable ? ok : { status: "fail", reason: engine.reason ?? "the store takes no writes" };
}

function threadCheck(runs: boolean): HealthCheck {
  return runs ? ok : { status: "fail", reason: "the thread of the store has ended" };
}

/** A warning only: deliveries are accepted without a heartbeat. */
function heartbeatCheck(ageMs: number, leaseMs: number): HealthCheck & { readonly ageMs: number } {
  if (ageMs < leaseMs) return { ...ok, ageMs };
  return {
    status: "warn",
    reason: "no heartbeat within the lease: other processes may take over the tasks",
    ageMs,
  };
}

function backlogCheck(
  { waiting, oldestWaitingMs = 0 }: NonNullable<InboxHealth["backlog"]>,
  maxBacklog: number,
): HealthCheck {
  if (waiting >= maxBacklog)
    return { status: "warn", reason: "maxBacklog is reached: deliveries are answered 503" };
  if (oldestWaitingMs > maxLatenessMs) return { status: "warn", reason: "the oldest task is late" };
  return ok;
}

function fileChecks(engine: EngineHealth | undefined): Pick<ReceiverHealth["checks"], "file" | "disk"> {
  const { fileBytes, logBytes = 0, freeBytes } = engine ?? {};
  const long = logBytes > maxLogBytes;
  const little = freeBytes !== undefined && freeBytes < minFreeBytes;
  return {
    file:
      fileBytes === undefined
        ? undefined
        : {
            ...(long ? { status: "warn", reason: "the log of writes is long: a read does not end" } : ok),
            ...{ fileBytes, logBytes },
          },
    disk:
      freeBytes === undefined
        ? undefined
        : {
            ...(little ? { status: "warn", reason: "there is little space left on the disk" } : ok),
            freeBytes,
          },
  };
}
