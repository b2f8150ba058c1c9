import type { InboxStats } from "../contracts/engine.js";
import { printable } from "../lib/printable.js";
import { type CommandIo, type ExitCode, readOptions } from "./command.js";
import { withStore } from "./events-store.js";
import { jsonOf, spanOf, tableOf } from "./events-text.js";

/** `hookgate events stats`: how many tasks wait, run and are dead, for how long, and what comes through. */
export async function eventsStats(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const options = readOptions(args, { db: "text", receiver: "text", json: "switch" });
  const stats = await withStore(options.db, io, (store) => store.stats({ receiver: options.receiver }));
  io.stdout(options.json ? jsonOf(stats) : asText(stats));
  return 0;
}

function asText({ waiting, running, dead, oldestWaitingMs, throughput, handlers }: InboxStats): string {
  const { spanMs } = throughput;
  const depth = tableOf(
    ["waiting", "running", "dead", "oldest due"],
    [
      [waiting, running, dead, oldestWaitingMs === undefined ? "" : `${spanOf(oldestWaitingMs)} ago`].map(
        String,
      ),
    ],
  );
  const flow = tableOf(
    [`in ${spanOf(spanMs)}`, "count", "per second"],
    (["accepted", "handled", "failed", "dead"] as const).map((name) => [
      name,
      String(throughput[name]),
      spanMs > 0 ? (throughput[name] / (spanMs / 1000)).toFixed(1) : "",
    ]),
  );
  const rows = handlers.map((one) => [
    printable(one.receiver),
    printable(one.handler),
    ...[one.waiting, one.running, one.dead].map(String),
  ]);
  const perHandler = tableOf(["receiver", "handler", "waiting", "running", "dead"], rows);
  return [depth, flow, ...(rows.length === 0 ? [] : [perHandler])].join("\n");
}
