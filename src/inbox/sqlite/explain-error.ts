import { accessSync, constants, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { resultCode } from "./driver.js";
import { SqliteError } from "./sqlite-error.js";

/** SQLite's result codes that tell of the file and its disk, not of a statement (https://sqlite.org/rescode.html). */
const busy = 5;
const readOnly = 8;
const ioError = 10;
const corrupt = 11;
const full = 13;
const cannotOpen = 14;
const notADatabase = 26;

/**
 * An error of SQLite in the words of an operator: which file, what is wrong with it, and what to do. Any other error, such as
 * one of a user's own statement, comes back as it is. Looks at names and modes alone; nothing is opened.
 */
export function explainError(error: unknown, path: string): unknown {
  const code = resultCode(error);
  const reason = reasonOf(code, path);
  if (reason === undefined) return error;
  // By its member: an error of a driver may come from another realm.
  const { message } = error as { readonly message?: unknown };
  return new SqliteError(
    `the inbox's file ${path} ${reason} (SQLite: ${String(message).replace(/\s+/g, " ")})`,
    code,
    error,
  );
}

function reasonOf(code: number, path: string): string | undefined {
  switch (code) {
    case busy:
      return "is locked by another process; find the one that holds it, or raise sqliteEngine's busyTimeoutMs";
    case full:
      return "cannot grow: the disk is full; free some space, and deliveries are accepted again";
    case notADatabase:
      return "is not a SQLite database, and was left as it is; give sqliteEngine another path";
    case corrupt:
      return "is corrupt, and was left as it is; stop the app, and restore a backup with `npx hookgate restore`";
    case cannotOpen:
    case readOnly:
      return obstacleOf(path);
    case ioError:
      return (
        missingOf(path) ??
        "could not be read or written: an input/output error; check the disk and the system's log"
      );
    default:
      return undefined;
  }
}

/** Why a file cannot be opened for writing. */
function obstacleOf(path: string): string {
  const missing = missingOf(path);
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

function missingOf(path: string): string | undefined {
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
    // The way to it may not be looked at.
    return undefined;
  }
}

/** Whether this process may do so with a file, or the file is not there. */
function isAllowed(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
