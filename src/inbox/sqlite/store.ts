import { AcceptQueries } from "./accept.js";
import { copyDatabase } from "./backup.js";
import { ChangeQueries, purgeEvents } from "./changes.js";
import { WallClock } from "./clocks.js";
import { Connection, type ConnectionOptions, memoryPath } from "./connection.js";
import { loadDriver, type OpenDatabase } from "./driver.js";
import { type BusyRetry, EndFlag, retryWhileBusy } from "./end-flag.js";
import { explainError, isBusy, isFatal, StoreEndedError } from "./errors.js";
import { changeOf, FileChangedError } from "./file-identity.js";
import type { Reply, Request, Times } from "./protocol.js";
import { Counters, IdTable, type QueryContext } from "./query-context.js";
import { RecordQueries, readStats } from "./records.js";
import { EventSearch } from "./search.js";
import * as sql from "./statements.js";
import { ConsumerQueries, TaskQueries } from "./task-queries.js";
import { runQuery } from "./user-queries.js";
import { UserWrites } from "./user-writes.js";

/** Requests of one message that share a transaction; the others have one each, or none. */
const sharingTransaction: ReadonlySet<Request["op"]> = new Set([
  "accept",
  "claim",
  "settle",
  "join",
  "align",
  "heartbeat",
  "expire",
  "leave",
  "probe",
]);

/** If the last sync took longer, or the log is larger, closing leaves the checkpoint to the next opening. */
const quickSyncMs = 100;
const smallLogBytes = 64 * 1024 * 1024;

/** Requests that show that the store is in use. */
const signsOfLife: ReadonlySet<Request["op"]> = new Set(["accept", "heartbeat"]);

/** Everything that belongs to one connection. */
interface OpenConnection extends QueryContext {
  readonly accepting: AcceptQueries;
  readonly tasks: TaskQueries;
  readonly consumers: ConsumerQueries;
  readonly changes: ChangeQueries;
  readonly records: RecordQueries;
  readonly userWrites: UserWrites;
  readonly search: EventSearch;
  readonly wallClock: WallClock;
}

/** Milliseconds before a file is opened again that could not be opened: the check of a large one takes time. */
const reopenMs = 1_000;

interface StoreSeams {
  readonly end?: EndFlag;
  readonly note?: ((message: string) => void) | undefined;
}

/**
 * The store in a file, on whatever thread: carries out requests, those of one message in one transaction. After an error that
 * leaves the connection in doubt it closes the file, and the next message opens it again (ATTACKS H12, H13). In memory the content
 * is lost with its connection: every later request fails then.
 */
export class Store {
  readonly #options: ConnectionOptions;
  readonly #open: OpenDatabase;
  readonly #end: EndFlag;
  #opened: OpenConnection | undefined;
  readonly #note: StoreSeams["note"];
  /** Why every further request fails. */
  #ended: StoreEndedError | FileChangedError | undefined;
  /** Why and when the file could not be opened again. */
  #unopened: { readonly error: unknown; readonly atMs: number } | undefined;
  #syncMs = 0;
  /** Closed without a checkpoint; kept because of `closeWithoutCheckpoint`. */
  readonly #left: Connection[] = [];

  /** `end`: once it is raised, no transaction begins or is committed. `note` is called with warnings for the operator. */
  constructor(
    options: ConnectionOptions,
    open: OpenDatabase = loadDriver(),
    { end = new EndFlag(), note }: StoreSeams = {},
  ) {
    this.#options = options;
    this.#open = open;
    this.#end = end;
    this.#note = note;
  }

  /** Opens the file, creating it if needed; returns the store's clock. Throws as `Connection`. */
  open(): number {
    this.#assertGoingOn();
    try {
      const { connection } = this.#opened ?? this.#connect(!this.#options.readOnly);
      return (connection.statement(sql.meta.clock).get() as { readonly value: number }).value;
    } catch (error) {
      throw this.#explained(error);
    }
  }

  /** Closes the file. On a slow disk, and once the time is up, its log is left next to it: nothing is lost by that. */
  close(): void {
    const connection = this.#opened?.connection;
    this.#opened = undefined;
    if (connection === undefined) return;
    if (this.#leavesLog(connection)) {
      connection.rollback();
      connection.closeWithoutCheckpoint();
      this.#left.push(connection);
    } else connection.close();
  }

  #leavesLog(connection: Connection): boolean {
    const change = changeOf(this.#ended);
    if (change !== undefined) return change !== "checkpoint";
    return this.#end.raised || this.#syncMs > quickSyncMs || connection.logBytes() > smallLogBytes;
  }

  /** Carries out the requests of a message; one reply each, in their order. Never throws. */
  handle(requests: readonly Request[], times: Times): readonly Reply[] {
    const replies = new Map<Request, Reply>();
    const together: Request[] = [];
    for (const request of requests) if (sharingTransaction.has(request.op)) together.push(request);
    this.#transact(together, times, replies);
    for (const request of requests) {
      if (!replies.has(request)) this.#transact([request], times, replies);
    }
    this.#assertKept(replies);
    const inOrder: Reply[] = [];
    let hasHeartbeat = false;
    for (const request of requests) {
      inOrder.push(replies.get(request) ?? { ok: false, error: new Error("not carried out") });
      if (request.op === "heartbeat") hasHeartbeat = true;
    }
    if (hasHeartbeat && !this.#end.raised) this.#shortenLog();
    return inOrder;
  }

  #transact(requests: readonly Request[], times: Times, replies: Map<Request, Reply>): void {
    if (requests.length === 0) return;
    try {
      this.#assertGoingOn();
      const opened = this.#opened ?? this.#reconnect();
      if (this.#options.readOnly) opened.connection.assertStillKnown();
      const values: unknown[] = [];
      let isInUse = false;
      for (const request of requests) {
        values.push(this.#perform(opened, request, times));
        if (signsOfLife.has(request.op)) isInUse = true;
      }
      opened.counters.write(times.wallMs);
      if (isInUse) opened.wallClock.note(times.wallMs);
      this.#commit(opened.connection);
      opened.ids.commit();
      for (const [index, request] of requests.entries())
        replies.set(request, { ok: true, value: values[index] });
    } catch (thrown) {
      const error = this.#causeOf(thrown);
      this.#undo(error);
      const told = this.#explained(error);
      for (const request of requests) replies.set(request, { ok: false, error: told });
    }
  }

  /** Files that change while they are open cause all kinds of errors. */
  #causeOf(error: unknown): unknown {
    if (!isFatal(error)) return error;
    try {
      this.#opened?.connection.assertUnchanged();
      return error;
    } catch (change) {
      return change;
    }
  }

  /** Fails every request of a message whose commits may be lost when this process ends. */
  #assertKept(replies: Map<Request, Reply>): void {
    try {
      this.#opened?.connection.assertKept();
    } catch (error) {
      this.#undo(error);
      for (const request of replies.keys()) replies.set(request, { ok: false, error });
    }
  }

  /** A failure here does not undo the transactions: those stay committed. */
  #shortenLog(): void {
    try {
      this.#opened?.connection.shortenLog();
    } catch (error) {
      if (isFatal(error)) this.#disconnect();
    }
  }

  #commit(connection: Connection): void {
    this.#assertGoingOn();
    const beganMs = performance.now();
    connection.commit();
    this.#syncMs = performance.now() - beganMs;
  }

  /** Throws if no transaction may begin or be committed: the caller was told that nothing is stored. */
  #assertGoingOn(): void {
    if (this.#ended !== undefined) throw this.#ended;
    if (this.#end.raised) throw new Error("the engine was closed");
  }

  #explained(error: unknown): unknown {
    const { path } = this.#options;
    return path === memoryPath ? error : explainError(error, path);
  }

  #undo(error: unknown): void {
    const changed = error instanceof FileChangedError;
    if (changed || error instanceof StoreEndedError) this.#ended = error;
    const opened = this.#opened;
    if (opened === undefined) return;
    opened.connection.rollback();
    opened.ids.rollback();
    opened.counters.clear();
    // The connections to changed files are closed in a certain order, by FileHosts.
    if (changed || !(error instanceof StoreEndedError || isFatal(error))) return;
    if (this.#options.path === memoryPath) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#ended ??= new StoreEndedError(`the inbox in memory failed, and its data is lost: ${reason}`);
    }
    this.#disconnect();
  }

  #disconnect(): void {
    this.#opened?.connection.close();
    this.#opened = undefined;
  }

  #reconnect(): OpenConnection {
    const before = this.#unopened;
    if (before !== undefined && performance.now() - before.atMs < reopenMs) throw before.error;
    try {
      const opened = this.#connect(false);
      this.#unopened = undefined;
      return opened;
    } catch (error) {
      if (!isBusy(error)) this.#unopened = { error, atMs: performance.now() };
      throw error;
    }
  }

  #connect(create: boolean): OpenConnection {
    const connection = new Connection(this.#open, this.#options, {
      create,
      end: this.#end,
      note: this.#note,
    });
    const parts = { connection, ids: new IdTable(connection), counters: new Counters(connection) };
    this.#opened = {
      ...parts,
      accepting: new AcceptQueries(parts),
      tasks: new TaskQueries(parts),
      consumers: new ConsumerQueries(parts),
      changes: new ChangeQueries(parts),
      records: new RecordQueries(connection),
      userWrites: new UserWrites(connection),
      search: new EventSearch(connection),
      wallClock: new WallClock(connection),
    };
    return this.#opened;
  }

  #perform(opened: OpenConnection, request: Request, times: Times): unknown {
    const { connection, consumers, tasks, records } = opened;
    switch (request.op) {
      case "accept":
        return opened.accepting.accept(request, times);
      case "claim":
        return tasks.claim(request, times);
      case "settle":
        return request.runs.map(({ claim, verdict }) => tasks.settle(claim, verdict, times));
      case "complete":
        return completeWith(opened, request, times);
      case "join":
        return consumers.join(request, times);
      case "align":
        return consumers.align(request, times);
      case "heartbeat":
        return consumers.heartbeat(request.consumer, times);
      case "expire":
        return consumers.expire(request.consumer, request.beat, times);
      case "probe":
        return probe(connection);
      case "doubt":
        return opened.wallClock.doubtfulMs(times.wallMs);
      case "leave":
        return consumers.leave(request.consumer, times);
      case "change":
        return opened.changes.change(request, times);
      case "purge":
        return purgeEvents(opened, request, times);
      case "find":
        return opened.search.find(request);
      case "records":
        return records.records(request.events, times);
      case "get":
        return records.get(request.recordId, times);
      case "query":
        return runQuery(connection.db, request.query);
      case "stats":
        return readStats(connection, request.receiver, times);
      case "backup":
        return copyDatabase({
          db: connection.db,
          open: this.#open,
          file: this.#options.path,
          target: request.path,
        });
      case "compact":
        return connection.compact();
    }
  }
}

function probe(connection: Connection): number {
  connection.begin();
  return Number(connection.statement(sql.meta.probe).run().changes);
}

/** The user's writes and the completion in their own transaction: an error of theirs undoes nothing else. */
function completeWith(
  { tasks, userWrites }: OpenConnection,
  { claim, statements }: Extract<Request, { op: "complete" }>,
  times: Times,
): boolean {
  if (!tasks.complete(claim, times)) return false;
  for (const statement of statements) userWrites.run(statement);
  return true;
}

/** Opens a store; the reply is the store's clock. Yields the milliseconds to wait before each further try. */
export function* openWithRetry(store: Store, retry: BusyRetry): Generator<number, Reply> {
  let reply = tryToOpen(store);
  if (metLock(reply)) {
    yield* retryWhileBusy(() => {
      reply = tryToOpen(store);
      return metLock(reply);
    }, retry);
  }
  return reply;
}

function tryToOpen(store: Store): Reply {
  try {
    return { ok: true, value: store.open() };
  } catch (error) {
    return { ok: false, error };
  }
}

/** Carries out a message; requests that met a lock are tried again together. Yields as `openWithRetry`. */
export function* handleWithRetry(
  store: Store,
  requests: readonly Request[],
  times: Times,
  retry: BusyRetry,
): Generator<number, readonly Reply[]> {
  const replies = [...store.handle(requests, times)];
  if (!replies.some(metLock)) return replies;
  yield* retryWhileBusy(() => {
    const busy = [...replies.keys()].filter((at) => metLock(replies[at]));
    const again = store.handle(
      busy.map((at) => requests[at] as Request),
      times,
    );
    for (const [index, at] of busy.entries()) replies[at] = again[index] as Reply;
    return replies.some(metLock);
  }, retry);
  return replies;
}

function metLock(reply: Reply | undefined): boolean {
  return reply?.ok === false && isBusy(reply.error);
}
