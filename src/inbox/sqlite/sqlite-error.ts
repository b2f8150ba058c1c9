/** What SQLite said; `errcode` is its result code. */
export class SqliteError extends Error {
  readonly errcode: number;

  constructor(message: string, errcode: number, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "SqliteError";
    this.errcode = errcode;
  }
}
