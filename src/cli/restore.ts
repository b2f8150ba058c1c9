import { existsSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import { printable } from "../lib/printable.js";
import { type CommandIo, type ExitCode, misused, readArguments, refused } from "./command.js";
import { assertThere, loadSqlite, telling } from "./events-store.js";
import { sizeOf } from "./events-text.js";

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
