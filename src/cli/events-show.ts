import { printable } from "../lib/printable.js";
import { withoutQueryValues } from "../lib/query-names.js";
import type { Caller } from "../types/delivery.js";
import type { AttemptRecord, EventRecord, StoredDelivery, TaskError, TaskRecord } from "../types/engine.js";
import { type CommandIo, type ExitCode, misused, readArguments, refused } from "./command.js";
import { findRecord } from "./events-find.js";
import { withStore } from "./events-store.js";
import { countOf, errorOf, instantOf, jsonOf, spanOf, tableOf } from "./events-text.js";

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
  const record = shown(await withStore(options.db, io, (store) => findRecord(store, word, io)));
  const { delivery } = record;
  if (options.body) {
    if (delivery === undefined) throw refused("the store keeps no body for this event");
    io.stdout(delivery.rawBody);
  } else io.stdout(options.json ? jsonOf(asJson(record)) : asText(record, io.clock.now()));
  return 0;
}

/** Earlier versions stored the query as it came. */
function shown(record: EventRecord): EventRecord {
  const { delivery } = record;
  if (delivery === undefined) return record;
  return { ...record, delivery: { ...delivery, url: withoutQueryValues(delivery.url) } };
}

function asJson({ delivery, ...record }: EventRecord): object {
  if (delivery === undefined) return record;
  const { rawBody, ...rest } = delivery;
  return { ...record, delivery: { ...rest, bodyBase64: rawBody.toString("base64") } };
}

function asText(record: EventRecord, nowMs: number): string {
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
