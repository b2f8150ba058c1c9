// One contender that stores, in a process of its own: `node inbox-host.js FILE WAY` with the rest in BENCH_INBOX (JSON).
// Commands are those below, and the functions that the contender gives. Its CPU time is that of the whole process, worker threads and the file system's threads included.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { settings } from "./settings.js";

const [, , file, way] = process.argv;
const { create } = await import(`./contenders/${file}.js`);
const given = JSON.parse(process.env.BENCH_INBOX ?? "{}");
const { server, figures = () => ({}), close, ...others } = await create({ ...settings, ...given, way });
server.keepAliveTimeout = 60_000;

// The histogram counts the timer's own interval as delay; it is taken off again.
const resolution = 2;
const delay = monitorEventLoopDelay({ resolution });
delay.enable();

const commands = {
  async figures() {
    const { user, system } = process.cpuUsage();
    const p99 = Math.max(0, delay.percentile(99) / 1e6 - resolution);
    const rssBytes = process.memoryUsage().rss;
    return { cpuMicros: user + system, loopDelayMs: p99, rssBytes, ...(await figures()) };
  },
  async reset() {
    delay.reset();
    return {};
  },
  async close() {
    server.closeAllConnections();
    await close?.();
    return {};
  },
};

process.on("message", async (name) => {
  try {
    process.send(name in commands ? await commands[name]() : { value: await others[name]() });
  } catch (error) {
    process.send({ failed: String(error) });
  }
});
process.on("disconnect", () => process.exit());
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
