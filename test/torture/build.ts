import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL("../..", import.meta.url));

/** What processes are started from. */
export interface Program {
  readonly server: string;
  /** Exits soon after its start. */
  readonly exit: string;
  /** Ends on signals. */
  readonly signals: string;
  /** For `--import`: sets the wall clock on a signal. */
  readonly shiftClock: string;
  /** For `--import`: uses the inbox's file with another SQLite library on a signal. */
  readonly secondLibrary: string;
  /** For `--import`: breaks the store's threads on a signal. */
  readonly breakThreads: string;
  /** Removes what was built. */
  remove(): void;
}

/** The program that a folder of built files holds. */
export function programIn(folder: string, remove: () => void = () => {}): Program {
  return {
    server: join(folder, "server.js"),
    exit: join(folder, "exit.js"),
    signals: join(folder, "signals.js"),
    shiftClock: join(folder, "shift-clock.js"),
    secondLibrary: join(folder, "second-library.js"),
    breakThreads: join(folder, "break-threads.js"),
    remove,
  };
}

/** Builds the working tree and the server into a folder of its own: types are stripped, not checked. */
export function buildProgram(): Program {
  const folder = mkdtempSync(join(tmpdir(), "hookgate-torture-"));
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
  for (const path of [...sourcesIn(join(root, "src")), ...sourcesIn(join(root, "test/torture"))]) {
    const target = join(folder, relative(root, path)).replace(/\.ts$/, ".js");
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, strip(readFileSync(path, "utf8")));
  }
  return programIn(join(folder, "test/torture"), () => rmSync(folder, { recursive: true, force: true }));
}

/** The path of a SQLite library that is not the engine's: on Node.js 20 a copy of its own, which is loaded as another one. */
export function secondLibrary(program: Program): string {
  const installed = join(root, "node_modules/@photostructure/sqlite");
  if (process.getBuiltinModule?.("node:sqlite") !== undefined) return installed;
  const copy = join(dirname(program.server), "second-sqlite");
  cpSync(installed, copy, { recursive: true });
  return copy;
}

function sourcesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts"))
    .map((path) => join(folder, path));
}

function strip(source: string): string {
  const swc = require("@swc/core") as typeof import("@swc/core");
  return swc.transformSync(source, {
    jsc: { target: "es2022", parser: { syntax: "typescript" } },
    module: { type: "es6" },
  }).code;
}
