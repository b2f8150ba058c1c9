/**
 * For `--import`: on SIGUSR2 the app opens the inbox's file with another SQLite library, reads and closes it. The library
 * is the one at the path in HOOKGATE_SECOND_LIBRARY.
 */
import { createRequire } from "node:module";
import { optionsVariable, type ServerOptions } from "./options.js";

interface Library {
  readonly DatabaseSync: new (path: string) => { exec(sql: string): void; close(): void };
}

const library: Library = createRequire(import.meta.url)(process.env.HOOKGATE_SECOND_LIBRARY ?? "");
const { db: path }: ServerOptions = JSON.parse(process.env[optionsVariable] ?? "{}");

process.on("SIGUSR2", () => {
  const db = new library.DatabaseSync(path);
  // Not `prepare`: on Node.js 20 a statement keeps its database open until it is collected.
  db.exec("SELECT count(*) FROM hookgate_events");
  db.close();
  process.stdout.write("the second library has closed the file\n");
});
