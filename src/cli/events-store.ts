import { statSync } from "node:fs";
import { resolve } from "node:path";
import { printable } from "../lib/printable.js";
import type { InboxEngine } from "../types/engine.js";
import { CommandFailure, type CommandIo, refused, required } from "./command.js";

/** What an operator does with an inbox: look and mend, never accept or handle. */
export type Store = Pick<InboxEngine<unknown>, "list" | "get" | "change" | "stats" | "purge" | "compact">;

/**
 * Opens the inbox in the file that `--db` names, lets `use` work on it and closes it, whatever comes. The file must be
 * there. CommandFailure 1 says in one line what the store, or its file, does not do.
 */
export async function withStore<Result>(
  db: string | undefined,
  io: CommandIo,
  use: (store: Store) => Promise<Result>,
): Promise<Result> {
  const given = required(db, "db");
  const path = resolve(io.cwd, given);
  assertThere(path, given);
  return telling(given, async () => {
    const engine = await engineOf(path, io);
    await engine.open({
      note: (level, message) => io.stderr(`hookgate: ${level}: ${oneLine(message)}\n`),
    });
    try {
      return await use(engine);
    } finally {
      await engine.close();
    }
  });
}

/** The engine is loaded here alone, so that the commands on keys need none of its packages. */
async function engineOf(path: string, io: CommandIo): Promise<InboxEngine<unknown>> {
  if (io.inboxEngine !== undefined) return io.inboxEngine(path);
  await assertInbox(path);
  const { sqliteEngine } = await import("../inbox/sqlite/index.js");
  return sqliteEngine(path);
}

/** What works on the file itself; loaded where it is needed. */
export async function loadSqlite() {
  const [{ backUpFile }, { restoreFile }, { loadDriver }] = await Promise.all([
    import("../inbox/sqlite/backup.js"),
    import("../inbox/sqlite/backup.js"),
    import("../inbox/sqlite/driver.js"),
  ]);
  return { backUpFile, restoreFile, open: loadDriver() };
}

/** The engine would make its tables in a database of something else: looked at first without writing. */
async function assertInbox(path: string): Promise<void> {
  const { LocalHost } = await import("../inbox/sqlite/host.js");
  const host = new LocalHost({ path, readOnly: true, busyTimeoutMs: 2000, setup: [] });
  await host.open();
  await host.close();
}

/** An engine makes the file that is not there, and an inbox of one that is empty: a mistyped path must not. */
export function assertThere(path: string, given: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  const name = `"${printable(given)}"`;
  if (stats === undefined) throw refused(`there is no file ${name}; nothing was made`);
  if (!stats.isFile()) throw refused(`${name} is not a file`);
  if (stats.size === 0) throw refused(`${name} is empty: there is no inbox in it`);
}

/** Does work on a file; CommandFailure 1 says in one line what went wrong, with the file as it was given. */
export async function telling<Result>(given: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    throw refused(`${printable(given)}: ${reasonOf(error)}`);
  }
}

/** What an error says, in one line that is fit to print. */
export function reasonOf(error: unknown): string {
  return oneLine(error instanceof Error ? error.message : String(error));
}

function oneLine(text: string): string {
  return printable(text.replace(/\s+/g, " ").trim(), 500);
}
