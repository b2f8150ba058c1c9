// `node test/bench/memory.js` after a build. Resident memory (RSS) of the server process, each in a process of its own:
// first beside bare Express after the same number of deliveries over sockets; then with ever new keys, addresses and
// tokens, handed over within the process. Garbage is collected when Node pleases.
//   --requests 200000   --distinct 1000000   --only sockets | keys | tokens
import { fork } from "node:child_process";
import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { load } from "./load.js";
import { scenarios } from "./scenarios.js";
import { settings, token } from "./settings.js";

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "200000" },
    distinct: { type: "string", default: "1000000" },
    only: { type: "string" },
    child: { type: "string" },
  },
});
const wants = (part) => values.only === undefined || values.only === part;
const mb = (bytes) => (bytes / 2 ** 20).toFixed(1);

if (values.child !== undefined) await distinctOnes(values.child, Number(values.distinct));
else {
  if (wants("sockets")) await besideExpress(Number(values.requests));
  for (const kind of ["keys", "tokens"]) if (wants(kind)) await grow(kind);
}

async function besideExpress(requests) {
  console.log(
    `\n| RSS in MB, ${requests} deliveries of 2 KB | at the start | at the end | over bare Express |`,
  );
  console.log("|---|--:|--:|--:|");
  let bare;
  for (const [file, kind] of [
    ["express-json", "none"],
    ["hookgate-middleware", "key"],
    ["hookgate-front", "key"],
  ]) {
    const child = fork(new URL("./host.js", import.meta.url), [file, "allowing"]);
    const [{ port }] = await once(child, "message");
    const before = await rss(child);
    // Most of it is V8's young generation, now large, now small: the median of the second half.
    const samples = [];
    for (let n = 0; n < 40; n++) {
      await load({
        port,
        connections: 64,
        requests: requests / 40,
        next: scenarios.accept(kind, 2_000).next,
      });
      if (n >= 20) samples.push(await rss(child));
    }
    const after = samples.sort((a, b) => a - b)[10];
    child.disconnect();
    bare ??= after;
    console.log(`| ${file} | ${mb(before)} | ${mb(after)} | ${mb(after - bare)} |`);
  }
}

async function rss(child) {
  const answer = once(child, "message");
  child.send("figures");
  return (await answer)[0].rssBytes;
}

async function grow(kind) {
  const what = kind === "keys" ? "keys, each from an address of its own" : "valid tokens";
  console.log(`\n| distinct ${what} | RSS in MB | JavaScript heap in use, MB |\n|--:|--:|--:|`);
  const child = fork(fileURLToPath(import.meta.url), ["--child", kind, "--distinct", values.distinct]);
  await once(child, "exit");
}

/** Sends what has never been sent before, with every optional memory switched on, and prints a row now and then. */
async function distinctOnes(kind, count) {
  const { createReceiver } = await import("../../dist/index.js");
  const { deliver } = await import("./in-process.js");
  const receiver = createReceiver({
    name: "bench",
    auth: { serviceKey: settings.key, jwt: { issuer: settings.issuer, secret: settings.secret } },
    maxFailuresPerMinute: 10,
    logger: { debug() {}, info() {}, warn() {}, error() {}, isLevelEnabled: () => false },
  });
  receiver.onAny(() => {});
  const listener = receiver.middleware();
  const body = Buffer.from('{"id":"evt_1","type":"order.paid"}');
  const pair = (n) => `${(n >>> 16).toString(16)}:${(n & 0xffff).toString(16)}`;
  const request = {
    keys: (n) => ({
      body,
      headers: ["key", `${settings.key}-${n}`],
      remoteAddress: `2001:db8:${pair(n)}::1`,
    }),
    tokens: (n) => ({ body, headers: ["authorization", `Bearer ${token({ jti: `t${n}` })}`] }),
  }[kind];
  const expected = kind === "keys" ? 401 : 200;
  const step = count / 5;
  for (let n = 0; n <= count; n += 50) {
    if (n % step === 0) {
      const { rss, heapUsed } = process.memoryUsage();
      console.log(`| ${n} | ${mb(rss)} | ${mb(heapUsed)} |`);
    }
    const statuses = await Promise.all(
      Array.from({ length: 50 }, (_, k) => deliver(listener, request(n + k))),
    );
    const strange = statuses.find((status) => status !== expected);
    if (strange !== undefined) throw new Error(`answered ${strange}`);
    // Refusals come at once: without this, what Node puts off to the next tick would pile up.
    await nextTurn();
  }
}
