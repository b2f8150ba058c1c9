import type { Caller, Delivery } from "./delivery.js";
import type { Logger } from "./logger.js";

/** What a delivery says once it was let in: `data` is what the schema of `type` made of it. */
export interface WebhookEvent<Type extends string = string, Data = unknown> {
  /** The sender's id, or one derived from the body where the sender gives none. */
  readonly id: string;
  readonly type: Type;
  readonly data: Data;
}

/** What a handler gets beside the event. Take members off it: a copy by spread has neither `deadline` nor `signal`. */
export interface HandlerContext {
  readonly caller: Caller;
  readonly delivery: Delivery;
  /** 1 for the first run of this handler on this event. */
  readonly attempt: number;
  /** When the handler's time is up. */
  readonly deadline: Date;
  /** Aborts at the deadline. Pass it on to `fetch` and database calls. Made when first asked for. */
  readonly signal: AbortSignal;
  /** The receiver's logger. */
  readonly logger: Logger;
}

/** A function registered for event types. What it returns is awaited and otherwise ignored. */
export type Handler<Event extends WebhookEvent = WebhookEvent> = (
  event: Event,
  context: HandlerContext,
) => unknown;
