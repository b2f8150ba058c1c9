import type { OpenTx } from "../polling/claimed-lease.js";
import { type SqliteValue, toSqliteValue } from "./driver.js";
import type { RecordedStatement } from "./protocol.js";
import { hasSecondStatement } from "./sql-text.js";

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
