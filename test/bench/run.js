// `npm run bench`: every contender in a process of its own, interleaved rounds, server CPU per request as the figure.
//   --bytes 2000,20000,200000   --scenarios "accept;mixed"   --rounds 5   --ms 1500   --connections 64
//   --scenarios inbox is the section of what stores before it answers; its contenders are in inbox-plan.js
//   --only PART_OF_A_LABEL[,…]   --base LABEL   --check (one request each, no figures)
import { fork } from "node:child_process";
import { once } from "node:events";
import { parseArgs } from "node:util";
import { measureInbox } from "./inbox.js";
import { load } from "./load.js";
import { contenders, takesPart } from "./plan.js";
import { scenarios } from "./scenarios.js";

const { values } = parseArgs({
  options: {
    bytes: { type: "string", default: "2000" },
    scenarios: { type: "string", default: [...Object.keys(scenarios), "inbox"].join(";") },
    rounds: { type: "string", default: "5" },
    ms: { type: "string", default: "1500" },
    connections: { type: "string", default: "64" },
    only: { type: "string" },
    base: { type: "string", default: "Express 5 + express.json(), no authentication" },
    check: { type: "boolean", default: false },
  },
});
const parts = values.only?.split(",");
const chosen = contenders.filter(({ label }) => parts?.some((part) => label.includes(part)) ?? true);

let wrong = 0;
let right = 0;
for (const scenario of values.scenarios.split(";")) {
  const measureOne = scenario === "inbox" ? inbox : measure;
  for (const bytes of values.bytes.split(",").map(Number)) await measureOne(scenario, bytes);
}
if (values.check) console.log(`${right} scenarios answered as they should be, ${wrong} not`);
process.exitCode = wrong === 0 ? 0 : 1;

async function inbox(_scenario, bytes) {
  const [rounds, ms, connections] = [values.rounds, values.ms, values.connections].map(Number);
  const result = await measureInbox({ parts, check: values.check, bytes, rounds, ms, connections });
  right += result.right;
  wrong += result.wrong;
}

async function measure(scenario, bytes) {
  const taking = chosen.filter((contender) => takesPart(contender, scenario));
  const hosts = await Promise.all(taking.map((contender) => start(contender, scenario)));
  const rounds = values.check ? 1 : Number(values.rounds);
  for (let round = 0; round < rounds; round++) {
    for (const host of hosts) await oneRound(host, scenario, bytes);
  }
  if (!values.check) print(scenario, bytes, hosts);
  for (const { child } of hosts) child.disconnect();
}

async function start(contender, scenario) {
  const allow = scenario === "refuse: bad address" ? "refusing" : "allowing";
  const child = fork(new URL("./host.js", import.meta.url), [contender.file, allow], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const { port } = await Promise.race([
    once(child, "message").then(([message]) => message),
    once(child, "exit").then(() => Promise.reject(new Error(`${contender.label} did not start`))),
  ]);
  return { contender, child, port, cpu: [], rate: [], busy: [], latencies: [] };
}

async function oneRound(host, scenario, bytes) {
  const { next, status, connections: many } = scenarios[scenario](host.contender.kind, bytes);
  const connections = values.check ? 1 : (many ?? Number(values.connections));
  const durationMs = values.check ? 50 : Number(values.ms);
  if (!values.check) await load({ port: host.port, connections, durationMs: durationMs / 4, next });
  const before = await ask(host.child);
  const startedAt = performance.now();
  const tally = await load({ port: host.port, connections, durationMs, next });
  const seconds = (performance.now() - startedAt) / 1000;
  const after = await ask(host.child);
  const strange = [...tally.statuses].filter(([code]) => !status.test(code));
  if (strange.length > 0 || tally.count === 0) {
    wrong++;
    console.error(`WRONG ${scenario}: ${host.contender.label} answered ${JSON.stringify(strange)}`);
  } else right++;
  host.cpu.push((after.cpuMicros - before.cpuMicros) / tally.count);
  host.rate.push(tally.count / seconds);
  host.busy.push((tally.statuses.get("503") ?? 0) / tally.count);
  host.latencies.push([tally.latencies.at(tally.count * 0.5), tally.latencies.at(tally.count * 0.99)]);
}

async function ask(child) {
  const answer = once(child, "message");
  child.send("figures");
  return (await answer)[0];
}

function print(scenario, bytes, hosts) {
  const base = hosts.find(({ contender }) => contender.label === values.base) ?? hosts[0];
  console.log(`\n${scenario}, ${bytes / 1000} KB, base: ${base.contender.label}\n`);
  console.log("| contender | CPU µs/request | ratio | requests/s | p50 ms | p99 ms | 503 |");
  console.log("|---|--:|--:|--:|--:|--:|--:|");
  for (const { contender, cpu, rate, busy, latencies } of hosts) {
    const ratios = cpu.map((value, round) => value / base.cpu[round]);
    const [p50, p99] = [0, 1].map((n) => (median(latencies.map((pair) => pair[n])) / 1000).toFixed(1));
    const figures = [
      median(cpu).toFixed(1),
      median(ratios).toFixed(2),
      Math.round(median(rate)),
      p50,
      p99,
      `${Math.round(median(busy) * 100)} %`,
    ];
    console.log(`| ${contender.label} | ${figures.join(" | ")} |`);
  }
}

function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
