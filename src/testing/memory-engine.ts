import { parseSetup } from "../inbox/sqlite/connection.js";
import { createMemoryEngine } from "../inbox/sqlite/engine.js";
import type { SqliteTransaction } from "../inbox/sqlite/user-writes.js";
import { assertOptions, OptionError, optionKeys, own } from "../lib/options.js";
import type { InboxEngine } from "../types/engine.js";

/** Options of the engine in memory. */
export interface MemoryEngineOptions {
  /** Milliseconds since the epoch: dates, due times and remembered ids follow it. Left out: the machine's clocks. */
  readonly now?: (() => number) | undefined;
  /** SQL run when the store is created: `CREATE TABLE …` for the tables that `context.complete` writes to. Default: none. */
  readonly setup?: readonly string[] | undefined;
}

/**
 * `sqliteEngine(":memory:")` for tests: the engine that production runs, without a file. Its data lives as long as the engine
 * object, even if it is closed and opened again, and is lost when the process ends. `start()` does not warn about it.
 *
 * @example
 * createReceiver({ …, inbox: { engine: memoryEngine() } })
 */
export function memoryEngine(options: MemoryEngineOptions = {}): InboxEngine<SqliteTransaction> {
  const where = "memoryEngine";
  assertOptions(options, optionKeys<MemoryEngineOptions>({ now: true, setup: true }), where);
  const now = own(options, "now");
  if (now !== undefined && typeof now !== "function") {
    throw new OptionError(`${where}.now`, " must be a function that returns milliseconds since the epoch");
  }
  const setup = parseSetup(own(options, "setup"), `${where}.setup`);
  return createMemoryEngine(setup, { now: now as MemoryEngineOptions["now"], forTests: true });
}
