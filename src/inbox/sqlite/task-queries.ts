import { Buffer } from "node:buffer";
import { parseJson } from "../../lib/json.js";
import type { SettledReport, StoredDelivery, TaskError, Verdict } from "../../types/engine.js";
import type { ClaimedTask, Claims } from "../polling/task-queue.js";
import { applyPolicy, promote, recordAttempt } from "./order.js";
import type { ClaimName, ClaimRequest, Pulse, Request, Times } from "./protocol.js";
import { fromStored, type HandlerRow, type QueryContext, recordIdOf } from "./query-context.js";
import { taskStates } from "./schema.js";
import * as sql from "./statements.js";

interface DueRow {
  readonly event: number;
  readonly attempts: number;
  readonly fence: number;
  readonly order_key: string | null;
  readonly started_ms: number | null;
  readonly id: string;
  readonly type: string;
  readonly position: number;
  readonly received_ms: number;
  readonly head: string;
  readonly body: Uint8Array;
}

type ExhaustedRow = Pick<DueRow, "event" | "attempts" | "order_key" | "id" | "type">;

/** Dead letters per handler and claim: deliveries wait for it. */
const maxBuried = 500;

/** The error of a task that used up its attempts without ending one. */
const outOfAttempts: TaskError = {
  name: "LeaseLostError",
  code: "ERR_LEASE_LOST",
  message: "the process that ran it ended or stalled in its last attempt",
};

/** Claims and ends tasks. Every step names its claim, and is refused if the task was claimed again (ATTACKS H08). */
export class TaskQueries {
  readonly #parts: QueryContext;

  constructor(parts: QueryContext) {
    this.#parts = parts;
  }

  /** Writes nothing if nothing is due. */
  claim(request: ClaimRequest, times: Times): Claims {
    const { ids } = this.#parts;
    const receiver = ids.receiver(request.receiver);
    if (this.#anyDue(request, receiver, times.storeMs)) this.#parts.connection.begin();
    const claims = { tasks: [] as ClaimedTask[], dead: [] as SettledReport[] };
    let nextDueMs: number | undefined;
    for (const want of request.wants) {
      const handler = ids.knownHandler(receiver, want.handler);
      if (handler === undefined) continue;
      if (this.#claimFor(handler, { ...want, consumer: request.consumer }, times, claims)) {
        nextDueMs = earlier(nextDueMs, this.#nextDue(handler.handler, times.storeMs));
      }
    }
    return { ...claims, nextDueMs };
  }

  /**
   * Claims for one handler. Tasks that are out of attempts become dead letters without using a slot, up to `maxBuried` at a time.
   * False: it got all that it asked for, and more may be due.
   */
  #claimFor(
    handler: HandlerRow,
    want: ClaimRequest["wants"][number] & { readonly consumer: number },
    times: Times,
    { tasks, dead }: { readonly tasks: ClaimedTask[]; readonly dead: SettledReport[] },
  ): boolean {
    const { maxAttempts, consumer, limit } = want;
    for (let room = limit, buried = 0; ; ) {
      const due = this.#due(handler.handler, times.storeMs, room);
      const exhausted = due.filter(({ attempts }) => attempts >= maxAttempts);
      for (const row of due) {
        if (row.attempts < maxAttempts) tasks.push(this.#claimOne(consumer, handler, row, times));
      }
      dead.push(...exhausted.map((row) => this.#bury(handler, row)));
      if (exhausted.length === 0 || due.length < room) return due.length < room;
      room -= due.length - exhausted.length;
      // More of them are likely to follow; their bodies need not be read.
      const followers = this.#exhausted(handler.handler, times.storeMs, maxAttempts);
      dead.push(...followers.map((row) => this.#bury(handler, row)));
      buried += exhausted.length + followers.length;
      if (buried >= maxBuried) return true;
    }
  }

  /** Ends a run by its verdict. False: the claim is no longer valid. */
  settle(claim: ClaimName, verdict: Verdict, times: Times): boolean {
    const { connection, ids, counters } = this.#parts;
    connection.begin();
    const receiver = ids.receiver(claim.receiver);
    const handler = ids.handler(claim.receiver, claim.handler);
    if (verdict.outcome === "done") return this.complete(claim, times);
    const row = this.#claimed(claim, handler.handler);
    if (row === undefined) return false;
    if (verdict.outcome === "release") {
      this.#end(claim, handler.handler, taskStates.waiting, {
        due: times.storeMs,
        attempts: row.attempts - 1,
      });
      return true;
    }
    const durationMs = Math.max(0, Math.round(times.wallMs - row.started_ms));
    const error = JSON.stringify(verdict.error);
    const failed = { ...row, handler: handler.handler, event: claim.event };
    recordAttempt(connection, failed, { durationMs, outcome: "failed", error });
    counters.count("failed");
    if (verdict.outcome === "retry") {
      const due = Math.ceil(times.storeMs + Math.max(0, verdict.delayMs));
      this.#end(claim, handler.handler, taskStates.waiting, { due, attempts: row.attempts, error });
      return true;
    }
    this.#end(claim, handler.handler, taskStates.dead, { due: times.storeMs, attempts: row.attempts, error });
    counters.count("dead");
    counters.addBacklog(receiver, -1);
    promote(connection, handler, row.order_key, times.storeMs);
    return true;
  }

  complete(claim: ClaimName, times: Times): boolean {
    const { connection, ids, counters } = this.#parts;
    connection.begin();
    const handler = ids.handler(claim.receiver, claim.handler);
    const row = connection
      .statement(sql.tasks.complete)
      .get(Math.round(times.wallMs), claim.event, handler.handler, claim.fence) as
      | { readonly order_key: string | null }
      | undefined;
    if (row === undefined) return false;
    counters.count("handled");
    counters.addBacklog(handler.receiver, -1);
    promote(connection, handler, row.order_key, times.storeMs);
    return true;
  }

  #anyDue({ wants }: ClaimRequest, receiver: number, storeMs: number): boolean {
    return wants.some((want) => {
      const handler = this.#parts.ids.knownHandler(receiver, want.handler);
      return handler !== undefined && this.#nextDue(handler.handler, storeMs) === 0;
    });
  }

  #due(handler: number, storeMs: number, limit: number): readonly DueRow[] {
    return this.#parts.connection
      .statement(sql.tasks.due)
      .all(handler, Math.floor(storeMs), limit) as DueRow[];
  }

  #nextDue(handler: number, storeMs: number): number | undefined {
    const row = this.#parts.connection.statement(sql.tasks.nextDue).get(handler) as
      | { readonly due: number }
      | undefined;
    return row === undefined ? undefined : Math.max(0, row.due - Math.floor(storeMs));
  }

  /** The tasks that are out of attempts, among the next ones that are due. */
  #exhausted(handler: number, storeMs: number, maxAttempts: number): readonly ExhaustedRow[] {
    const rows = this.#parts.connection
      .statement(sql.tasks.dueHeads)
      .all(handler, Math.floor(storeMs), maxBuried) as ExhaustedRow[];
    return rows.filter(({ attempts }) => attempts >= maxAttempts);
  }

  #claimOne(consumer: number, { handler, name }: HandlerRow, row: DueRow, times: Times): ClaimedTask {
    const { connection } = this.#parts;
    connection.statement(sql.tasks.claim).run(consumer, Math.round(times.wallMs), row.event, handler);
    const head = parseJson(row.head) as Omit<StoredDelivery, "receivedAtMs" | "rawBody">;
    const { buffer, byteOffset, byteLength } = row.body;
    return {
      recordId: recordIdOf(row.event),
      handler: name,
      attempt: row.attempts + 1,
      fence: row.fence + 1,
      ordered: row.order_key !== null,
      event: { id: fromStored(row.id), type: fromStored(row.type) },
      position: row.position,
      delivery: {
        ...head,
        address: head.address ?? undefined,
        receivedAtMs: row.received_ms,
        rawBody: Buffer.from(buffer, byteOffset, byteLength),
      },
    };
  }

  #bury(handler: HandlerRow, row: ExhaustedRow): SettledReport {
    const { connection, counters } = this.#parts;
    connection.statement(sql.tasks.bury).run(JSON.stringify(outOfAttempts), row.event, handler.handler);
    counters.count("dead");
    counters.addBacklog(handler.receiver, -1);
    promote(connection, handler, row.order_key, 0);
    return {
      recordId: recordIdOf(row.event),
      handler: handler.name,
      attempt: row.attempts,
      event: { id: fromStored(row.id), type: fromStored(row.type) },
      verdict: { outcome: "dead", error: outOfAttempts },
      kept: true,
    };
  }

  #claimed(claim: ClaimName, handler: number): RunningRow | undefined {
    return this.#parts.connection.statement(sql.tasks.claimed).get(claim.event, handler, claim.fence) as
      | RunningRow
      | undefined;
  }

  #end(
    claim: ClaimName,
    handler: number,
    next: number,
    to: { readonly due: number; readonly attempts: number; readonly error?: string },
  ): void {
    this.#parts.connection
      .statement(sql.tasks.end)
      .run(next, Math.floor(to.due), to.attempts, to.error ?? null, claim.event, handler);
  }
}

interface RunningRow {
  readonly attempts: number;
  readonly started_ms: number;
  readonly order_key: string | null;
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined) return b;
  return b === undefined ? a : Math.min(a, b);
}

/** Consumers and their heartbeats, and the tasks of those that have none. */
export class ConsumerQueries {
  readonly #parts: QueryContext;

  constructor(parts: QueryContext) {
    this.#parts = parts;
  }

  /** Registers a consumer and the policies of its handlers. */
  join({ consumer, receiver, leaseMs, handlers }: Extract<Request, { op: "join" }>, times: Times): number {
    const { connection, ids } = this.#parts;
    connection.begin();
    connection
      .statement(sql.consumers.join)
      .run(consumer, ids.receiver(receiver), leaseMs, Math.floor(times.storeMs));
    for (const { name, hold, ordered } of handlers) {
      const { handler } = ids.handler(receiver, name);
      connection.statement(sql.ids.setPolicy).run(hold ? 1 : 0, ordered ? 1 : 0, handler);
    }
    return consumer;
  }

  /** Applies a changed policy to stored tasks, one step; returns the key to go on after, null at the end. */
  align({ receiver, handler, after }: Extract<Request, { op: "align" }>, times: Times): string | null {
    const { connection, ids } = this.#parts;
    connection.begin();
    const row = ids.handler(receiver, handler);
    return applyPolicy(connection, row, after ?? undefined, times.storeMs) ?? null;
  }

  /** Stores a heartbeat; returns those of the others, including consumers that claimed without having joined. */
  heartbeat(consumer: number, times: Times): Pulse {
    const { connection, counters } = this.#parts;
    connection.begin();
    const { changes } = connection.statement(sql.consumers.beat).run(Math.floor(times.storeMs), consumer);
    const clock = connection.statement(sql.meta.advanceClock).get(Math.floor(times.storeMs)) as {
      readonly value: number;
    };
    counters.prune(times.wallMs);
    const others = connection.statement(sql.consumers.others).all(consumer) as Pulse["others"];
    return { alive: Number(changes) === 1, clockMs: clock.value, others };
  }

  /** Takes back the tasks of a consumer, unless its heartbeat has changed since. Returns their number. */
  expire(consumer: number, beat: number, times: Times): number {
    const { connection } = this.#parts;
    connection.begin();
    const row = connection.statement(sql.consumers.beatOf).get(consumer) as
      | { readonly beat: number }
      | undefined;
    if ((row?.beat ?? -1) !== beat) return 0;
    return this.#takeBack(consumer, times);
  }

  /** Removes a consumer, and takes back its tasks. */
  leave(consumer: number, times: Times): number {
    this.#parts.connection.begin();
    return this.#takeBack(consumer, times);
  }

  #takeBack(consumer: number, times: Times): number {
    const { connection } = this.#parts;
    const running = connection.statement(sql.tasks.runningOf).all(consumer) as {
      event: number;
      handler: number;
      attempts: number;
      started_ms: number;
    }[];
    for (const run of running)
      recordAttempt(connection, run, { durationMs: null, outcome: "lost", error: null });
    connection.statement(sql.tasks.takeBack).run(Math.floor(times.storeMs), consumer);
    connection.statement(sql.consumers.remove).run(consumer);
    return running.length;
  }
}
