import { describe, expect, it } from "@jest/globals";
import { loadDriver } from "../../../../src/inbox/sqlite/driver.js";

describe("the SQLite driver", () => {
  it("stores empty bytes as bytes, whatever memory they are of", () => {
    const db = loadDriver()(":memory:", { readOnly: false });
    db.exec("CREATE TABLE bodies(body BLOB NOT NULL)");
    const insert = db.prepare("INSERT INTO bodies VALUES (?)");
    const empty = [new Uint8Array(0), new Uint8Array(new ArrayBuffer(0), 0, 0), Buffer.alloc(0)];
    for (const bytes of empty) insert.run(bytes);
    const kinds = db.prepare("SELECT typeof(body) || length(body) AS kind FROM bodies").all();
    expect(kinds.map((row) => Reflect.get(row as object, "kind"))).toEqual(["blob0", "blob0", "blob0"]);
    for (const bytes of empty) {
      const row = db.prepare("SELECT count(*) AS count FROM bodies WHERE body = ?").get(bytes);
      expect(row).toMatchObject({ count: 3 });
      expect(db.prepare("SELECT 1 FROM bodies WHERE body = ?").all(bytes)).toHaveLength(3);
    }
    db.close();
  });
});
