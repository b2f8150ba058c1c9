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

/** Where the library of the driver lies; undefined if it is a part of Node.js, or there is none. */
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

/** SQLite itself, and what is known to hold it: better-sqlite3, sqlite3, libsql, SQLCipher, Prisma's query engine. */
const known = /sqlite|sqlcipher|libsql|query[_-]engine/i;

/** What macOS loads by itself. */
const ofTheSystem = "/usr/lib/libsqlite3.dylib";

/** Paths of the SQLite libraries in this process, without the one that the engine uses. It takes some milliseconds. */
export function otherLibraries(
  loaded: readonly string[] = sharedObjects(),
  own: string | undefined = driverFolder(),
): readonly string[] {
  return loaded.filter(
    (path) =>
      known.test(path) &&
      path !== ofTheSystem &&
      (own === undefined || !path.startsWith(own)) &&
      !isOfNode(path),
  );
}

/** Node.js as some distributions build it uses the system's library. */
function isOfNode(path: string): boolean {
  const shared: unknown = Reflect.get(process.config.variables, "node_shared_sqlite");
  return shared === true && /libsqlite3\.[^/]*$/.test(path);
}

function sharedObjects(): readonly string[] {
  const { report } = process;
  // Sockets are of no interest, and their names are looked up.
  const before: unknown = Reflect.get(report, "excludeNetwork");
  Reflect.set(report, "excludeNetwork", true);
  try {
    const found: unknown = Reflect.get(report.getReport(), "sharedObjects");
    return Array.isArray(found) ? found.filter((path) => typeof path === "string") : [];
  } finally {
    Reflect.set(report, "excludeNetwork", before);
  }
}
