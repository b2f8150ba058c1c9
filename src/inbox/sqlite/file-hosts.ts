import type { EngineContext } from "../../types/engine.js";
import { changeOf } from "./file-identity.js";
import type { Host } from "./host.js";
import type { Reply, Request, Times } from "./protocol.js";

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
