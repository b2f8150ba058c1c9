import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { ConnectionOptions } from "./connection.js";
import type { OpenDatabase } from "./driver.js";
import { type BusyRetry, EndFlag, runAsync } from "./end-flag.js";
import { resultCode, SqliteError, StoreEndedError } from "./errors.js";
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

/** The program of the store's thread, next to this file. */
function threadProgram(): URL {
  let path = "thread.js";
  try {
    const url = new URL("./thread.js", import.meta.url);
    path = fileURLToPath(url);
    if (existsSync(path)) return url;
  } catch {
    // A module in a CommonJS bundle does not know its place.
  }
  throw new Error(
    `the store's thread cannot start: ${path} is missing, because a bundler left it out. Keep hookgate out of the bundle ` +
      "(as an external package), or run the store without a thread: sqliteEngine(path, { onCallersThread: true })",
  );
}

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
