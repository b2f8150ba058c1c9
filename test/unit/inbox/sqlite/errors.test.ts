import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { loadDriver, type SqliteStatement } from "../../../../src/inbox/sqlite/driver.js";
import { isFatal, resultCode } from "../../../../src/inbox/sqlite/errors.js";

const folder = mkdtempSync(join(tmpdir(), "hookgate-driver-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("resultCode", () => {
  const uses: readonly (readonly [string, (statement: SqliteStatement) => unknown])[] = [
    ["run", (statement) => statement.run()],
    ["get", (statement) => statement.get()],
    ["all", (statement) => statement.all()],
    ["iterate", (statement) => [...(statement as unknown as { iterate(): Iterable<unknown> }).iterate()]],
  ];

  it.each(uses)("H13 tells a fatal error of %s from others, whatever the driver says of it", (name, use) => {
    const path = join(folder, `${name}.db`);
    const open = loadDriver();
    const writer = open(path, { readOnly: false });
    writer.exec("CREATE TABLE t(a INTEGER)");
    writer.close();
    const reader = open(path, { readOnly: true });
    const failure = (sql: string): unknown => {
      try {
        return use(reader.prepare(sql));
      } catch (error) {
        return error;
      }
    };
    const readonly = failure("DELETE FROM t");
    expect([resultCode(readonly), isFatal(readonly)]).toEqual([8, true]);
    const overflow = failure("SELECT abs(-9223372036854775807 - 1)");
    expect([resultCode(overflow), isFatal(overflow)]).toEqual([1, false]);
    reader.close();
  });

  it.each([undefined, null, "text", new Error("database is locked")])("is 0 of %p", (error) => {
    expect(resultCode(error)).toBe(0);
  });
});
