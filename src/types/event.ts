import type { Caller, Delivery } from "./delivery.js";
import type { Logger } from "./report.js";

/** What a delivery says once it was let in: `data` is what the schema of `type` made of it. */
export interface WebhookEvent<Type extends string = string, Data = unknown> {
  /** The sender's id, or one derived from the body where the sender gives none. */
  readonly id: string;
  /** The event's type. */
  readonly type: Type;
  /** What the schema of `type` made of the event's data. */
  readonly data: Data;
}

/** The map of a receiver that names no event types: any type, data unknown. */
export interface AnyEventMap {
  readonly [type: string]: unknown;
}

/** What a handler gets in addition to the event. Take members off it: a copy by spread has neither `deadline` nor `signal`. */
export interface HandlerContext {
  /** Who the delivery proved to be. */
  readonly caller: Caller;
  /** The request that brought the event. */
  readonly delivery: Delivery;
  /** 1 for the first run of this handler on this event, since its acceptance or last replay. */
  readonly attempt: number;
  /** When the handler's time is up. */
  readonly deadline: Date;
  /** Aborts at the deadline; with an inbox also when the lease is lost, and at the end of `close`'s grace. Pass it on to `fetch` and database calls. Made when first asked for. */
  readonly signal: AbortSignal;
  /** The receiver's logger. */
  readonly logger: Logger;
}

/** What a handler gets where the receiver has an inbox. `Tx` is what the engine lets you write into. */
export interface InboxContext<Tx> extends HandlerContext {
  /**
   * Completes the task now, together with the writes of `write`, in one transaction: both are there, or neither. Once
   * per run; what the handler does after it can no longer fail the task. Without `write` it only completes.
   * Rejects with LeaseLostError where the task is another worker's by now, with a TypeError where it was called before
   * or the engine takes no writes, and with what the store made of the writes; then nothing was committed.
   *
   * @example
   * await context.complete((tx) => tx.run("INSERT INTO paid (order_id) VALUES (?)", [event.data.orderId]));
   */
  complete(write?: (tx: Tx) => void | Promise<void>): Promise<void>;
}

/**
 * What a handler may return: anything, or nothing. Not `unknown`: under `checkJs` a function that is declared to return
 * `unknown` has to return something, and so has one that is declared by JSDoc.
 */
// biome-ignore lint/complexity/noBannedTypes: everything but null and undefined.
// biome-ignore lint/suspicious/noConfusingVoidType: it is `void` that lets a declared function return nothing.
export type HandlerResult = void | {} | null | undefined;

/** A function registered for event types. What it returns is awaited and otherwise ignored. */
export type Handler<Event extends WebhookEvent = WebhookEvent> = (
  event: Event,
  context: HandlerContext,
) => HandlerResult;
