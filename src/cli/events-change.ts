import type { EventRecord } from "../contracts/engine.js";
import { type CommandIo, type ExitCode, misused, type OptionValues, readArguments } from "./command.js";
import { filterKinds, filterOf, hasFilter } from "./events-filter.js";
import { findRecord } from "./events-find.js";
import { deadLettersOf, type Plan, planOf, recordsOf } from "./events-plan.js";
import { type Store, withStore } from "./events-store.js";
import { countOf, jsonOf } from "./events-text.js";

type Action = "replay" | "drop";

const changeKinds = {
  db: "text",
  ...filterKinds,
  handler: "text",
  "new-handler": "switch",
  all: "switch",
  yes: "switch",
  "dry-run": "switch",
  json: "switch",
} as const;

type ChangeOptions = OptionValues<typeof changeKinds>;

/**
 * `hookgate events replay`: runs tasks again, of events that are named or of those that filters choose; with
 * `--state dead` the dead letters alone. Counts first; changes nothing without `--yes`, which ends with 1.
 */
export function eventsReplay(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  return changeEvents("replay", args, io);
}

/** `hookgate events drop`: gives tasks up that wait or are dead. Otherwise as `eventsReplay`. */
export function eventsDrop(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  return changeEvents("drop", args, io);
}

async function changeEvents(action: Action, args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const { options, words } = readArguments(args, changeKinds);
  assertSense(action, options, words);
  return withStore(options.db, io, async (store) => {
    const plan = await makePlan({ action, store, options, words, io });
    const count = await plan.count();
    if (count === 0) {
      return tellNothing(action, options, io, words.length > 0 ? 1 : 0);
    }
    if (options["dry-run"] || !options.yes) return tellCount(action, count, options, io);
    if (!options.json) io.stderr(`${countOf(count, "task")} to ${action} …\n`);
    const changed = await plan.carryOut();
    if (options.json) io.stdout(jsonOf({ action, tasks: changed, changed: true }));
    else io.stderr(`${countOf(changed, "task")} ${pastOf(action)}.\n`);
    return 0;
  });
}

function assertSense(action: Action, options: ChangeOptions, words: readonly string[]): void {
  const filtered = hasFilter(options);
  // Beside named events it says which of their tasks.
  const onlyDead = isForDead(action, options) && !hasFilter({ ...options, state: undefined });
  if (words.length > 0 && ((filtered && !onlyDead) || options.all)) {
    throw misused("events that are named and options that choose events do not go together");
  }
  if (options.all && filtered) throw misused("--all stands for no filter at all");
  if (options["new-handler"]) {
    if (action === "drop" || options.handler === undefined || isForDead(action, options)) {
      throw misused("--new-handler goes with replay and --handler, and not with --state dead");
    }
    if (words.length === 0 && options.receiver === undefined) {
      throw misused("--new-handler needs --receiver: events of others would get tasks that nobody runs");
    }
  }
  const chosen = filtered || options.all || (options.handler !== undefined && !options["new-handler"]);
  if (words.length === 0 && !chosen) {
    throw misused(`name the events to ${action}, or choose them by a filter; --all takes every event`);
  }
  if (options.yes && options["dry-run"]) throw misused("--yes and --dry-run do not go together");
}

async function makePlan(given: {
  readonly action: Action;
  readonly store: Store;
  readonly options: ChangeOptions;
  readonly words: readonly string[];
  readonly io: CommandIo;
}): Promise<Plan> {
  const { action, store, options, words, io } = given;
  const { handler } = options;
  const change = { action, handlers: handler === undefined ? undefined : [handler] };
  // A replay to a handler makes the task that is not there, and a mistyped name one that nobody ever runs.
  const had = options["new-handler"] ? undefined : handler;
  const onlyDead = isForDead(action, options);
  if (words.length === 0) {
    const filter = { ...filterOf(options, io), handler: had };
    return onlyDead
      ? deadLettersOf(store, recordsOf(store, filter), handler)
      : planOf(store, { filter }, change);
  }
  const named = new Map<string, EventRecord>();
  for (const word of words) {
    const record = await findRecord(store, word, io);
    named.set(record.recordId, record);
  }
  const records = [...named.values()].filter(
    ({ tasks }) => had === undefined || tasks.some((task) => task.handler === had),
  );
  if (onlyDead) return deadLettersOf(store, records, handler);
  return planOf(store, { recordIds: records.map(({ recordId }) => recordId) }, change);
}

function isForDead(action: Action, { state }: ChangeOptions): boolean {
  return action === "replay" && state === "dead";
}

function tellNothing(action: Action, options: ChangeOptions, io: CommandIo, code: ExitCode): ExitCode {
  if (options.json) io.stdout(jsonOf({ action, tasks: 0, changed: false }));
  const taken = isForDead(action, options)
    ? "dead"
    : action === "replay"
      ? "done, dead or dropped"
      : "waiting or dead";
  io.stderr(`Nothing to ${action}: no task that was chosen is ${taken}.\n`);
  return code;
}

function tellCount(action: Action, count: number, options: ChangeOptions, io: CommandIo): ExitCode {
  if (options.json) io.stdout(jsonOf({ action, tasks: count, changed: false }));
  io.stderr(`${countOf(count, "task")} would be ${pastOf(action)}; nothing was changed.\n`);
  if (action === "replay" && !isForDead(action, options)) {
    io.stderr("Tasks that are done run again, too; --state dead takes dead letters alone.\n");
  }
  if (options["dry-run"]) return 0;
  io.stderr("Add --yes to go on.\n");
  return 1;
}

function pastOf(action: Action): string {
  return action === "replay" ? "replayed" : "dropped";
}
