import type { OpenTx } from "../claimed-lease.js";
import type { SqliteValue } from "./driver.js";
import type { RecordedStatement } from "./protocol.js";

/** What `context.complete` hands out: records statements that are committed together with the completion. */
export interface SqliteTransaction {
  /**
   * Records one INSERT, UPDATE, DELETE or REPLACE (or a WITH before one of them); it runs when the completion is committed,
   * hence gives nothing back. Throws a TypeError for any other statement and for values that SQLite does not store.
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
        if (!Array.isArray(params))
          throw new TypeError("tx.run's params must be an array, one value for each ?");
        writes.push({ sql, params: params.map(storable) });
      },
    },
  };
};

function storable(value: unknown, index: number): SqliteValue {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value === null || typeof value === "number" || typeof value === "bigint") {
    return value;
  }
  if (typeof value === "string") {
    // A driver ends text there, silently.
    if (value.includes("\0")) throw new TypeError(`tx.run's params[${index}] holds NUL; give it as bytes`);
    return value;
  }
  if (value instanceof Uint8Array) return value.slice();
  throw new TypeError(`tx.run's params[${index}] must be a text, number, bigint, boolean, bytes or null`);
}
