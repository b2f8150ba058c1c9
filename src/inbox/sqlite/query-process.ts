/**
 * Runs users' queries in a process of their own. A query that never ends cannot be interrupted: a thread inside SQLite can
 * be ended neither by `terminate` nor by `process.exit`. A process can be killed.
 */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { loadDriver } from "./driver.js";
import * as sql from "./statements.js";
import { type FileQuery, type QueryAnswer, runQuery, toQueryError } from "./user-queries.js";

/** The memory that SQLite may take for one query, in bytes. */
const heapLimit = 256 * 1024 * 1024;

if (isMainThread) supervise();
else serve();

/** This thread stays free, so that the process notices the end of its parent whatever the query does. */
function supervise(): void {
  const worker = new Worker(new URL(import.meta.url), { workerData: "queries", execArgv: process.execArgv });
  const end = (): void => void process.kill(process.pid, "SIGKILL");
  worker.on("error", end);
  worker.on("message", (answer: QueryAnswer) => process.send?.(answer));
  process.on("message", (query: FileQuery) => worker.postMessage(query));
  process.on("disconnect", end);
}

function serve(): void {
  if (workerData !== "queries") return;
  parentPort?.on("message", (query: FileQuery) => parentPort?.postMessage(answer(query)));
}

/** Opens the file for each query, and holds nothing of it in between. */
function answer(query: FileQuery): QueryAnswer {
  try {
    const db = loadDriver()(query.path, { readOnly: true });
    try {
      db.exec(sql.file.busyTimeout(1_000));
      db.exec(sql.file.heapLimit(heapLimit));
      return runQuery(db, query);
    } finally {
      db.close();
    }
  } catch (error) {
    return toQueryError(error);
  }
}
