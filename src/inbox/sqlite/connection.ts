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

/** The path of a store in memory, which belongs to one connection. */
export const memoryPath = ":memory:";

/** How a file is opened. */
export interface OpenOptions {
  /** Creates the file if it does not exist. */
  readonly create: boolean;
  /** Once it is raised, locks are not waited for. */
  readonly end?: EndFlag;
  /** Called with warnings for the operator. */
  readonly note?: ((message: string) => void) | undefined;
}

/** Larger files are not checked when they are opened, since that would delay the start. */
const maxCheckedBytes = 64 * 1024 * 1024;

/** A longer log, made by a long read, is truncated after the read. */
const maxLogBytes = 16 * 1024 * 1024;

/** One connection to the file, with its prepared statements. */
export class Connection {
  readonly db: SqliteDatabase;
  readonly #path: string;
  /** Undefined for readers, and in memory, where nothing can be replaced. */
  readonly #identity: FileIdentity | undefined;
  readonly #statements = new Map<string, SqliteStatement>();
  /** See `closeWithoutCheckpoint`. Made before the others, since a thread that ends closes its databases from the last to the first. */
  readonly #holder: SqliteDatabase | undefined;
  #writing = false;
  /** Something was committed since the last `assertKept`. */
  #committed = false;

  /**
   * Opens the file. Throws if it cannot be opened, is corrupt, or belongs to a newer version; the file is unchanged then.
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

  /** The prepared statement of this text. */
  statement(sql: string): SqliteStatement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Begins a transaction that writes, unless one has begun. Throws as `assertStillKnown`. */
  begin(): void {
    if (this.#writing) return;
    this.statement(sql.file.begin).run();
    this.#writing = true;
    this.assertStillKnown();
  }

  /** Throws a StoreEndedError if a newer version has changed the tables since the file was opened. */
  assertStillKnown(): void {
    assertStillKnown(this, this.#path);
  }

  /** Commits the transaction. Throws a FileChangedError if the files were replaced. */
  commit(): void {
    if (!this.#writing) return;
    this.#identity?.assertSame();
    this.#committed = true;
    this.statement(sql.file.commit).run();
    this.#writing = false;
  }

  /** Throws a FileChangedError if commits since the last call may be lost when this process ends. */
  assertKept(): void {
    if (!this.#committed) return;
    this.assertUnchanged();
    this.#committed = false;
  }

  /** Throws a FileChangedError if the files were replaced, or the locks on them were lost. */
  assertUnchanged(): void {
    this.#identity?.assertKept();
  }

  /** Rolls the transaction back, also if SQLite has done so already. */
  rollback(): void {
    if (!this.#writing) return;
    this.#writing = false;
    try {
      this.statement(sql.file.rollback).run();
    } catch {
      // An error such as a full disk has ended the transaction already.
    }
  }

  /** Rewrites the file without the space of deleted rows; nobody else can write meanwhile. */
  compact(): CompactReport {
    const beforeBytes = this.#size();
    this.db.exec(sql.file.vacuum);
    // This shortens the file; while somebody reads, a later commit does.
    this.db.exec(sql.file.truncateLog);
    return { beforeBytes, afterBytes: this.#size() };
  }

  /**
   * Truncates a long log: SQLite lets it grow while somebody reads, and keeps its length afterwards. If somebody still reads, the
   * next call does it.
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
      // A connection that failed may fail to close; the file is in order either way.
    }
  }

  /**
   * Closes without a checkpoint, which takes two syncs. The last connection to a file makes one unless another connection is
   * open that cannot write: that one is opened here, and must live as long as the thread.
   */
  closeWithoutCheckpoint(): void {
    try {
      this.#holder?.open?.();
      this.#holder?.exec(sql.file.touch);
    } catch {
      // The file is gone: there is nothing to keep.
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
    // A quick check does not compare indexes with tables. The writer must: a task that is missing from an index never runs.
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

  /** SQLite opens a read-only file without an error, and fails with the first write. */
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
    this.db.exec(sql.file.settings);
    // The first commit after a long read truncates the log.
    this.db.exec(sql.file.logLimit(maxLogBytes));
  }

  #size(): number {
    return this.#number(sql.file.pageCount, "page_count") * this.#number(sql.file.pageSize, "page_size");
  }

  /** SQLite's own wait cannot be interrupted, so it is used for migrations only; otherwise whole groups are retried. */
  #waitForLock(ms: number): void {
    this.db.exec(sql.file.busyTimeout(ms));
  }

  #number(sql: string, column: string): number {
    const row: unknown = this.db.prepare(sql).get();
    const value: unknown = typeof row === "object" && row !== null ? Reflect.get(row, column) : 0;
    return Number(value);
  }
}

/** Reads the option `setup`: SQL that is run when the store is opened. TypeError if it is not a list of strings. */
export function parseSetup(value: unknown, where: string): readonly string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value))
    throw new OptionError(where, ` must be a list of SQL statements, not ${describe(value)}`);
  return value.map((sql: unknown, index) => stringOption(sql, `${where}[${index}]`));
}
