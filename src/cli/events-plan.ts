import type { Change, EventFilter, EventRecord, Selection } from "../contracts/engine.js";
import { refused } from "./command.js";
import { reasonOf, type Store } from "./events-store.js";
import { countOf } from "./events-text.js";

/** A change that can be counted before it is made. */
export interface Plan {
  /** Tasks that it would change. */
  count(): Promise<number>;
  /** Makes it, and resolves with the tasks that were changed. */
  carryOut(): Promise<number>;
}

/** A change as the store makes it. */
export function planOf(store: Store, selection: Selection, change: Change): Plan {
  const isEmpty = "recordIds" in selection && selection.recordIds.length === 0;
  const run = async (dryRun: boolean): Promise<number> =>
    isEmpty ? 0 : store.change(selection, { ...change, dryRun });
  return { count: () => run(true), carryOut: () => run(false) };
}

/** As many events as are changed in one commit: the app that accepts meanwhile waits no longer than for that. */
const batch = 500;

/**
 * The replay of dead letters alone, only those of `handler` where it is given. A store replays the tasks of an event that
 * are done, too, and whoever replays dead letters does not mean those; so the tasks are chosen here.
 */
export async function deadLettersOf(
  store: Store,
  records: AsyncIterable<EventRecord> | Iterable<EventRecord>,
  wanted: string | undefined,
): Promise<Plan> {
  const byHandler = new Map<string, string[]>();
  let total = 0;
  for await (const { recordId, tasks } of records) {
    for (const { handler, state } of tasks) {
      if (state !== "dead" || (wanted !== undefined && handler !== wanted)) continue;
      const recordIds = byHandler.get(handler);
      if (recordIds === undefined) byHandler.set(handler, [recordId]);
      else recordIds.push(recordId);
      total++;
    }
  }
  return { count: async () => total, carryOut: () => replayAll(store, byHandler) };
}

/** Every event that a filter chooses, page by page. */
export async function* recordsOf(store: Store, filter: EventFilter): AsyncGenerator<EventRecord> {
  let cursor: string | undefined;
  do {
    const page = await store.list({ ...filter, limit: 1000, cursor });
    yield* page.items;
    cursor = page.next;
  } while (cursor !== undefined);
}

async function replayAll(store: Store, byHandler: ReadonlyMap<string, readonly string[]>): Promise<number> {
  let changed = 0;
  for (const [handler, recordIds] of byHandler) {
    for (let start = 0; start < recordIds.length; start += batch) {
      const selection = { recordIds: recordIds.slice(start, start + batch) };
      try {
        changed += await store.change(selection, { action: "replay", handlers: [handler] });
      } catch (error) {
        if (changed === 0) throw error;
        throw refused(`${countOf(changed, "task")} replayed, then: ${reasonOf(error)}`);
      }
    }
  }
  return changed;
}
