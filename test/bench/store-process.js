// What a delivery's way into the store costs on the caller's thread, on a thread of its own, and in a process of its own.
//   npm run build && node test/bench/store-process.js [rounds]
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Batcher } from "../../dist/inbox/batching.js";
import { StoreClient } from "../../dist/inbox/sqlite/client.js";
import { LocalHost, ThreadHost } from "../../dist/inbox/sqlite/host.js";
import { decodeReplies, encodeRequests, packDeliveries } from "../../dist/inbox/sqlite/protocol.js";
import { FrameReader, writeFrame } from "./frames.js";
import { delivery } from "./inbox-fill.js";
import { orderEvent } from "./payloads.js";

const rounds = Number(process.argv[2] ?? 5);
const perRound = 4_000;
const callers = [1, 8, 64];

/** The store in a process of its own, behind the same interface as the two of the package. */
class ProcessHost {
  #child;
  #settle;

  constructor(options) {
    const file = fileURLToPath(new URL("./store-child.js", import.meta.url));
    const flags = ["--disable-warning=ExperimentalWarning"];
    this.#child = spawn(process.execPath, [...flags, file, JSON.stringify(options)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const reader = new FrameReader((message, bytes) => {
      const settle = this.#settle;
      this.#settle = undefined;
      settle({ ...message, bytes });
    });
    this.#child.stdout.on("data", (chunk) => reader.push(chunk));
  }

  async open() {
    return (await this.#ask({ op: "open" }, [])).clock;
  }

  async send(requests, times) {
    const { json, others, bytes } = encodeRequests(requests);
    return decodeReplies(requests, await this.#ask({ json, others, times }, bytes));
  }

  /** Microseconds of CPU of the child. */
  async cpu() {
    const { user, system } = await this.#ask({ op: "cpu" }, []);
    return user + system;
  }

  async close() {
    writeFrame(this.#child.stdin, { op: "close" }, []);
    await new Promise((resolve) => this.#child.on("exit", resolve));
  }

  #ask(message, bytes) {
    return new Promise((resolve) => {
      this.#settle = resolve;
      writeFrame(this.#child.stdin, message, bytes);
    });
  }
}

const hosts = { "caller's thread": LocalHost, "own thread": ThreadHost, "own process": ProcessHost };
const body = orderEvent(2_048);
const { id } = JSON.parse(body);

async function measure(Host, count, round) {
  const folder = mkdtempSync(join(tmpdir(), "hookgate-bench-"));
  const options = { path: join(folder, "inbox.db"), readOnly: false, busyTimeoutMs: 2_000, setup: [] };
  const host = new Host(options);
  const client = new StoreClient(host, () => ({ wallMs: Date.now(), storeMs: Date.now() }));
  await client.open();
  const batcher = new Batcher({
    store: (deliveries) => client.ask(packDeliveries(deliveries)),
    failure: (reason, error) => new Error(reason, { cause: error }),
    bytesOf: ({ rawBody }) => rawBody.length,
  });
  const accept = (given) => new Promise((resolve) => batcher.add(given, resolve));
  const run = async (prefix, total) => {
    let next = 0;
    const waits = [];
    await Promise.all(
      Array.from({ length: count }, async () => {
        while (next < total) {
          const name = `${prefix}-${round}-${next++}`;
          const began = performance.now();
          const answer = await accept(delivery(body.replace(id, name), name, 1e6));
          if (answer.status !== "stored") throw new Error(JSON.stringify(answer));
          waits.push(performance.now() - began);
        }
      }),
    );
    return waits;
  };
  await run("warm", perRound / 4);
  const childBefore = (await host.cpu?.()) ?? 0;
  const before = process.cpuUsage();
  const began = performance.now();
  const waits = await run("real", perRound);
  const wallMs = performance.now() - began;
  const { user, system } = process.cpuUsage(before);
  const child = ((await host.cpu?.()) ?? 0) - childBefore;
  await client.close();
  rmSync(folder, { recursive: true });
  waits.sort((a, b) => a - b);
  return {
    cpu: (user + system + child) / perRound,
    perSecond: (perRound * 1_000) / wallMs,
    p50: waits[Math.floor(perRound * 0.5)],
    p99: waits[Math.floor(perRound * 0.99)],
  };
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

console.log(
  `Node.js ${process.version}, ${rounds} interleaved rounds of ${perRound} deliveries of 2 KB, medians\n`,
);
console.log(
  "| callers | store on | CPU, µs a delivery | ratio to own thread | deliveries/s | wait p50, ms | p99, ms |",
);
console.log("|--:|---|--:|--:|--:|--:|--:|");
for (const count of callers) {
  const results = Object.fromEntries(Object.keys(hosts).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, Host] of Object.entries(hosts)) results[name].push(await measure(Host, count, round));
  }
  const of = (name, member) => median(results[name].map((result) => result[member]));
  for (const name of Object.keys(hosts)) {
    const ratio = of(name, "cpu") / of("own thread", "cpu");
    const figures = [of(name, "cpu").toFixed(0), ratio.toFixed(2), of(name, "perSecond").toFixed(0)];
    const waits = [of(name, "p50").toFixed(2), of(name, "p99").toFixed(2)];
    console.log(`| ${[count, name, ...figures, ...waits].join(" | ")} |`);
  }
}
