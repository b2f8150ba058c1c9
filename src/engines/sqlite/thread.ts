/** Runs a store on a thread of its own, so that the disk never holds up the event loop. */
import { parentPort, workerData } from "node:worker_threads";
import type { ConnectionOptions } from "./connection.js";
import type { Reply, Times } from "./protocol.js";
import { Store } from "./store.js";
import { decodeRequests, encodeReplies, type Message, portable } from "./wire.js";

const store = new Store(workerData as ConnectionOptions);

/** One message is answered with one. */
parentPort?.on(
  "message",
  (message: "open" | "close" | { readonly requests: Message; readonly times: Times }) => {
    if (message === "close") {
      store.close();
      parentPort?.postMessage({ ok: true });
      parentPort?.close();
    } else if (message === "open") parentPort?.postMessage(openStore());
    else {
      const requests = decodeRequests(message.requests);
      const answer = encodeReplies(requests, store.handle(requests, message.times));
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
