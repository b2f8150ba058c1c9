import { printable } from "../lib/printable.js";
import type { HandlerStats, InboxStats } from "../types/engine.js";
import { type CommandIo, type ExitCode, readOptions } from "./command.js";
import { withStore } from "./events-store.js";
import { countOf, jsonOf, spanOf, tableOf } from "./events-text.js";

/** `hookgate events stats`: how many tasks are in which state, for how long, what comes through, and who runs them. */
export async function eventsStats(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const options = readOptions(args, { db: "text", receiver: "text", json: "switch" });
  const stats = await withStore(options.db, io, (store) => store.stats({ receiver: options.receiver }));
  io.stdout(options.json ? jsonOf(stats) : asText(stats));
  if (!options.json && stats.held > 0) io.stderr(heldNote(stats));
  return 0;
}

function asText({ throughput, handlers, consumers, ...counts }: InboxStats): string {
  const { spanMs } = throughput;
  const depth = tableOf(
    ["waiting", "running", "dead", "oldest due"],
    [[...numbers(counts.waiting, counts.running, counts.dead), ago(counts.oldestWaitingMs)]],
  );
  const flow = tableOf(
    [`in ${spanOf(spanMs)}`, "count", "per second"],
    (["accepted", "handled", "failed", "dead"] as const).map((name) => [
      name,
      String(throughput[name]),
      spanMs > 0 ? (throughput[name] / (spanMs / 1000)).toFixed(1) : "",
    ]),
  );
  const perHandler = tableOf(
    ["receiver", "handler", "waiting", "running", "dead"],
    handlers.map((one) => [...namesOf(one), ...numbers(one.waiting, one.running, one.dead)]),
  );
  const perConsumer = tableOf(
    ["receiver", "consumer", "running", "heartbeat", "lease"],
    consumers.map(({ receiver, consumer, running, heartbeatAgeMs, leaseMs }) => [
      ...[printable(receiver), printable(consumer), String(running)],
      ...[ago(heartbeatAgeMs), spanOf(leaseMs)],
    ]),
  );
  return [
    depth,
    flow,
    ...(handlers.length === 0 ? [] : [perHandler]),
    ...(counts.blocked === 0 ? [] : [blockedTable(handlers)]),
    consumers.length === 0 ? "no process runs tasks\n" : perConsumer,
  ].join("\n");
}

/** What waits behind another task of its ordering key. */
function blockedTable(handlers: readonly HandlerStats[]): string {
  return tableOf(
    ["receiver", "handler", "blocked", "held", "held by", "oldest blocked", "oldest held"],
    handlers
      .filter(({ blocked }) => blocked > 0)
      .map((one) => [
        ...namesOf(one),
        ...numbers(one.blocked, one.held, one.holding),
        ...[ago(one.oldestBlockedMs), ago(one.oldestHeldMs)],
      ]),
  );
}

function namesOf({ receiver, handler }: HandlerStats): readonly string[] {
  return [printable(receiver), printable(handler)];
}

function numbers(...counts: readonly number[]): readonly string[] {
  return counts.map(String);
}

function ago(ms: number | undefined): string {
  return ms === undefined ? "" : `${spanOf(ms)} ago`;
}

function heldNote({ held, holding }: InboxStats): string {
  return `${countOf(held, "task")} held behind ${countOf(holding, "dead letter")} (onDeadLetter: "block"): replay, drop or purge the dead letters; events list --state dead shows them.\n`;
}
