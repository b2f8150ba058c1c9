// `node test/bench/startup.js` after a build: what importing `hookgate` after Express adds to what its dependencies alone
// add; how long Express takes to import and listen, and what ours adds to it; then what a production install adds to
// Express's. Processes take turns; medians.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const rounds = 15;

const listening = `
  const listen = (server) => new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const express = await import("express");
  const expressMs = performance.now() - start;`;
const ours = `
  const { createReceiver } = await import("hookgate");
  const receiver = createReceiver({ name: "orders", allowIps: ["203.0.113.0/24"], auth: AUTH });
  receiver.onAny(() => {});`;
const key = `{ serviceKey: "bench-service-key-0123456789abcdef0123456789abcdef" }`;
const both = key.replace(
  "}",
  `, jwt: { issuer: "orders", secret: "bench-secret-0123456789abcdef-0123456789abcdef" } }`,
);
const mounted = `
  const app = express.default();
  app.all("/hooks", receiver.middleware());`;

const ways = {
  "Express: import, listen": `${listening} const app = express.default();`,
  "and ours with a key": listening + ours.replace("AUTH", key) + mounted,
  "and ours with key and JWT": listening + ours.replace("AUTH", both) + mounted,
};

/** Milliseconds that Express's import took, and those from behind it until the server listens. */
function run(body) {
  const script = `const start = performance.now(); ${body}
    await listen((await import("node:http")).createServer(app));
    console.log(JSON.stringify([expressMs, performance.now() - start - expressMs]));
    process.exit();`;
  return JSON.parse(
    execFileSync(process.execPath, ["--input-type=module", "-e", script], { cwd: root, encoding: "utf8" }),
  );
}

const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const imports = {
  "its dependencies": Object.keys(dependencies)
    .map((name) => `import("${name}")`)
    .join(","),
  hookgate: `import("hookgate")`,
};

/** Milliseconds that imports take in a process that has Express. */
function runImports(list) {
  const script = `await import("express");
    const start = performance.now();
    await Promise.all([${list}]);
    console.log(performance.now() - start);
    process.exit();`;
  return Number(
    execFileSync(process.execPath, ["--input-type=module", "-e", script], { cwd: root, encoding: "utf8" }),
  );
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

const importTimes = new Map(Object.keys(imports).map((name) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const [name, list] of Object.entries(imports)) importTimes.get(name).push(runImports(list));
}
const [dependenciesMs, hookgateMs] = [...importTimes.values()].map(median);
console.log("| imported after Express | ms |\n|---|--:|");
for (const [name, values] of importTimes) console.log(`| ${name} | ${median(values).toFixed(1)} |`);
console.log(`| more than its dependencies | ${(hookgateMs - dependenciesMs).toFixed(1)} |\n`);

const times = new Map(Object.keys(ways).map((name) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const [name, body] of Object.entries(ways)) times.get(name).push(run(body));
}
const importMs = median([...times.values()].flat().map(([express]) => express));
const bareMs = median([...times.values()][0].map(([, rest]) => rest));
console.log(`Express's import: ${importMs.toFixed(1)} ms\n`);
console.log("| behind Express's import | ms until it listens | more than Express alone, by its import |");
console.log("|---|--:|--:|");
for (const [name, pairs] of times) {
  const rest = median(pairs.map(([, ms]) => ms));
  console.log(`| ${name} | ${rest.toFixed(1)} | ${((rest - bareMs) / importMs).toFixed(2)} |`);
}

/** Every package that `name` needs, itself included, as "name@version" with its folder, found as Node finds it. */
function closure(name, from, found = new Map()) {
  const folder = resolveFolder(name, from);
  const { version, dependencies = {} } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  if (found.has(`${name}@${version}`)) return found;
  found.set(`${name}@${version}`, folder);
  for (const dependency of Object.keys(dependencies)) closure(dependency, folder, found);
  return found;
}

function resolveFolder(name, from) {
  const folder = join(from, "node_modules", name);
  if (statSync(join(folder, "package.json"), { throwIfNoEntry: false })) return folder;
  if (from === dirname(from)) throw new Error(`${name} is not installed`);
  return resolveFolder(name, dirname(from));
}

function bytesIn(folder) {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.name === "node_modules") continue;
    bytes += entry.isDirectory() ? bytesIn(path) : statSync(path).size;
  }
  return bytes;
}

const [packed] = JSON.parse(
  execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }),
);
const installed = new Map([[`${packed.name}@${packed.version}`, packed.unpackedSize]]);
const brought = closure("express", root);
for (const name of Object.keys(dependencies)) {
  for (const [id, folder] of closure(name, root)) if (!brought.has(id)) installed.set(id, bytesIn(folder));
}
console.log("\n| installed beside Express's own | kB |\n|---|--:|");
for (const [id, bytes] of installed) console.log(`| ${id} | ${Math.round(bytes / 1000)} |`);
const total = [...installed.values()].reduce((sum, bytes) => sum + bytes, 0);
console.log(`| all | ${Math.round(total / 1000)} |`);
