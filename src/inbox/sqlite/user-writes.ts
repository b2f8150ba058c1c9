import type { OpenTx } from "../polling/claimed-lease.js";
import type { Connection } from "./connection.js";
import { type SqliteValue, toSqliteValue } from "./driver.js";
import { resultCodes } from "./errors.js";
import { file } from "./statements.js";

/** A statement of the user's, recorded by `tx.run`. */
export interface RecordedStatement {
  readonly sql: string;
  readonly params: readonly SqliteValue[];
}

/** What we use of a row of `EXPLAIN` (https://sqlite.org/opcode.html). */
interface Instruction {
  readonly opcode: string;
  readonly p1: number;
  readonly p2: number;
  readonly p3: number;
}

/** Statements whose programs were checked; users have a handful. */
const maxRemembered = 1_000;

/**
 * Runs the statements that users commit with a completion, and refuses those that would write to our own tables. What a
 * statement writes is read from its compiled program, which includes its triggers and foreign keys; its text could hide that.
 */
export class UserWrites {
  readonly #connection: Connection;
  /** Statements that are harmless under `#schemaVersion`. */
  readonly #checked = new Set<string>();
  #schemaVersion = -1;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** To be called within a transaction that writes, so that the schema cannot change after the check. */
  run({ sql, params }: RecordedStatement): void {
    this.#assertHarmless(sql);
    this.#connection.statement(sql).run(...params);
  }

  #assertHarmless(sql: string): void {
    const row = this.#connection.statement(file.schemaVersion).get() as {
      readonly schema_version: number;
    };
    // A trigger may have been added, or a table moved.
    if (row.schema_version !== this.#schemaVersion || this.#checked.size >= maxRemembered) {
      this.#schemaVersion = row.schema_version;
      this.#checked.clear();
    }
    if (this.#checked.has(sql)) return;
    const table = this.#ownTableWritten(sql);
    if (table !== undefined) {
      const message = `tx.run: the statement writes to ${table}, a table of the inbox, directly or through a trigger; keep your data in your own tables`;
      throw Object.assign(new Error(message), { errcode: resultCodes.notAuthorized });
    }
    this.#checked.add(sql);
  }

  #ownTableWritten(sql: string): string | undefined {
    const program = this.#connection.db.prepare(file.explain(sql)).all() as Instruction[];
    for (const { opcode, p1, p2, p3 } of program) {
      let root: number | undefined;
      if (opcode === "OpenWrite" && p3 === 0) root = p2;
      // DELETE without WHERE clears the whole table.
      else if (opcode === "Clear" && p2 === 0) root = p1;
      if (root === undefined) continue;
      const table = this.#tableAt(root);
      if (table?.startsWith("hookgate_") === true) return table;
    }
    return undefined;
  }

  /** The table whose rows or index begin at this page. */
  #tableAt(root: number): string | undefined {
    const row = this.#connection.statement(file.tableAtPage).get(root) as
      | { readonly name: string }
      | undefined;
    return row?.name;
  }
}

/** What `context.complete` hands out: records statements that are committed together with the completion. */
export interface SqliteTransaction {
  /**
   * Records one INSERT, UPDATE, DELETE or REPLACE (or a WITH before one of them); it runs when the completion is committed,
   * hence gives nothing back. Throws a TypeError for any other statement and for values that SQLite does not store. A
   * statement that writes to a table of the inbox, by itself or by a trigger, makes the completion reject.
   */
  run(sql: string, params?: readonly (SqliteValue | boolean)[]): void;
}

/** Statements that write rows; one that ends or begins a transaction would commit half of the group. */
const writing = /^(?:\s+|--[^\n]*\n|\/\*(?:[^*]|\*(?!\/))*\*\/)*(?:insert|update|delete|replace|with)\b/i;

/** Opens a recorder of statements. */
export const openTransaction: OpenTx<SqliteTransaction, RecordedStatement> = () => {
  const writes: RecordedStatement[] = [];
  return {
    writes,
    tx: {
      run(sql, params = []) {
        if (typeof sql !== "string" || !writing.test(sql)) {
          throw new TypeError("tx.run takes one INSERT, UPDATE, DELETE or REPLACE statement as text");
        }
        if (hasSecondStatement(sql))
          throw new TypeError("tx.run takes one statement, and more than one was given");
        if (!Array.isArray(params))
          throw new TypeError("tx.run's params must be an array, one value for each ?");
        writes.push({
          sql,
          params: params.map((value, index) => toSqliteValue(value, `tx.run's params[${index}]`)),
        });
      },
    },
  };
};

/** A comment, a string, a quoted name, or a single character: the tokens of a search for the end of a statement. */
const piece =
  /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|`(?:[^`]|``)*(?:`|$)|\[[^\]]*(?:\]|$)|[\s\S]/g;

/** The first word of a statement in lower case, after white space and comments; empty if there is none. */
export function firstKeyword(sql: string): string {
  let word = "";
  for (const [text] of sql.matchAll(piece)) {
    if (/^[a-z]$/i.test(text)) word += text.toLowerCase();
    else if (word !== "" || !/^(?:\s|--|\/\*)/.test(text)) return word;
  }
  return word;
}

/**
 * Whether more than white space and comments follows the first statement. Drivers compile the first statement and silently ignore
 * the rest.
 */
export function hasSecondStatement(sql: string): boolean {
  if (!sql.includes(";")) return false;
  let ended = false;
  for (const [text] of sql.matchAll(piece)) {
    if (text === ";") ended = true;
    else if (ended && !/^(?:\s|--|\/\*)/.test(text)) return true;
  }
  return false;
}
