// The inbox section of `npm run bench`: deliveries that must not be lost once they were answered. Every contender in a process
// of its own, interleaved rounds; CPU is that of the receiving process with its threads, and beside it that of its service.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freshDeliveries } from "./inbox-deliveries.js";
import { base, handling, inboxContenders } from "./inbox-plan.js";
import { load } from "./load.js";
import { startServices, temporaryFolder } from "./services.js";

/**
 * Measures the contenders whose label has one of `parts` (all where left out) and prints a table. `check`: a delivery, the
 * same again and another one each, nothing printed. Resolves with `{ right, wrong }`.
 */
export async function measureInbox(options) {
  const chosen = inboxContenders.filter(
    ({ label }) => options.parts?.some((part) => label.includes(part)) ?? true,
  );
  const folder = temporaryFolder();
  const needed = chosen.flatMap(({ service }) => service ?? []);
  let services;
  const hosts = [];
  try {
    services = await startServices(needed, folder.path);
    const taking = chosen.filter(({ service }) => service === undefined || services.available.has(service));
    for (const [n, contender] of taking.entries()) {
      const own = join(folder.path, `contender-${n}`);
      mkdirSync(own);
      const given = { folder: own, connections: services.connections };
      hosts.push({ contender, rounds: [], sent: 0, ...(await startHost(contender, given)) });
    }
    return options.check ? await check(hosts) : await compare(hosts, services, options);
  } finally {
    // One that fails to close is ended with its process.
    await Promise.allSettled(hosts.map((host) => stopHost(host)));
    await services?.stop();
    folder.remove();
  }
}

/** Starts a contender with what `create` is to be given beside the settings. Resolves with `{ child, port }`. */
export async function startHost({ label, file, way = "" }, given) {
  const child = fork(new URL("./inbox-host.js", import.meta.url), [file, way], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env: { ...process.env, BENCH_INBOX: JSON.stringify(given) },
  });
  const { port } = await Promise.race([
    once(child, "message").then(([message]) => message),
    once(child, "exit").then(() => Promise.reject(new Error(`${label} did not start`))),
  ]);
  return { child, port };
}

export async function stopHost({ child }) {
  const ended = once(child, "exit");
  try {
    await Promise.race([ask(child, "close"), ended, sleep(10_000, undefined, { ref: false })]);
  } finally {
    if (child.connected) child.disconnect();
    await ended;
  }
}

/** Sends a command to a host and resolves with its answer; `value` is what a function of the contender gave. */
export async function ask(child, command) {
  const answer = once(child, "message");
  child.send(command);
  const [message] = await answer;
  if (message.failed !== undefined) throw new Error(`${command}: ${message.failed}`);
  return message;
}

/** Resolves with the figures of a host once it has handled `count` events. */
export async function drained(child, count) {
  for (;;) {
    const figures = await ask(child, "figures");
    if (figures.handled >= count) return figures;
    await sleep(10);
  }
}

async function check(hosts) {
  let wrong = 0;
  for (const { contender, child, port } of hosts) {
    const { next, last } = freshDeliveries(2_000);
    const sends = [next, last, next];
    const statuses = new Map();
    for (const send of sends) {
      const tally = await load({ port, connections: 1, requests: 1, next: send });
      for (const [status, count] of tally.statuses) statuses.set(status, (statuses.get(status) ?? 0) + count);
    }
    const { value: stored } = await ask(child, "stored");
    const strange = [...statuses.keys()].filter((status) => !/^2/.test(status));
    if (strange.length === 0 && stored === 2) continue;
    wrong++;
    const answers = JSON.stringify([...statuses]);
    console.error(`WRONG inbox: ${contender.label} answered ${answers}, has ${stored} events instead of 2`);
  }
  return { right: hosts.length - wrong, wrong };
}

async function compare(hosts, services, options) {
  let wrong = 0;
  const { next } = freshDeliveries(options.bytes);
  for (let round = 0; round < options.rounds; round++) {
    for (const host of hosts) {
      const strange = await oneRound(host, services, { ...options, next });
      if (strange.length === 0) continue;
      wrong++;
      console.error(`WRONG inbox: ${host.contender.label} answered ${JSON.stringify(strange)}`);
    }
  }
  print(hosts, options);
  return { right: hosts.length * options.rounds - wrong, wrong };
}

async function oneRound(host, services, { connections, ms, next }) {
  const { child, port, contender } = host;
  const isHandling = contender.label === handling.label;
  const serviceMicros = () => (contender.service === undefined ? 0 : services.cpuMicros(contender.service));
  host.sent += (await load({ port, connections, durationMs: ms / 4, next })).count;
  if (isHandling) await drained(child, host.sent);
  await ask(child, "reset");
  const before = await ask(child, "figures");
  const serviceBefore = serviceMicros();
  const startedAt = performance.now();
  const tally = await load({ port, connections, durationMs: ms, next });
  const seconds = (performance.now() - startedAt) / 1000;
  const after = await ask(child, "figures");
  const serviceAfter = serviceMicros();
  host.sent += tally.count;
  const done = isHandling ? await drained(child, host.sent) : after;
  const handledSeconds = (performance.now() - startedAt) / 1000;
  host.rounds.push({
    cpu: (after.cpuMicros - before.cpuMicros) / tally.count,
    cpuDrained: (done.cpuMicros - before.cpuMicros) / tally.count,
    serviceCpu: (serviceAfter - serviceBefore) / tally.count,
    rate: tally.count / seconds,
    handledRate: tally.count / handledSeconds,
    p50: tally.latencies.at(tally.count * 0.5) / 1000,
    p99: tally.latencies.at(tally.count * 0.99) / 1000,
    loopDelay: after.loopDelayMs,
  });
  return [...tally.statuses].filter(([code]) => !/^2/.test(code));
}

function print(hosts, { bytes }) {
  const reference = hosts.find(({ contender }) => contender.label === base) ?? hosts[0];
  console.log(
    `\ninbox: stored and synced before the 2xx, ${bytes / 1000} KB, base: ${reference.contender.label}\n`,
  );
  console.log(
    "| contender | CPU µs/delivery | ratio | service's CPU µs | deliveries/s | ratio | p50 ms | p99 ms | loop delay p99 ms |",
  );
  console.log("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
  for (const { contender, rounds } of hosts) {
    // What is handled counts to its end, so that work put off is not work saved.
    const figure = contender.label === handling.label ? "cpuDrained" : "cpu";
    const of = (name) => median(rounds.map((round) => round[name]));
    const ratio = (name, other) => median(rounds.map((round, n) => round[name] / reference.rounds[n][other]));
    const cells = [
      of(figure).toFixed(1),
      ratio(figure, "cpu").toFixed(2),
      contender.service === undefined ? "" : of("serviceCpu").toFixed(1),
      Math.round(of("rate")),
      ratio("rate", "rate").toFixed(2),
      of("p50").toFixed(1),
      of("p99").toFixed(1),
      of("loopDelay").toFixed(1),
    ];
    console.log(`| ${contender.label} | ${cells.join(" | ")} |`);
  }
  printHandling(hosts);
}

function printHandling(hosts) {
  const [worked, plain] = [handling.label, handling.without].map((label) =>
    hosts.find(({ contender }) => contender.label === label),
  );
  if (worked === undefined || plain === undefined) return;
  const onTop = median(worked.rounds.map(({ cpuDrained }, n) => cpuDrained - plain.rounds[n].cpu));
  const rate = Math.round(median(worked.rounds.map(({ handledRate }) => handledRate)));
  console.log(
    `\nhandling beside accepting, empty handler: ${onTop.toFixed(1)} µs a task on top, ${rate} accepted and handled/s`,
  );
}

function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
