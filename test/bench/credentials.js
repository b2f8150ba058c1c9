// `node test/bench/credentials.js` after a build: what 10,000 credentials and 1,000 handlers cost over one of each. CPU per
// delivery within one process, without sockets, so that nothing hides it; interleaved rounds, medians, ratios per round.
import { createReceiver, defineCredentials, uncheckedTypes } from "../../dist/index.js";
import { deliver } from "./in-process.js";
import { orderEvent } from "./payloads.js";
import { token } from "./settings.js";

const rounds = 80;
const perRound = 512;
const distinct = 1_000;

const keyOf = (n) => `bench-service-key-${String(n).padStart(6, "0")}-0123456789abcdef0123456789abcdef`;
const secretOf = (n) => `bench-secret-${String(n).padStart(6, "0")}-0123456789abcdef-0123456789abcdef`;

const service = {
  key: (n) => ({ serviceKeys: [{ id: `key-${n}`, key: keyOf(n) }] }),
  jwt: (n) => ({ jwt: { issuer: `issuer-${n}`, secret: secretOf(n) } }),
};

function contender(kind, credentials, handlers) {
  const services = Object.fromEntries(
    Array.from({ length: credentials }, (_, n) => [`service-${n}`, service[kind](n)]),
  );
  const receiver = createReceiver({
    name: "bench",
    events: uncheckedTypes(),
    auth: { credentials: defineCredentials({ tenants: { acme: { services } } }) },
  });
  for (let n = 0; n < handlers; n++) receiver.on(`order.n${n}`, () => {});
  // As many distinct headers and bodies for all, so that only what stands behind them differs.
  const requests = Array.from({ length: distinct }, (_, n) => {
    const holder = Math.floor((n * credentials) / distinct);
    const signed = () => token({ secret: secretOf(holder), issuer: `issuer-${holder}`, jti: `t${n}` });
    const headers = kind === "key" ? ["key", keyOf(holder)] : ["authorization", `Bearer ${signed()}`];
    const type = `order.n${n % handlers}`;
    return { headers, body: Buffer.from(orderEvent(2_000).replace("order.paid", type)) };
  });
  return { kind, credentials, handlers, listener: receiver.middleware(), requests, micros: [] };
}

async function oneRound({ listener, requests, micros }) {
  const before = process.cpuUsage();
  for (let n = 0; n < perRound; n += 64) {
    const batch = Array.from({ length: 64 }, (_, k) => deliver(listener, requests[(n + k) % distinct]));
    for (const status of await Promise.all(batch)) if (status !== 200) throw new Error(`answered ${status}`);
  }
  const { user, system } = process.cpuUsage(before);
  micros.push((user + system) / perRound);
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

const groups = ["key", "jwt"].map((kind) =>
  [
    [1, 1],
    [10_000, 1],
    [1, 1_000],
    [10_000, 1_000],
    // The same as the first: how far its ratio is from 1 is what the machine adds.
    [1, 1],
  ].map(([credentials, handlers]) => contender(kind, credentials, handlers)),
);
const all = groups.flat();
for (let round = 0; round < rounds; round++) {
  // Back and forth, so that none always follows the same other.
  for (const each of round % 2 === 0 ? all : all.toReversed()) await oneRound(each);
}
console.log("| credential | credentials | handlers | CPU µs/delivery | ratio |");
console.log("|---|--:|--:|--:|--:|");
for (const group of groups) {
  for (const { kind, credentials, handlers, micros } of group) {
    const ratio = median(micros.map((value, round) => value / group[0].micros[round]));
    const label = kind === "jwt" ? "JWT, seen before" : "key";
    console.log(
      `| ${label} | ${credentials} | ${handlers} | ${median(micros).toFixed(1)} | ${ratio.toFixed(2)} |`,
    );
  }
}
