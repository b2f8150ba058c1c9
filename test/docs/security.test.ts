/** docs/security.md against the tests: what it names as tested is tested there. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { root } from "./pages.js";

interface Row {
  readonly id: string;
  /** The last cell: files below `test`, or why there are none. */
  readonly testedIn: string;
}

function rowsOf(text: string): Row[] {
  return [...text.matchAll(/^\| ([A-H]\d\d) \|.*\| ([^|]*) \|$/gm)].map(([, id = "", testedIn = ""]) => ({
    id,
    testedIn,
  }));
}

/** Rows that name no test and give no reason, and files that are not there or do not speak of the attack. */
function faultsIn(rows: readonly Row[]): string[] {
  return rows.flatMap(({ id, testedIn }) => {
    if (/^(does not apply|not applicable yet|not tested by itself)/.test(testedIn)) return [];
    const names = [...testedIn.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
    if (names.length === 0) return [`${id}: no test is named`];
    return names.filter((name) => !speaksOf(name, id)).map((name) => `${id}: not in test/${name}.test.ts`);
  });
}

function speaksOf(name: string, id: string): boolean {
  const path = join(root, "test", `${name}.test.ts`);
  if (!existsSync(path)) return false;
  // Its cases are those of the contract, which users run as well: they carry no ids.
  return name === "conformance/engines" || readFileSync(path, "utf8").includes(id);
}

describe("docs/security.md", () => {
  it("names tests that are there and cite the attack", () => {
    const rows = rowsOf(readFileSync(join(root, "docs/security.md"), "utf8"));
    expect(rows.length).toBeGreaterThan(100);
    expect(faultsIn(rows)).toEqual([]);
  });

  it("would be caught where it does not", () => {
    const text = [
      "| A01 | attack | answer | `conformance/jwt-attacks`, `unit/nowhere` |",
      "| A02 | attack | answer |  |",
      "| A03 | attack | answer | some test |",
      "| A04 | attack | answer | does not apply: documented |",
      "| A99 | attack | answer | `conformance/jwt-attacks` |",
    ].join("\n");
    expect(faultsIn(rowsOf(text))).toEqual([
      "A01: not in test/unit/nowhere.test.ts",
      "A02: no test is named",
      "A03: no test is named",
      "A99: not in test/conformance/jwt-attacks.test.ts",
    ]);
  });
});
