import type { Connection } from "./connection.js";
import type { RecordedStatement } from "./protocol.js";

/** SQLITE_AUTH (https://sqlite.org/rescode.html#auth). */
const authorizationDenied = 23;

/** What we use of a row of `EXPLAIN` (https://sqlite.org/opcode.html). */
interface Instruction {
  readonly opcode: string;
  readonly p1: number;
  readonly p2: number;
  readonly p3: number;
}

/** Programs looked at; users have a handful of statements. */
const remembered = 1_000;

/**
 * Runs the statements that users commit with a completion, and refuses those that would write to our own tables. What a
 * statement writes is read from its compiled program, which includes the programs of its triggers and foreign keys; its
 * text could hide that.
 */
export class UserWrites {
  readonly #connection: Connection;
  /** Statements found harmless under the schema of `#schemaVersion`. */
  readonly #harmless = new Set<string>();
  #schemaVersion = -1;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Within a transaction that writes, so that the schema stays as it was checked. */
  run({ sql, params }: RecordedStatement): void {
    this.#assertHarmless(sql);
    this.#connection.statement(sql).run(...params);
  }

  #assertHarmless(sql: string): void {
    const row = this.#connection.statement("PRAGMA schema_version").get() as {
      readonly schema_version: number;
    };
    // Another trigger may do more, and a table may have moved.
    if (row.schema_version !== this.#schemaVersion || this.#harmless.size >= remembered) {
      this.#schemaVersion = row.schema_version;
      this.#harmless.clear();
    }
    if (this.#harmless.has(sql)) return;
    const table = this.#ownTableWritten(sql);
    if (table !== undefined) {
      const message = `tx.run: the statement writes to ${table}, a table of the inbox, directly or through a trigger; keep your data in your own tables`;
      throw Object.assign(new Error(message), { errcode: authorizationDenied });
    }
    this.#harmless.add(sql);
  }

  #ownTableWritten(sql: string): string | undefined {
    const program = this.#connection.db.prepare(`EXPLAIN ${sql}`).all() as Instruction[];
    for (const { opcode, p1, p2, p3 } of program) {
      let root: number | undefined;
      if (opcode === "OpenWrite" && p3 === 0) root = p2;
      // DELETE without WHERE empties a table as a whole.
      else if (opcode === "Clear" && p2 === 0) root = p1;
      if (root === undefined) continue;
      const table = this.#tableAt(root);
      if (table?.startsWith("hookgate_") === true) return table;
    }
    return undefined;
  }

  /** The table whose rows or index begin at this page. */
  #tableAt(root: number): string | undefined {
    const row = this.#connection
      .statement("SELECT lower(tbl_name) AS name FROM main.sqlite_schema WHERE rootpage = ?")
      .get(root) as { readonly name: string } | undefined;
    return row?.name;
  }
}
