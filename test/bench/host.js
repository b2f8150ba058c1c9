// One contender in a process of its own. Tells its port, then its CPU time and memory whenever it is asked.
import { settings } from "./settings.js";

const [, , contender, allow] = process.argv;
const { create } = await import(`./contenders/${contender}.js`);
const server = await create({
  ...settings,
  allowed: allow === "refusing" ? settings.refusing : settings.allowed,
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
process.on("message", (message) => {
  if (message === "gc") globalThis.gc?.();
  else process.send({ cpuMicros: cpuMicros(), rssBytes: process.memoryUsage().rss });
});
process.on("disconnect", () => process.exit());

function cpuMicros() {
  const { user, system } = process.cpuUsage();
  return user + system;
}
