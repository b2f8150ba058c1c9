// `node test/bench/ranges.js` after a build: what a check against a list of ranges costs, by its length. One process,
// interleaved rounds, medians; half of the addresses asked for are in the list. No sockets.
import { parseIp } from "../../dist/ip/address.js";
import { parseRanges } from "../../dist/ip/range-set.js";

const rounds = 15;
const asked = 4096;
const passes = 64;
const rules = { allowAny: false, anyFix: "" };

let seed = 1;
/** mulberry32: the same lists in every run. */
function random(below) {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
}

const hex = () => random(65_536).toString(16);
const byte = () => random(256);

/** How ranges may lie; each gives an IPv4 and an IPv6 range, and an address in either. */
const layouts = {
  // Networks of many sizes, anywhere.
  scattered: () => {
    const quad = `${1 + random(223)}.${byte()}.${byte()}`;
    const prefix = `2${random(4096).toString(16).padStart(3, "0")}:${hex()}:${hex()}`;
    return [`${quad}.0/24`, `${prefix}::/48`, `${quad}.7`, `${prefix}::7`];
  },
  // Single hosts, all in one private network.
  crowded: () => {
    const quad = `10.${byte()}.${byte()}.${byte()}`;
    const host = `2001:db8:0:${hex()}::${hex()}`;
    return [quad, host, quad, host];
  },
  // Providers: hundreds of networks side by side, far from the next provider's.
  clustered: () => {
    const provider = random(150);
    const quad = `${20 + provider}.${(provider * 37) % 256}.${byte()}.${byte() & 0xf8}`;
    const prefix = `2a${(provider % 16).toString(16).padStart(2, "0")}:${provider.toString(16)}:0:${hex()}`;
    return [`${quad}/29`, `${prefix}::/64`, quad, `${prefix}::9`];
  },
};

function prepare(layout, count) {
  const drawn = Array.from({ length: count / 2 }, layouts[layout]);
  const entries = drawn.flatMap((pair) => pair.slice(0, 2));
  const startedAt = performance.now();
  const set = parseRanges(entries, "list", rules);
  const buildMs = performance.now() - startedAt;
  const inside = Array.from({ length: asked / 2 }, () => drawn[random(drawn.length)][2 + random(2)]);
  const outside = Array.from({ length: asked / 2 }, () => layouts[layout]()[2 + random(2)]);
  const addresses = [...inside, ...outside].map(parseIp);
  addresses.sort(() => random(2) - 0.5);
  return { layout, count, set, size: set.size, buildMs, addresses, ns: [] };
}

function oneRound(list) {
  const { set, addresses } = list;
  let found = 0;
  const startedAt = performance.now();
  for (let pass = 0; pass < passes; pass++) {
    for (let i = 0; i < asked; i++) if (set.has(addresses[i])) found++;
  }
  const elapsed = performance.now() - startedAt;
  if (found < (passes * asked) / 2) throw new Error("an address of the list was not found in it");
  list.ns.push((elapsed * 1e6) / (passes * asked));
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

const lists = Object.keys(layouts).flatMap((layout) =>
  [10, 1_000, 100_000].map((count) => prepare(layout, count)),
);
for (let round = 0; round < rounds; round++) for (const list of lists) oneRound(list);

console.log("| ranges lie | entries | ranges | built in ms | ns/check | ratio to 10 entries |");
console.log("|---|--:|--:|--:|--:|--:|");
for (const { layout, count, size, buildMs, ns } of lists) {
  const base = lists.find((list) => list.layout === layout);
  const ratio = median(ns.map((value, round) => value / base.ns[round]));
  const figures = [count, size, Math.round(buildMs), median(ns).toFixed(1), ratio.toFixed(2)];
  console.log(`| ${layout} | ${figures.join(" | ")} |`);
}
