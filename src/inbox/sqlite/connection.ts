import { existsSync, statSync } from "node:fs";
import { describe, OptionError, stringOption } from "../../lib/options.js";
import type { CompactReport } from "../../types/engine.js";
import type { OpenDatabase, SqliteDatabase, SqliteStatement } from "./driver.js";
import type { EndFlag } from "./end-flag.js";
import { resultCode, resultCodes, SqliteError } from "./errors.js";
import { createPrivateFile, FileIdentity } from "./file-identity.js";
import { assertStillKnown, assertVersion, migrate } from "./schema.js";
import * as sql from "./statements.js";

export interface ConnectionOptions {
  readonly path: string;
  readonly readOnly: boolean;
  /** Milliseconds to wait for another process's transaction. */
  readonly busyTimeoutMs: number;
  /** The user's own SQL, run when the file is opened. */
  readonly setup: readonly string[];
}

/** The path of a store in the memory of its one connection. */
export const memoryPath = ":memory:";

/** How a connection comes to its file. */
export interface OpenOptions {
  /** Makes the file where it is not there. */
  readonly create: boolean;
  /** Once it is raised nobody is waited for. */
  readonly end?: EndFlag;
  /** Told what somebody should look at. */
  readonly note?: ((message: string) => void) | undefined;
}

/** A file of this size is checked whole when it is opened; a larger one would hold up the start. */
const maxCheckedBytes = 64 * 1024 * 1024;

/** A log of writes that a long reader made longer than this is cut once that is over. */
const maxLogBytes = 16 * 1024 * 1024;

/** One connection to the file, with its prepared statements. */
export class Connection {
  readonly db: SqliteDatabase;
  readonly #path: string;
  /** Undefined where nothing is written, and in memory, where nothing can be replaced. */
  readonly #identity: FileIdentity | undefined;
  readonly #statements = new Map<string, SqliteStatement>();
  /** See `closeWithoutCheckpoint`. Made before the others, since a thread that ends closes its databases from the last to the first. */
  readonly #holder: SqliteDatabase | undefined;
  #writing = false;
  /** Something was committed that `assertKept` has not looked at. */
  #committed = false;

  /**
   * Opens the file. Throws where it cannot be opened, is corrupt, or belongs to
   * a newer version; the file is left as it is.
   */
  constructor(open: OpenDatabase, options: ConnectionOptions, { create, end, note = () => {} }: OpenOptions) {
    const { path, readOnly } = options;
    const inMemory = path === memoryPath;
    if (!create && !inMemory && !existsSync(path)) throw new Error(`the file ${path} is not there`);
    if (create && !inMemory) createPrivateFile(path);
    this.#path = path;
    this.#holder = readOnly || inMemory ? undefined : open(path, { readOnly: true, open: false });
    this.db = open(path, { readOnly });
    try {
      this.#waitForLock(0);
      this.#check(readOnly);
      if (readOnly) assertVersion(this.db);
      else this.#prepareWriting(options.setup, end);
      this.#identity = readOnly || inMemory ? undefined : new FileIdentity(path, note);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The statement of this text, prepared once. */
  statement(sql: string): SqliteStatement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Begins the transaction that writes, where none has begun. Throws as `assertStillKnown` does. */
  begin(): void {
    if (this.#writing) return;
    this.statement(sql.file.begin).run();
    this.#writing = true;
    this.assertStillKnown();
  }

  /** Throws a StoreEndedError where a newer version has changed the tables since the file was opened. */
  assertStillKnown(): void {
    assertStillKnown((sql) => this.statement(sql), this.#path);
  }

  /** Commits what was written since `begin`. Throws a FileChangedError where the files are others by now. */
  commit(): void {
    if (!this.#writing) return;
    this.#identity?.assertSame();
    this.#committed = true;
    this.statement(sql.file.commit).run();
    this.#writing = false;
  }

  /** Throws a FileChangedError where what was committed since the last call may be lost with this process. */
  assertKept(): void {
    if (!this.#committed) return;
    this.assertUnchanged();
    this.#committed = false;
  }

  /** Throws a FileChangedError where the files are others by now, or the locks on them are gone. */
  assertUnchanged(): void {
    this.#identity?.assertKept();
  }

  /** Undoes what was written since `begin`; also where SQLite has done so by itself. */
  rollback(): void {
    if (!this.#writing) return;
    this.#writing = false;
    try {
      this.statement(sql.file.rollback).run();
    } catch {
      // An error such as a full disk has ended the transaction already.
    }
  }

  /** Writes the file anew without the room of what was deleted; nobody else can write meanwhile. */
  compact(): CompactReport {
    const beforeBytes = this.#size();
    this.db.exec(sql.file.vacuum);
    // The file gets shorter with this; where somebody reads, with a later commit.
    this.db.exec(sql.file.truncateLog);
    return { beforeBytes, afterBytes: this.#size() };
  }

  /**
   * Cuts the log of writes where it has become long: SQLite writes it on and on while somebody reads, and keeps its length
   * afterwards. Where somebody still reads, the next call does it.
   */
  shortenLog(): void {
    if (this.logBytes() <= maxLogBytes) return;
    this.db.exec(sql.file.truncateLog);
  }

  close(): void {
    this.#identity?.close();
    try {
      this.db.close();
    } catch {
      // A connection that failed may fail at its end, too; the file is in order either way.
    }
  }

  /**
   * Closes without moving the log into the file, which takes two syncs: the last connection to a file does so, unless
   * another one is there that cannot. That one is opened here, and must live as long as the thread.
   */
  closeWithoutCheckpoint(): void {
    try {
      this.#holder?.open?.();
      this.#holder?.exec(sql.file.touch);
    } catch {
      // The file is gone: then there is nothing to keep, either.
    }
    this.close();
  }

  /** Bytes of the log that a checkpoint would move into the file. */
  logBytes(): number {
    return statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  #check(readOnly: boolean): void {
    const bytes = this.#size();
    if (bytes === 0 || bytes > maxCheckedBytes) return;
    // A quick check does not compare indexes with their tables. The connection that writes must: a task missing from an index never runs.
    const check = readOnly ? "quick_check" : "integrity_check";
    const [row] = this.db.prepare(sql.file.check(check)).all() as Partial<Record<string, string>>[];
    if (row?.[check] !== "ok") throw new SqliteError(String(row?.[check]), resultCodes.corrupt);
  }

  #prepareWriting(setup: readonly string[], end: EndFlag | undefined): void {
    if (this.#path !== memoryPath) this.#prepareFile();
    migrate(this.db, { setBusyTimeout: (ms) => this.#waitForLock(ms), isOver: () => end?.raised === true });
    this.#waitForLock(0);
    this.#assertWritable();
    for (const sql of setup) this.db.exec(sql);
  }

  /** SQLite opens a file that may only be read all the same, and tells with the first write. */
  #assertWritable(): void {
    try {
      this.db.exec(sql.file.testWrite);
    } catch (error) {
      if (resultCode(error) === resultCodes.readOnly) throw error;
    }
  }

  #prepareFile(): void {
    const mode = this.db.prepare(sql.file.walMode).get() as { journal_mode: string };
    if (mode.journal_mode !== "wal") {
      throw new Error(
        `the file's journal mode is ${mode.journal_mode} and cannot become WAL: a network file system?`,
      );
    }
    // FULL: every commit is synced before it counts. The cache holds the upper pages of an inbox of millions.
    this.db.exec(sql.file.settings);
    // The log that a long reader made long is cut by the next commit after it.
    this.db.exec(sql.file.logLimit(maxLogBytes));
  }

  #size(): number {
    return this.#number(sql.file.pageCount, "page_count") * this.#number(sql.file.pageSize, "page_size");
  }

  /** SQLite's own wait for a lock, which cannot be interrupted: but for a migration the tries of a whole group take its place. */
  #waitForLock(ms: number): void {
    this.db.exec(sql.file.busyTimeout(ms));
  }

  #number(sql: string, column: string): number {
    const row: unknown = this.db.prepare(sql).get();
    const value: unknown = typeof row === "object" && row !== null ? Reflect.get(row, column) : 0;
    return Number(value);
  }
}

/** Reads the option `setup`: SQL that is run when the store is opened. TypeError where it is no list of texts. */
export function parseSetup(value: unknown, where: string): readonly string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value))
    throw new OptionError(where, ` must be a list of SQL statements, not ${describe(value)}`);
  return value.map((sql: unknown, index) => stringOption(sql, `${where}[${index}]`));
}
