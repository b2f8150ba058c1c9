import { type CommandIo, type ExitCode, readOptions, refused } from "./command.js";
import { withStore } from "./events-store.js";
import { jsonOf, sizeOf } from "./events-text.js";

/** `hookgate events compact`: gives the space of purged events back to the disk. */
export async function eventsCompact(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const options = readOptions(args, { db: "text", json: "switch" });
  const report = await withStore(options.db, io, async (store) => {
    if (store.compact === undefined) throw refused("the store of this inbox compacts by itself");
    return store.compact();
  });
  if (options.json) io.stdout(jsonOf(report));
  else io.stderr(`${sizeOf(report.beforeBytes)} before, ${sizeOf(report.afterBytes)} now.\n`);
  return 0;
}
