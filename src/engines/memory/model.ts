import type {
  AttemptRecord,
  ReplayRecord,
  StoredDelivery,
  TaskError,
  TaskState,
} from "../../contracts/engine.js";

/** An event as it is kept. */
export interface StoredEvent {
  /** In the order of acceptance; the record id is made of it. */
  readonly number: number;
  readonly receiver: string;
  readonly source: string;
  readonly tenant: string;
  readonly service: string;
  readonly id: string;
  readonly type: string;
  /** Which of the delivery's events it is. */
  readonly position: number;
  readonly acceptedAtMs: number;
  readonly delivery: StoredDelivery;
  readonly tasks: StoredTask[];
  readonly replays: ReplayRecord[];
}

/** A task as it is kept. */
export interface StoredTask {
  readonly event: StoredEvent;
  readonly handler: string;
  readonly orderKey: string | undefined;
  state: TaskState;
  /** It waits in the queue; another task of its order key does not hold it back. */
  queued: boolean;
  /** By the clock of the store. */
  dueMs: number;
  attempts: number;
  /** The claim that is good, where it runs. */
  fence: number;
  consumer: number | undefined;
  startedAtMs: number;
  error: TaskError | undefined;
  readonly history: AttemptRecord[];
}

const mostAttempts = 100;

/** Keeps an attempt for whoever looks at the task; of very many the last. */
export function noteAttempt(
  task: StoredTask,
  how: Pick<AttemptRecord, "durationMs" | "outcome" | "error">,
): void {
  task.history.push({ attempt: task.attempts, startedAtMs: task.startedAtMs, ...how });
  if (task.history.length > mostAttempts) task.history.shift();
}

export function recordIdOf(event: StoredEvent): string {
  return `rec_${event.number}`;
}

/** The number behind a record id; undefined where it is none. */
export function eventNumberOf(recordId: string): number | undefined {
  const digits = /^rec_([1-9]\d{0,15})$/.exec(recordId)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** A delivery that shares no bytes and no objects with the one given. */
export function copyOf(delivery: StoredDelivery): StoredDelivery {
  const { requestId, method, url, headers, address, receivedAtMs, caller, bodyKind, rawBody } = delivery;
  return {
    requestId,
    method,
    url,
    headers: cloneOf(headers),
    address,
    receivedAtMs,
    caller: cloneOf(caller),
    bodyKind,
    rawBody: Buffer.from(rawBody),
  };
}

/** A copy of data as JSON has it. Not structuredClone: under a test runner its arrays are of another realm. */
export function cloneOf<Value>(value: Value): Value;
export function cloneOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return Array.from(value, (item: unknown) => cloneOf(item));
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, cloneOf(member)]));
}
