import { readFileSync } from "node:fs";
import type { EventRecord, InboxStats, TaskRecord } from "hookgate/engine";
import { loadDriver, type SqliteDatabase, type SqliteValue } from "../../src/inbox/sqlite/driver.js";

/** See version-1/make.mjs: files, and what the code of version 1 made of them. */
function read(name: string): string {
  return readFileSync(new URL(`version-1/${name}`, import.meta.url), "utf8");
}

/** The tables as version 1 made them, with their columns. */
export type Tables = ReadonlyMap<string, readonly Readonly<Record<string, unknown>>[]>;

/** Opens a file as another process would. */
export const openDatabase = loadDriver();

/** Runs `use` on a connection of its own, as another process would. */
export function withDatabase<Result>(path: string, use: (db: SqliteDatabase) => Result): Result {
  const db = openDatabase(path, { readOnly: false });
  try {
    return use(db);
  } finally {
    db.close();
  }
}

/** Makes a file as version 1 left it. */
export function writeVersion1(path: string): void {
  withDatabase(path, (db) => {
    db.exec("PRAGMA journal_mode = WAL");
    db.exec(`BEGIN; ${read("inbox.sql")} COMMIT`);
  });
}

/** All rows of the tables of version 1, without columns that were added since. */
export function tablesOf(path: string): Tables {
  const names = [...read("inbox.sql").matchAll(/^CREATE TABLE (\w+)/gm)].map(([, name = ""]) => name);
  return withDatabase(path, (db) => {
    const rowsOf = (name: string): Readonly<Record<string, unknown>>[] => {
      const columns = columnsOf(name).join(", ");
      return db.prepare(`SELECT ${columns} FROM ${name} ORDER BY ${columns}`).all() as never;
    };
    return new Map(names.map((name) => [name, rowsOf(name)]));
  });
}

const columnsByTable = new Map<string, readonly string[]>();

function columnsOf(table: string): readonly string[] {
  if (columnsByTable.size === 0) {
    const db = openDatabase(":memory:", { readOnly: false });
    db.exec(read("inbox.sql"));
    const rows = db
      .prepare(
        "SELECT m.name AS name, c.name AS column FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'",
      )
      .all() as { readonly name: string; readonly column: string }[];
    for (const { name, column } of rows) {
      columnsByTable.set(name, [...(columnsByTable.get(name) ?? []), column]);
    }
    db.close();
  }
  return columnsByTable.get(table) ?? [];
}

/** What version 1 says of the events of the file. */
export const saidByVersion1: { readonly records: readonly RecordOfVersion1[]; readonly stats: InboxStats } =
  JSON.parse(read("events.json"));

/** An event as version 1 told of it. */
interface RecordOfVersion1 extends Omit<EventRecord, "tasks"> {
  readonly tasks: readonly (Omit<TaskRecord, "orderingKey"> & { readonly orderKey?: string })[];
}

/** A statement that version 1 has run, and SQLite's answer on a file of version 1. */
export interface Step {
  readonly sql: string;
  readonly method: "run" | "get" | "all";
  readonly values: readonly SqliteValue[];
  readonly answer: unknown;
}

interface Trace {
  readonly texts: readonly string[];
  readonly steps: readonly (readonly [number, Step["method"], readonly unknown[], unknown])[];
}

const trace: Trace = JSON.parse(read("statements.json"));

/** All that version 1 asked of the file when it went on with it, in order. */
export const steps: readonly Step[] = trace.steps.map(([text, method, values, answer]) => ({
  sql: trace.texts[text] ?? "",
  method,
  values: values.map(revived) as SqliteValue[],
  answer,
}));

/** The statement of version 1 that begins so. */
export function statementOf(beginning: string): string {
  const found = trace.texts.find((text) => text.startsWith(beginning));
  if (found === undefined) throw new Error(`version 1 has no statement ${beginning}`);
  return found;
}

function revived(value: unknown): unknown {
  const text: unknown =
    typeof value === "object" && value !== null ? Reflect.get(value, "base64") : undefined;
  return typeof text === "string" ? Buffer.from(text, "base64") : value;
}

/** An answer as the fixtures hold it. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString("base64") };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value ?? null;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}
