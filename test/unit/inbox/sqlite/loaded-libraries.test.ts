import { describe, expect, it } from "@jest/globals";
import { otherLibraries } from "../../../../src/inbox/sqlite/driver.js";

describe("other SQLite libraries in this process", () => {
  it.each([
    "/app/node_modules/better-sqlite3/build/Release/better_sqlite3.node",
    "/app/node_modules/sqlite3/build/Release/node_sqlite3.node",
    "/app/node_modules/@libsql/linux-x64-gnu/index.node",
    "/app/node_modules/.prisma/client/libquery_engine-debian-openssl-3.0.x.so.node",
    "/usr/lib/x86_64-linux-gnu/libsqlite3.so.0",
    "/app/copy/@photostructure/sqlite/prebuilds/linux-x64/@photostructure+sqlite.glibc.node",
  ])("are named: %s", (path) => {
    const own = "/app/node_modules/@photostructure/sqlite";
    const loaded = [`${own}/prebuilds/linux-x64/@photostructure+sqlite.glibc.node`, "/lib/libc.so.6", path];
    expect(otherLibraries(loaded, own)).toEqual([path]);
  });

  it("are not what the system or the engine itself has loaded", () => {
    expect(otherLibraries(["/usr/lib/libsqlite3.dylib", "/lib/libc.so.6"], undefined)).toEqual([]);
    expect(otherLibraries()).toEqual(expect.any(Array));
  });
});
