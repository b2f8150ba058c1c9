#!/usr/bin/env node
import { systemClock } from "../lib/clock.js";
import { systemEnvironment } from "../lib/environment.js";
import { main } from "./run.js";

// `… | head` ends before us; there is nobody left to tell.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

// Node.js 22 warns in every command that its SQLite is experimental. All other warnings are still printed.
const printWarning = process.listeners("warning");
process.removeAllListeners("warning");
process.on("warning", (warning) => {
  if (warning.name === "ExperimentalWarning" && warning.message.startsWith("SQLite ")) return;
  for (const print of printWarning) print.call(process, warning);
});

process.exitCode = await main(process.argv.slice(2), {
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
  environment: systemEnvironment,
  clock: systemClock,
  cwd: process.cwd(),
});

// The module may have started a server, which would keep the process. On Windows, what was written to a pipe is awaited.
if (process.argv[2] === "doctor")
  process.stdout.write("", () => process.stderr.write("", () => process.exit()));
