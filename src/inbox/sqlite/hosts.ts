import { Worker } from "node:worker_threads";
import type { EngineContext } from "../../types/engine.js";
import type { ConnectionOptions } from "./connection.js";
import type { OpenDatabase } from "./driver.js";
import { type BusyRetry, EndFlag, runAsync } from "./end-flag.js";
import { resultCode, SqliteError, StoreEndedError } from "./errors.js";
import { changeOf } from "./file-identity.js";
import { threadProgram } from "./programs.js";
import {
  decodeReplies,
  encodeRequests,
  type Message,
  type Note,
  type PortableError,
  type Reply,
  type Request,
  type Times,
} from "./protocol.js";
import { handleWithRetry, openWithRetry, Store } from "./store.js";
import type { ThreadData } from "./thread.js";

/** Where a store runs. Messages are carried out, and answered, in the order in which they were sent. */
export interface Host {
  /** Opens the file; resolves with the store's clock in milliseconds. */
  open(): Promise<number>;
  /** Carries out requests; the bodies of an `accept` are transferred. */
  send(requests: readonly Request[], times: Times): Promise<readonly Reply[]>;
  /** Closes the file. No message may be in flight. */
  close(): Promise<void>;
  /**
   * Rejects what is in flight, and begins nothing more. A system call in progress, and with it the thread, goes on to its end;
   * resolves then.
   */
  abandon(): Promise<void>;
}

/** Milliseconds that the exit of the process waits for a system call of the thread. */
const exitWaitMs = 30_000;

const wasClosed = "the engine was closed";

/** Runs the store on its own thread. */
export class ThreadHost implements Host {
  readonly #worker: Worker;
  readonly #flag = new EndFlag();
  readonly #gone: Promise<void>;
  /** Messages that the thread has not answered yet, in order. */
  readonly #exchanges: { resolve(answer: unknown): void; reject(error: Error): void }[] = [];
  #ended: Error | undefined;

  /** `note` is called with warnings for the operator; `program` is the seam for tests. */
  constructor(
    options: ConnectionOptions,
    note: (message: string) => void = () => {},
    program: URL = threadProgram(),
  ) {
    this.#worker = new Worker(program, {
      workerData: { options, end: this.#flag.memory } satisfies ThreadData,
      name: "hookgate-sqlite",
      // Flags of the main thread such as --import would load the user's code a second time. Without this one Node.js 22 warns
      // about its SQLite for each thread.
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    this.#worker.on("message", (answer: unknown) => {
      if (isNote(answer)) return note(answer.note);
      this.#exchanges.shift()?.resolve(answer);
    });
    this.#worker.on("error", (error: Error) => this.#end(error));
    // A thread that is terminated by the exit closes its file with two more syncs, and on Node.js 20 aborts the process.
    const forget = exitHook.add({
      begin: () => this.#abandon(),
      wait: () => this.#flag.waitUntilLeft(exitWaitMs),
    });
    this.#gone = new Promise((resolve) => {
      this.#worker.on("exit", () => {
        forget();
        this.#end(new Error("the thread of the store has ended"));
        resolve();
      });
    });
  }

  async open(): Promise<number> {
    const reply = toReplyError((await this.#exchange("open", [])) as Reply);
    if (reply.ok) return Number(reply.value);
    await this.close();
    throw reply.error;
  }

  async send(requests: readonly Request[], times: Times): Promise<readonly Reply[]> {
    const message = encodeRequests(requests);
    const answer = await this.#exchange({ requests: message, times }, message.bytes);
    return decodeReplies(requests, answer as Message).map(toReplyError);
  }

  async close(): Promise<void> {
    if (this.#ended !== undefined) return;
    await this.#exchange("close", []);
    await this.#worker.terminate();
  }

  async abandon(): Promise<void> {
    this.#abandon();
    await this.#gone;
  }

  /** Not `terminate`: the thread ends by itself when it has closed the file. */
  #abandon(): void {
    this.#flag.raise();
    this.#end(new Error(wasClosed));
    this.#worker.postMessage("close");
  }

  #exchange(message: unknown, transfer: readonly ArrayBuffer[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      this.#exchanges.push({ resolve, reject });
      this.#worker.postMessage(message, transfer);
    });
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#exchanges.splice(0)) reject(error);
  }
}

function isNote(message: unknown): message is Note {
  return typeof message === "object" && message !== null && "note" in message;
}

function toReplyError(reply: Reply): Reply {
  if (reply.ok) return reply;
  const { message, code, ended } = reply.error as PortableError;
  return { ok: false, error: ended ? new StoreEndedError(message) : new SqliteError(message, code) };
}

/** Runs the store on the thread of the caller: the event loop waits for the disk. */
export class LocalHost implements Host {
  readonly #store: Store;
  readonly #patience: BusyRetry;
  readonly #flag = new EndFlag();
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ConnectionOptions, open?: OpenDatabase, note?: (message: string) => void) {
    this.#store = new Store(options, open, { end: this.#flag, note });
    this.#patience = { busyTimeoutMs: options.busyTimeoutMs, end: this.#flag };
  }

  async open(): Promise<number> {
    const reply = await runAsync(openWithRetry(this.#store, this.#patience));
    if (reply.ok) return Number(reply.value);
    throw reply.error;
  }

  send(requests: readonly Request[], times: Times): Promise<readonly Reply[]> {
    // The next message must not overtake one that waits for a lock.
    const answer = this.#last.then(() => this.#handle(requests, times));
    this.#last = answer.catch(() => {});
    return answer;
  }

  async #handle(requests: readonly Request[], times: Times): Promise<readonly Reply[]> {
    const replies = await runAsync(handleWithRetry(this.#store, requests, times, this.#patience));
    return replies.map((reply) =>
      reply.ok || !(reply.error instanceof Error) ? reply : { ok: false, error: typed(reply.error) },
    );
  }

  async close(): Promise<void> {
    this.#store.close();
  }

  async abandon(): Promise<void> {
    this.#flag.raise();
    this.#store.close();
  }
}

/** A store in memory, on the thread of the caller: it lives until the engine is garbage-collected. */
export class MemoryHost extends LocalHost {
  override async close(): Promise<void> {}

  override async abandon(): Promise<void> {}
}

function typed(error: Error): Error {
  const code = resultCode(error);
  return code === 0 ? error : new SqliteError(error.message, code);
}

/** Something that must end before the process does. */
export interface ExitTask {
  /** Tells it to end. */
  begin(): void;
  /** Blocks until it has ended. */
  wait(): void;
}

/** One listener of `process` for everything that must end: with eleven of one event Node.js warns about a leak. */
class ExitHook {
  readonly #endings = new Set<ExitTask>();
  readonly #exit = (): void => {
    for (const ending of this.#endings) ending.begin();
    for (const ending of this.#endings) ending.wait();
  };

  /** Returns the function that removes it. */
  add(ending: ExitTask): () => void {
    if (this.#endings.size === 0) process.on("exit", this.#exit);
    this.#endings.add(ending);
    return () => {
      this.#endings.delete(ending);
      if (this.#endings.size === 0) process.off("exit", this.#exit);
    };
  }
}

/** The process has one end, hence one of these. */
const exitHook = new ExitHook();

/** Minimum number of milliseconds between two starts of a host. */
const restartMs = 1_000;

/** If files change again within this time, they are no longer used: the cause is still there. */
const quietMs = 60_000;

/** What the hosts of a file need. */
export interface FileHostsParts {
  readonly path: string;
  makeHost(role: Role): Host;
  readonly note: EngineContext["note"];
  /** Milliseconds by a clock that never goes back; the seam for tests. Default: performance.now(). */
  readonly now?: (() => number) | undefined;
}

export type Role = "writer" | "reader";

/**
 * The hosts of one file. A host that has ended is replaced, at most once a second. If files were replaced while they were open,
 * all hosts are closed before one is opened again, since SQLite shares its state of a file between all connections of a process.
 * If that happens twice within a minute, they stay closed.
 */
export class FileHosts {
  readonly writer: Host;
  readonly reader: Host;
  readonly #parts: FileHostsParts;
  readonly #now: () => number;
  readonly #slots: Readonly<Record<Role, Slot>>;
  /** Set while all hosts are being closed because of this error. */
  #closing: { readonly error: unknown; readonly done: Promise<void> } | undefined;
  #changedAtMs = Number.NEGATIVE_INFINITY;
  /** Something was stored since the last change. */
  #worked = false;
  /** Why the file is not opened again. */
  #givenUp: Error | undefined;

  constructor(parts: FileHostsParts) {
    const { now = () => performance.now() } = parts;
    this.#parts = parts;
    this.#now = now;
    const slot = (role: Role): Slot => new Slot(() => parts.makeHost(role), now);
    this.#slots = { writer: slot("writer"), reader: slot("reader") };
    this.writer = this.#hostOf("writer");
    this.reader = this.#hostOf("reader");
  }

  /** `running`: the writer's thread runs. `givenUp`: the file is not used again until a restart. */
  get state(): { readonly running: boolean; readonly givenUp: boolean } {
    return { running: this.#slots.writer.running, givenUp: this.#givenUp !== undefined };
  }

  #hostOf(role: Role): Host {
    const slot = this.#slots[role];
    return {
      open: () => slot.open(),
      send: (requests, times) => this.#send(slot, requests, times),
      close: async () => {
        await this.#closing?.done;
        await slot.close();
      },
      abandon: async () => {
        const closing = this.#closing?.done;
        await slot.abandon();
        await closing;
      },
    };
  }

  async #send(slot: Slot, requests: readonly Request[], times: Times): Promise<readonly Reply[]> {
    const hindrance = this.#givenUp ?? this.#closing?.error;
    if (hindrance !== undefined) throw hindrance;
    const answer = slot.send(requests, times);
    const { generation } = slot;
    const replies = await answer;
    // From a host that is closed by now: all its messages fail with the change that the first one reported.
    if (generation !== slot.generation) return replies;
    for (const reply of replies) {
      if (reply.ok) this.#worked = true;
      else if (changeOf(reply.error) !== undefined) this.#onChange(reply.error);
    }
    return replies;
  }

  #onChange(error: unknown): void {
    if (this.#closing !== undefined) return;
    this.#reportChange(error);
    this.#closing = { error, done: this.#closeAll(error) };
  }

  /** The last connection to a file makes a checkpoint, unless it is read-only. */
  async #closeAll(error: unknown): Promise<void> {
    const { writer, reader } = this.#slots;
    const inOrder = changeOf(error) === "leave" ? [writer, reader] : [reader, writer];
    for (const slot of inOrder) await slot.close().catch(() => {});
    this.#closing = undefined;
  }

  #reportChange(error: unknown): void {
    const { note, path } = this.#parts;
    const reason = error instanceof Error ? error.message : String(error);
    // Something still has the old files open: that is no new change.
    if (changeOf(error) === "stale" && !this.#worked) return;
    this.#worked = false;
    const again = this.#now() - this.#changedAtMs < quietMs;
    this.#changedAtMs = this.#now();
    if (again) {
      this.#givenUp = new Error("the inbox's file is no longer used; restart this process");
      const message =
        `${reason}, for the second time within a minute: nothing more is stored until this process is restarted. ` +
        "Code that opens or removes the inbox's file must not run in this process";
      note("error", message, { path });
    } else {
      note("error", `${reason}; nothing is stored until the file is checked and opened again`, { path });
    }
  }
}

/** The current host of a role; there is none before the first use, after a failure, and after `close`. */
class Slot {
  readonly #make: () => Host;
  readonly #now: () => number;
  #host: Host | undefined;
  /** The last answer, which comes after all others. */
  #underWay: Promise<unknown> = Promise.resolve();
  #startedAtMs = Number.NEGATIVE_INFINITY;
  #failure: unknown;
  /** Rises when a host is closed: tells its late answers from those of the next one. */
  generation = 0;

  constructor(make: () => Host, now: () => number) {
    this.#make = make;
    this.#now = now;
  }

  get running(): boolean {
    return this.#host !== undefined;
  }

  async open(): Promise<number> {
    const host = this.#start();
    try {
      return await host.open();
    } catch (error) {
      this.#host = undefined;
      throw error;
    }
  }

  async send(requests: readonly Request[], times: Times): Promise<readonly Reply[]> {
    const host = this.#host ?? this.#restart();
    const answer = host.send(requests, times);
    this.#underWay = answer.catch(() => {});
    try {
      return await answer;
    } catch (error) {
      // Errors of the file are answers; a rejection means that the host has ended.
      if (this.#host === host) this.#host = undefined;
      this.#failure = error;
      throw error;
    }
  }

  async close(): Promise<void> {
    const host = this.#host;
    this.#host = undefined;
    this.generation++;
    await this.#underWay;
    await host?.close();
  }

  async abandon(): Promise<void> {
    const host = this.#host;
    this.#host = undefined;
    await host?.abandon();
  }

  #restart(): Host {
    if (this.#now() - this.#startedAtMs < restartMs) {
      throw this.#failure ?? new Error("the file is being opened again");
    }
    return this.#start();
  }

  #start(): Host {
    this.#startedAtMs = this.#now();
    this.#host = this.#make();
    return this.#host;
  }
}
