import { describe, test } from "@jest/globals";
import { inboxEngineConformance } from "hookgate/testing";
import { memoryHarness, sqliteHarness } from "../support/engines.js";

// Closing over the harness keeps each one's type of transaction.
const engines = [
  { name: "memoryEngine", cases: inboxEngineConformance(memoryHarness) },
  { name: "sqliteEngine", cases: inboxEngineConformance(sqliteHarness()) },
  {
    name: "sqliteEngine on the caller's thread",
    cases: inboxEngineConformance(sqliteHarness({ onCallersThread: true })),
  },
] as const;

describe.each(engines)("the contract of an engine: $name", ({ cases }) => {
  test.each(cases)("$name", async ({ run }) => {
    await run();
  });
});
