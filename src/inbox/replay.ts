import { Refusal } from "../errors.js";
import type { OpenedEnvelope } from "../events/extract.js";
import type { RegisteredHandler } from "../events/handler-options.js";
import type { HandlerRegistry } from "../events/handlers.js";
import { printable } from "../lib/printable.js";
import type { Change, EventRecord, InboxEngine, InboxQuery, ReplayTask, Selection } from "../types/engine.js";
import { changeSteps } from "./change-steps.js";
import { orderKeyOf } from "./order-key.js";

/**
 * A stored event as `orderBy` gets it: by the schema as it is now, or as it came where it breaks it (`isInvalid`). Undefined
 * where its bytes cannot be read any more.
 */
export type ReadEvent = (
  record: EventRecord,
) => Promise<{ readonly event: OpenedEnvelope; readonly isInvalid: boolean } | undefined>;

/** What a replay needs. */
export interface ReplayParts {
  readonly receiver: string;
  readonly engine: Pick<InboxEngine, "list" | "get" | "change">;
  readonly handlers: Pick<HandlerRegistry, "all" | "handlersFor">;
  readonly readEvent: ReadEvent;
}

/** Events that are looked at, and changed, at once. */
const pageSize = 200;

/**
 * Replays tasks step by step, and gives the number of each. Events that have no task for a handler in `makes`, of a type it
 * is registered for, get one. A task without an order key, whose handler has `orderBy` now, gets its key: a replay must not
 * run two of one key at once.
 */
export async function* replaySteps(
  parts: ReplayParts,
  selection: Selection,
  change: Pick<Change, "action" | "states" | "handlers" | "dryRun">,
  makes: readonly string[],
): AsyncGenerator<number> {
  const concerned = parts.handlers.all().filter(({ name }) => change.handlers?.includes(name) !== false);
  if (makes.length === 0 && concerned.every(({ orderBy }) => orderBy === undefined)) {
    yield* changeSteps(parts.engine, selection, change);
    return;
  }
  for await (const records of pagesOf(parts, selection)) {
    const tasks: ReplayTask[] = [];
    for (const record of records) {
      const wanted = [
        ...parts.handlers.handlersFor(record.type).filter(({ name }) => isMissing(record, makes, name)),
        ...concerned.filter((handler) => lacksKey(record, change.states, handler)),
      ];
      if (wanted.length > 0) tasks.push(...(await tasksOf(parts, record, wanted)));
    }
    const chosen = { recordIds: records.map(({ recordId }) => recordId), receiver: parts.receiver };
    yield* changeSteps(parts.engine, chosen, { ...change, tasks, limit: pageSize });
  }
}

function isMissing({ tasks }: EventRecord, makes: readonly string[], name: string): boolean {
  return makes.includes(name) && !tasks.some(({ handler }) => handler === name);
}

function lacksKey(
  { tasks }: EventRecord,
  states: Change["states"],
  { name, orderBy }: RegisteredHandler,
): boolean {
  if (orderBy === undefined) return false;
  return tasks.some(
    ({ handler, state, orderKey }) => handler === name && orderKey === undefined && states.includes(state),
  );
}

async function tasksOf(
  { engine, readEvent }: ReplayParts,
  { recordId }: EventRecord,
  handlers: readonly RegisteredHandler[],
): Promise<readonly ReplayTask[]> {
  const withoutKey = handlers.map(({ name }) => ({ recordId, handler: name }));
  if (handlers.every(({ orderBy }) => orderBy === undefined)) return withoutKey;
  const record = await engine.get(recordId);
  const read = record === undefined ? undefined : await readEvent(record);
  // Bytes that cannot be read make a dead letter at the first attempt, whatever the order.
  if (read === undefined) return withoutKey;
  return handlers.map((handler) => {
    const { name, deadHead } = handler;
    const orderKey = orderKeyOf(handler, read.event, read.isInvalid);
    if (orderKey instanceof Refusal) {
      const message = `${orderKey.reason} (replay of ${printable(recordId)}): this event and those after it were not replayed`;
      throw new Error(message, { cause: orderKey.cause });
    }
    return { recordId, handler: name, orderKey, deadHead };
  });
}

/** The events that are selected, oldest first, those of other receivers left out. */
async function* pagesOf(
  { engine, receiver }: ReplayParts,
  selection: Selection,
): AsyncGenerator<readonly EventRecord[]> {
  if ("recordIds" in selection) {
    const ids = [...new Set(selection.recordIds)];
    for (let start = 0; start < ids.length; start += pageSize) {
      const found: EventRecord[] = [];
      for (const id of ids.slice(start, start + pageSize)) {
        const record = await engine.get(id);
        if (record?.receiver === receiver) found.push(record);
      }
      if (found.length > 0) yield found;
    }
    return;
  }
  let cursor: string | undefined;
  do {
    const query: InboxQuery = { ...selection.filter, oldestFirst: true, limit: pageSize, cursor };
    const page = await engine.list(query);
    if (page.items.length > 0) yield page.items;
    cursor = page.next;
  } while (cursor !== undefined);
}
