import { resultCode, type SqliteDatabase, type SqliteStatement, type SqliteValue } from "./driver.js";

/** One query of a user's. */
export interface Query {
  readonly sql: string;
  readonly params: readonly SqliteValue[];
  readonly maxRows: number;
  readonly maxBytes: number;
}

/** A row of a query: values by the names of its columns. Integers that a number cannot hold are bigints. */
export type SqliteRow = Readonly<Record<string, SqliteValue>>;

/** What a query ends in. `tooMuch`: the result is larger than `maxRows` or `maxBytes`. */
export type QueryAnswer =
  | { readonly rows: readonly SqliteRow[] }
  | { readonly message: string; readonly errcode: number }
  | { readonly tooMuch: "rows" | "bytes" };

/** What queries use of a statement beyond what the store does. */
interface ReadingStatement extends SqliteStatement {
  iterate(...values: readonly SqliteValue[]): Iterable<Record<string, SqliteValue>>;
  setReadBigInts(enabled: boolean): void;
}

/** Runs a query; the connection writes nothing meanwhile. */
export function runQuery(db: SqliteDatabase, query: Query): QueryAnswer {
  try {
    db.exec("PRAGMA query_only = 1");
    return collect(db.prepare(query.sql) as ReadingStatement, query);
  } catch (error) {
    return failure(error);
  } finally {
    db.exec("PRAGMA query_only = 0");
  }
}

/** What an error of the driver's is to the user. */
export function failure(error: unknown): QueryAnswer {
  return { message: error instanceof Error ? error.message : String(error), errcode: resultCode(error) };
}

function collect(statement: ReadingStatement, { params, maxRows, maxBytes }: Query): QueryAnswer {
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
