import { parseJson } from "../../lib/json.js";
import type { Connection } from "./connection.js";
import { counters, ids } from "./statements.js";

/** What the queries of a connection share. */
export interface QueryContext {
  readonly connection: Connection;
  readonly ids: IdTable;
  readonly counters: Counters;
}

/** A handler as stored in the file. */
export interface HandlerRow {
  readonly handler: number;
  readonly receiver: number;
  readonly name: string;
  /** Whether a dead letter holds the later tasks of its ordering key. */
  readonly hold: boolean;
  /** Whether its tasks may have ordering keys. */
  readonly ordered: boolean;
}

/**
 * The numbers of receivers, scopes and handlers. They are few and never change, so they are cached; numbers from a transaction
 * that was rolled back are dropped.
 */
export class IdTable {
  readonly #connection: Connection;
  readonly #receivers = new Map<string, number>();
  readonly #scopes = new Map<string, number>();
  #fresh: (() => void)[] = [];

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The number of a receiver, which is added if it is new. */
  receiver(name: string): number {
    return this.#number(this.#receivers, name, () => {
      const values = [toStored(name)];
      this.#run(ids.addReceiver, values);
      return this.#find(ids.receiver, values);
    });
  }

  /** The number of the scope in which ids are unique. */
  scope(receiver: string, source: string, tenant: string, service: string): number {
    return this.#number(this.#scopes, JSON.stringify([receiver, source, tenant, service]), () => {
      const values = [this.receiver(receiver), toStored(source), toStored(tenant), toStored(service)];
      this.#run(ids.addScope, values);
      return this.#find(ids.scope, values);
    });
  }

  /**
   * A handler; added with the policy `hold` if it is new. Read each time, since another process may have changed its policy.
   */
  handler(receiver: string, name: string, hold = false): HandlerRow {
    const number = this.receiver(receiver);
    const found = this.knownHandler(number, name);
    if (found !== undefined) return found;
    this.#run(ids.addHandler, [number, toStored(name), hold ? 1 : 0]);
    const made = this.knownHandler(number, name);
    if (made === undefined) throw new Error("a handler's row is not where it was put");
    return made;
  }

  knownHandler(receiver: number, name: string): HandlerRow | undefined {
    const row = this.#connection.statement(ids.handlerByName).get(receiver, toStored(name));
    return row === undefined ? undefined : toHandler(row);
  }

  /** Stores that tasks of a handler have ordering keys. */
  markOrdered({ handler, ordered }: HandlerRow): void {
    if (!ordered) this.#run(ids.setOrdered, [handler]);
  }

  /** The handler of a number. */
  handlerByNumber(number: number): HandlerRow {
    const row = this.#connection.statement(ids.handler).get(number);
    return toHandler(row);
  }

  /** Drops the numbers that were added since the last `commit`. */
  rollback(): void {
    for (const undo of this.#fresh) undo();
    this.#fresh = [];
  }

  commit(): void {
    if (this.#fresh.length > 0) this.#fresh = [];
  }

  #number(known: Map<string, number>, key: string, make: () => number): number {
    const found = known.get(key);
    if (found !== undefined) return found;
    const made = make();
    known.set(key, made);
    this.#fresh.push(() => known.delete(key));
    return made;
  }

  #run(sql: string, values: readonly (string | number)[]): void {
    this.#connection.begin();
    this.#connection.statement(sql).run(...values);
  }

  #find(sql: string, values: readonly (string | number)[]): number {
    const row = this.#connection.statement(sql).get(...values) as { number: number };
    return row.number;
  }
}

function toHandler(row: unknown): HandlerRow {
  const { handler, receiver, name, hold, ordered } = row as {
    handler: number;
    receiver: number;
    name: string;
    hold: number;
    ordered: number;
  };
  return { handler, receiver, name: fromStored(name), hold: hold === 1, ordered: ordered === 1 };
}

/**
 * Text of others as it is stored. UTF-8 has no lone surrogates, and a driver ends text at its first NUL, so that ids which differ
 * after it would become the same. Such text, and text that begins with the mark, is stored as JSON after the mark.
 */
const mark = "\u0001";
const unstorable = /[\p{Surrogate}\0]/u;

/** The form in which text is stored and compared. */
export function toStored(text: string): string {
  return text.startsWith(mark) || unstorable.test(text) ? mark + JSON.stringify(text) : text;
}

/** The text that was stored in this form. */
export function fromStored(stored: string): string {
  return stored.startsWith(mark) ? (parseJson(stored.slice(1)) as string) : stored;
}

/** The record id of an event by its number. */
export function recordIdOf(event: number): string {
  return `rec_${event}`;
}

/** The number in a record id; undefined if it is not a record id. */
export function eventNumber(recordId: string): number | undefined {
  const digits = /^rec_([1-9]\d{0,15})$/.exec(recordId)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

type Counter = "handled" | "failed" | "dead";
const minuteMs = 60_000;
const keptMinutes = 60;

/** For each span of this length the store keeps which events were accepted in it. */
export const timeSpanMs = 600_000;

/**
 * The changes of one transaction to the counts: events and tasks per minute, the backlog of each receiver, and which events were
 * accepted in which span of time.
 */
export class Counters {
  readonly #connection: Connection;
  #accepted = 0;
  #handled = 0;
  #failed = 0;
  #dead = 0;
  #firstEvent: number | undefined;
  #lastEvent = 0;
  readonly #backlogs = new Map<number, number>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  count(counter: Counter): void {
    if (counter === "handled") this.#handled++;
    else if (counter === "failed") this.#failed++;
    else this.#dead++;
  }

  /** Counts an accepted event; their numbers rise. */
  accepted(event: number): void {
    this.#accepted++;
    this.#firstEvent ??= event;
    this.#lastEvent = event;
  }

  /** Changes the number of open tasks of a receiver. */
  addBacklog(receiver: number, change: number): void {
    this.#backlogs.set(receiver, (this.#backlogs.get(receiver) ?? 0) + change);
  }

  /** Open tasks of a receiver, including those of this transaction. */
  backlog(receiver: number): number {
    const row = this.#connection.statement(counters.backlog).get(receiver) as { backlog: number };
    return row.backlog + (this.#backlogs.get(receiver) ?? 0);
  }

  /** Writes the changes, within the transaction. */
  write(wallMs: number): void {
    for (const [receiver, change] of this.#backlogs) {
      if (change === 0) continue;
      this.#connection.statement(counters.addBacklog).run(change, receiver);
    }
    this.#backlogs.clear();
    const counts = [this.#accepted, this.#handled, this.#failed, this.#dead];
    if (counts.every((count) => count === 0)) return;
    if (this.#firstEvent !== undefined) {
      this.#connection
        .statement(counters.addSpan)
        .run(Math.floor(wallMs / timeSpanMs), this.#firstEvent, this.#lastEvent);
    }
    const minute = Math.floor(wallMs / minuteMs);
    this.#connection.statement(counters.addMinute).run(minute, ...counts);
    this.clear();
  }

  /** Deletes expired minutes. */
  prune(wallMs: number): void {
    const oldest = Math.floor(wallMs / minuteMs) - keptMinutes;
    this.#connection.statement(counters.dropMinutes).run(oldest);
  }

  clear(): void {
    this.#accepted = this.#handled = this.#failed = this.#dead = 0;
    this.#firstEvent = undefined;
    this.#backlogs.clear();
  }
}
