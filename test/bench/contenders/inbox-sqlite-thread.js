// Express 5 and a group commit in a worker thread: while it writes and syncs one group, the main thread reads the next.
import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { createExpressInbox, inGroups } from "./inbox-express.js";
import { openStore } from "./inbox-sqlite.js";

if (!isMainThread) serve(openStore(workerData.folder));

function serve(store) {
  const commands = {
    group: (events) => store.group(events),
    count: () => store.count(),
    close: () => store.close(),
  };
  parentPort.on("message", ({ command, events }) => {
    try {
      parentPort.postMessage({ answers: commands[command](events) });
    } catch (error) {
      parentPort.postMessage({ error });
    }
  });
}

export async function create(settings) {
  const worker = new Worker(new URL(import.meta.url), { workerData: { folder: settings.folder } });
  await once(worker, "online");
  // One question at a time: `inGroups` sends the next group behind the answer.
  let told;
  worker.on("message", ({ answers, error }) =>
    error === undefined ? told.resolve(answers) : told.reject(error),
  );
  const ask = (command, events) =>
    new Promise((resolve, reject) => {
      told = { resolve, reject };
      worker.postMessage({ command, events });
    });
  const add = inGroups((events) => ask("group", events));
  const server = createExpressInbox(settings, ({ id, type }, rawBody) => add({ id, type, rawBody }));
  const close = async () => {
    await ask("close");
    await worker.terminate();
  };
  return { server, stored: () => ask("count"), close };
}
