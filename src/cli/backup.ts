import { resolve } from "node:path";
import { printable } from "../lib/printable.js";
import { type CommandIo, type ExitCode, misused, readArguments } from "./command.js";
import { assertThere, loadSqlite, telling } from "./events-store.js";
import { sizeOf } from "./events-text.js";

/** `hookgate backup`: copies an inbox's file while it is in use. */
export async function backup(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const { words } = readArguments(args, {});
  const [file, to] = words;
  if (file === undefined || to === undefined || words.length > 2) {
    throw misused("backup takes the inbox's file and the copy to create: hookgate backup hooks.db copy.db");
  }
  const path = resolve(io.cwd, file);
  assertThere(path, file);
  const { sizeBytes, durationMs } = await telling(file, async () => {
    const { backUpFile, open } = await loadSqlite();
    return backUpFile(open, path, { target: resolve(io.cwd, to) });
  });
  const seconds = (durationMs / 1000).toFixed(1);
  io.stderr(`${printable(to)}: ${sizeOf(sizeBytes)}, copied and checked in ${seconds} s.\n`);
  return 0;
}
