import { randomBytes } from "node:crypto";
import {
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
import { type OpenDatabase, resultCode, type SqliteDatabase } from "./driver.js";
import { assertInbox } from "./schema.js";

/** The check of a copy looks up every row of every index: with the upper pages in memory it takes half as long. */
const checkCacheKib = 128 * 1024;

/** What a copy is made of. */
export interface CopyParts {
  /** A connection to what is copied, without a transaction. */
  readonly db: SqliteDatabase;
  readonly open: OpenDatabase;
  /** Its file; undefined in memory. */
  readonly source: string | undefined;
  /** The file that is made; it must not be there. */
  readonly target: string;
  /** Where the copy is written until it is whole; in the folder of `target`. Default: `partialOf(target)`. */
  readonly partial?: string | undefined;
}

/**
 * Copies a database, as it is at this moment, into a new file that its owner alone may read. Others go on reading and
 * writing meanwhile. The copy is written under another name, synced and checked; under its own name it is whole, or not
 * there. Throws where the target is there, cannot be written, or the copy is corrupt; then nothing is left of it.
 */
export function copyDatabase({ db, open, source, target, partial }: CopyParts): BackupReport {
  const startedAt = performance.now();
  assertFree(target);
  if (source !== undefined && companions.some((suffix) => target === `${source}${suffix}`)) {
    throw new Error(`${target} is a name that SQLite uses for ${source} itself; take another one`);
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

/** A name beside a copy's own that nothing has yet. */
export function partialOf(target: string): string {
  return join(dirname(target), `.${basename(target)}.${randomBytes(6).toString("hex")}.partial`);
}

/** Writes a copy beside its target, synced and checked; answers with its path. */
export function writeCopy({
  db,
  open,
  target,
  partial = partialOf(target),
}: Omit<CopyParts, "source">): string {
  try {
    // SQLite writes into an empty file, whose mode is ours.
    closeSync(openSync(partial, "wx", 0o600));
    db.prepare("VACUUM INTO ?").run(partial);
    sync(partial);
    assertWhole(open, partial);
    return partial;
  } catch (cause) {
    rmSync(partial, { force: true });
    // Not as it came: what befell the copy must not be taken for a fault of the store.
    throw new Error(`the copy ${target} could not be made: ${reasonOf(cause)}`, { cause });
  }
}

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT") return "its folder does not exist";
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") return "its folder cannot be written to";
  if (resultCode(error) === fullCode || code === "ENOSPC") return "the disk is full";
  return error instanceof Error ? error.message : String(error);
}

/** SQLITE_FULL. */
const fullCode = 13;

/** The files that SQLite keeps beside a database. */
const companions = ["-wal", "-shm", "-journal"] as const;

/**
 * Backs up the inbox in a file, whatever version its tables have: so a copy can be made before an update. Throws as
 * `copyDatabase` does, and where there is no inbox in the file.
 */
export function backUpFile(
  open: OpenDatabase,
  source: string,
  to: Pick<CopyParts, "target" | "partial">,
): BackupReport {
  const db = open(source, { readOnly: true });
  try {
    db.exec("PRAGMA busy_timeout = 2000");
    assertInbox(db);
    return copyDatabase({ db, open, source, ...to });
  } finally {
    db.close();
  }
}

/** Throws where something has the name, or is what another database left beside it: SQLite would take it for this one's. */
export function assertFree(target: string): void {
  if (isThere(target)) throw new Error(`${target} exists already; nothing was written to it`);
  const left = companions.map((suffix) => `${target}${suffix}`).find(isThere);
  if (left === undefined) return;
  throw new Error(`${left} exists without its database, and would damage a new one; move it away first`);
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Throws where a database that nobody else uses is corrupt. */
export function assertWhole(open: OpenDatabase, path: string): void {
  const db = open(path, { readOnly: true });
  try {
    db.exec(`PRAGMA cache_size = -${checkCacheKib}`);
    const [row] = db.prepare("PRAGMA integrity_check(1)").all() as { integrity_check: string }[];
    if (row?.integrity_check !== "ok") throw new Error(`${path} is corrupt: ${row?.integrity_check}`);
  } finally {
    db.close();
  }
}

/** Gives a file its name, never in place of another one. */
function moveToNew(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") assertFree(to);
    // A file system without links: between the look and the renaming another file may come, which is lost then.
    assertFree(to);
    renameSync(from, to);
    return;
  }
  unlinkSync(from);
}

/** Brings a file, or the names in a folder, to the disk. */
export function sync(path: string): void {
  // Windows opens no folder, and syncs a file that may be written.
  const isFolder = statSync(path).isDirectory();
  if (isFolder && process.platform === "win32") return;
  const descriptor = openSync(path, isFolder ? "r" : "r+");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
