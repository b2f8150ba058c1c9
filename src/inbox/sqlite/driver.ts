import { realpathSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { dirname } from "node:path";

/** What we use of a prepared statement of `node:sqlite`. */
export interface SqliteStatement {
  run(...values: readonly SqliteValue[]): { readonly changes: number | bigint };
  get(...values: readonly SqliteValue[]): unknown;
  all(...values: readonly SqliteValue[]): unknown[];
}

/** What we use of a database of `node:sqlite`. */
export interface SqliteDatabase {
  exec(sql: string): void;
  prepare(sql: string): SqliteStatement;
  close(): void;
  /** Opens a database that was made with `open: false`. */
  open?(): void;
}

/** What SQLite stores. Bytes come back as a Uint8Array. */
export type SqliteValue = string | number | bigint | null | Uint8Array;

/** A value as a driver takes it; booleans are 1 and 0. TypeError for one that SQLite does not store; `where` names it. */
export function toSqliteValue(value: unknown, where: string): SqliteValue {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value === null || typeof value === "number" || typeof value === "bigint") return value;
  if (typeof value === "string") {
    // A driver ends text there, silently.
    if (value.includes("\0")) throw new TypeError(`${where} holds NUL; give it as bytes`);
    return value;
  }
  if (value instanceof Uint8Array) return value.slice();
  throw new TypeError(`${where} must be a text, number, bigint, boolean, bytes or null`);
}

/** `readOnly` never writes to the file; `open: false` leaves it to `open()` to open it. */
export interface OpenDatabaseOptions {
  readonly readOnly: boolean;
  readonly open?: boolean;
}

/** Opens the database of a file. */
export type OpenDatabase = (path: string, options: OpenDatabaseOptions) => SqliteDatabase;

interface DriverModule {
  readonly DatabaseSync: new (path: string, options: OpenDatabaseOptions) => SqliteDatabase;
}

const require = createRequire(import.meta.url);

/**
 * The driver of this Node.js: its own `node:sqlite` where it has one without a flag (22.13 and later), else the optional
 * peer @photostructure/sqlite, which has the same members. Throws an Error that names the command that installs it.
 */
export function loadDriver(): OpenDatabase {
  const own = ownDriver();
  if (own !== undefined) return (path, options) => bindingEmptyBytes(new own.DatabaseSync(path, options));
  const { DatabaseSync } = installedDriver();
  return (path, options) => new DatabaseSync(path, options);
}

/** Bytes of length 0 at an address of their own. */
const emptyBytes = new Uint8Array(new ArrayBuffer(1), 0, 0);

/** `node:sqlite` of Node.js 22 binds bytes as NULL that are of an ArrayBuffer of length 0: it has no address. */
function bindingEmptyBytes(db: SqliteDatabase): SqliteDatabase {
  const prepare = db.prepare.bind(db);
  return Object.assign(db, {
    prepare(sql: string): SqliteStatement {
      const statement = prepare(sql);
      const { run, get, all } = statement;
      return Object.assign(statement, {
        run: (...values: readonly SqliteValue[]) => run.apply(statement, bindable(values)),
        get: (...values: readonly SqliteValue[]) => get.apply(statement, bindable(values)),
        all: (...values: readonly SqliteValue[]) => all.apply(statement, bindable(values)),
      });
    },
  });
}

function bindable(values: readonly SqliteValue[]): SqliteValue[] {
  return values.map((value) => (value instanceof Uint8Array && value.length === 0 ? emptyBytes : value));
}

function ownDriver(): DriverModule | undefined {
  const found: unknown = process.getBuiltinModule?.("node:sqlite");
  return found as DriverModule | undefined;
}

function installedDriver(): DriverModule {
  try {
    return require("@photostructure/sqlite") as DriverModule;
  } catch (cause) {
    const found = (cause as { readonly code?: unknown }).code !== "MODULE_NOT_FOUND";
    throw new Error(
      found ? `@photostructure/sqlite could not be loaded: ${String(cause)}` : nothingInstalled,
      {
        cause,
      },
    );
  }
}

/** Where the library of the driver lies; undefined where it is a part of Node.js, or there is none. */
export function driverFolder(): string | undefined {
  // Not ownDriver(): Node.js 22 warns where its SQLite is loaded.
  if (isBuiltin("node:sqlite")) return undefined;
  try {
    return dirname(dirname(realpathSync(require.resolve("@photostructure/sqlite"))));
  } catch {
    return undefined;
  }
}

const nothingInstalled =
  `Node.js ${process.versions.node} has no SQLite built in (22.13 and later do): run ` +
  "`npm install @photostructure/sqlite@1`, or use a newer Node.js";

/**
 * SQLite's texts of result codes. @photostructure/sqlite leaves the code away from errors of `get`, `all` and `iterate`, so
 * that nothing else tells them apart there.
 */
const codesOfTexts: ReadonlyMap<string, number> = new Map([
  ["database is locked", 5],
  ["attempt to write a readonly database", 8],
  ["disk I/O error", 10],
  ["database disk image is malformed", 11],
  ["database or disk is full", 13],
  ["unable to open database file", 14],
  ["file is not a database", 26],
]);

/**
 * SQLite's primary result code (https://sqlite.org/rescode.html) of an error that a driver threw, 1 (SQLITE_ERROR) where the
 * driver does not tell which; 0 for any other.
 */
export function resultCode(error: unknown): number {
  if (typeof error !== "object" || error === null) return 0;
  const code: unknown = Reflect.get(error, "errcode");
  if (typeof code === "number") return code & 0xff;
  if (Reflect.get(error, "code") !== "ERR_SQLITE_ERROR") return 0;
  return codesOfTexts.get(String(Reflect.get(error, "message"))) ?? 1;
}

/** SQLITE_BUSY: another process holds the lock. */
export function isBusy(error: unknown): boolean {
  return resultCode(error) === 5;
}

/** Result codes behind which a connection is not used again: what it holds of the file may be wrong (ATTACKS H13). */
const fatalCodes: ReadonlySet<number> = new Set([
  8, // SQLITE_READONLY
  10, // SQLITE_IOERR
  11, // SQLITE_CORRUPT
  14, // SQLITE_CANTOPEN
  26, // SQLITE_NOTADB
]);

/** Whether the connection must be opened anew. */
export function isFatal(error: unknown): boolean {
  return fatalCodes.has(resultCode(error));
}
