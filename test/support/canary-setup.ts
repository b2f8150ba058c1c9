import { readFileSync } from "node:fs";
import { afterAll, afterEach, expect } from "@jest/globals";
import { takeLeaks, watchConsole, watchFor, watchStream } from "./canary.js";

// Every long literal without a space counts, so that a file's keys need no further word.
const longLiterals = /(["'`])([\w+/=.-]{32,})\1/g;
const { testPath } = expect.getState();
const source = testPath === undefined ? "" : readFileSync(testPath, "utf8");
watchFor(...[...source.matchAll(longLiterals)].map((literal) => literal[2] ?? ""));

const ends = [watchStream(process.stdout), watchStream(process.stderr)];
watchConsole(console);

function expectNoLeaks(): void {
  expect(takeLeaks()).toEqual([]);
}

afterEach(expectNoLeaks);
afterAll(() => {
  for (const end of ends) end();
  expectNoLeaks();
});
