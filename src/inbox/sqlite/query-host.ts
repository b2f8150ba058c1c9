import type { ChildProcess } from "node:child_process";
import { type Duration, durationOption } from "../../lib/duration.js";
import { assertOptions, describe, own, stringOption } from "../../lib/options.js";
import { startChild } from "./child.js";
import { toSqliteValue } from "./driver.js";
import type { Query, QueryAnswer, SqliteRow } from "./query.js";
import type { FileQuery } from "./query-process.js";
import { firstKeyword, hasSecondStatement } from "./sql-text.js";
import { SqliteError } from "./sqlite-error.js";

/** Options of one `read`. */
export interface ReadOptions {
  /** How long the query may run, `"1ms"` to `"10m"`. Default: `"5s"`. */
  readonly timeout?: Duration | undefined;
}

const maxRows = 10_000;
const maxBytes = 64 * 1024 * 1024;
/** SQLITE_INTERRUPT (https://sqlite.org/rescode.html#interrupt). */
const interrupted = 9;
/** A process without queries is ended after this. */
const idleMs = 10_000;

/** A query that waits for its turn. */
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

  /** The rows of a query, ended after so long. */
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
      this.#end(new SqliteError(message, interrupted));
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

  /** The process is gone by itself. */
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

const reading: readonly string[] = ["select", "with", "values"];

/** Checks what `engine.read` was given. TypeErrors as `SqliteInboxEngine.read`. */
export function parseRead(
  sql: unknown,
  params: unknown = [],
  options: ReadOptions = {},
): { readonly query: Query; readonly timeoutMs: number } {
  const where = "engine.read";
  const text = stringOption(sql, `${where}'s statement`);
  if (!reading.includes(firstKeyword(text))) {
    throw new TypeError(`${where} takes one SELECT, WITH or VALUES statement`);
  }
  if (hasSecondStatement(text))
    throw new TypeError(`${where} takes one statement, and more than one was given`);
  if (!Array.isArray(params)) {
    throw new TypeError(`${where}'s params must be an array, one value for each ?, not ${describe(params)}`);
  }
  assertOptions(options, ["timeout"], `${where}'s options`);
  const bounds = { min: "1ms", max: "10m", fallback: "5s" } as const;
  const timeoutMs = durationOption(own(options, "timeout"), `${where}'s timeout`, bounds);
  const values = params.map((value, index) => toSqliteValue(value, `${where}'s params[${index}]`));
  return { query: { sql: text, params: values, maxRows, maxBytes }, timeoutMs };
}

/** The rows of an answer; throws what a query without rows rejects with. */
export function rowsOf(answer: QueryAnswer): readonly SqliteRow[] {
  if ("rows" in answer) return answer.rows;
  if ("message" in answer) throw new SqliteError(answer.message, answer.errcode);
  const most = answer.tooMuch === "rows" ? "10,000 rows" : "64 MiB of values";
  throw new RangeError(`engine.read gives at most ${most}: add a LIMIT, or select less`);
}
