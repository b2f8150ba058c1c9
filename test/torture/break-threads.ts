/** For `--import`: on SIGUSR2 the threads that run are sent what they cannot read, and end with an error. */
import type { Worker } from "node:worker_threads";

const threads = new Set<Worker>();
process.on("worker", (thread: Worker) => {
  threads.add(thread);
  thread.once("exit", () => {
    threads.delete(thread);
    process.stdout.write(`a thread has ended, ${threads.size} run\n`);
  });
});
process.on("SIGUSR2", () => {
  for (const thread of threads) thread.postMessage("nonsense");
});
