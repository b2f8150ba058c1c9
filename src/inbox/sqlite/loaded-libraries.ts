import { driverFolder } from "./driver.js";

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
