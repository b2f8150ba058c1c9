import { spanOf } from "../../lib/duration.js";
import { printable } from "../../lib/printable.js";
import { withoutQueryValues } from "../../lib/request-head.js";
import type { Caller } from "../../types/delivery.js";
import type {
  AttemptRecord,
  EventRecord,
  HandlerStats,
  InboxStats,
  Page,
  StoredDelivery,
  TaskError,
  TaskRecord,
} from "../../types/engine.js";
import { type CommandIo, type ExitCode, misused, readArguments, readOptions, refused } from "../command.js";
import { countOf, errorOf, instantOf, jsonOf, tableOf } from "../text.js";
import { countOption, filterKinds, filterOf, recordsOf, type Store, withStore } from "./store.js";

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
  else tellPage(page, io);
  return 0;
}

function tellPage({ items, next }: Page<EventRecord>, io: CommandIo): void {
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

/**
 * `hookgate events show EVENT`: one event with its delivery, its tasks and their attempts, and its replays. `--body`:
 * the bytes of the body alone, as they came.
 */
export async function eventsShow(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const { options, words } = readArguments(args, { db: "text", body: "switch", json: "switch" });
  const [word] = words;
  if (word === undefined || words.length > 1) {
    throw misused("show takes one event: its record (rec_42) or the id that the sender gave it");
  }
  if (options.body && options.json) throw misused("--body and --json do not go together");
  const record = withoutQuery(await withStore(options.db, io, (store) => findRecord(store, word, io)));
  const { delivery } = record;
  if (options.body) {
    if (delivery === undefined) throw refused("the store keeps no body for this event");
    io.stdout(delivery.rawBody);
  } else io.stdout(options.json ? jsonOf(asJson(record)) : recordText(record, io.clock.now()));
  return 0;
}

/** Earlier versions stored the query as it came. */
function withoutQuery(record: EventRecord): EventRecord {
  const { delivery } = record;
  if (delivery === undefined) return record;
  return { ...record, delivery: { ...delivery, url: withoutQueryValues(delivery.url) } };
}

function asJson({ delivery, ...record }: EventRecord): object {
  if (delivery === undefined) return record;
  const { rawBody, ...rest } = delivery;
  return { ...record, delivery: { ...rest, bodyBase64: rawBody.toString("base64") } };
}

function recordText(record: EventRecord, nowMs: number): string {
  const { delivery, replays = [] } = record;
  return [
    facts(record),
    ...(delivery === undefined ? [] : [headersOf(delivery), bodyOf(delivery)]),
    ...record.tasks.map((task) => taskOf(task, nowMs)),
    ...(replays.length === 0
      ? []
      : [
          section(
            "replays",
            replays.map(({ atMs, handlers }) => `${instantOf(atMs)}  ${names(handlers)}`),
          ),
        ]),
  ].join("\n");
}

function facts(record: EventRecord): string {
  const { delivery } = record;
  const lines: readonly (readonly [string, string])[] = [
    ["record", printable(record.recordId)],
    ["id", printable(record.id, 300)],
    ["type", printable(record.type, 300)],
    ["state", record.state],
    ["receiver", printable(record.receiver)],
    ["source", printable(record.source)],
    ["tenant", printable(record.tenant)],
    ["service", printable(record.service)],
    ["accepted", instantOf(record.acceptedAtMs)],
    ...(delivery === undefined
      ? []
      : ([
          ["request", `${printable(delivery.method)} ${printable(delivery.url, 300)}`],
          ["request id", printable(delivery.requestId)],
          ["received", instantOf(delivery.receivedAtMs)],
          ["address", printable(delivery.address ?? "")],
          ["caller", callerOf(delivery.caller)],
        ] as const)),
  ];
  return lines
    .filter(([name, value]) => value !== "" || name === "id")
    .map(([name, value]) => `${`${name.padEnd(10)}  ${value}`.trimEnd()}\n`)
    .join("");
}

function callerOf(caller: Caller): string {
  if (caller.method === "none") return "none";
  const owner = caller.method === "profile-key" ? caller.tenant : `${caller.tenant}/${caller.service}`;
  const subject =
    caller.method === "jwt" && caller.claims.sub !== undefined ? `, sub ${caller.claims.sub}` : "";
  return printable(`${caller.method} "${caller.credentialId}" of ${owner}${subject}`, 300);
}

function headersOf({ headers }: StoredDelivery): string {
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    (typeof value === "string" ? [value] : value).map((one) => `${printable(name)}: ${printable(one, 300)}`),
  );
  return section("headers", lines);
}

const shownBodyBytes = 4096;
const shownBodyLines = 60;

function bodyOf({ rawBody, bodyKind }: StoredDelivery): string {
  const title = `body (${printable(bodyKind)}, ${countOf(rawBody.length, "byte")})`;
  if (rawBody.length === 0) return section(title, []);
  const lines = rawBody.subarray(0, shownBodyBytes).toString("utf8").split(/\r?\n/);
  const cut = rawBody.length > shownBodyBytes || lines.length > shownBodyLines;
  return section(title, [
    ...lines.slice(0, shownBodyLines).map((line) => printable(line, shownBodyBytes)),
    ...(cut ? ["… --body gives all of it"] : []),
  ]);
}

function taskOf(task: TaskRecord, nowMs: number): string {
  const due =
    task.dueAtMs === undefined
      ? ""
      : task.dueAtMs > nowMs
        ? `, due in ${spanOf(task.dueAtMs - nowMs)}`
        : ", due now";
  const behind = task.blockedBy === undefined ? "" : ` behind ${printable(task.blockedBy)}`;
  const key = task.orderingKey === undefined ? "" : `, ordering key "${printable(task.orderingKey)}"`;
  const title = `task ${printable(task.handler)}: ${task.state}${behind}, ${countOf(task.attempts, "attempt")}${due}${key}`;
  const history = task.history ?? [];
  // A dead letter from the start, or one whose process died, has an error that no attempt of the history shows.
  const known = history.some(({ error }) => error?.message === task.lastError?.message);
  const { lastError } = task;
  const error =
    lastError === undefined || (known && lastError.stack === undefined) ? [] : causesOf(lastError);
  const issues = (task.lastError?.issues ?? []).map((issue) => `- ${printable(issue, 300)}`);
  return section(title, [...historyOf(history), ...error, ...issues]);
}

/** An error with its stack, and what caused it. */
function causesOf(error: TaskError): readonly string[] {
  const [, ...frames] = (error.stack ?? "").split("\n");
  return [
    errorOf(error),
    ...frames.map((frame) => `  ${printable(frame.trim(), 500)}`),
    ...(error.cause === undefined
      ? []
      : causesOf(error.cause).map((line, at) => (at === 0 ? `caused by ${line}` : line))),
  ];
}

function historyOf(history: readonly AttemptRecord[]): readonly string[] {
  if (history.length === 0) return [];
  const rows = history.map(({ attempt, startedAtMs, durationMs, outcome, error }) => [
    String(attempt),
    instantOf(startedAtMs),
    durationMs === undefined ? "" : spanOf(durationMs),
    outcome,
    error === undefined ? "" : errorOf(error),
  ]);
  return tableOf(["attempt", "started", "took", "outcome", "error"], rows).trimEnd().split("\n");
}

function section(title: string, lines: readonly string[]): string {
  return [title, ...lines.map((line) => `  ${line}`.trimEnd())].map((line) => `${line}\n`).join("");
}

function names(handlers: readonly string[]): string {
  return handlers.map((handler) => printable(handler)).join(", ");
}

/** As many events under one id of a sender as are shown. */
const shownMatches = 20;

/**
 * The event that a word names: a record id, else the id that the sender gave it. Where several receivers, sources,
 * tenants or services know that id it prints them; CommandFailure 1 there, and where there is none.
 */
export async function findRecord(store: Store, word: string, io: CommandIo): Promise<EventRecord> {
  // The store's names come first: a sender may call its event "rec_42", and must not hide another behind that.
  const named = await store.get(word);
  if (named !== undefined) return named;
  const matches = await matchesOf(store, word);
  const [only] = matches;
  if (only === undefined) throw refused(`there is no event "${printable(word)}"`);
  if (matches.length > 1) {
    io.stderr(recordTable(matches.slice(0, shownMatches)));
    const more = matches.length > shownMatches ? `more than ${shownMatches}` : String(matches.length);
    throw refused(`${more} events have the id "${printable(word)}"; name one by its record`);
  }
  const record = await store.get(only.recordId);
  if (record === undefined) throw refused(`the event "${printable(word)}" is gone: it was purged just now`);
  return record;
}

/** Newest first; one more than is shown at most. */
async function matchesOf(store: Store, id: string): Promise<readonly EventRecord[]> {
  const found: EventRecord[] = [];
  for await (const record of recordsOf(store, { idContains: id })) {
    if (record.id === id) found.push(record);
    if (found.length > shownMatches) break;
  }
  return found;
}

/** `hookgate events stats`: how many tasks are in which state, for how long, what comes through, and who runs them. */
export async function eventsStats(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const options = readOptions(args, { db: "text", receiver: "text", json: "switch" });
  const stats = await withStore(options.db, io, (store) => store.stats({ receiver: options.receiver }));
  io.stdout(options.json ? jsonOf(stats) : statsText(stats));
  if (!options.json && stats.blockedByDead > 0) io.stderr(blockedByDeadNote(stats));
  return 0;
}

function statsText({ throughput, handlers, consumers, ...counts }: InboxStats): string {
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
    ["receiver", "handler", "blocked", "by dead", "dead letters", "oldest blocked", "oldest by dead"],
    handlers
      .filter(({ blocked }) => blocked > 0)
      .map((one) => [
        ...namesOf(one),
        ...numbers(one.blocked, one.blockedByDead, one.blockingDead),
        ...[ago(one.oldestBlockedMs), ago(one.oldestBlockedByDeadMs)],
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

function blockedByDeadNote({ blockedByDead, blockingDead }: InboxStats): string {
  return `${countOf(blockedByDead, "task")} blocked by ${countOf(blockingDead, "dead letter")} (onDeadLetter: "block"): replay, drop or purge the dead letters; events list --state dead shows them.\n`;
}
