/** What the server under torture is told, as JSON in the variable HOOKGATE_TORTURE. */
export interface ServerOptions {
  /** The inbox's file. */
  readonly db: string;
  /** What handlers and hooks did, one JSON object a line; several processes may share it. */
  readonly log: string;
  /** Default: 500 milliseconds. */
  readonly leaseMs?: number;
  /** Default: true. */
  readonly workers?: boolean;
  /** Default: 10,000, so that a task is not dead because its process was killed. */
  readonly maxAttempts?: number;
  /** Default: 1,000 milliseconds. */
  readonly graceMs?: number;
  /** How the receiver stands in the server. Default: "middleware", in Express. */
  readonly mount?: "middleware" | "listener";
  /** What is in front of the gate of "gate" events: "shut" until SIGUSR2 comes, or "open". Default: "open". */
  readonly gate?: "shut" | "open";
}

/** The data of an event. */
export interface EventData {
  /** Milliseconds that its handlers take. Default: none. */
  readonly ms?: number;
  /** As many attempts of each handler fail. Default: 0. */
  readonly fail?: number;
  /** Its handler "ordered" runs in the order of acceptance under this key. */
  readonly key?: string;
  /** What a "gate" event's handler does behind the gate. */
  readonly end?: "done" | "complete" | "throw" | "dead";
  /** Makes the body longer. */
  readonly padding?: string;
}

/** One line of the log. */
export interface LogLine {
  readonly what: "start" | "end" | "lost" | "handled" | "failed" | "retried" | "dead" | "error";
  readonly id: string;
  readonly handler: string;
  readonly attempt: number;
  readonly pid: number;
  /** By the machine's monotonic clock: processes can be compared, whatever was done to their wall clocks. */
  readonly atMs: number;
  readonly message?: string;
}

/** The variable that has the options. */
export const optionsVariable = "HOOKGATE_TORTURE";

/** The key that the server takes. */
export const serviceKey = "key-of-the-server-under-torture-0123456789";

/** Where deliveries go. */
export const hooksPath = "/hooks";

/** The table that handlers write into with their completion. */
export const effectsTable =
  "CREATE TABLE IF NOT EXISTS effects(seq INTEGER PRIMARY KEY, id TEXT NOT NULL, handler TEXT NOT NULL, " +
  "attempt INTEGER NOT NULL, pid INTEGER NOT NULL, UNIQUE(id, handler, attempt))";

/** Milliseconds by the machine's monotonic clock. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}
