import { accessSync, constants, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";

/** An error of SQLite; `errcode` is its result code. */
export class SqliteError extends Error {
  /** SQLite's result code. */
  readonly errcode: number;

  constructor(message: string, errcode: number, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "SqliteError";
    this.errcode = errcode;
  }
}

/** Why a store is no longer used, not even after opening it again: only a restart of the process helps. */
export class StoreEndedError extends Error {}

/** SQLite's result codes that this engine acts on (https://sqlite.org/rescode.html). */
export const resultCodes = {
  busy: 5,
  readOnly: 8,
  interrupted: 9,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notAuthorized: 23,
  notADatabase: 26,
} as const;

/**
 * SQLite's messages for result codes. @photostructure/sqlite omits the code from errors of `get`, `all` and `iterate`.
 */
const codesOfTexts: ReadonlyMap<string, number> = new Map([
  ["database is locked", resultCodes.busy],
  ["attempt to write a readonly database", resultCodes.readOnly],
  ["disk I/O error", resultCodes.ioError],
  ["database disk image is malformed", resultCodes.corrupt],
  ["database or disk is full", resultCodes.full],
  ["unable to open database file", resultCodes.cannotOpen],
  ["file is not a database", resultCodes.notADatabase],
]);

/**
 * SQLite's primary result code (https://sqlite.org/rescode.html) of an error that a driver threw, 1 (SQLITE_ERROR) if the
 * driver does not tell which; 0 for any other.
 */
export function resultCode(error: unknown): number {
  if (typeof error !== "object" || error === null) return 0;
  const code: unknown = Reflect.get(error, "errcode");
  if (typeof code === "number") return code & 0xff;
  if (Reflect.get(error, "code") !== "ERR_SQLITE_ERROR") return 0;
  return codesOfTexts.get(String(Reflect.get(error, "message"))) ?? 1;
}

/** Another process holds the lock. */
export function isBusy(error: unknown): boolean {
  return resultCode(error) === resultCodes.busy;
}

/** Result codes after which a connection is not used again: its cached pages may be wrong (ATTACKS H13). */
const fatalCodes: ReadonlySet<number> = new Set([
  resultCodes.readOnly,
  resultCodes.ioError,
  resultCodes.corrupt,
  resultCodes.cannotOpen,
  resultCodes.notADatabase,
]);

/** The connection must be opened again. */
export function isFatal(error: unknown): boolean {
  return fatalCodes.has(resultCode(error));
}

/**
 * Explains an error of SQLite to an operator: which file, what is wrong with it, and what to do. Any other error, such as one of a
 * user's own statement, is returned unchanged. Looks only at names and modes; opens nothing.
 */
export function explainError(error: unknown, path: string): unknown {
  const code = resultCode(error);
  const reason = reasonOfCode(code, path);
  if (reason === undefined) return error;
  // Not by instanceof: the error of a driver may come from another realm.
  const { message } = error as { readonly message?: unknown };
  return new SqliteError(
    `the inbox's file ${path} ${reason} (SQLite: ${String(message).replace(/\s+/g, " ")})`,
    code,
    error,
  );
}

function reasonOfCode(code: number, path: string): string | undefined {
  switch (code) {
    case resultCodes.busy:
      return "is locked by another process; find the one that holds it, or raise sqliteEngine's busyTimeout";
    case resultCodes.full:
      return "cannot grow: the disk is full; free some space, and deliveries are accepted again";
    case resultCodes.notADatabase:
      return "is not a SQLite database, and was left as it is; give sqliteEngine another path";
    case resultCodes.corrupt:
      return "is corrupt, and was left as it is; stop the app, and restore a backup with `npx hookgate restore`";
    case resultCodes.cannotOpen:
    case resultCodes.readOnly:
      return reasonNotWritable(path);
    case resultCodes.ioError:
      return (
        reasonMissing(path) ??
        "could not be read or written: an input/output error; check the disk and the system's log"
      );
    default:
      return undefined;
  }
}

/** Why a file cannot be opened for writing. */
function reasonNotWritable(path: string): string {
  const missing = reasonMissing(path);
  if (missing !== undefined) return missing;
  const folder = dirname(path);
  const who =
    process.geteuid === undefined ? "this process" : `the user of this process (uid ${process.geteuid()})`;
  if (!isAllowed(folder, constants.W_OK | constants.X_OK)) {
    return `cannot be used: ${who} may not write to the folder ${folder}, where SQLite also keeps the log; change its owner or mode`;
  }
  if (!isAllowed(path, constants.R_OK | constants.W_OK)) {
    return `cannot be used: ${who} may not read and write it; change its owner or mode`;
  }
  return "cannot be opened for reading and writing; is the disk mounted read-only, or are too many files open?";
}

function reasonMissing(path: string): string | undefined {
  const folder = dirname(path);
  const isFolder = statsOf(folder)?.isDirectory();
  if (isFolder === undefined && isAllowed(dirname(folder), constants.X_OK)) {
    return `cannot be opened: the folder ${folder} does not exist; create it (mkdir -p ${folder})`;
  }
  if (isFolder === false) return `cannot be opened: ${folder} is a file, not a folder`;
  const stats = statsOf(path);
  if (stats?.isDirectory() === true) return "is a folder; give sqliteEngine the path of a file in it";
  return undefined;
}

function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    // A folder on the way cannot be read.
    return undefined;
  }
}

/** This process may access the file so, or the file does not exist. */
function isAllowed(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
