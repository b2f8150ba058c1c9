import type { Acceptance, NewEvent } from "../../types/engine.js";
import { mustWait } from "./order.js";
import type { AcceptRequest, PackedDelivery, Times } from "./protocol.js";
import { type QueryContext, recordIdOf, toStored } from "./query-context.js";
import { taskStates } from "./schema.js";
import * as sql from "./statements.js";

/** Stores deliveries within one transaction. */
export class AcceptQueries {
  readonly #parts: QueryContext;
  #lastEvent = 0;

  constructor(parts: QueryContext) {
    this.#parts = parts;
  }

  accept({ deliveries, bytes }: AcceptRequest, times: Times): readonly Acceptance[] {
    const { connection } = this.#parts;
    connection.begin();
    // Read in each transaction, since other processes number events, too. A number is not used again, not even after a purge.
    const row = connection.statement(sql.meta.lastEvent).get() as { last: number };
    this.#lastEvent = row.last;
    let at = 0;
    return deliveries.map((delivery) => {
      const body = new Uint8Array(bytes, at, delivery.bodyLength);
      at += delivery.bodyLength;
      return this.#acceptOne(delivery, body, times);
    });
  }

  #acceptOne(delivery: PackedDelivery, body: Uint8Array, times: Times): Acceptance {
    const { ids, counters } = this.#parts;
    const { receiver, source, tenant, service, events } = delivery;
    const scope = ids.scope(receiver, source, tenant, service);
    if (this.#tokenWasUsed(delivery)) return { status: "replayed" };
    const fresh = this.#freshEvents(scope, events, times);
    if ("status" in fresh) {
      if (fresh.status === "duplicate") this.#useToken(delivery);
      return fresh;
    }
    const number = ids.receiver(receiver);
    const open = countOpen(fresh.events);
    const backlog = counters.backlog(number);
    if (open > 0 && backlog + open > delivery.maxBacklog) return { status: "full", backlog };
    this.#useToken(delivery);
    const recordIds = this.#store(delivery, body, { scope, events: fresh.events }, times);
    counters.addBacklog(number, open);
    return { status: "stored", recordIds, positions: fresh.events.map(({ position }) => position) };
  }

  /** The events that are new, with their positions; or the acceptance of a delivery without any. */
  #freshEvents(
    scope: number,
    events: readonly NewEvent[],
    times: Times,
  ): { readonly events: readonly Positioned[] } | Extract<Acceptance, { status: "duplicate" | "conflict" }> {
    const fresh: Positioned[] = [];
    const seen = new Map<string, NewEvent>();
    let bodyDiffers = false;
    for (const [position, event] of events.entries()) {
      const known = seen.get(event.id)?.digest ?? this.#rememberedDigest(scope, event.id, times);
      if (known === undefined) {
        seen.set(event.id, event);
        fresh.push({ position, event });
      } else if (known !== event.digest) {
        if (event.deduplicateBy === "id-and-body") return { status: "conflict", id: event.id };
        bodyDiffers = true;
      }
    }
    return fresh.length === 0 ? { status: "duplicate", bodyDiffers } : { events: fresh };
  }

  #rememberedDigest(scope: number, id: string, times: Times): string | undefined {
    const { connection } = this.#parts;
    const row = connection.statement(sql.events.remembered).get(scope, toStored(id)) as
      | { readonly event: number; readonly digest: string; readonly remember_until: number }
      | undefined;
    if (row === undefined) return undefined;
    if (row.remember_until > times.storeMs) return row.digest;
    connection.statement(sql.events.forgetId).run(row.event);
    return undefined;
  }

  #tokenWasUsed({ tokenUse }: PackedDelivery): boolean {
    if (tokenUse === undefined) return false;
    const { tokenId, delivery } = tokenUse;
    return (
      this.#parts.connection.statement(sql.events.tokenOfOther).get(toStored(tokenId), toStored(delivery)) !==
      undefined
    );
  }

  #useToken({ tokenUse }: PackedDelivery): void {
    if (tokenUse === undefined) return;
    this.#parts.connection
      .statement(sql.events.addToken)
      .run(toStored(tokenUse.tokenId), toStored(tokenUse.delivery), Math.ceil(tokenUse.expiresAtMs));
  }

  #store(
    delivery: PackedDelivery,
    body: Uint8Array,
    { scope, events }: { readonly scope: number; readonly events: readonly Positioned[] },
    times: Times,
  ): readonly string[] {
    const { connection, counters } = this.#parts;
    const first = this.#lastEvent + 1;
    connection.statement(sql.events.addDelivery).run(first, delivery.receivedAtMs, delivery.head, body);
    const insert = connection.statement(sql.events.add);
    return events.map(({ position, event }) => {
      const number = ++this.#lastEvent;
      const until = Math.floor(times.storeMs + delivery.rememberMs);
      const { id, type, digest } = event;
      insert.run(
        number,
        first,
        position,
        scope,
        toStored(id),
        toStored(type),
        digest,
        Math.floor(times.wallMs),
        until,
        event.tasks.length,
      );
      counters.accepted(number);
      for (const task of event.tasks) this.#storeTask(delivery.receiver, number, task, times);
      return recordIdOf(number);
    });
  }

  #storeTask(receiver: string, event: number, task: NewEvent["tasks"][number], times: Times): void {
    const { connection, ids, counters } = this.#parts;
    const row = ids.handler(receiver, task.handler, task.onDeadLetter === "block");
    const { handler } = row;
    const key = task.orderingKey === undefined ? null : toStored(task.orderingKey);
    if (key !== null) ids.markOrdered(row);
    const { dead } = task;
    let number: number = taskStates.waiting;
    if (dead !== undefined) {
      number = taskStates.dead;
      counters.count("dead");
    } else if (key !== null && mustWait(connection, row, key)) number = taskStates.blocked;
    connection
      .statement(sql.tasks.add)
      .run(
        event,
        handler,
        number,
        Math.floor(times.storeMs),
        key,
        dead === undefined ? null : JSON.stringify(dead),
      );
  }
}

interface Positioned {
  readonly position: number;
  readonly event: NewEvent;
}

function countOpen(events: readonly Positioned[]): number {
  let open = 0;
  for (const { event } of events) {
    for (const { dead } of event.tasks) if (dead === undefined) open++;
  }
  return open;
}
