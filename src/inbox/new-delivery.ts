import { hash } from "node:crypto";
import { Refusal } from "../errors.js";
import type { OpenedEnvelope } from "../events/extract.js";
import type { RegisteredHandler } from "../events/handler-options.js";
import { withoutQueryValues } from "../lib/query-names.js";
import type { Caller, Delivery } from "../types/delivery.js";
import type { NewDelivery, NewEvent, NewTask, TaskError, TokenUse } from "../types/engine.js";
import type { InboxSettings } from "./options.js";
import { orderKeyOf } from "./order-key.js";
import { invalidDataError } from "./task-error.js";

/** A delivery that passed every check, and what it says. */
export interface CheckedDelivery {
  readonly delivery: Delivery;
  readonly caller: Caller;
  readonly tokenUse: Omit<TokenUse, "delivery"> | undefined;
  readonly kind: string;
  readonly events: readonly CheckedEvent[];
}

/** One of its events. */
export interface CheckedEvent {
  readonly event: OpenedEnvelope;
  readonly handlers: readonly RegisteredHandler[];
  /** What the schema made of the data, or how the data breaks it. Not looked at where there are no handlers. */
  readonly data: { readonly value: unknown } | Refusal;
}

/** Who receives, and how its events are told apart. */
export interface Origin {
  readonly receiver: string;
  /** Name of the receiver's source; empty without one. */
  readonly source: string;
  readonly sameEvent: NewEvent["sameEvent"];
}

/** What is to be stored of a delivery; ERR_INTERNAL where an `orderBy` threw or gave something else than a key. */
export function newDelivery(
  { receiver, source, sameEvent }: Origin,
  settings: Pick<InboxSettings, "headers" | "deduplicationMs" | "maxBacklog">,
  checked: CheckedDelivery,
): NewDelivery | Refusal {
  const { caller, delivery } = checked;
  const { rawBody } = delivery;
  const digest = digestOf(rawBody);
  const events: NewEvent[] = [];
  for (const one of checked.events) {
    const tasks = tasksOf(one);
    if (tasks instanceof Refusal) return tasks;
    const { id, type } = one.event;
    // One of several may come again beside others, so that its own words count there instead of the whole body.
    const own = checked.events.length === 1 ? digest : digestOf(JSON.stringify([type, one.event.data]));
    events.push({ id, type, digest: own, sameEvent, tasks });
  }
  const tenant = caller.method === "none" ? "" : caller.tenant;
  const service = "service" in caller ? caller.service : "";
  return {
    receiver,
    source,
    tenant,
    service,
    events,
    rememberMs: settings.deduplicationMs,
    maxBacklog: settings.maxBacklog,
    tokenUse: checked.tokenUse && {
      ...checked.tokenUse,
      delivery: digestOf(JSON.stringify([receiver, tenant, service, ...events.map(({ id }) => id), digest])),
    },
    requestId: delivery.requestId,
    method: delivery.method,
    url: withoutQueryValues(delivery.url),
    headers: keptHeaders(delivery.headers, settings.headers),
    address: delivery.address,
    receivedAtMs: delivery.receivedAt.getTime(),
    caller,
    bodyKind: checked.kind,
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

function tasksOf({ event, handlers, data }: CheckedEvent): readonly NewTask[] | Refusal {
  if (handlers.length === 0) return none;
  const dead = data instanceof Refusal ? invalidDataError(data) : undefined;
  const tasks: NewTask[] = [];
  for (const handler of handlers) {
    const task = taskOf(handler, { ...event, data: data instanceof Refusal ? event.data : data.value }, dead);
    if (task instanceof Refusal) return task;
    tasks.push(task);
  }
  return tasks;
}

function taskOf(
  handler: RegisteredHandler,
  event: OpenedEnvelope,
  dead: TaskError | undefined,
): NewTask | Refusal {
  const { name, orderBy, deadHead } = handler;
  if (orderBy === undefined) return dead === undefined ? { handler: name } : { handler: name, dead };
  const orderKey = orderKeyOf(handler, event, dead !== undefined);
  if (orderKey instanceof Refusal) return orderKey;
  return orderKey === undefined ? { handler: name, dead } : { handler: name, orderKey, deadHead, dead };
}
