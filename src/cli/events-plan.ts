import { changeSteps } from "../inbox/admin.js";
import { printable } from "../lib/printable.js";
import type { Change, EventFilter, EventRecord, Selection } from "../types/engine.js";
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

/** Tasks of each step, as they are changed, or counted by `dryRun`. */
type Steps = (dryRun: boolean) => AsyncIterable<number>;

/** A change as the store makes it, step by step. */
export function planOf(store: Store, selection: Selection, change: Change): Plan {
  const isEmpty = "recordIds" in selection && selection.recordIds.length === 0;
  return planOfSteps(change.action, async function* (dryRun) {
    if (!isEmpty) yield* changeSteps(store, selection, { ...change, dryRun });
  });
}

/**
 * A replay to a handler, with a task for those events that have none for it. CommandFailure 1 where the inbox does not know
 * the handler, or its tasks have ordering keys: those come from the app's own code.
 */
export function newTasksPlan(
  store: Store,
  pages: () => AsyncIterable<readonly EventRecord[]> | Iterable<readonly EventRecord[]>,
  handler: string,
  change: Change,
): Plan {
  return planOfSteps(change.action, async function* (dryRun) {
    for await (const records of pages()) {
      await assertMayMake(store, new Set(records.map(({ receiver }) => receiver)), handler);
      const recordIds = records.map(({ recordId }) => recordId);
      // The store leaves those alone that are there.
      const tasks = recordIds.map((recordId) => ({ recordId, handler }));
      if (recordIds.length > 0) yield* changeSteps(store, { recordIds }, { ...change, tasks, dryRun });
    }
  });
}

/** Every event that a filter chooses, page by page, newest first. */
export async function* pagesOf(store: Store, filter: EventFilter): AsyncGenerator<readonly EventRecord[]> {
  let cursor: string | undefined;
  do {
    const page = await store.list({ ...filter, limit: pageSize, cursor });
    yield page.items;
    cursor = page.next;
  } while (cursor !== undefined);
}

/** Every event that a filter chooses. */
export async function* recordsOf(store: Store, filter: EventFilter): AsyncGenerator<EventRecord> {
  for await (const page of pagesOf(store, filter)) yield* page;
}

const pageSize = 1000;

async function assertMayMake(store: Store, receivers: ReadonlySet<string>, handler: string): Promise<void> {
  const name = printable(handler);
  for (const receiver of receivers) {
    const { handlers } = await store.stats({ receiver });
    const known = handlers.find((one) => one.handler === handler);
    if (known === undefined) {
      throw refused(
        `the inbox knows no handler "${name}" of "${printable(receiver)}"; start the receiver with it once`,
      );
    }
    if (known.ordered) {
      throw refused(
        `handler "${name}" is ordered (orderingKey), and only your code can compute the keys of new tasks: in the app, call receiver.inbox.replay(selection, { handlers: ["${name}"] })`,
      );
    }
  }
}

function planOfSteps(action: Change["action"], steps: Steps): Plan {
  return {
    async count() {
      let count = 0;
      for await (const changed of steps(true)) count += changed;
      return count;
    },
    async carryOut() {
      let count = 0;
      try {
        for await (const changed of steps(false)) count += changed;
      } catch (error) {
        if (count === 0) throw error;
        throw refused(`${countOf(count, "task")} ${pastOf(action)}, then: ${reasonOf(error)}`);
      }
      return count;
    },
  };
}

/** What was done to tasks. */
export function pastOf(action: Change["action"]): string {
  return { retry: "retried", replay: "replayed", drop: "dropped" }[action];
}
