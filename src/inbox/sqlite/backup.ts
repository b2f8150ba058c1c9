import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chownSync,
  closeSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { BackupReport } from "../../types/engine.js";
import type { OpenDatabase, SqliteDatabase } from "./driver.js";
import { resultCode, resultCodes } from "./errors.js";
import { startChild } from "./programs.js";
import { assertInbox, assertNotNewer } from "./schema.js";
import * as sql from "./statements.js";

/** The check of a copy looks up every row of every index: with the upper pages in memory it takes half as long. */
const checkCacheKib = 128 * 1024;

/** What is copied, and where to. */
export interface CopyParts {
  /** A connection to the original, outside a transaction. */
  readonly db: SqliteDatabase;
  readonly open: OpenDatabase;
  /** The file of the original; undefined in memory. */
  readonly file: string | undefined;
  /** The file to be created; it must not exist. */
  readonly target: string;
  /** The name of the copy until it is complete, in the folder of `target`. Default: `partialOf(target)`. */
  readonly partial?: string | undefined;
}

/**
 * Copies the current state of a database into a new file that only its owner may read, while others read and write. The copy
 * is written under a temporary name, synced and checked, and then renamed: `target` is complete or does not exist. Throws if the
 * target exists, cannot be written, or the copy is corrupt; nothing is left of it then.
 */
export function copyDatabase({ db, open, file, target, partial }: CopyParts): BackupReport {
  const startedAt = performance.now();
  assertFree(target);
  if (file !== undefined && companions.some((suffix) => target === `${file}${suffix}`)) {
    throw new Error(`${target} is a name that SQLite uses for ${file} itself; take another one`);
  }
  const copy = writeCopy({ db, open, target, partial });
  try {
    moveToNew(copy, target);
  } catch (error) {
    rmSync(copy, { force: true });
    throw error;
  }
  sync(dirname(target));
  return { path: target, sizeBytes: statSync(target).size, durationMs: performance.now() - startedAt };
}

/** A temporary name next to the target. */
function partialOf(target: string): string {
  return join(dirname(target), `.${basename(target)}.${randomBytes(6).toString("hex")}.partial`);
}

/** Writes a copy next to its target, synced and checked; returns its path. */
function writeCopy({ db, open, target, partial = partialOf(target) }: Omit<CopyParts, "file">): string {
  try {
    // SQLite writes into an empty file, whose mode is ours.
    closeSync(openSync(partial, "wx", 0o600));
    db.prepare(sql.file.copyInto).run(partial);
    sync(partial);
    assertWhole(open, partial);
    return partial;
  } catch (cause) {
    rmSync(partial, { force: true });
    // Wrapped, so that it is not taken for an error of the store.
    throw new Error(`the copy ${target} could not be made: ${reasonOf(cause)}`, { cause });
  }
}

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT") return "its folder does not exist";
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") return "its folder cannot be written to";
  if (resultCode(error) === resultCodes.full || code === "ENOSPC") return "the disk is full";
  return error instanceof Error ? error.message : String(error);
}

/** The files that SQLite keeps next to a database. */
const companions = ["-wal", "-shm", "-journal"] as const;

/**
 * Backs up an inbox, whatever version its tables have, so that a copy can be made before an update. Throws as `copyDatabase`, and
 * if the file holds no inbox.
 */
export function backUpFile(
  open: OpenDatabase,
  file: string,
  to: Pick<CopyParts, "target" | "partial">,
): BackupReport {
  const db = open(file, { readOnly: true });
  try {
    db.exec(sql.file.busyTimeout(2_000));
    assertInbox(db);
    return copyDatabase({ db, open, file, ...to });
  } finally {
    db.close();
  }
}

/** Throws if the name is taken, or if another database left files next to it that SQLite would take for this one's. */
function assertFree(target: string): void {
  if (isThere(target)) throw new Error(`${target} exists already; nothing was written to it`);
  const left = companions.map((suffix) => `${target}${suffix}`).find(isThere);
  if (left === undefined) return;
  throw new Error(`${left} exists without its database, and would damage a new one; move it away first`);
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Throws if a database is corrupt that nobody else uses. */
function assertWhole(open: OpenDatabase, path: string): void {
  const db = open(path, { readOnly: true });
  try {
    db.exec(sql.file.cacheKib(checkCacheKib));
    const [row] = db.prepare(sql.file.check("integrity_check")).all() as { integrity_check: string }[];
    if (row?.integrity_check !== "ok") throw new Error(`${path} is corrupt: ${row?.integrity_check}`);
  } finally {
    db.close();
  }
}

/** Renames a file without replacing another one. */
function moveToNew(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") assertFree(to);
    // A file system without links: a file that appears between the check and the rename is lost.
    assertFree(to);
    renameSync(from, to);
    return;
  }
  unlinkSync(from);
}

/** Syncs a file, or the names in a folder, to the disk. */
export function sync(path: string): void {
  // Windows cannot open a folder, and syncs only a file opened for writing.
  const isFolder = statSync(path).isDirectory();
  if (isFolder && process.platform === "win32") return;
  const descriptor = openSync(path, isFolder ? "r" : "r+");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** What is restored, and where. */
export interface RestoreParts {
  readonly open: OpenDatabase;
  readonly copy: string;
  readonly target: string;
  /** The new name of an existing file; undefined: it is not replaced. */
  readonly setAside: string | undefined;
}

export interface RestoreReport {
  readonly sizeBytes: number;
  /** An existing file was renamed. */
  readonly replaced: boolean;
}

/**
 * Restores the copy of an inbox. Throws if the copy is corrupt, holds no inbox or one of a newer version, or if a process uses the
 * file; the file is unchanged then.
 */
export function restoreFile({ open, copy, target, setAside }: RestoreParts): RestoreReport {
  assertWhole(open, copy);
  const db = open(copy, { readOnly: true });
  try {
    assertInbox(db);
    assertNotNewer(db);
    const isThere = lstatSync(target, { throwIfNoEntry: false }) !== undefined;
    if (!isThere || setAside === undefined) {
      const { sizeBytes } = copyDatabase({ db, open, file: copy, target });
      return { sizeBytes, replaced: false };
    }
    assertFree(setAside);
    const release = hold(open, target);
    try {
      return { sizeBytes: replace(writeCopy({ db, open, target }), target, setAside), replaced: true };
    } finally {
      release();
    }
  } finally {
    db.close();
  }
}

const damagedCodes: readonly number[] = [resultCodes.corrupt, resultCodes.notADatabase];

/** Locks a file against every other process, with the log moved into it. Returns the function that unlocks it. */
function hold(open: OpenDatabase, path: string): () => void {
  const db: SqliteDatabase = open(path, { readOnly: false });
  try {
    db.exec(sql.file.busyTimeout(0));
    // SQLite leaves the log of writes only where nobody else has the file open.
    db.exec(sql.file.beginAlone);
  } catch (error) {
    db.close();
    const code = resultCode(error);
    if (code === resultCodes.busy) {
      throw new Error(`${path} is in use; stop every process that has it open first`, { cause: error });
    }
    if (!damagedCodes.includes(code)) throw error;
    const fix = `stop the app, move ${path} and its -wal and -shm files away, and restore again`;
    throw new Error(`${path} is damaged, so hookgate cannot tell whether it is in use: ${fix}`, {
      cause: error,
    });
  }
  return () => {
    db.exec(sql.file.rollback);
    db.close();
  };
}

/** Renames the file, then the copy, so that there is a file at every moment. Returns its size. */
function replace(copy: string, target: string, setAside: string): number {
  try {
    const { uid, gid } = statSync(target);
    const { uid: ownUid, gid: ownGid } = statSync(copy);
    // Restored as root, the app must still be able to open it.
    if (uid !== ownUid || gid !== ownGid) chownSync(copy, uid, gid);
    keepAs(target, setAside);
    renameSync(copy, target);
  } catch (error) {
    rmSync(copy, { force: true });
    throw error;
  }
  sync(dirname(target));
  return statSync(target).size;
}

function keepAs(path: string, other: string): void {
  try {
    linkSync(path, other);
  } catch {
    // A file system without links.
    renameSync(path, other);
  }
}

/** Makes copies of a file, each in its own process, so that closing the engine does not wait for them. */
export class CopyHost {
  readonly #file: string;
  readonly #program: URL;
  readonly #running = new Set<(error: Error) => void>();

  /** `program` is the seam for tests. */
  constructor(file: string, program: URL = new URL("./copy-process.js", import.meta.url)) {
    this.#file = file;
    this.#program = program;
  }

  /** Rejects as `backUpFile` throws, and where `end` is called before the copy is made; then nothing is left of it. */
  copy(target: string): Promise<BackupReport> {
    return new Promise((resolve, reject) => {
      const partial = partialOf(target);
      const child: ChildProcess = startChild(this.#program, "inbox.backup");
      let answer: CopyAnswer | undefined;
      let ended: Error | undefined;
      const end = (error: Error): void => {
        ended ??= error;
        child.kill("SIGKILL");
      };
      this.#running.add(end);
      child.on("message", (message: CopyAnswer) => {
        answer = message;
      });
      child.on("error", end);
      child.on("exit", () => {
        this.#running.delete(end);
        if (answer !== undefined && "report" in answer) return resolve(answer.report);
        rmSync(partial, { force: true });
        reject(ended ?? new Error(answer?.message ?? `the copy ${target} was not made: its process ended`));
      });
      child.send({ file: this.#file, target, partial }, (error) => {
        if (error !== null) end(error);
      });
    });
  }

  /** Ends the processes, and deletes their unfinished copies. */
  end(): void {
    for (const end of [...this.#running]) end(new Error("the engine was closed"));
  }
}

export interface CopyOrder {
  readonly file: string;
  readonly target: string;
  /** Where the copy is written until it is whole. */
  readonly partial: string;
}

export type CopyAnswer = { readonly report: BackupReport } | { readonly message: string };
