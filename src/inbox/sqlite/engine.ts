import { Buffer } from "node:buffer";
import { statfsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { endsBefore } from "../../lib/promises.js";
import type {
  Acceptance,
  BackupReport,
  Change,
  Changed,
  CompactReport,
  ConsumeOptions,
  Consumer,
  EndOptions,
  EngineCapabilities,
  EngineContext,
  EngineHealth,
  EventRecord,
  InboxEngine,
  InboxQuery,
  InboxStats,
  NewDelivery,
  Page,
  PurgeOptions,
  Selection,
} from "../../types/engine.js";
import { createConsumer } from "../polling/claim-loop.js";
import type { CopyHost } from "./backup.js";
import { ClockAheadError, StoreClock } from "./clocks.js";
import { type ConnectionOptions, memoryPath } from "./connection.js";
import { otherLibraries, type SqliteValue } from "./driver.js";
import { StoreEndedError } from "./errors.js";
import { fileIdentity, networkFileSystem, publicMode } from "./file-identity.js";
import { FileHosts, type Host, MemoryHost, type Role } from "./hosts.js";
import { packDeliveries, type Times } from "./protocol.js";
import { eventNumber } from "./query-context.js";
import type { Found, SearchFilter } from "./search.js";
import { StoreClient } from "./store-client.js";
import { SqliteTaskQueue, type TaskQueueParts, WorkSignal } from "./task-queue.js";
import { parseRead, QueryHost, type ReadOptions, rowsOf, type SqliteRow } from "./user-queries.js";
import { openTransaction, type RecordedStatement, type SqliteTransaction } from "./user-writes.js";

interface OpenStore extends TaskQueueParts {
  readonly hosts: FileHosts;
}

/** Creates the host of a connection; a seam for tests. */
export type MakeHost = (options: ConnectionOptions, note: (message: string) => void) => Host;

/** Options of the engine that are not about its connections. */
export interface EngineParts {
  /** Milliseconds since the epoch, in place of the machine's clocks. */
  readonly now?: (() => number) | undefined;
  readonly forTests?: boolean | undefined;
  /** Left out: copies are made on the thread of the host. */
  readonly copies?: CopyHost | undefined;
}

/** The engine that keeps an inbox in one SQLite file, or in memory. */
export class SqliteEngine implements InboxEngine<SqliteTransaction> {
  readonly capabilities: EngineCapabilities;
  readonly forTests: boolean;
  readonly #options: ConnectionOptions;
  readonly #makeHost: MakeHost;
  readonly #inMemory: boolean;
  readonly #now: (() => number) | undefined;
  readonly #purger = new Purger();
  #users = 0;
  #opening: Promise<OpenStore> | undefined;
  #opened: OpenStore | undefined;
  /** The connection for long reads, next to the writer. */
  #reader: Promise<OpenStore> | undefined;
  /** One for each connection that is open or being opened. */
  readonly #clients = new Set<StoreClient>();
  /** Runs the user's own queries. */
  #queries: QueryHost | undefined;
  /** Makes copies of the file. Undefined: the store's own thread does. */
  readonly #copies: CopyHost | undefined;
  #note: EngineContext["note"] = () => {};
  #endReported = false;
  /** The probe in flight: if the store hangs, probes must not pile up. */
  #probing: ReturnType<typeof probeWrites> | undefined;

  constructor(
    options: ConnectionOptions,
    makeHost: MakeHost,
    { now, forTests = false, copies }: EngineParts = {},
  ) {
    this.#options = options;
    this.#makeHost = makeHost;
    this.#inMemory = options.path === memoryPath;
    this.#now = now;
    this.forTests = forTests;
    this.#copies = copies;
    this.capabilities = {
      durable: !this.#inMemory,
      shared: !this.#inMemory,
      atomicEffects: true,
      ordered: true,
      search: true,
    };
  }

  /** The same for links and other spellings of the file's path. */
  location: string | undefined;

  async open(context: EngineContext): Promise<void> {
    this.#users++;
    this.#note = (level, message, details) => context.note(level, message, details);
    try {
      this.#opening ??= this.#openFile();
      const opening = this.#opening;
      const opened = await opening;
      // It may have been closed meanwhile.
      if (this.#opening === opening) this.#opened = opened;
    } catch (error) {
      this.#users--;
      this.#opening = undefined;
      throw error;
    }
    if (this.#inMemory) return;
    this.location = fileIdentity(this.#options.path);
    this.#warnAboutLocation(context);
  }

  #warnAboutLocation({ note }: EngineContext): void {
    const { path } = this.#options;
    const network = networkFileSystem(path);
    if (network !== undefined) {
      const message = `the inbox's file lies on a network file system (${network}): SQLite's locks do not hold there; use a local disk`;
      note("warn", message, { path });
    }
    const mode = publicMode(path);
    if (mode !== undefined) {
      const message = `every user of this machine can read the inbox's file (mode ${mode}), and with it the bodies of deliveries; run chmod 600 on it and on its -wal and -shm files`;
      note("warn", message, { path });
    }
  }

  /** Another SQLite library in this process; see `otherLibraries`. */
  diagnose(): readonly string[] {
    if (this.#inMemory) return [];
    return otherLibraries().map(
      (library) =>
        `another SQLite library is loaded in this process: ${library}; if it opens the inbox's file, deliveries that were answered 2xx can be lost: read the file from another process`,
    );
  }

  async close({ signal }: EndOptions = {}): Promise<void> {
    if (this.#users === 0 || --this.#users > 0) return;
    this.#queries?.close();
    this.#queries = undefined;
    this.#copies?.end();
    this.#opened = this.#opening = this.#reader = undefined;
    this.#endReported = false;
    // Readers first: the last connection to the file makes the checkpoint.
    const clients = [...this.#clients].reverse();
    this.#clients.clear();
    const closing = closeAll(clients);
    if (await endsBefore(signal, closing)) await closing;
    else await Promise.all(clients.map((client) => client.abandon()));
  }

  async accept(deliveries: readonly NewDelivery[]): Promise<readonly Acceptance[]> {
    const { client, work } = this.#open();
    const acceptances = await client.ask(packDeliveries(deliveries));
    if (acceptances.some(({ status }) => status === "stored")) work.notify();
    return acceptances;
  }

  consume(options: ConsumeOptions<SqliteTransaction>): Consumer {
    const queue = new SqliteTaskQueue(this.#open(), options);
    return createConsumer<SqliteTransaction, RecordedStatement>(queue, options, {
      openTx: openTransaction,
      note: (level, message, details) => this.#note(level, message, details),
    });
  }

  async health(): Promise<EngineHealth> {
    const opened = this.#opened;
    if (opened === undefined) return { writable: false, reason: "the engine is not open" };
    this.#probing ??= probeWrites(opened.client).finally(() => {
      this.#probing = undefined;
    });
    const writes = await this.#probing;
    const { running, givenUp } = opened.hosts.state;
    return {
      ...writes,
      ...sizesOf(this.#options.path),
      threadRuns: running,
      needsRestart: givenUp || this.#endReported,
    };
  }

  async list(query: InboxQuery): Promise<Page<EventRecord>> {
    return listEvents((await this.#read()).client, query);
  }

  async get(recordId: string): Promise<EventRecord | undefined> {
    const record = await (await this.#read()).client.ask({ op: "get", recordId });
    const delivery = record?.delivery;
    if (record === undefined || delivery === undefined) return record;
    return { ...record, delivery: { ...delivery, rawBody: Buffer.from(delivery.rawBody) } };
  }

  async change(selection: Selection, change: Change): Promise<Changed> {
    const { work } = this.#open();
    const step = await changeStep(await this.#readerAndWriter(), selection, change);
    if (step.changed > 0 && change.dryRun !== true) work.notify();
    return step;
  }

  async stats(query: { readonly receiver?: string | undefined }): Promise<InboxStats> {
    return (await this.#read()).client.ask({ op: "stats", receiver: query.receiver });
  }

  async purge(options: PurgeOptions): Promise<number> {
    const { client, work } = this.#open();
    // In memory there is no earlier heartbeat to compare the clock with.
    if (options.beforeMs !== undefined && options.trustClock !== true && !this.#inMemory) {
      const aheadMs = await client.ask({ op: "doubt" });
      if (aheadMs > 0) throw new ClockAheadError(aheadMs);
    }
    const count = await this.#purger.purge(await this.#readerAndWriter(), options);
    if (count > 0) work.notify();
    return count;
  }

  /** As `SqliteInboxEngine.read`. */
  async read(
    sql: string,
    params?: readonly (SqliteValue | boolean)[],
    options?: ReadOptions,
  ): Promise<readonly SqliteRow[]> {
    const { client } = this.#open();
    const { query, timeoutMs } = parseRead(sql, params, options);
    if (this.#inMemory) return rowsOf(await client.ask({ op: "query", query }));
    this.#queries ??= new QueryHost(this.#options.path);
    return this.#queries.read(query, timeoutMs);
  }

  async backup(path: string): Promise<BackupReport> {
    const request = { op: "backup", path: resolve(path) } as const;
    const opened = this.#open();
    if (this.#inMemory) return opened.client.ask(request);
    if (this.#copies !== undefined) return this.#copies.copy(request.path);
    const { clock, hosts } = opened;
    // Its own connection, so that a copy that fails does not affect the reader.
    const { client } = await this.#openStore(hosts, this.#newHost("reader"), clock);
    try {
      return await client.ask(request);
    } finally {
      this.#clients.delete(client);
      await client.close();
    }
  }

  compact(): Promise<CompactReport> {
    return this.#open().client.ask({ op: "compact" });
  }

  async #readerAndWriter(): Promise<Clients> {
    const { client: writer } = this.#open();
    const { client: reader } = await this.#read();
    return { reader, writer };
  }

  #open(): OpenStore {
    if (this.#opened === undefined) throw new Error("the engine is not open");
    return this.#opened;
  }

  /** In memory there is only one connection. */
  async #read(): Promise<OpenStore> {
    const opened = this.#open();
    if (this.#inMemory) return opened;
    const { clock, hosts } = opened;
    this.#reader ??= this.#openStore(hosts, hosts.reader, clock).catch((error: unknown) => {
      this.#reader = undefined;
      throw error;
    });
    return this.#reader;
  }

  #openFile(): Promise<OpenStore> {
    const { path } = this.#options;
    const hosts = new FileHosts({
      path,
      makeHost: (role) => this.#newHost(role),
      note: (level, message, details) => this.#note(level, message, details),
    });
    return this.#openStore(hosts, hosts.writer);
  }

  #newHost(role: Role): Host {
    const { path } = this.#options;
    return this.#makeHost({ ...this.#options, readOnly: role === "reader" }, (message) =>
      this.#note("warn", message, { path }),
    );
  }

  async #openStore(hosts: FileHosts, host: Host, known?: StoreClock): Promise<OpenStore> {
    let clock = known;
    const wallMs = this.#now ?? Date.now;
    const times = (): Times => ({ wallMs: wallMs(), storeMs: clock?.now() ?? 0 });
    const client = new StoreClient(host, times, (error) => this.#reportEnd(error));
    this.#clients.add(client);
    try {
      const storedMs = await client.open();
      clock ??= new StoreClock(Math.max(wallMs(), storedMs), this.#now);
    } catch (error) {
      this.#clients.delete(client);
      throw error;
    }
    return { clock, hosts, client, work: new WorkSignal() };
  }

  /** Logs once why every request fails from now on. */
  #reportEnd(error: unknown): void {
    if (!(error instanceof StoreEndedError) || this.#endReported) return;
    this.#endReported = true;
    this.#note("error", error.message, { path: this.#options.path });
  }
}

async function closeAll(clients: readonly StoreClient[]): Promise<void> {
  for (const client of clients) await client.close();
}

/** A write that was answered within this time makes a probe unnecessary. */
const recentMs = 5_000;

/** Whether the file takes writes: by the last one, or by a probe that changes nothing and is synced like any other. */
async function probeWrites(client: StoreClient): Promise<Pick<EngineHealth, "writable" | "reason">> {
  if (client.wroteAgoMs() < recentMs) return { writable: true };
  try {
    await client.ask({ op: "probe" });
    return { writable: true };
  } catch (error) {
    return { writable: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** The sizes of the file and its log, and the free space on its disk, without opening them. Empty for a store in memory. */
function sizesOf(path: string): Pick<EngineHealth, "fileBytes" | "logBytes" | "freeBytes"> {
  if (path === memoryPath) return {};
  const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return { fileBytes: sizeOf(path), logBytes: sizeOf(`${path}-wal`), freeBytes: bavail * bsize };
  } catch {
    // The folder is gone or cannot be read: the writes tell what that means.
    return {};
  }
}

/** What a test may give an engine in memory. */
export interface MemoryParts extends EngineParts {
  readonly makeHost?: ((options: ConnectionOptions) => Host) | undefined;
}

/** An engine whose store is in memory: created by the first `open`, it lives as long as the engine. */
export function createMemoryEngine(setup: readonly string[], parts: MemoryParts = {}): SqliteEngine {
  const { makeHost = (given: ConnectionOptions) => new MemoryHost(given), ...test } = parts;
  const connection = { path: memoryPath, readOnly: false, setup, busyTimeoutMs: 0 };
  let host: Host | undefined;
  const keepHost = (given: ConnectionOptions): Host => {
    host ??= makeHost(given);
    return host;
  };
  return new SqliteEngine(connection, keepHost, test);
}

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
    const keepBlocking = options.keepBlocking === true;
    let events = await this.#find(reader, options);
    let count = 0;
    for (let step = 1; ; step++) {
      const { purged, seen, forgetsMore } = await writer.ask({ op: "purge", events, keepBlocking });
      count += purged;
      events = events.slice(seen);
      if (events.length === 0 && (!forgetsMore || step >= maxSteps)) return count;
    }
  }

  async #find(reader: StoreClient, options: PurgeOptions): Promise<readonly number[]> {
    const { receiver, state, beforeMs, keep, keepBlocking, limit } = options;
    const key = JSON.stringify([receiver, state, keep, keepBlocking]);
    const filter = { receiver, state: state === "done" ? ("finished" as const) : state };
    const purgeable = { ...filter, beforeMs, noBlocking: keepBlocking };
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
