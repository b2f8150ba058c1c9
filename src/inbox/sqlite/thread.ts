/** Runs a store on its own thread, so that the disk never blocks the event loop. */
import { parentPort, workerData } from "node:worker_threads";
import type { ConnectionOptions } from "./connection.js";
import { loadDriver } from "./driver.js";
import { EndFlag, runBlocking } from "./end-flag.js";
import type { Note, Reply, Times } from "./protocol.js";
import { decodeRequests, encodeReplies, type Message, portable } from "./protocol.js";
import { handleWithRetry, openWithRetry, Store } from "./store.js";

export interface ThreadData {
  readonly options: ConnectionOptions;
  /** The memory of an EndFlag. */
  readonly end: SharedArrayBuffer;
}

const { options, ...given } = workerData as ThreadData;
const end = new EndFlag(given.end);
process.on("exit", () => end.leave());
// A process that ends terminates the thread wherever it is; before the driver is loaded that is harmless.
if (!end.enter()) process.exit();
const store = new Store(options, loadDriver(), { end, note: tell });
const patience = { busyTimeoutMs: options.busyTimeoutMs, end };

/** Each message gets one answer, in order. */
parentPort?.on(
  "message",
  (message: "open" | "close" | { readonly requests: Message; readonly times: Times }) => {
    if (message === "close") {
      store.close();
      end.leave();
      parentPort?.postMessage({ ok: true });
      parentPort?.close();
    } else if (message === "open") parentPort?.postMessage(openStore());
    else {
      const requests = decodeRequests(message.requests);
      const steps = handleWithRetry(store, requests, message.times, patience);
      const answer = encodeReplies(requests, runBlocking(steps, end));
      parentPort?.postMessage(answer, [...answer.bytes]);
    }
  },
);

function tell(note: string): void {
  parentPort?.postMessage({ note } satisfies Note);
}

function openStore(): Reply {
  const reply = runBlocking(openWithRetry(store, patience), end);
  return reply.ok ? reply : { ok: false, error: portable(reply.error) };
}
