import type {
  Change,
  Changed,
  EventRecord,
  InboxQuery,
  Page,
  PurgeOptions,
  Selection,
} from "../../types/engine.js";
import type { StoreClient } from "./client.js";
import { eventNumber } from "./id-table.js";
import type { Found, SearchFilter } from "./search.js";

/** Events per step of a change: deliveries wait for its transaction. */
const eventsPerChange = 200;
/** Events per step of a dry run. */
const eventsPerCount = 2_000;

/** Steps of one purge that only delete expired ids and tokens; the next one continues. */
const maxSteps = 50;

/** The connection that only reads, and the one that writes. */
export interface Clients {
  readonly reader: StoreClient;
  readonly writer: StoreClient;
}

/** Finds events in steps, each as long as the connection may be busy. */
async function* findEvents(
  reader: StoreClient,
  request: {
    readonly filter: SearchFilter;
    readonly oldestFirst: boolean;
    readonly after?: number | undefined;
    readonly limit: number;
  },
): AsyncGenerator<readonly number[]> {
  let { after } = request;
  do {
    const found = await reader.ask({ op: "find", ...request, after });
    if (found.events.length > 0) yield found.events;
    after = found.next;
  } while (after !== undefined);
}

async function firstEvents(
  reader: StoreClient,
  request: Parameters<typeof findEvents>[1],
): Promise<readonly number[]> {
  const events: number[] = [];
  for await (const found of findEvents(reader, request)) {
    events.push(...found);
    if (events.length >= request.limit) break;
  }
  return events.slice(0, request.limit);
}

/** A page of events. */
export async function listEvents(reader: StoreClient, query: InboxQuery): Promise<Page<EventRecord>> {
  const { oldestFirst = false, limit = 50, cursor, ...filter } = query;
  const after = cursor === undefined ? undefined : Number(cursor);
  // There is nothing after a cursor that is not ours.
  if (after !== undefined && !Number.isSafeInteger(after)) return { items: [], next: undefined };
  const events = await firstEvents(reader, { filter, oldestFirst, after, limit: limit + 1 });
  const items = await reader.ask({ op: "records", events: events.slice(0, limit) });
  return { items, next: events.length > limit ? String(events[limit - 1]) : undefined };
}

/**
 * One step of a change. Its events are found on the reading connection; those that no longer match when they are changed are left
 * alone. A dry run does not write.
 */
export async function changeStep(
  { reader, writer }: Clients,
  selection: Selection,
  change: Change,
): Promise<Changed> {
  const most = change.dryRun === true ? eventsPerCount : eventsPerChange;
  const limit = Math.min(most, Math.max(1, change.limit ?? most));
  const after = change.after === undefined ? undefined : Number(change.after);
  const { events, next } =
    "filter" in selection
      ? await reader.ask({ op: "find", filter: selection.filter, oldestFirst: true, after, limit })
      : namedEvents(selection.recordIds, after ?? 0, limit);
  const filter = "filter" in selection ? selection.filter : { receiver: selection.receiver };
  const client = change.dryRun === true ? reader : writer;
  const changed = events.length === 0 ? 0 : await client.ask({ op: "change", events, filter, change });
  return { changed, next: next === undefined ? undefined : String(next) };
}

function namedEvents(recordIds: readonly string[], after: number, limit: number): Found {
  const left = [...new Set(recordIds.map(eventNumber))]
    .filter((event) => event !== undefined)
    .filter((event) => event > after)
    .sort((a, b) => a - b);
  const events = left.slice(0, limit);
  return { events, next: left.length > limit ? events.at(-1) : undefined };
}

/** The progress of purging one state of a receiver. */
interface Progress {
  readonly after: number;
  /** This event and all later ones are kept. */
  readonly bound: number;
}

/** Deletes events in steps that do not block writers for long. */
export class Purger {
  /**
   * The next batch continues where the last one ended, so that events which must be kept are not read again. If it finds too
   * few, it starts from the beginning.
   */
  readonly #progress = new Map<string, Progress>();

  async purge({ reader, writer }: Clients, options: PurgeOptions): Promise<number> {
    const keepHolding = options.keepHolding === true;
    let events = await this.#find(reader, options);
    let count = 0;
    for (let step = 1; ; step++) {
      const { purged, seen, forgetsMore } = await writer.ask({ op: "purge", events, keepHolding });
      count += purged;
      events = events.slice(seen);
      if (events.length === 0 && (!forgetsMore || step >= maxSteps)) return count;
    }
  }

  async #find(reader: StoreClient, options: PurgeOptions): Promise<readonly number[]> {
    const { receiver, state, beforeMs, keep, keepHolding, limit } = options;
    const key = JSON.stringify([receiver, state, keep, keepHolding]);
    const filter = { receiver, state: state === "done" ? ("finished" as const) : state };
    const purgeable = { ...filter, beforeMs, noHolding: keepHolding };
    const progress = this.#progress.get(key);
    const bound = progress?.bound ?? (await boundOf(reader, filter, keep));
    const found = (after: number | undefined): Promise<readonly number[]> =>
      firstEvents(reader, { filter: purgeable, oldestFirst: true, after, limit });
    let events = await found(progress?.after);
    if (progress !== undefined && events.length < limit) events = await found(undefined);
    const last = events.at(-1);
    if (last === undefined || events.length < limit || last >= bound) this.#progress.delete(key);
    else this.#progress.set(key, { after: last, bound });
    return events.filter((event) => event < bound);
  }
}

/** The oldest of the events that `keep` leaves. */
async function boundOf(reader: StoreClient, filter: SearchFilter, keep: number | undefined): Promise<number> {
  if (keep === undefined || keep === 0) return Number.MAX_SAFE_INTEGER;
  let kept = 0;
  for await (const events of findEvents(reader, { filter, oldestFirst: false, limit: eventsPerCount })) {
    const oldest = events[keep - kept - 1];
    if (oldest !== undefined) return oldest;
    kept += events.length;
  }
  return 0;
}
