import { printable } from "../lib/printable.js";
import type { EventRecord, Page, TaskRecord } from "../types/engine.js";
import { type CommandIo, type ExitCode, readOptions } from "./command.js";
import { countOption, filterKinds, filterOf } from "./events-filter.js";
import { withStore } from "./events-store.js";
import { errorOf, instantOf, jsonOf, tableOf } from "./events-text.js";

const defaultLimit = 50;

/** `hookgate events list`: events by filter, newest first, a page at a time, as a table or as JSON. */
export async function eventsList(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const options = readOptions(args, {
    db: "text",
    ...filterKinds,
    handler: "text",
    limit: "text",
    cursor: "text",
    "oldest-first": "switch",
    json: "switch",
  });
  const query = {
    ...filterOf(options, io),
    handler: options.handler,
    limit: countOption(options.limit, "limit", { min: 1, max: 1000 }) ?? defaultLimit,
    cursor: options.cursor,
    oldestFirst: options["oldest-first"],
  };
  const page = await withStore(options.db, io, (store) => store.list(query));
  if (options.json) io.stdout(jsonOf(page));
  else tell(page, io);
  return 0;
}

function tell({ items, next }: Page<EventRecord>, io: CommandIo): void {
  if (items.length === 0) io.stderr("No event matches.\n");
  else io.stdout(recordTable(items));
  if (next !== undefined) io.stderr(`There are more: add --cursor '${printable(next, 1000)}'\n`);
}

/** Events as a table: one line each, with the state of every task and the error of a dead one. */
export function recordTable(records: readonly EventRecord[]): string {
  return tableOf(
    ["record", "id", "type", "state", "accepted", "tasks", "error"],
    records.map((record) => [
      printable(record.recordId),
      printable(record.id, 40),
      printable(record.type, 40),
      record.state,
      instantOf(record.acceptedAtMs),
      tasksCell(record.tasks),
      errorCell(record.tasks),
    ]),
  );
}

const shownTasks = 4;

function tasksCell(tasks: readonly TaskRecord[]): string {
  const rest = tasks.length - shownTasks;
  const shown = tasks.slice(0, shownTasks).map((task) => {
    // How often one was tried says something while it is not done.
    const tries = task.attempts === 0 || task.state === "done" ? "" : ` ${task.attempts}×`;
    return `${printable(task.handler, 40)} ${task.state}${tries}`;
  });
  return [...shown, ...(rest > 0 ? [`${rest} more`] : [])].join(", ");
}

function errorCell(tasks: readonly TaskRecord[]): string {
  const error = tasks.find(({ state }) => state === "dead")?.lastError;
  return error === undefined ? "" : errorOf(error, 80);
}
