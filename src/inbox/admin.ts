import { Refusal } from "../errors.js";
import type { HandlerRegistry, RegisteredHandler } from "../events/handlers.js";
import type { Clock } from "../lib/clock.js";
import type { Duration } from "../lib/duration.js";
import {
  assertOptions,
  choiceOption,
  describe,
  durationOption,
  instantOption,
  numberOption,
  OptionError,
  optionKeys,
  own,
  stringOption,
} from "../lib/options.js";
import { printable } from "../lib/printable.js";
import { changeableStates, defaultStates } from "../lib/task-changes.js";
import type {
  BackupReport,
  Change,
  EventFilter,
  EventRecord,
  InboxEngine,
  InboxQuery,
  InboxStats,
  Page,
  ReplayTask,
  Selection,
  TaskState,
} from "../types/engine.js";
import type { WebhookEvent } from "../types/event.js";
import type { InboxReporter } from "../types/report.js";
import { orderingKeyOf } from "./accept.js";
import { purge } from "./retention.js";

/** Filters of a receiver's own events, all of which must hold. */
export interface InboxFilter extends Omit<EventFilter, "receiver" | "fromMs" | "beforeMs"> {
  /** Accepted at this instant or later: a Date, or ISO 8601 text with its zone. */
  readonly from?: Date | string | undefined;
  /** Accepted before this instant: a Date, or ISO 8601 text with its zone. */
  readonly before?: Date | string | undefined;
}

/** What `inbox.list` takes: filters, and which page. */
export interface InboxListQuery extends InboxFilter, Omit<InboxQuery, keyof EventFilter> {}

/** Which events: by their record ids, or by filter. `{ filter: {} }` selects all events of the receiver. */
export type InboxSelection =
  | {
      /** The store's own ids of the events, such as `rec_42`. */
      readonly recordIds: readonly string[];
    }
  | {
      /** Filters, all of which must hold. */
      readonly filter: InboxFilter;
    };

/** Options of a retry, a replay or a drop. */
export interface ChangeOptions<State extends TaskState = TaskState> {
  /** Only tasks in these states. The default depends on the method. */
  readonly states?: readonly State[] | undefined;
  /** Only tasks of these handlers. Default: all handlers. */
  readonly handlers?: readonly string[] | undefined;
  /** `true` only counts the tasks. Default: false. */
  readonly dryRun?: boolean | undefined;
}

/** Options of `inbox.purge`. */
export interface InboxPurgeOptions {
  /** Which events: done (and ignored) ones, or those with a dead letter. */
  readonly state: "done" | "dead";
  /** Only events accepted longer ago than this, "0ms" to "3650d". Default: events of any age. */
  readonly olderThan?: Duration | undefined;
  /** Number of the newest events of this state to keep, 0 to 1,000,000,000,000. Default: 0. */
  readonly keep?: number | undefined;
  /**
   * Delete by age even if the machine's clock is more than an hour ahead of the last activity in the inbox. Default:
   * false; `purge` then rejects with an error whose `code` is `"ERR_CLOCK_AHEAD"`.
   */
  readonly trustClock?: boolean | undefined;
}

/**
 * A receiver's stored events, for operators. Every method rejects with a TypeError if the receiver has no inbox or an
 * argument is wrong, with StoppedError before `start()` and after `close()`, and with what the store says.
 */
export interface Inbox {
  /** Events by filter, newest first unless `oldestFirst`, without bodies and histories; pages of 50 unless `limit` says. */
  list(query?: InboxListQuery): Promise<Page<EventRecord>>;
  /** One event by its record id, with body, attempts and replays; undefined if there is none. */
  get(recordId: string): Promise<EventRecord | undefined>;
  /** How many tasks are waiting, running or dead, how late the work is, and the throughput of the last minutes. */
  stats(): Promise<InboxStats>;
  /**
   * Makes waiting tasks due now, and resolves with their number; they keep their attempts. A task that waits for another one
   * of its ordering key goes on waiting. `states`: by default `["waiting", "retrying"]`.
   */
  retry(
    selection: InboxSelection,
    options?: ChangeOptions<(typeof changeableStates.retry)[number]>,
  ): Promise<number>;
  /**
   * Runs tasks again with all their attempts, and resolves with their number. `states`: by default `["dead"]`; `"done"`
   * and `"dropped"` are replayed only when named. With `handlers` and without `states`, events that have no task for
   * one of these handlers get one, if it is registered for their type. The replay is recorded with the event.
   *
   * @example
   * await receiver.inbox.replay({ filter: { state: "dead", type: "order.paid" } }, { handlers: ["ship"] });
   */
  replay(
    selection: InboxSelection,
    options?: ChangeOptions<(typeof changeableStates.replay)[number]>,
  ): Promise<number>;
  /**
   * Gives tasks up, and resolves with their number. `states`: by default `["waiting", "retrying", "blocked", "dead"]`.
   * Tasks that a dropped dead letter blocked run.
   */
  drop(
    selection: InboxSelection,
    options?: ChangeOptions<(typeof changeableStates.drop)[number]>,
  ): Promise<number>;
  /**
   * Deletes events of a state, in small batches, and resolves with their number. `done` includes ignored events. Tasks that
   * a purged dead letter blocked run.
   */
  purge(options: InboxPurgeOptions): Promise<number>;
  /**
   * Copies the current state of the whole store, with the events of every receiver in it, into a new file while deliveries
   * come in. When it resolves, the copy is synced and checked. Rejects if the file exists, and with a TypeError if the
   * engine has no backup.
   *
   * @example
   * await receiver.inbox.backup(`/backups/hooks-${new Date().toISOString().slice(0, 10)}.db`);
   */
  backup(path: string): Promise<BackupReport>;
}

/** What the operator's methods need. */
export interface InboxAdminParts {
  readonly receiver: string;
  readonly engine: Pick<
    InboxEngine,
    "capabilities" | "list" | "get" | "stats" | "change" | "purge" | "backup"
  >;
  readonly clock: Clock;
  readonly reporter: Pick<InboxReporter, "replayed">;
  readonly handlers: Pick<HandlerRegistry, "all" | "handlersFor">;
  readonly readEvent: ReadEvent;
  /** Throws if the store is not open. */
  assertOpen(): void;
}

const filterOptions = {
  state: true,
  type: true,
  handler: true,
  source: true,
  tenant: true,
  service: true,
  idContains: true,
  from: true,
  before: true,
} as const;
const filterNames = optionKeys<InboxFilter>(filterOptions);
const queryNames = optionKeys<InboxListQuery>({
  ...filterOptions,
  oldestFirst: true,
  limit: true,
  cursor: true,
});
const everyEngine: readonly string[] = ["state", "type", "handler", "from", "before"];
const selectionNames = optionKeys<InboxSelection>({ recordIds: true, filter: true });
const changeNames = optionKeys<ChangeOptions>({ states: true, handlers: true, dryRun: true });
const purgeNames = optionKeys<InboxPurgeOptions>({
  state: true,
  olderThan: true,
  keep: true,
  trustClock: true,
});
const states = ["pending", "done", "dead", "ignored"] as const;
const batch = 500;
const pauseMs = 20;
const mostIds = 10_000;

/** The stored events of one receiver. */
export function createInboxAdmin(parts: InboxAdminParts): Inbox {
  const { engine, receiver } = parts;
  const change = async (action: Change["action"], selection: unknown, options: unknown): Promise<number> => {
    const where = `inbox.${action}`;
    const chosen = readSelection(selection, `${where}'s selection`, parts);
    const { states, handlers, dryRun } = readChange(action, options, `${where}'s options`);
    const registered = parts.handlers.all();
    const unknown = handlers?.find((name) => !registered.some((handler) => handler.name === name));
    if (action === "replay" && unknown !== undefined) {
      throw new OptionError(
        `${where}'s options`,
        ` name the handler ${JSON.stringify(unknown)}, which is not registered`,
      );
    }
    parts.assertOpen();
    const wanted = { action, states: states ?? defaultStates[action], handlers, dryRun };
    if (action !== "replay") return total(changeSteps(engine, chosen, wanted));
    const makes = states === undefined ? (handlers ?? []) : [];
    let count = 0;
    try {
      for await (const changed of replaySteps(parts, chosen, wanted, makes)) count += changed;
    } finally {
      // Steps that were done before one failed are reported, too.
      if (!dryRun) parts.reporter.replayed({ selection: chosen, handlers, count });
    }
    return count;
  };
  return {
    async list(query = {}) {
      const checked = readQuery(query, parts);
      parts.assertOpen();
      return engine.list(checked);
    },
    async get(recordId) {
      const id = stringOption(recordId, "inbox.get's record id");
      parts.assertOpen();
      const record = await engine.get(id);
      return record?.receiver === receiver ? record : undefined;
    },
    async stats() {
      parts.assertOpen();
      return engine.stats({ receiver });
    },
    retry: (selection, options) => change("retry", selection, options),
    replay: (selection, options) => change("replay", selection, options),
    drop: (selection, options) => change("drop", selection, options),
    async purge(options) {
      const rule = { receiver, ...readPurge(options, parts.clock.now()), limit: batch };
      parts.assertOpen();
      return purge(engine, rule, () => new Promise((resolve) => void parts.clock.after(pauseMs, resolve)));
    },
    async backup(path) {
      const target = stringOption(path, "inbox.backup's path");
      parts.assertOpen();
      if (engine.backup === undefined) {
        throw new TypeError("the inbox's engine has no backup; use the store's own tools");
      }
      return engine.backup(target);
    },
  };
}

/** For a receiver without an inbox: every method rejects with a TypeError. */
export function createNoInbox(): Inbox {
  const refuse = async (): Promise<never> => {
    throw new TypeError("this receiver has no inbox; give createReceiver the option `inbox`");
  };
  return {
    ...{ list: refuse, get: refuse, stats: refuse },
    ...{ retry: refuse, replay: refuse, drop: refuse, purge: refuse, backup: refuse },
  };
}

function readFilter(given: Record<string, unknown>, where: string, parts: InboxAdminParts): EventFilter {
  const filter: Record<string, unknown> = { receiver: parts.receiver };
  for (const name of filterNames) {
    const value = own(given, name);
    if (value === undefined) continue;
    if (!parts.engine.capabilities.search && !everyEngine.includes(name)) {
      throw new OptionError(`${where}.${name}`, `: the inbox's engine has no search; leave it out`);
    }
    filter[engineName(name)] = readFilterValue(name, value, `${where}.${name}`);
  }
  return filter;
}

/** An engine gets instants as milliseconds. */
function engineName(name: keyof InboxFilter): keyof EventFilter {
  return name === "from" ? "fromMs" : name === "before" ? "beforeMs" : name;
}

function readFilterValue(name: keyof InboxFilter, value: unknown, where: string): unknown {
  if (name === "state") return choiceOption(value, where, states, "pending");
  if (name === "from" || name === "before") return instantOption(value, where, undefined);
  if (typeof value !== "string") throw new OptionError(where, ` must be a string, not ${describe(value)}`);
  return value;
}

function readQuery(query: unknown, parts: InboxAdminParts): InboxQuery {
  const where = "inbox.list's query";
  assertOptions(query, queryNames, where);
  const cursor = own(query, "cursor");
  return {
    ...readFilter(query, where, parts),
    oldestFirst: readSwitch(own(query, "oldestFirst"), `${where}.oldestFirst`),
    limit: numberOption(own(query, "limit"), `${where}.limit`, {
      min: 1,
      max: 1_000,
      fallback: 50,
      integer: true,
    }),
    cursor: cursor === undefined ? undefined : stringOption(cursor, `${where}.cursor`),
  };
}

function readSelection(selection: unknown, where: string, parts: InboxAdminParts): Selection {
  assertOptions(selection, selectionNames, where);
  const recordIds = own(selection, "recordIds");
  const filter = own(selection, "filter");
  if ((recordIds === undefined) === (filter === undefined)) {
    throw new OptionError(where, ` must have either recordIds or filter; { filter: {} } selects all`);
  }
  if (recordIds !== undefined) {
    return { recordIds: readNames(recordIds, `${where}.recordIds`), receiver: parts.receiver };
  }
  assertOptions(filter, filterNames, `${where}.filter`);
  return { filter: readFilter(filter, `${where}.filter`, parts) };
}

function readChange(
  action: Change["action"],
  options: unknown,
  where: string,
): Pick<Change, "handlers"> & {
  readonly states: readonly TaskState[] | undefined;
  readonly dryRun: boolean;
} {
  const given: unknown = options === undefined ? {} : options;
  assertOptions(given, changeNames, where);
  const [states, handlers] = [own(given, "states"), own(given, "handlers")];
  return {
    states: states === undefined ? undefined : readStates(action, states, `${where}.states`),
    handlers: handlers === undefined ? undefined : readNames(handlers, `${where}.handlers`),
    dryRun: readSwitch(own(given, "dryRun"), `${where}.dryRun`),
  };
}

function readStates(action: Change["action"], value: unknown, where: string): readonly TaskState[] {
  const taken: readonly TaskState[] = changeableStates[action];
  return readNames(value, where).map((name, at) => choiceOption(name, `${where}[${at}]`, taken, "dead"));
}

function readNames(value: unknown, where: string): readonly string[] {
  if (!Array.isArray(value) || value.length > mostIds) {
    const found = Array.isArray(value) ? `one of ${value.length}` : describe(value);
    throw new OptionError(where, ` must be a list of at most ${mostIds} strings, not ${found}`);
  }
  return value.map((name: unknown, at) => stringOption(name, `${where}[${at}]`));
}

function readPurge(options: unknown, nowMs: number) {
  const where = "inbox.purge's options";
  assertOptions(options, purgeNames, where);
  const [state, olderThan, keep] = [own(options, "state"), own(options, "olderThan"), own(options, "keep")];
  if (state === undefined) throw new OptionError(`${where}.state`, ` is missing: "done" or "dead"`);
  return {
    state: choiceOption(state, `${where}.state`, ["done", "dead"], "done"),
    beforeMs:
      olderThan === undefined
        ? undefined
        : nowMs -
          durationOption(olderThan, `${where}.olderThan`, { min: "0ms", max: "3650d", fallback: "0ms" }),
    keep:
      keep === undefined
        ? undefined
        : numberOption(keep, `${where}.keep`, { min: 0, max: 1e12, fallback: 0, integer: true }),
    trustClock: readSwitch(own(options, "trustClock"), `${where}.trustClock`) ? true : undefined,
  };
}

function readSwitch(value: unknown, where: string): boolean {
  if (value === undefined || typeof value === "boolean") return value ?? false;
  throw new OptionError(where, ` must be true or false, not ${describe(value)}`);
}

/**
 * A stored event as `orderingKey` gets it: validated by the current schema, or as it came if it breaks the schema (`isInvalid`).
 * Undefined if its bytes can no longer be read.
 */
export type ReadEvent = (
  record: EventRecord,
) => Promise<{ readonly event: WebhookEvent; readonly isInvalid: boolean } | undefined>;

/** What a replay needs. */
export interface ReplayParts {
  readonly receiver: string;
  readonly engine: Pick<InboxEngine, "list" | "get" | "change">;
  readonly handlers: Pick<HandlerRegistry, "all" | "handlersFor">;
  readonly readEvent: ReadEvent;
}

/** Events per step. */
const pageSize = 200;

/**
 * Replays tasks step by step; yields the number of tasks of each step. Events without a task for a handler in `makes` get one if
 * the handler is registered for their type. A task without an ordering key gets one if its handler has `orderingKey` by now: a
 * replay must not run two tasks of one key at the same time.
 */
async function* replaySteps(
  parts: ReplayParts,
  selection: Selection,
  change: Pick<Change, "action" | "states" | "handlers" | "dryRun">,
  makes: readonly string[],
): AsyncGenerator<number> {
  const concerned = parts.handlers.all().filter(({ name }) => change.handlers?.includes(name) !== false);
  if (makes.length === 0 && concerned.every(({ orderingKey }) => orderingKey === undefined)) {
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
  { name, orderingKey }: RegisteredHandler,
): boolean {
  if (orderingKey === undefined) return false;
  return tasks.some(
    ({ handler, state, orderingKey }) =>
      handler === name && orderingKey === undefined && states.includes(state),
  );
}

async function tasksOf(
  { engine, readEvent }: ReplayParts,
  { recordId }: EventRecord,
  handlers: readonly RegisteredHandler[],
): Promise<readonly ReplayTask[]> {
  const withoutKey = handlers.map(({ name }) => ({ recordId, handler: name }));
  if (handlers.every(({ orderingKey }) => orderingKey === undefined)) return withoutKey;
  const record = await engine.get(recordId);
  const read = record === undefined ? undefined : await readEvent(record);
  // Unreadable bytes become a dead letter at the first attempt, in whatever order.
  if (read === undefined) return withoutKey;
  return handlers.map((handler) => {
    const { name, onDeadLetter } = handler;
    const orderingKey = orderingKeyOf(handler, read.event, read.isInvalid);
    if (orderingKey instanceof Refusal) {
      const message = `${orderingKey.reason} (replay of ${printable(recordId)}): this event and those after it were not replayed`;
      throw new Error(message, { cause: orderingKey.cause });
    }
    return { recordId, handler: name, orderingKey, onDeadLetter };
  });
}

/** The selected events of this receiver, oldest first. */
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

/** Carries out a change step by step; yields the number of tasks of each step. */
export async function* changeSteps(
  engine: Pick<InboxEngine, "change">,
  selection: Selection,
  change: Omit<Change, "after">,
): AsyncGenerator<number> {
  let after: string | undefined;
  do {
    const step = await engine.change(selection, { ...change, after });
    yield step.changed;
    after = step.next;
  } while (after !== undefined);
}

export async function total(steps: AsyncIterable<number>): Promise<number> {
  let sum = 0;
  for await (const count of steps) sum += count;
  return sum;
}
