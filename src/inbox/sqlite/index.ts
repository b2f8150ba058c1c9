import { resolve } from "node:path";
import type { Duration } from "../../lib/duration.js";
import {
  assertOptions,
  durationOption,
  flagOption,
  OptionError,
  optionKeys,
  own,
  stringOption,
} from "../../lib/options.js";
import type { InboxEngine } from "../../types/engine.js";
import { CopyHost } from "./backup.js";
import { memoryPath, parseSetup } from "./connection.js";
import type { SqliteValue } from "./driver.js";
import { createMemoryEngine, SqliteEngine } from "./engine.js";
import { LocalHost, ThreadHost } from "./hosts.js";
import type { ReadOptions, SqliteRow } from "./user-queries.js";
import type { SqliteTransaction } from "./user-writes.js";

export type { SqliteValue } from "./driver.js";
export { SqliteError } from "./errors.js";
export type { ReadOptions, SqliteRow } from "./user-queries.js";

export type { SqliteTransaction } from "./user-writes.js";

/** The engine that `sqliteEngine` makes. */
export interface SqliteInboxEngine extends InboxEngine<SqliteTransaction> {
  /**
   * Runs one SELECT, WITH or VALUES statement on the inbox's file, in a process of its own: another SQLite library in your
   * process would break the locks that the inbox depends on. `params` has a value for each `?`. Resolves with the rows,
   * at most 10,000 of them and 64 MiB (beyond: RangeError). Rejects with a TypeError for any other statement, and with
   * a SqliteError where SQLite fails or the query is ended at its time limit (`errcode` 9). The engine must be open. In memory the query
   * runs on the caller's thread, without a time limit.
   *
   * @example
   * await engine.read("SELECT id, total FROM payments WHERE day = ?", [day], { timeout: "1s" });
   */
  read(
    sql: string,
    params?: readonly (SqliteValue | boolean)[],
    options?: ReadOptions,
  ): Promise<readonly SqliteRow[]>;
}

/** Options of `sqliteEngine`. */
export interface SqliteEngineOptions {
  /** SQL run each time the file is opened: `CREATE TABLE IF NOT EXISTS …` for what `context.complete` writes. Default: none. */
  readonly setup?: readonly string[] | undefined;
  /** How long to wait for another process's transaction, "0ms" to "1m". Default: "2s". */
  readonly busyTimeout?: Duration | undefined;
  /** `true` runs SQLite on the caller's thread: the event loop then waits for the disk. For bundles that cannot start a thread. Default: false. */
  readonly onCallersThread?: boolean | undefined;
}

const optionNames = optionKeys<SqliteEngineOptions>({
  setup: true,
  busyTimeout: true,
  onCallersThread: true,
});

/**
 * Keeps an inbox in one SQLite file (WAL, `synchronous=FULL`), made where it is not there. Several processes of one machine
 * may share it. `path` is the file; relative ones start from the working directory. `":memory:"` is a store for tests, on
 * the caller's thread: its content lives as long as the engine object and is lost with the process.
 *
 * @example
 * createReceiver({ …, inbox: { engine: sqliteEngine("hooks.db") } })
 */
export function sqliteEngine(path: string, options: SqliteEngineOptions = {}): SqliteInboxEngine {
  const where = "sqliteEngine";
  const file = stringOption(path, `${where}'s path`);
  if (file.startsWith("file:")) throw new OptionError(where, "'s path must be the path of a file, not a URI");
  assertOptions(options, optionNames, where);
  const setup = parseSetup(own(options, "setup"), `${where}.setup`);
  const connection = {
    path: resolve(file),
    readOnly: false,
    setup,
    busyTimeoutMs: durationOption(own(options, "busyTimeout"), `${where}.busyTimeout`, {
      min: "0ms",
      max: "1m",
      fallback: "2s",
    }),
  };
  const local = flagOption(own(options, "onCallersThread"), `${where}.onCallersThread`);
  if (file === memoryPath) return createMemoryEngine(setup);
  if (local) return new SqliteEngine(connection, (given, note) => new LocalHost(given, undefined, note));
  return new SqliteEngine(connection, (given, note) => new ThreadHost(given, note), {
    copies: new CopyHost(connection.path),
  });
}
