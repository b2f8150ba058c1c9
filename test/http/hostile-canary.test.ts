import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "@jest/globals";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const runner = ["--experimental-vm-modules", "node_modules/jest/bin/jest.js"];
const fixture = ["--testMatch", "**/canary-leak.fixture.ts", "--json"];

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[];
  }[];
}

it("I01 fails every test behind which output holds a secret: a canary, a token, a literal of the file", async () => {
  const stdout = await new Promise<string>((resolve) => {
    execFile(process.execPath, [...runner, ...fixture], { cwd: root }, (_error, out) => resolve(out));
  });
  // In front of the report stands what the file wrote.
  const { testResults } = JSON.parse(stdout.slice(stdout.indexOf('{"num'))) as Report;
  const results = testResults.flatMap(({ assertionResults }) => assertionResults);
  expect(results).toHaveLength(7);
  for (const { title, status } of results) {
    expect([title, status]).toEqual([title, title.startsWith("leak") ? "failed" : "passed"]);
  }
});
