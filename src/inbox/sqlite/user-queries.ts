import type { ChildProcess } from "node:child_process";
import type { Duration } from "../../lib/duration.js";
import { assertOptions, describe, durationOption, optionKeys, own, stringOption } from "../../lib/options.js";
import { type SqliteDatabase, type SqliteStatement, type SqliteValue, toSqliteValue } from "./driver.js";
import { resultCode, resultCodes, SqliteError } from "./errors.js";
import { startChild } from "./programs.js";
import * as sql from "./statements.js";
import { firstKeyword, hasSecondStatement } from "./user-writes.js";

/** A query of the user. */
export interface Query {
  readonly sql: string;
  readonly params: readonly SqliteValue[];
  readonly maxRows: number;
  readonly maxBytes: number;
}

/** A query as it is sent to the process. */
export interface FileQuery extends Query {
  readonly path: string;
}

/** A row of a query: values by the names of its columns. Integers that a number cannot hold are bigints. */
export type SqliteRow = Readonly<Record<string, SqliteValue>>;

/** The result of a query. `tooMuch`: it is larger than `maxRows` or `maxBytes`. */
export type QueryAnswer =
  | { readonly rows: readonly SqliteRow[] }
  | { readonly message: string; readonly errcode: number }
  | { readonly tooMuch: "rows" | "bytes" };

interface ReadingStatement extends SqliteStatement {
  iterate(...values: readonly SqliteValue[]): Iterable<Record<string, SqliteValue>>;
  setReadBigInts(enabled: boolean): void;
}

/** Runs a query; the connection writes nothing meanwhile. */
export function runQuery(db: SqliteDatabase, query: Query): QueryAnswer {
  try {
    db.exec(sql.file.queryOnly(true));
    return collectRows(db.prepare(query.sql) as ReadingStatement, query);
  } catch (error) {
    return toQueryError(error);
  } finally {
    db.exec(sql.file.queryOnly(false));
  }
}

/** The error of a driver as an answer. */
export function toQueryError(error: unknown): QueryAnswer {
  return { message: error instanceof Error ? error.message : String(error), errcode: resultCode(error) };
}

function collectRows(statement: ReadingStatement, { params, maxRows, maxBytes }: Query): QueryAnswer {
  statement.setReadBigInts(true);
  const rows: SqliteRow[] = [];
  let bytes = 0;
  for (const row of statement.iterate(...params)) {
    if (rows.length === maxRows) return { tooMuch: "rows" };
    const entries = Object.entries(row).map(([name, value]) => [name, narrowed(value)] as const);
    for (const [, value] of entries) bytes += sizeOf(value);
    if (bytes > maxBytes) return { tooMuch: "bytes" };
    rows.push(Object.fromEntries(entries));
  }
  return { rows };
}

function sizeOf(value: SqliteValue): number {
  if (typeof value === "string") return value.length * 2;
  return value instanceof Uint8Array ? value.byteLength : 8;
}

/** A bigint only where a number would not be exact. */
function narrowed(value: SqliteValue): SqliteValue {
  if (typeof value !== "bigint") return value;
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

/** Options of one `read`. */
export interface ReadOptions {
  /** How long the query may run, `"1ms"` to `"10m"`. Default: `"5s"`. */
  readonly timeout?: Duration | undefined;
}

const maxRows = 10_000;
const maxBytes = 64 * 1024 * 1024;
/** Milliseconds after which an idle process is ended. */
const idleMs = 10_000;

interface Waiting {
  readonly query: FileQuery;
  readonly timeoutMs: number;
  resolve(rows: readonly SqliteRow[]): void;
  reject(error: Error): void;
}

/**
 * Sends users' queries to a process of their own, one at a time. The process is started with the first query, killed when
 * a query runs out of time, and ended when it has been idle for 10 seconds.
 */
export class QueryHost {
  readonly #path: string;
  readonly #program: URL;
  readonly #waiting: Waiting[] = [];
  #child: ChildProcess | undefined;
  #current: Waiting | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** `program` is the seam for tests. */
  constructor(path: string, program: URL = new URL("./query-process.js", import.meta.url)) {
    this.#path = path;
    this.#program = program;
  }

  /** The rows of a query, which is ended after `timeoutMs`. */
  async read(query: Query, timeoutMs: number): Promise<readonly SqliteRow[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ query: { ...query, path: this.#path }, timeoutMs, resolve, reject });
      this.#next();
    });
  }

  /** Ends the process; queries that wait or run are rejected. */
  close(): void {
    this.#end(new Error("the engine was closed"));
    for (const { reject } of this.#waiting.splice(0)) reject(new Error("the engine was closed"));
  }

  #next(): void {
    if (this.#current !== undefined) return;
    const next = this.#waiting.shift();
    clearTimeout(this.#timer);
    if (next === undefined) {
      this.#timer = setTimeout(() => this.#end(undefined), idleMs).unref();
      return;
    }
    let child: ChildProcess;
    try {
      child = this.#started();
    } catch (error) {
      next.reject(error as Error);
      return this.#next();
    }
    this.#current = next;
    child.ref();
    child.channel?.ref();
    this.#timer = setTimeout(() => {
      const message = `the query ran longer than ${next.timeoutMs} ms and was ended`;
      this.#end(new SqliteError(message, resultCodes.interrupted));
      this.#next();
    }, next.timeoutMs);
    child.send(next.query, (error) => {
      if (error !== null) this.#lost(child, error);
    });
  }

  #started(): ChildProcess {
    if (this.#child !== undefined) return this.#child;
    const child = startChild(this.#program, "engine.read");
    this.#child = child;
    child.on("message", (answer: QueryAnswer) => this.#answered(child, answer));
    child.on("error", (error) => this.#lost(child, error));
    child.on("exit", () => this.#lost(child, new Error("the process that runs queries ended unexpectedly")));
    return child;
  }

  #answered(child: ChildProcess, answer: QueryAnswer): void {
    const current = this.#current;
    if (child !== this.#child || current === undefined) return;
    this.#current = undefined;
    child.unref();
    child.channel?.unref();
    try {
      current.resolve(rowsOf(answer));
    } catch (error) {
      current.reject(error as Error);
    }
    this.#next();
  }

  /** The process ended by itself. */
  #lost(child: ChildProcess, error: Error): void {
    if (child !== this.#child) return;
    this.#end(error);
    this.#next();
  }

  /** Kills the process; `reason` is what the current query is rejected with. */
  #end(reason: Error | undefined): void {
    clearTimeout(this.#timer);
    const [child, current] = [this.#child, this.#current];
    this.#child = this.#current = undefined;
    child?.kill("SIGKILL");
    if (reason !== undefined) current?.reject(reason);
  }
}

const readingKeywords: readonly string[] = ["select", "with", "values"];

/** Checks the arguments of `engine.read`. TypeErrors as `SqliteInboxEngine.read`. */
export function parseRead(
  sql: unknown,
  params: unknown = [],
  options: ReadOptions = {},
): { readonly query: Query; readonly timeoutMs: number } {
  const where = "engine.read";
  const text = stringOption(sql, `${where}'s statement`);
  if (!readingKeywords.includes(firstKeyword(text))) {
    throw new TypeError(`${where} takes one SELECT, WITH or VALUES statement`);
  }
  if (hasSecondStatement(text))
    throw new TypeError(`${where} takes one statement, and more than one was given`);
  if (!Array.isArray(params)) {
    throw new TypeError(`${where}'s params must be an array, one value for each ?, not ${describe(params)}`);
  }
  assertOptions(options, optionKeys<ReadOptions>({ timeout: true }), `${where}'s options`);
  const bounds = { min: "1ms", max: "10m", fallback: "5s" } as const;
  const timeoutMs = durationOption(own(options, "timeout"), `${where}'s timeout`, bounds);
  const values = params.map((value, index) => toSqliteValue(value, `${where}'s params[${index}]`));
  return { query: { sql: text, params: values, maxRows, maxBytes }, timeoutMs };
}

/** The rows of an answer; throws the error of a query without rows. */
export function rowsOf(answer: QueryAnswer): readonly SqliteRow[] {
  if ("rows" in answer) return answer.rows;
  if ("message" in answer) throw new SqliteError(answer.message, answer.errcode);
  const most = answer.tooMuch === "rows" ? "10,000 rows" : "64 MiB of values";
  throw new RangeError(`engine.read gives at most ${most}: add a LIMIT, or select less`);
}
