// How much code one stored delivery passes: files and functions of `dist` that run from the request's arrival until its handler
// has run and the store knows. Counted by V8's precise coverage, after a warm-up, so that what runs once is left out.
// SQLite has a thread of its own, as it has by default, and what runs there is not counted: --sqlite brings it onto this thread.
//   npm run build && node test/bench/trace-delivery.js [--list] [--sqlite] [--dist PATH]
import { mkdtempSync, rmSync } from "node:fs";
import { IncomingMessage, ServerResponse } from "node:http";
import { Session } from "node:inspector/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    list: { type: "boolean", default: false },
    sqlite: { type: "boolean", default: false },
    // Another build to look at.
    dist: { type: "string", default: fileURLToPath(new URL("../../dist", import.meta.url)) },
  },
});
const root = pathToFileURL(`${values.dist}/`).href;
const { createReceiver } = await import(`${root}index.js`);
const { sqliteEngine } = await import(
  await firstThatIsThere(["inbox/sqlite/index.js", "engines/sqlite/index.js"])
);

const key = "bench-service-key-0123456789abcdef0123456789abcdef";
const quiet = { debug() {}, info() {}, warn() {}, error() {}, isLevelEnabled: () => false };
const folder = mkdtempSync(join(tmpdir(), "hookgate-trace-"));
let handled = () => {};
const receiver = createReceiver({
  name: "orders",
  // A synchronous schema that takes everything.
  events: {
    "order.paid": { "~standard": { version: 1, vendor: "bench", validate: (value) => ({ value }) } },
  },
  auth: { serviceKey: key },
  allowIps: ["127.0.0.0/8"],
  inbox: { engine: sqliteEngine(join(folder, "hooks.db"), { onCallersThread: values.sqlite }) },
  logger: quiet,
  // The store knows: the report comes behind the completion.
  hooks: { handled: () => handled() },
});
receiver.on("order.paid", () => {});
await receiver.start();
const listener = receiver.requestListener("/hooks/orders");

const session = new Session();
session.connect();
await session.post("Profiler.enable");
await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
for (let at = 0; at < 200; at++) await store(`warm-up-${at}`);
// Whatever the last of them left to do.
for (let turn = 0; turn < 10; turn++) await nextTurn();
await session.post("Profiler.takePreciseCoverage");
await store("traced");
const { result } = await session.post("Profiler.takePreciseCoverage");
await session.post("Profiler.stopPreciseCoverage");

const rooms = new Map();
let files = 0;
let functions = 0;
for (const { url, functions: all } of result.sort((a, b) => a.url.localeCompare(b.url))) {
  if (!url.startsWith(root)) continue;
  const path = url.slice(root.length);
  const run = all.filter(({ ranges: [range] }) => range.count > 0);
  if (run.length === 0) continue;
  files++;
  functions += run.length;
  const room = path.split("/").slice(0, -1).join("/") || path;
  const { files: before, functions: counted } = rooms.get(room) ?? { files: 0, functions: 0 };
  rooms.set(room, { files: before + 1, functions: counted + run.length });
  if (values.list)
    console.log(`${path}: ${run.map(({ functionName }) => functionName || "(anonymous)").join(", ")}`);
}
console.table(Object.fromEntries(rooms));
console.log(`one stored delivery passes ${files} files and ${functions} functions`);
await receiver.close();
rmSync(folder, { recursive: true });

/** Sends a delivery; resolves when its handler has run and the store knows. */
function store(id) {
  const body = Buffer.from(JSON.stringify({ type: "order.paid", id }));
  const req = new IncomingMessage({ remoteAddress: "127.0.0.1", destroyed: false });
  const head = ["content-type", "application/json", "content-length", String(body.length), "key", key];
  Object.assign(req, { method: "POST", url: "/hooks/orders", complete: true, rawHeaders: head });
  for (let at = 0; at < head.length; at += 2) req.headers[head[at]] = head[at + 1];
  req.push(body);
  req.push(null);
  return new Promise((resolve) => {
    handled = resolve;
    listener(req, new ServerResponse(req));
  });
}

async function firstThatIsThere(paths) {
  for (const path of paths) {
    try {
      await import(`${root}${path}`);
      return `${root}${path}`;
    } catch (error) {
      if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    }
  }
  throw new Error(`none of ${paths.join(", ")} is in ${root}`);
}
