#!/usr/bin/env node
import { systemClock } from "../lib/clock.js";
import { systemEnvironment } from "../lib/environment.js";
import { main } from "./run.js";

// `… | head` ends before us; there is nobody left to tell.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

process.exitCode = await main(process.argv.slice(2), {
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
  environment: systemEnvironment,
  clock: systemClock,
  cwd: process.cwd(),
});
