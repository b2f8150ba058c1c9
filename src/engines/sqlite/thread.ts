/** Runs a store on a thread of its own, so that the disk never holds up the event loop. */
import { parentPort, workerData } from "node:worker_threads";
import type { ConnectionOptions } from "./connection.js";
import type { Reply, Times } from "./protocol.js";
import { Store } from "./store.js";
import { ThreadGuard } from "./thread-guard.js";
import { decodeRequests, encodeReplies, type Message, portable } from "./wire.js";

/** What the thread is started with. */
export interface ThreadData {
  readonly options: ConnectionOptions;
  /** The memory of a ThreadGuard. */
  readonly guard: SharedArrayBuffer;
}

const { options, ...given } = workerData as ThreadData;
const guard = new ThreadGuard(given.guard);
const store = guard.work(() => new Store(options));

/** One message is answered with one. */
parentPort?.on(
  "message",
  (message: "open" | "close" | { readonly requests: Message; readonly times: Times }) => {
    if (message === "close") {
      guard.work(() => store.close());
      parentPort?.postMessage({ ok: true });
      parentPort?.close();
    } else if (message === "open") parentPort?.postMessage(guard.work(openStore));
    else {
      const requests = decodeRequests(message.requests);
      const replies = guard.work(() => store.handle(requests, message.times));
      const answer = encodeReplies(requests, replies);
      parentPort?.postMessage(answer, [...answer.bytes]);
    }
  },
);

function openStore(): Reply {
  try {
    return { ok: true, value: store.open() };
  } catch (error) {
    return { ok: false, error: portable(error) };
  }
}
