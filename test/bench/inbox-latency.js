// `node test/bench/inbox-latency.js` after a build: what follows the 2xx. From the answer to the handler's start when idle; how
// fast a backlog is handled by an empty handler; with --million what a million stored events cost beside an empty file.
//   --samples 300   --queued 20000   --bytes 2000   --million [--stored 1000000]   --only idle | backlog | million
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ask, drained, startHost, stopHost } from "./inbox.js";
import { freshDeliveries } from "./inbox-deliveries.js";
import { fill } from "./inbox-fill.js";
import { load } from "./load.js";
import { temporaryFolder } from "./services.js";

const { values } = parseArgs({
  options: {
    samples: { type: "string", default: "300" },
    queued: { type: "string", default: "20000" },
    bytes: { type: "string", default: "2000" },
    million: { type: "boolean", default: false },
    stored: { type: "string", default: "1000000" },
    only: { type: "string" },
  },
});
const [samples, queued, bytes, stored] = [values.samples, values.queued, values.bytes, values.stored].map(
  Number,
);
const rounds = 5;
const ms = 1_500;
const wants = (part) => values.only === undefined || values.only === part;
const temporary = temporaryFolder();
const hosts = new Set();

try {
  if (wants("idle")) await idle();
  if (wants("backlog")) await backlog();
  if (values.million || values.only === "million") await million();
} finally {
  await Promise.allSettled([...hosts].map(stop));
  temporary.remove();
}

function folderOf(name) {
  const folder = join(temporary.path, name);
  mkdirSync(folder, { recursive: true });
  return folder;
}

async function start(name, way) {
  const contender = { label: way, file: "inbox-hookgate-timed", way };
  const host = await startHost(contender, { folder: folderOf(name) });
  hosts.add(host);
  return host;
}

async function stop(host) {
  hosts.delete(host);
  await stopHost(host);
}

async function idle() {
  const host = await start("idle", "front-idle-workers");
  const { next } = freshDeliveries(bytes);
  const rest = 20;
  for (let n = 0; n < rest + samples; n++) {
    await load({ port: host.port, connections: 1, requests: 1, next });
    await drained(host.child, n + 1);
    // Idle, and not in step with any timer.
    await sleep(10 + Math.random() * 40);
  }
  const { value } = await ask(host.child, "startDelays");
  const delays = value.slice(rest).sort((a, b) => a - b);
  await stop(host);
  const at = (part) => delays[Math.floor(delays.length * part)].toFixed(2);
  console.log(
    `\nfrom the 2xx to the handler's start when idle, ${samples} deliveries of ${bytes / 1000} KB\n`,
  );
  console.log("| p50 ms | p99 ms | most ms |\n|--:|--:|--:|");
  console.log(`| ${at(0.5)} | ${at(0.99)} | ${delays.at(-1).toFixed(2)} |`);
}

async function backlog() {
  await fill(folderOf("backlog"), queued, bytes);
  const { rate, cpu } = await handle("backlog", queued);
  console.log(`\n${queued} queued events, empty handler\n\n| tasks/s | CPU µs/task |\n|--:|--:|`);
  console.log(`| ${rate} | ${cpu} |`);
}

/** Starts the workers on a file and measures until `count` are handled; to the last verdict where `all` are meant. */
async function handle(name, count, { all = true } = {}) {
  const host = await start(name, "front-workers");
  const figures = await drained(host.child, count);
  const seconds = (figures.lastMs - figures.firstMs) / 1000;
  const result = {
    host,
    rate: Math.round((figures.handled - 1) / seconds),
    cpu: ((figures.cpuMicros - figures.cpuBeforeMicros) / figures.handled).toFixed(1),
    rss: mb(figures.rssBytes),
  };
  if (!all) return result;
  while ((await ask(host.child, "unsettled")).value > 0) await sleep(20);
  await stop(host);
  return result;
}

async function million() {
  await fill(folderOf("full"), stored, bytes);
  console.log(`\naccepting, beside an empty file and one of ${stored} events\n`);
  console.log(
    "| file | CPU µs/delivery | ratio | deliveries/s | p99 ms | RSS MB |\n|---|--:|--:|--:|--:|--:|",
  );
  const [empty, full] = [await start("empty", "front"), await start("full", "front")];
  const [ofEmpty, waiting] = await accepting([empty, full]);
  printAccepting("empty at the start", ofEmpty, ofEmpty);
  printAccepting("full, all waiting", waiting, ofEmpty);
  await stop(empty);
  await stop(full);
  const claims = await claiming();
  const [again, done] = [await start("empty", "front"), await start("full", "front")];
  const [ofAgain, ofDone] = await accepting([again, done]);
  printAccepting("empty, again", ofAgain, ofAgain);
  printAccepting("full, all done", ofDone, ofAgain);
  await ask(done.child, "startPurge");
  const [ofBeside, purging] = await accepting([again, done]);
  printAccepting("empty, while the other purges", ofBeside, ofAgain);
  printAccepting("full, while it purges", purging, ofAgain);
  const isPurged = (await ask(done.child, "purged")).value !== undefined;
  const took = await purgeEnd(done);
  printClaims(claims);
  console.log(`\npurge of ${took.count} events beside accepting: ${(took.ms / 1000).toFixed(1)} s`);
  if (isPurged) console.log("it ended before the last round of accepting: the row above is too good");
}

/** Rounds of accepting, the hosts by turns; gives the figures of each host's rounds. */
async function accepting(taking) {
  const figures = taking.map(() => []);
  const { next } = freshDeliveries(bytes);
  for (let round = 0; round < rounds; round++) {
    for (const [at, { child, port }] of taking.entries()) {
      const before = await ask(child, "figures");
      const startedAt = performance.now();
      const tally = await load({ port, connections: 64, durationMs: ms, next });
      const seconds = (performance.now() - startedAt) / 1000;
      const after = await ask(child, "figures");
      const strange = [...tally.statuses.keys()].filter((status) => status !== "202");
      if (strange.length > 0) throw new Error(`accepting: answered ${strange}`);
      figures[at].push({
        cpu: (after.cpuMicros - before.cpuMicros) / tally.count,
        rate: tally.count / seconds,
        p99: tally.latencies.at(tally.count * 0.99) / 1000,
        rss: after.rssBytes,
      });
    }
  }
  return figures;
}

function printAccepting(label, figures, reference) {
  const of = (name) => median(figures.map((round) => round[name]));
  const ratio = median(figures.map(({ cpu }, n) => cpu / reference[n].cpu));
  const cells = [
    of("cpu").toFixed(1),
    ratio.toFixed(2),
    Math.round(of("rate")),
    of("p99").toFixed(1),
    mb(of("rss")),
  ];
  console.log(`| ${label} | ${cells.join(" | ")} |`);
}

/** Claims as many from a short backlog as from the head of a long one, then handles the long one to its end. */
async function claiming() {
  await fill(folderOf("short"), queued, bytes);
  const short = await handle("short", queued);
  const head = await handle("full", queued, { all: false });
  const startedAt = performance.now();
  const before = await ask(head.host.child, "figures");
  const most = [];
  let left;
  do {
    await sleep(500);
    most.push((await ask(head.host.child, "figures")).rssBytes);
    left = (await ask(head.host.child, "unsettled")).value;
  } while (left > 0);
  const after = await ask(head.host.child, "figures");
  await stop(head.host);
  const handled = after.handled - before.handled;
  const rest = {
    rate: Math.round((handled / (performance.now() - startedAt)) * 1000),
    cpu: ((after.cpuMicros - before.cpuMicros) / handled).toFixed(1),
    rss: mb(Math.max(...most)),
  };
  return [
    [`${queued} waiting`, short],
    [`the first of ${stored}`, head],
    [`the rest of ${stored}, RSS at its most`, rest],
  ];
}

function printClaims(claims) {
  const base = Number(claims[0][1].cpu);
  console.log(
    "\n| handling, empty handler | CPU µs/task | ratio | tasks/s | RSS MB |\n|---|--:|--:|--:|--:|",
  );
  for (const [label, { cpu, rate, rss }] of claims) {
    console.log(`| ${label} | ${cpu} | ${(Number(cpu) / base).toFixed(2)} | ${rate} | ${rss} |`);
  }
}

async function purgeEnd({ child }) {
  for (;;) {
    const { value } = await ask(child, "purged");
    if (value?.error !== undefined) throw new Error(`the purge failed: ${value.error}`);
    if (value !== undefined) return value;
    await sleep(100);
  }
}

function mb(size) {
  return (size / 2 ** 20).toFixed(0);
}

function median(list) {
  return [...list].sort((a, b) => a - b)[list.length >> 1];
}
