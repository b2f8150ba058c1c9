/** Runs a store on a thread of its own, so that the disk never holds up the event loop. */
import { parentPort, workerData } from "node:worker_threads";
import type { ConnectionOptions } from "./connection.js";
import { resultCode } from "./driver.js";
import type { Reply, Request, Times } from "./protocol.js";
import { Store } from "./store.js";

const store = new Store(workerData as ConnectionOptions);

/** An error loses its members on the way to the other thread; SQLite's code goes beside it. */
function portable(reply: Reply): unknown {
  if (reply.ok) return reply;
  const { error } = reply;
  const message = error instanceof Error ? error.message : String(error);
  return { ok: false, error: { message, code: resultCode(error) } };
}

parentPort?.on(
  "message",
  (message: "open" | "close" | { readonly requests: readonly Request[]; readonly times: Times }) => {
    if (message === "close") {
      store.close();
      parentPort?.postMessage([{ ok: true, value: undefined }]);
      parentPort?.close();
      return;
    }
    parentPort?.postMessage(
      message === "open" ? [portable(openStore())] : handle(message.requests, message.times),
    );
  },
);

function openStore(): Reply {
  try {
    return { ok: true, value: store.open() };
  } catch (error) {
    return { ok: false, error };
  }
}

function handle(requests: readonly Request[], times: Times): readonly unknown[] {
  return store.handle(requests, times).map(portable);
}
