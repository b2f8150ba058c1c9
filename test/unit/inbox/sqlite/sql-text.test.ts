import { describe, expect, it } from "@jest/globals";
import { firstKeyword, hasSecondStatement } from "../../../../src/inbox/sqlite/user-writes.js";

describe("firstKeyword", () => {
  it.each([
    ["SELECT 1", "select"],
    ["  -- why; DROP\n\t/* how */ With a AS (SELECT 1) SELECT 1", "with"],
    ["values(1)", "values"],
    ["/* open", ""],
    ["", ""],
    ["; SELECT 1", ""],
    ["'SELECT'", ""],
    ["(SELECT 1)", ""],
  ])("of %j is %j", (sql, keyword) => {
    expect(firstKeyword(sql)).toBe(keyword);
  });
});

describe("hasSecondStatement", () => {
  it.each([
    "SELECT 1",
    "SELECT 1;",
    "SELECT 1; -- that is all; really\n /* ; */ ;\n",
    "SELECT ';', \";\", `;`, [;] /* ; */ -- ; SELECT 2",
    "SELECT 'it''s; fine'",
    "SELECT 'open; SELECT 2",
    "SELECT [open; SELECT 2",
  ])("is false of %j", (sql) => {
    expect(hasSecondStatement(sql)).toBe(false);
  });

  it.each(["SELECT 1; SELECT 2", "SELECT 1;DROP TABLE a", "SELECT '';-- a\nDELETE FROM a", ";SELECT 1"])(
    "is true of %j",
    (sql) => {
      expect(hasSecondStatement(sql)).toBe(true);
    },
  );

  it("is linear in the length of what is not closed", () => {
    expect(hasSecondStatement(`;${"[".repeat(200_000)}`)).toBe(true);
    expect(hasSecondStatement(`${"/*".repeat(200_000)};`)).toBe(false);
  });
});
