// Ours with an inbox, and with clocks: when an answer was written, when the handler started, what a purge took.
import { create as createPlain } from "./inbox-hookgate.js";

export async function create(settings) {
  const { user, system } = process.cpuUsage();
  const answered = [];
  const started = [];
  const isIdle = settings.way === "front-idle-workers";
  let firstMs;
  let lastMs;
  const made = await createPlain({
    ...settings,
    onHandle() {
      lastMs = performance.now();
      firstMs ??= lastMs;
      if (isIdle) started.push(lastMs);
    },
  });
  if (isIdle) {
    made.server.prependListener("request", (_req, res) => {
      res.on("finish", () => answered.push(performance.now()));
    });
  }
  let purged;
  return {
    ...made,
    figures: () => ({ ...made.figures(), firstMs, lastMs, cpuBeforeMicros: user + system }),
    // One delivery at a time: the n-th start belongs to the n-th answer.
    startDelays: () => started.map((at, n) => at - answered[n]),
    async unsettled() {
      const { waiting, running } = await made.receiver.inbox.stats();
      return waiting + running;
    },
    startPurge() {
      const startedAt = performance.now();
      purged = undefined;
      made.receiver.inbox.purge({ state: "done" }).then(
        (count) => {
          purged = { count, ms: performance.now() - startedAt };
        },
        (error) => {
          purged = { error: String(error) };
        },
      );
    },
    purged: () => purged,
  };
}
