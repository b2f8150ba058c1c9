import { statSync } from "node:fs";
import { resolve } from "node:path";
import { printable } from "../../lib/printable.js";
import type { EventFilter, EventRecord, EventState, InboxEngine } from "../../types/engine.js";
import {
  CommandFailure,
  type CommandIo,
  misused,
  type OptionValues,
  parseDuration,
  refused,
  required,
} from "../command.js";

/** What an operator does with an inbox: look and mend, never accept or handle. */
export type Store = Pick<InboxEngine<unknown>, "list" | "get" | "change" | "stats" | "purge" | "compact">;

/**
 * Opens the inbox in the file that `--db` names, lets `use` work on it and closes it, whatever comes. The file must be
 * there. CommandFailure 1 says in one line what the store, or its file, does not do.
 */
export async function withStore<Result>(
  db: string | undefined,
  io: CommandIo,
  use: (store: Store) => Promise<Result>,
): Promise<Result> {
  const given = required(db, "db");
  const path = resolve(io.cwd, given);
  assertThere(path, given);
  return telling(given, async () => {
    const engine = await engineOf(path, io);
    await engine.open({
      note: (level, message) => io.stderr(`hookgate: ${level}: ${oneLine(message)}\n`),
    });
    try {
      return await use(engine);
    } finally {
      await engine.close();
    }
  });
}

/** The engine is loaded here alone, so that the commands on keys need none of its packages. */
async function engineOf(path: string, io: CommandIo): Promise<InboxEngine<unknown>> {
  if (io.inboxEngine !== undefined) return io.inboxEngine(path);
  await assertInbox(path);
  const { sqliteEngine } = await import("../../inbox/sqlite/index.js");
  return sqliteEngine(path);
}

/** What works on the file itself; loaded where it is needed. */
export async function loadSqlite() {
  const [{ backUpFile, restoreFile }, { loadDriver }] = await Promise.all([
    import("../../inbox/sqlite/backup.js"),
    import("../../inbox/sqlite/driver.js"),
  ]);
  return { backUpFile, restoreFile, open: loadDriver() };
}

/** The engine would make its tables in a database of something else: looked at first without writing. */
async function assertInbox(path: string): Promise<void> {
  const { LocalHost } = await import("../../inbox/sqlite/hosts.js");
  const host = new LocalHost({ path, readOnly: true, busyTimeoutMs: 2000, setup: [] });
  await host.open();
  await host.close();
}

/** An engine makes the file that is not there, and an inbox of one that is empty: a mistyped path must not. */
export function assertThere(path: string, given: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  const name = `"${printable(given)}"`;
  if (stats === undefined) throw refused(`there is no file ${name}; nothing was made`);
  if (!stats.isFile()) throw refused(`${name} is not a file`);
  if (stats.size === 0) throw refused(`${name} is empty: there is no inbox in it`);
}

/** Does work on a file; CommandFailure 1 says in one line what went wrong, with the file as it was given. */
export async function telling<Result>(given: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    throw refused(`${printable(given)}: ${reasonOf(error)}`);
  }
}

/** What an error says, in one line that is fit to print. */
export function reasonOf(error: unknown): string {
  return oneLine(error instanceof Error ? error.message : String(error));
}

function oneLine(text: string): string {
  return printable(text.replace(/\s+/g, " ").trim(), 500);
}

/** The options that choose events, beside `--handler`, which not every command means alike. */
export const filterKinds = {
  receiver: "text",
  type: "text",
  state: "text",
  source: "text",
  tenant: "text",
  service: "text",
  "id-contains": "text",
  since: "text",
  until: "text",
} as const;

/** What the options of `filterKinds` say. */
export type FilterOptions = OptionValues<typeof filterKinds>;

const eventStates = ["pending", "done", "dead", "ignored"] as const;

/** The filter that options make. CommandFailure 2 for a state or a time that cannot be read. */
export function filterOf(options: FilterOptions, io: CommandIo): EventFilter {
  const nowMs = io.clock.now();
  const filter = {
    receiver: options.receiver,
    type: options.type,
    state: options.state === undefined ? undefined : stateOf(options.state),
    source: options.source,
    tenant: options.tenant,
    service: options.service,
    idContains: options["id-contains"],
    fromMs: instantOption(options.since, "since", nowMs),
    beforeMs: instantOption(options.until, "until", nowMs),
  };
  if (filter.fromMs !== undefined && filter.beforeMs !== undefined && filter.fromMs >= filter.beforeMs) {
    throw misused("--since must lie before --until; as given nothing matches");
  }
  return filter;
}

/** Whether any option of `filterKinds` is there. */
export function hasFilter(options: FilterOptions): boolean {
  return Object.keys(filterKinds).some((name) => options[name as keyof FilterOptions] !== undefined);
}

function stateOf(text: string): EventState {
  const found = eventStates.find((state) => state === text);
  if (found === undefined) {
    throw misused(`--state must be one of ${eventStates.join(", ")}, not "${printable(text)}"`);
  }
  return found;
}

const isoWithZone = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/** A duration before now, or an instant; a day alone begins at midnight UTC. Milliseconds since the epoch. */
function instantOption(text: string | undefined, name: string, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const beforeNowMs = parseDuration(text);
  if (beforeNowMs !== undefined) return nowMs - beforeNowMs;
  const midnight = Date.parse(`${text.slice(0, 10)}T00:00:00Z`);
  // Date.parse rolls 31 February over into March.
  const exists = !Number.isNaN(midnight) && text.startsWith(new Date(midnight).toISOString().slice(0, 10));
  const ms = isoWithZone.test(text) && exists ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) {
    throw misused(
      `--${name} must be a duration before now such as 30m, 2h or 7d, or an instant with its zone such as 2030-01-31T08:00:00Z, not "${printable(text)}"`,
    );
  }
  return ms;
}

/** A whole number from an option. CommandFailure 2 where it is none, or out of bounds. */
export function countOption(
  text: string | undefined,
  name: string,
  bounds: { readonly min: number; readonly max: number },
): number | undefined {
  if (text === undefined) return undefined;
  const count = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(count >= bounds.min && count <= bounds.max)) {
    throw misused(
      `--${name} must be a whole number from ${bounds.min} to ${bounds.max}, not "${printable(text)}"`,
    );
  }
  return count;
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
