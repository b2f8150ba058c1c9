/** Our own programs, which are files next to this one: thread.js, query-process.js and copy-process.js. */
import { type ChildProcess, fork } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Starts one of our files in its own process; `user` is the method that needs it. Throws if the file is missing. */
export function startChild(url: URL, user: string): ChildProcess {
  const file = fileURLToPath(url);
  if (!existsSync(file)) {
    throw new Error(
      `${user} starts a process from ${file}, which is missing: keep hookgate out of the bundle, or copy that file next to it`,
    );
  }
  return fork(file, [], {
    // Flags of this process such as --import would load the user's code a second time.
    execArgv: ["--disable-warning=ExperimentalWarning"],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
}

/** The program of the store's thread, next to this file. */
export function threadProgram(): URL {
  let path = "thread.js";
  try {
    const url = new URL("./thread.js", import.meta.url);
    path = fileURLToPath(url);
    if (existsSync(path)) return url;
  } catch {
    // A module in a CommonJS bundle does not know its place.
  }
  throw new Error(
    `the store's thread cannot start: ${path} is missing, because a bundler left it out. Keep hookgate out of the bundle ` +
      "(as an external package), or run the store without a thread: sqliteEngine(path, { onCallersThread: true })",
  );
}
