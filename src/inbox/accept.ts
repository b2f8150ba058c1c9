import { hash } from "node:crypto";
import { Refusal } from "../errors.js";
import type { IncomingEvent } from "../events/extract.js";
import type { RegisteredHandler } from "../events/handlers.js";
import { invalidDataError } from "../events/schemas.js";
import type { Clock } from "../lib/clock.js";
import { describe } from "../lib/options.js";
import { printable } from "../lib/printable.js";
import { withoutQueryValues } from "../lib/request-head.js";
import type { Caller, Delivery } from "../types/delivery.js";
import type {
  Acceptance,
  InboxEngine,
  NewDelivery,
  NewEvent,
  NewTask,
  TaskError,
  TokenUse,
} from "../types/engine.js";
import type { WebhookEvent } from "../types/event.js";
import type { Outcome } from "../types/outcome.js";
import type { InboxReporter } from "../types/report.js";
import { Batcher } from "./batching.js";
import type { InboxSettings } from "./options.js";

/** A delivery that passed every check. */
export interface CheckedDelivery
  extends Pick<NewDelivery, "requestId" | "method" | "address" | "receivedAtMs" | "rawBody"> {
  readonly url: string;
  readonly headers: Delivery["headers"];
  readonly caller: Caller;
  readonly tokenUse: Omit<TokenUse, "delivery"> | undefined;
  readonly parsed: { readonly kind: string };
  readonly events: readonly IncomingEvent[];
}

/** Who receives, and how its events are told apart. */
export interface Origin {
  readonly receiver: string;
  /** Name of the receiver's source; empty without one. */
  readonly source: string;
  readonly deduplicateBy: NewEvent["deduplicateBy"];
}

/** The form of a delivery that is stored; ERR_INTERNAL if an `orderingKey` throws or does not return a key. */
export function newDelivery(
  { receiver, source, deduplicateBy }: Origin,
  settings: Pick<InboxSettings, "headers" | "deduplicateForMs" | "maxBacklog">,
  checked: CheckedDelivery,
): NewDelivery | Refusal {
  const { caller, rawBody, tokenUse } = checked;
  const digest = digestOf(rawBody);
  const events: NewEvent[] = [];
  for (const one of checked.events) {
    const tasks = tasksOf(one);
    if (tasks instanceof Refusal) return tasks;
    const { id, type, data } = one;
    // One of several events may be sent again with other ones: it has a digest of its own then.
    const own = checked.events.length === 1 ? digest : digestOf(JSON.stringify([type, data]));
    events.push({ id, type, digest: own, deduplicateBy, tasks });
  }
  const tenant = caller.method === "none" ? "" : caller.tenant;
  const service = "service" in caller ? caller.service : "";
  return {
    receiver,
    source,
    tenant,
    service,
    events,
    rememberMs: settings.deduplicateForMs,
    maxBacklog: settings.maxBacklog,
    tokenUse: tokenUse && {
      ...tokenUse,
      delivery: digestOf(JSON.stringify([receiver, tenant, service, ...events.map(({ id }) => id), digest])),
    },
    requestId: checked.requestId,
    method: checked.method,
    url: withoutQueryValues(checked.url),
    headers: keptHeaders(checked.headers, settings.headers),
    address: checked.address,
    receivedAtMs: checked.receivedAtMs,
    caller,
    bodyKind: checked.parsed.kind,
    rawBody,
  };
}

function digestOf(bytes: Buffer | string): string {
  return hash("sha256", bytes, "base64url");
}

function keptHeaders(headers: Delivery["headers"], names: readonly string[]): NewDelivery["headers"] {
  const kept: Record<string, string | readonly string[]> = {};
  const keep = (name: string): void => {
    const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
    if (value !== undefined) kept[name] = value;
  };
  for (const name of names) {
    if (!name.endsWith("*")) keep(name);
    else for (const each of Object.keys(headers)) if (each.startsWith(name.slice(0, -1))) keep(each);
  }
  return kept;
}

const none: readonly NewTask[] = [];

function tasksOf(event: IncomingEvent): readonly NewTask[] | Refusal {
  const { handlers, fault } = event;
  if (handlers.length === 0) return none;
  const dead = fault && invalidDataError(fault);
  const tasks: NewTask[] = [];
  for (const handler of handlers) {
    const task = taskOf(handler, event, dead);
    if (task instanceof Refusal) return task;
    tasks.push(task);
  }
  return tasks;
}

function taskOf(
  handler: RegisteredHandler,
  { id, type, data, checkedData }: IncomingEvent,
  dead: TaskError | undefined,
): NewTask | Refusal {
  const { name, onDeadLetter } = handler;
  if (handler.orderingKey === undefined)
    return dead === undefined ? { handler: name } : { handler: name, dead };
  const event = { id, type, data: dead === undefined ? checkedData : data };
  const orderingKey = orderingKeyOf(handler, event, dead !== undefined);
  if (orderingKey instanceof Refusal) return orderingKey;
  return orderingKey === undefined
    ? { handler: name, dead }
    : { handler: name, orderingKey, onDeadLetter, dead };
}

/**
 * The ordering key of an event for a handler; undefined without one. ERR_INTERNAL if `orderingKey` throws or returns anything
 * else. Data that breaks its schema is passed as it came; if the function fails on that, there is no key.
 */
export function orderingKeyOf(
  { name, orderingKey }: Pick<RegisteredHandler, "name" | "orderingKey">,
  event: WebhookEvent,
  isInvalid: boolean,
): string | undefined | Refusal {
  if (orderingKey === undefined) return undefined;
  let key: unknown;
  try {
    key = orderingKey(event);
  } catch (error) {
    return isInvalid
      ? undefined
      : new Refusal("ERR_INTERNAL", `orderingKey of handler "${name}" threw`, error);
  }
  if (typeof key === "string") return key;
  if (key === undefined || isInvalid) return undefined;
  const reason = `orderingKey of handler "${name}" must return a string or undefined, not ${describe(key)}`;
  return new Refusal("ERR_INTERNAL", reason);
}

/** Stores deliveries; the outcome of each is the store's answer, or ERR_STORE_UNAVAILABLE. */
export type Acceptor = Batcher<NewDelivery, Acceptance, Refusal>;

/** Groups deliveries into calls of the engine's `accept`, each answered within `timeoutMs`. */
export function createAcceptor({
  engine,
  reporter,
  clock,
  timeoutMs,
}: {
  readonly engine: Pick<InboxEngine, "accept">;
  readonly reporter: Pick<InboxReporter, "note" | "logger" | "storeFailed" | "storeRecovered">;
  readonly clock: Clock;
  readonly timeoutMs: number;
}): Acceptor {
  const reasons = {
    rejected: "the inbox's store did not take the delivery",
    timeout: `the inbox's store had not answered within ${timeoutMs} ms (inbox.acceptTimeout)`,
    closed: "the receiver was closed before the inbox's store had answered",
  };
  return new Batcher({
    store: (deliveries) => engine.accept(deliveries),
    failure: (reason, error) => new Refusal("ERR_STORE_UNAVAILABLE", reasons[reason], error),
    bytesOf: ({ rawBody }) => rawBody.length,
    timeLimit: { clock, ms: timeoutMs },
    reporter: {
      failed(error) {
        const what = error === undefined ? "does not answer" : "did not take a delivery";
        const message = `the inbox's store ${what}; deliveries are answered 503 until it does`;
        reporter.note("error", message, error === undefined ? {} : { err: error });
        reporter.storeFailed(error);
      },
      recovered(downMs) {
        reporter.note("warn", "the inbox's store takes deliveries again", { downMs });
        reporter.storeRecovered(downMs);
      },
      // Their senders were answered 503: the retry will be a duplicate.
      late(deliveries, stored) {
        const what = stored ? "stored after all" : "refused by the store";
        reporter.logger.debug({ deliveries }, `${what}, after inbox.acceptTimeout`);
      },
    },
  });
}

/**
 * The outcome for the sender. Refused with ERR_EVENT_CONFLICT, ERR_TOKEN_INVALID (the token was used before), ERR_OVERLOADED (the
 * backlog is full) or ERR_STORE_UNAVAILABLE.
 */
export function toOutcome(delivery: NewDelivery, acceptance: Acceptance | Refusal): Outcome | Refusal {
  if (acceptance instanceof Refusal) return acceptance;
  const { events } = delivery;
  const ids = events.map(({ id }) => id);
  switch (acceptance.status) {
    case "stored":
      return events.every(({ tasks }) => tasks.length === 0)
        ? { status: "ignored", ids, stored: true }
        : { status: "accepted", ids };
    case "duplicate":
      return { status: "duplicate", ids };
    case "conflict":
      return new Refusal(
        "ERR_EVENT_CONFLICT",
        `the event "${printable(acceptance.id)}" was accepted before, with another body; the first one stays`,
      );
    case "replayed":
      return new Refusal(
        "ERR_TOKEN_INVALID",
        "the token was used before, with another delivery (replay)",
        undefined,
        "replay",
      );
    case "full":
      return new Refusal(
        "ERR_OVERLOADED",
        `${acceptance.backlog} tasks wait or run; inbox.maxBacklog is ${delivery.maxBacklog}`,
      );
    default:
      return new Refusal("ERR_INTERNAL", "the engine of the inbox returned an invalid acceptance");
  }
}

/** Reports dead letters among the stored events, and a duplicate with another body. */
export function reportStored(
  delivery: NewDelivery,
  acceptance: Acceptance | Refusal,
  reporter: Pick<InboxReporter, "dead" | "note">,
): void {
  if (acceptance instanceof Refusal) return;
  const { events, requestId } = delivery;
  if (acceptance.status === "duplicate" && acceptance.bodyDiffers) {
    const which = events.length === 1 ? "the event" : "events, among them";
    const message = `${which} "${printable(events[0]?.id ?? "")}" came again with another body; the first one stays`;
    reporter.note("warn", message, { requestId });
  }
  if (acceptance.status !== "stored") return;
  for (const [at, recordId] of acceptance.recordIds.entries()) {
    // A custom engine may return more records than there are events.
    const event = events[acceptance.positions[at] ?? at];
    if (event !== undefined) reportDead(recordId, event, reporter);
  }
}

function reportDead(
  recordId: string,
  { id, type, tasks }: NewEvent,
  reporter: Pick<InboxReporter, "dead">,
): void {
  for (const { handler, dead } of tasks) {
    if (dead !== undefined) reporter.dead({ recordId, event: { id, type }, handler, attempt: 0 }, dead);
  }
}
