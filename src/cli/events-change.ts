import { printable } from "../lib/printable.js";
import { changeableStates, defaultStates } from "../lib/task-changes.js";
import type { Change, EventRecord, TaskState } from "../types/engine.js";
import { type CommandIo, type ExitCode, misused, type OptionValues, readArguments } from "./command.js";
import { filterKinds, filterOf, hasFilter } from "./events-filter.js";
import { findRecord } from "./events-find.js";
import { newTasksPlan, type Plan, pagesOf, pastOf, planOf } from "./events-plan.js";
import { type Store, withStore } from "./events-store.js";
import { countOf, jsonOf } from "./events-text.js";

type Action = Change["action"];

const changeKinds = {
  db: "text",
  ...filterKinds,
  handler: "text",
  states: "text",
  "new-handler": "switch",
  all: "switch",
  yes: "switch",
  "dry-run": "switch",
  json: "switch",
} as const;

type ChangeOptions = OptionValues<typeof changeKinds>;

/**
 * `hookgate events retry`: makes tasks due now that wait for a later attempt, of events that are named or of those that
 * filters choose. Counts first; changes nothing without `--yes`, which ends with 1.
 */
export function eventsRetry(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  return changeEvents("retry", args, io);
}

/** `hookgate events replay`: runs dead letters again, or what `--states` says. Otherwise as `eventsRetry`. */
export function eventsReplay(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  return changeEvents("replay", args, io);
}

/** `hookgate events drop`: gives tasks up. Otherwise as `eventsRetry`. */
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
  if (words.length > 0 && (filtered || options.all)) {
    throw misused("events that are named and options that choose events do not go together");
  }
  if (options.all && filtered) throw misused("--all stands for no filter at all");
  if (options["new-handler"]) {
    if (action !== "replay" || options.handler === undefined || options.states !== undefined) {
      throw misused("--new-handler goes with replay and --handler, and not with --states");
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

/** The states that `--states` names, or those that the action takes by itself. */
function statesOf(action: Action, { states }: ChangeOptions): readonly TaskState[] {
  if (states === undefined) return defaultStates[action];
  const taken: readonly TaskState[] = changeableStates[action];
  return states.split(",").map((text) => {
    const found = taken.find((state) => state === text.trim());
    if (found !== undefined) return found;
    throw misused(`--states of ${action} are ${taken.join(", ")}, not "${printable(text)}"`);
  });
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
  const change = {
    ...{ action, states: statesOf(action, options) },
    handlers: handler === undefined ? undefined : [handler],
  };
  const makes = options["new-handler"] ? handler : undefined;
  if (words.length === 0) {
    const filter = filterOf(options, io);
    return makes === undefined
      ? planOf(store, { filter: { ...filter, handler } }, change)
      : newTasksPlan(store, () => pagesOf(store, filter), makes, change);
  }
  const named = new Map<string, EventRecord>();
  for (const word of words) {
    const record = await findRecord(store, word, io);
    named.set(record.recordId, record);
  }
  return makes === undefined
    ? planOf(store, { recordIds: [...named.keys()] }, change)
    : newTasksPlan(store, () => [[...named.values()]], makes, change);
}

function tellNothing(action: Action, options: ChangeOptions, io: CommandIo, code: ExitCode): ExitCode {
  if (options.json) io.stdout(jsonOf({ action, tasks: 0, changed: false }));
  const states = statesOf(action, options).join(", ");
  const until = action === "retry" ? ", and due later" : "";
  io.stderr(`Nothing to ${action}: no selected task is ${states.replace(/, (\w+)$/, " or $1")}${until}.\n`);
  if (action === "replay" && options.states === undefined) {
    io.stderr("To replay tasks in other states, name them: --states done,dead,dropped\n");
  }
  return code;
}

function tellCount(action: Action, count: number, options: ChangeOptions, io: CommandIo): ExitCode {
  if (options.json) io.stdout(jsonOf({ action, tasks: count, changed: false }));
  io.stderr(`${countOf(count, "task")} would be ${pastOf(action)}; nothing was changed.\n`);
  if (action === "replay" && statesOf(action, options).includes("done")) {
    io.stderr("Tasks that are done run again, too.\n");
  }
  if (options["dry-run"]) return 0;
  io.stderr("Add --yes to go on.\n");
  return 1;
}
