import { setTimeout as pause } from "node:timers/promises";
import { changeSteps } from "../../inbox/admin.js";
import { isClockAhead } from "../../lib/clock.js";
import { printable } from "../../lib/printable.js";
import { changeableStates, defaultStates } from "../../lib/task-changes.js";
import type { Change, EventRecord, Selection, TaskState } from "../../types/engine.js";
import {
  type CommandIo,
  type ExitCode,
  misused,
  type OptionValues,
  parseDuration,
  readArguments,
  readOptions,
  refused,
  required,
} from "../command.js";
import { countOf, jsonOf, sizeOf } from "../text.js";
import { findRecord } from "./show.js";
import {
  countOption,
  filterKinds,
  filterOf,
  hasFilter,
  pagesOf,
  reasonOf,
  type Store,
  withStore,
} from "./store.js";

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

/** A change that can be counted before it is made. */
export interface Plan {
  /** Tasks that it would change. */
  count(): Promise<number>;
  /** Makes it, and resolves with the tasks that were changed. */
  carryOut(): Promise<number>;
}

/** Tasks of each step, as they are changed, or counted by `dryRun`. */
type Steps = (dryRun: boolean) => AsyncIterable<number>;

/** A change as the store makes it, step by step. */
export function planOf(store: Store, selection: Selection, change: Change): Plan {
  const isEmpty = "recordIds" in selection && selection.recordIds.length === 0;
  return planOfSteps(change.action, async function* (dryRun) {
    if (!isEmpty) yield* changeSteps(store, selection, { ...change, dryRun });
  });
}

/**
 * A replay to a handler, with a task for those events that have none for it. CommandFailure 1 where the inbox does not know
 * the handler, or its tasks have ordering keys: those come from the app's own code.
 */
export function newTasksPlan(
  store: Store,
  pages: () => AsyncIterable<readonly EventRecord[]> | Iterable<readonly EventRecord[]>,
  handler: string,
  change: Change,
): Plan {
  return planOfSteps(change.action, async function* (dryRun) {
    for await (const records of pages()) {
      await assertMayMake(store, new Set(records.map(({ receiver }) => receiver)), handler);
      const recordIds = records.map(({ recordId }) => recordId);
      // The store leaves those alone that are there.
      const tasks = recordIds.map((recordId) => ({ recordId, handler }));
      if (recordIds.length > 0) yield* changeSteps(store, { recordIds }, { ...change, tasks, dryRun });
    }
  });
}

async function assertMayMake(store: Store, receivers: ReadonlySet<string>, handler: string): Promise<void> {
  const name = printable(handler);
  for (const receiver of receivers) {
    const { handlers } = await store.stats({ receiver });
    const known = handlers.find((one) => one.handler === handler);
    if (known === undefined) {
      throw refused(
        `the inbox knows no handler "${name}" of "${printable(receiver)}"; start the receiver with it once`,
      );
    }
    if (known.ordered) {
      throw refused(
        `handler "${name}" is ordered (orderingKey), and only your code can compute the keys of new tasks: in the app, call receiver.inbox.replay(selection, { handlers: ["${name}"] })`,
      );
    }
  }
}

function planOfSteps(action: Change["action"], steps: Steps): Plan {
  return {
    async count() {
      let count = 0;
      for await (const changed of steps(true)) count += changed;
      return count;
    },
    async carryOut() {
      let count = 0;
      try {
        for await (const changed of steps(false)) count += changed;
      } catch (error) {
        if (count === 0) throw error;
        throw refused(`${countOf(count, "task")} ${pastOf(action)}, then: ${reasonOf(error)}`);
      }
      return count;
    },
  };
}

/** What was done to tasks. */
export function pastOf(action: Change["action"]): string {
  return { retry: "retried", replay: "replayed", drop: "dropped" }[action];
}

/** As many events as are deleted in one commit: the app that accepts meanwhile waits no longer than for that. */
const batch = 500;

/** Time for others between two commits, in milliseconds. */
const pauseMs = 10;

interface Purge {
  readonly receiver: string | undefined;
  readonly state: "done" | "dead";
  readonly beforeMs: number;
  readonly keep: number | undefined;
  readonly trustClock: boolean;
}

/** `hookgate events purge`: deletes events that are done or dead, by age, by number, or both, in small batches. */
export async function eventsPurge(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const options = readOptions(args, {
    db: "text",
    receiver: "text",
    state: "text",
    "older-than": "text",
    keep: "text",
    "trust-clock": "switch",
    json: "switch",
  });
  const age = ageOf(options["older-than"]);
  const what: Purge = {
    receiver: options.receiver,
    state: purgedState(required(options.state, "state")),
    // Without an age everything until now: an app that goes on handling must not keep this from ending.
    beforeMs: io.clock.now() - (age ?? 0),
    keep: countOption(options.keep, "keep", { min: 0, max: Number.MAX_SAFE_INTEGER }),
    // What is deleted whatever its age does not depend on the clock.
    trustClock: options["trust-clock"] || age === undefined,
  };
  if (age === undefined && what.keep === undefined) {
    throw misused("--older-than, --keep or both are needed; --keep 0 keeps none");
  }
  const purged = await withStore(options.db, io, (store) => purgeAll(store, what));
  if (options.json) io.stdout(jsonOf({ purged }));
  else io.stderr(`${countOf(purged, "event")} purged.\n`);
  return 0;
}

async function purgeAll(store: Store, what: Purge): Promise<number> {
  let total = 0;
  for (;;) {
    let count: number;
    try {
      count = await store.purge({ ...what, limit: batch });
    } catch (error) {
      const hint = isClockAhead(error) ? "; if the clock is right, add --trust-clock" : "";
      if (total === 0 && hint === "") throw error;
      const before = total === 0 ? "" : `${countOf(total, "event")} purged, then: `;
      throw refused(`${before}${reasonOf(error)}${hint}`);
    }
    total += count;
    if (count === 0) return total;
    await pause(pauseMs);
  }
}

function purgedState(text: string): "done" | "dead" {
  if (text !== "done" && text !== "dead") {
    throw misused(
      `--state must be done or dead, not "${printable(text)}"; what waits is not purged, but dropped`,
    );
  }
  return text;
}

function ageOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms === undefined)
    throw misused(`--older-than must be a duration such as 12h or 30d, not "${printable(text)}"`);
  return ms;
}

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
