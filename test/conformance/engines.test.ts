import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, test } from "@jest/globals";
import { type ConformanceHarness, inboxEngineConformance } from "hookgate/testing";
import { buildSources } from "../support/built-sources.js";
import {
  type MakeSqliteEngine,
  memoryHarness,
  sqliteHarness,
  stoppableSqliteHarness,
} from "../support/engines.js";
import { MapEngine } from "../support/map-engine.js";

let built: { readonly folder: string; remove(): Promise<void> } | undefined;
let makeThreaded: MakeSqliteEngine | undefined;

beforeAll(async () => {
  built = await buildSources();
  const url = pathToFileURL(join(built.folder, "inbox/sqlite/index.js")).href;
  const { sqliteEngine }: typeof import("hookgate/sqlite") = await import(url);
  makeThreaded = (path, setup) => sqliteEngine(path, { setup });
});

afterAll(async () => {
  await built?.remove();
});

const threaded = sqliteHarness(() => {
  if (makeThreaded === undefined) throw new Error("not built");
  return makeThreaded;
});

const mapHarness: ConformanceHarness = {
  create: async () => ({ engine: new MapEngine(), dispose: async () => undefined }),
};

const engines = [
  { name: "a Map", cases: inboxEngineConformance(mapHarness) },
  { name: "SQLite in memory", cases: inboxEngineConformance(memoryHarness) },
  { name: "SQLite on its thread", cases: inboxEngineConformance(threaded) },
  { name: "SQLite that can be stopped", cases: inboxEngineConformance(stoppableSqliteHarness) },
];

describe.each(engines)("H03 H05 H07 H08 H09 H11 H21 H22: the contract of an engine, $name", ({ cases }) => {
  test.each(cases)("$name", async ({ run }) => {
    await run();
  });
});
