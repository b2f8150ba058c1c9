import { Buffer } from "node:buffer";
import type { Connection } from "./connection.js";
import type { HandlerRow } from "./query-context.js";
import { taskStates } from "./schema.js";
import * as sql from "./statements.js";

/** What of a handler decides on the order of its tasks. */
export type OrderedHandler = Pick<HandlerRow, "handler" | "hold">;

/** A task of an ordering key. */
interface KeyedTask {
  readonly event: number;
  readonly state: number;
}

/** The task that says most about its key: one that waits, else the oldest that is blocked, else one that runs, else dead. */
function leadingTask(connection: Connection, handler: OrderedHandler, key: string): KeyedTask | undefined {
  return connection.statement(sql.keys.lead).get(handler.handler, key) as KeyedTask | undefined;
}

/** The oldest task of a key in a state. */
function oldestOf(
  connection: Connection,
  handler: OrderedHandler,
  key: string,
  inState: number,
): number | undefined {
  const row = connection.statement(sql.keys.oldest).get(handler.handler, key, inState) as
    | { readonly event: number }
    | undefined;
  return row?.event;
}

/** Whether a new task under an ordering key must wait for another: one that waits or runs, or a dead letter that holds. */
export function mustWait(connection: Connection, handler: OrderedHandler, key: string): boolean {
  const lead = leadingTask(connection, handler, key);
  return lead !== undefined && (lead.state !== taskStates.dead || handler.hold);
}

/**
 * After a task under an ordering key has come to rest: lets the next one of its key be claimed, unless another waits or runs,
 * or a dead letter ahead of it holds it. Its cost does not depend on how many tasks the key has.
 */
export function promote(
  connection: Connection,
  handler: OrderedHandler,
  key: string | null,
  storeMs: number,
): void {
  if (key === null) return;
  const next = leadingTask(connection, handler, key);
  if (next?.state !== taskStates.blocked) return;
  if (oldestOf(connection, handler, key, taskStates.running) !== undefined) return;
  const dead = handler.hold ? oldestOf(connection, handler, key, taskStates.dead) : undefined;
  if (dead !== undefined && dead < next.event) return;
  connection.statement(sql.tasks.unblock).run(Math.floor(storeMs), next.event, handler.handler);
}

/** The event that a blocked task waits for: the one of its key that is next or runs, or the dead letter that holds it. */
export function blockerOf(
  connection: Connection,
  handler: OrderedHandler,
  { event, key }: { readonly event: number; readonly key: string },
): number | undefined {
  for (const inState of [taskStates.waiting, taskStates.running]) {
    const next = oldestOf(connection, handler, key, inState);
    if (next !== undefined) return next;
  }
  const dead = handler.hold ? oldestOf(connection, handler, key, taskStates.dead) : undefined;
  return dead !== undefined && dead < event ? dead : undefined;
}

/** Whether a dead letter blocks a task. */
export function blocksOthers(
  connection: Connection,
  { handler, hold }: OrderedHandler,
  { event, key }: { readonly event: number; readonly key: string },
): boolean {
  if (!hold) return false;
  return connection.statement(sql.keys.blockedAfter).get(handler, key, event) !== undefined;
}

/** A run that ended. */
export interface FinishedRun {
  readonly event: number;
  readonly handler: number;
  readonly attempts: number;
  readonly started_ms: number;
}

/** Per task; older ones are deleted. */
const maxAttemptsKept = 100;

/** Adds an attempt to the history of its task. */
export function recordAttempt(
  connection: Connection,
  { event, handler, attempts, started_ms }: FinishedRun,
  how: {
    readonly durationMs: number | null;
    readonly outcome: "done" | "failed" | "lost";
    readonly error: string | null;
  },
): void {
  const row = connection.statement(sql.attempts.last).get(event, handler) as { readonly last: number };
  connection
    .statement(sql.attempts.add)
    .run(event, handler, row.last + 1, attempts, started_ms, how.durationMs, how.outcome, how.error);
  if (row.last < maxAttemptsKept) return;
  connection.statement(sql.attempts.dropUpTo).run(event, handler, row.last + 1 - maxAttemptsKept);
}

/** Keys per transaction: a changed policy of a million keys must not block deliveries. */
const keysPerStep = 200;

/**
 * Applies the policy of a handler to its keys: tasks after a dead letter that holds them are blocked, and if no task of a key
 * waits or runs, its next one becomes due. Returns the last key of the step, undefined after the last step. It also repairs keys
 * that an older version left without a next task.
 */
export function applyPolicy(
  connection: Connection,
  handler: OrderedHandler,
  after: string | undefined,
  storeMs: number,
): string | undefined {
  let key = after;
  for (let count = 0; count < keysPerStep; count++) {
    key = keyAfter(connection, handler, key);
    if (key === undefined) return undefined;
    if (handler.hold) blockAfterDead(connection, handler, key);
    promote(connection, handler, key, storeMs);
  }
  return key;
}

function keyAfter(
  connection: Connection,
  { handler, hold }: OrderedHandler,
  after: string | undefined,
): string | undefined {
  const next = (state: "blocked" | "dead"): string | undefined => {
    const select = connection.statement(sql.keys.next(state, after === undefined));
    const row = select.get(handler, after ?? "") as { readonly key: string } | undefined;
    return row?.key;
  };
  const [blocked, dead] = [next("blocked"), hold ? next("dead") : undefined];
  if (blocked === undefined || dead === undefined) return blocked ?? dead;
  // In the order of the index: UTF-8, not UTF-16.
  return Buffer.compare(Buffer.from(blocked), Buffer.from(dead)) < 0 ? blocked : dead;
}

/** Running tasks go on: their verdict takes the dead letter into account. */
function blockAfterDead(connection: Connection, handler: OrderedHandler, key: string): void {
  const dead = oldestOf(connection, handler, key, taskStates.dead);
  const next = oldestOf(connection, handler, key, taskStates.waiting);
  if (dead === undefined || next === undefined || next < dead) return;
  connection.statement(sql.tasks.block).run(next, handler.handler);
}
