import { type ConnectionOptions, memoryPath } from "./connection.js";
import { type EngineParts, SqliteEngine } from "./engine.js";
import { type Host, MemoryHost } from "./host.js";

/** What a test may say of its engine in memory. */
export interface MemoryParts extends EngineParts {
  readonly makeHost?: ((options: ConnectionOptions) => Host) | undefined;
}

/** An engine whose store is in the memory of this process: made at the first `open`, it lives as long as the engine. */
export function createMemoryEngine(setup: readonly string[], parts: MemoryParts = {}): SqliteEngine {
  const { makeHost = (given: ConnectionOptions) => new MemoryHost(given), ...test } = parts;
  const connection = { path: memoryPath, readOnly: false, setup, busyTimeoutMs: 0 };
  let host: Host | undefined;
  const keepHost = (given: ConnectionOptions): Host => {
    host ??= makeHost(given);
    return host;
  };
  return new SqliteEngine(connection, keepHost, test);
}
