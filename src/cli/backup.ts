import { existsSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import { printable } from "../lib/printable.js";
import { type CommandIo, type ExitCode, misused, readArguments, refused } from "./command.js";
import { assertThere, loadSqlite, telling } from "./events/store.js";
import { sizeOf } from "./text.js";

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

/** `hookgate restore`: puts a copy in place of an inbox's file that nobody uses. */
export async function restore(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const { options, words } = readArguments(args, { replace: "switch" });
  const [copy, file] = words;
  if (copy === undefined || file === undefined || words.length > 2) {
    throw misused("restore takes the copy and the inbox's file: hookgate restore copy.db hooks.db");
  }
  const [from, target] = [resolve(io.cwd, copy), resolve(io.cwd, file)];
  assertThere(from, copy);
  if (existsSync(target)) {
    if (realpathSync(from) === realpathSync(target)) throw refused("the copy and the file are the same");
    if (!options.replace) {
      throw refused(`"${printable(file)}" exists; with --replace it is kept under another name`);
    }
  }
  const suffix = `.replaced-${new Date(io.clock.now()).toISOString().replace(/[-:]|\.\d+/g, "")}`;
  const { sizeBytes, replaced } = await telling(file, async () => {
    const { open, restoreFile } = await loadSqlite();
    return restoreFile({
      open,
      copy: from,
      target,
      setAside: options.replace ? `${target}${suffix}` : undefined,
    });
  });
  const kept = replaced ? ` What was there is ${printable(file + suffix)} now.` : "";
  io.stderr(`${printable(file)}: ${sizeOf(sizeBytes)}, restored and checked.${kept}\n`);
  return 0;
}
