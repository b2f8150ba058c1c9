import { chownSync, linkSync, lstatSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { assertFree, assertWhole, copyDatabase, sync, writeCopy } from "./backup.js";
import { type OpenDatabase, resultCode, type SqliteDatabase } from "./driver.js";
import { assertInbox, assertNotNewer } from "./schema.js";

/** What is restored, and where. */
export interface RestoreParts {
  readonly open: OpenDatabase;
  readonly copy: string;
  readonly target: string;
  /** The name that a file which is there gets; undefined: it is not replaced. */
  readonly setAside: string | undefined;
}

/** What a restore has done. */
export interface RestoreReport {
  readonly sizeBytes: number;
  /** Whether a file was there, and has the other name now. */
  readonly replaced: boolean;
}

/**
 * Puts the copy of an inbox in place of its file, or where none is. Throws where the copy is corrupt, holds no inbox or one
 * of a newer version, and where a process uses the file; then the file is as it was.
 */
export function restoreFile({ open, copy, target, setAside }: RestoreParts): RestoreReport {
  assertWhole(open, copy);
  const db = open(copy, { readOnly: true });
  try {
    assertInbox(db);
    assertNotNewer(db);
    const isThere = lstatSync(target, { throwIfNoEntry: false }) !== undefined;
    if (!isThere || setAside === undefined) {
      const { sizeBytes } = copyDatabase({ db, open, source: copy, target });
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

/** SQLITE_BUSY; SQLITE_CORRUPT, SQLITE_NOTADB. */
const busyCode = 5;
const damagedCodes: readonly number[] = [11, 26];

/** Keeps every other process out of a file, whose log is in it then. Answers with the function that ends that. */
function hold(open: OpenDatabase, path: string): () => void {
  const db: SqliteDatabase = open(path, { readOnly: false });
  try {
    db.exec("PRAGMA busy_timeout = 0");
    // SQLite leaves the log of writes only where nobody else has the file open.
    db.exec("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE");
  } catch (error) {
    db.close();
    const code = resultCode(error);
    if (code === busyCode) {
      throw new Error(`${path} is in use; stop every process that has it open first`, { cause: error });
    }
    if (!damagedCodes.includes(code)) throw error;
    const fix = `stop the app, move ${path} and its -wal and -shm files away, and restore again`;
    throw new Error(`${path} is damaged, so hookgate cannot tell whether it is in use: ${fix}`, {
      cause: error,
    });
  }
  return () => {
    db.exec("ROLLBACK");
    db.close();
  };
}

/** Gives the file its other name, and the copy its own: at every moment there is a file. Answers with its size. */
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
