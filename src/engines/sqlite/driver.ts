import { createRequire } from "node:module";

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
}

/** What SQLite stores. Bytes come back as a Uint8Array. */
export type SqliteValue = string | number | bigint | null | Uint8Array;

/** Opens the database of a file; `readOnly` never writes to it. */
export type OpenDatabase = (path: string, options: { readonly readOnly: boolean }) => SqliteDatabase;

interface DriverModule {
  readonly DatabaseSync: new (path: string, options: { readonly readOnly: boolean }) => SqliteDatabase;
}

const require = createRequire(import.meta.url);

/**
 * The driver of this Node.js: its own `node:sqlite` where it has one without a flag (22.13 and later), else the optional
 * dependency @photostructure/sqlite, which has the same members. Throws an Error that says what to install.
 */
export function loadDriver(): OpenDatabase {
  const { DatabaseSync } = ownDriver() ?? installedDriver();
  return (path, options) => new DatabaseSync(path, options);
}

function ownDriver(): DriverModule | undefined {
  const found: unknown = process.getBuiltinModule?.("node:sqlite");
  return found as DriverModule | undefined;
}

function installedDriver(): DriverModule {
  try {
    return require("@photostructure/sqlite") as DriverModule;
  } catch (cause) {
    throw new Error(
      `there is no SQLite driver: Node.js ${process.versions.node} has none of its own (22.13 and later do), and the ` +
        "optional dependency @photostructure/sqlite is not installed; install it, or use a newer Node.js",
      { cause },
    );
  }
}

/** SQLite's primary result code (https://sqlite.org/rescode.html) of an error that a driver threw; 0 for any other. */
export function resultCode(error: unknown): number {
  const code: unknown = typeof error === "object" && error !== null ? Reflect.get(error, "errcode") : 0;
  return typeof code === "number" ? code & 0xff : 0;
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
