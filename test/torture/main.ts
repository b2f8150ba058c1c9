/**
 * The long form: `npm run torture -- --kills 500 --terms 200 --mixes 100 --seed 7`. Each may also be given as a variable,
 * HOOKGATE_TORTURE_KILLS and so on. Nothing is killed that was not started here. The exit code is 1 where a promise broke.
 */
import { parseArgs } from "node:util";
import { programIn } from "./build.js";
import { endUnderLoad, type KillOptions, type KillResult } from "./kills.js";

const defaults = { kills: 500, terms: 200, mixes: 200, servers: 3, seed: Date.now() % 1_000_000_000 };
type Name = keyof typeof defaults;
const names = Object.keys(defaults) as Name[];

/** Rounds of one run on one file: more would only make the file larger, and its checks slower. */
const roundsPerFile = 100;
const graceMs = 500;
const slowMs = 1_500;

function readSettings(): Record<Name, number> {
  const options = Object.fromEntries(names.map((name) => [name, { type: "string" as const }]));
  const { values } = parseArgs({ options });
  const entries = names.map((name) => {
    const text = values[name] ?? process.env[`HOOKGATE_TORTURE_${name.toUpperCase()}`];
    const value = text === undefined ? defaults[name] : Number(text);
    if (!Number.isInteger(value) || value < 0)
      throw new TypeError(`--${name} must be a whole number, not ${text}`);
    return [name, value] as const;
  });
  return Object.fromEntries(entries) as Record<Name, number>;
}

const settings = readSettings();
const program = programIn(import.meta.dirname);
console.log(`seed ${settings.seed} (the same seed chooses the same; the machine's own timing differs)`);

/** What a result breaks, in words. */
function faultsIn(
  { faults, promised, exits, lost, overcounted }: KillResult,
  how: KillOptions["how"],
): readonly string[] {
  const strange = [...promised.answers].filter(([status]) => ![0, 200, 202, 503].includes(status));
  const bad = exits.filter(({ code, tookMs }) => code !== 0 || tookMs > graceMs + 1_000);
  return [
    ...faults,
    ...strange.map(([status, count]) => `${count} answers of ${status}`),
    ...bad.map(
      ({ code, signal, tookMs, output }) =>
        `ended with ${code ?? signal} in ${Math.round(tookMs)} ms: ${lastWords(output)}`,
    ),
    ...(how === "terminate" && lost + overcounted > 0
      ? [`${lost} attempts were lost and ${overcounted} counted too much, and nothing was killed`]
      : []),
  ];
}

/** Without what failed as it was told to, and without stacks. */
function lastWords(output: string): string {
  const lines = output.split("\n").filter((line) => !/ ERROR |^ready/.test(line));
  return lines.map((line) => line.slice(0, 200)).join("\n    ");
}

async function run(what: string, how: KillOptions["how"], rounds: number, servers: number): Promise<number> {
  let broken = 0;
  for (let done = 0; done < rounds; done += roundsPerFile) {
    const result = await endUnderLoad({
      ...{ program, how, servers, slowMs, seed: settings.seed + done, server: { graceMs } },
      rounds: Math.min(roundsPerFile, rounds - done),
      progress: (line) => process.stdout.isTTY && process.stdout.write(`\r${what}: ${line}   `),
    });
    const { promised, lost, later, exits } = result;
    const slowest = Math.round(Math.max(0, ...exits.map(({ tookMs }) => tookMs)));
    const answers = [...promised.answers]
      .sort(([a], [b]) => a - b)
      .map(([status, n]) => `${n} x ${status || "none"}`);
    console.log(
      `\n${what} ${done + 1} to ${Math.min(done + roundsPerFile, rounds)}: ${promised.acknowledged.size} acknowledged ` +
        `(${answers.join(", ")}), ${lost} attempts lost, ${later} tasks done later, slowest end ${slowest} ms`,
    );
    const faults = faultsIn(result, how);
    broken += faults.length;
    for (const fault of faults.slice(0, 20)) console.log(`  BROKEN: ${fault}`);
  }
  return broken;
}

const broken =
  (await run("kill -9", "kill", settings.kills, 1)) +
  (await run("SIGTERM", "terminate", settings.terms, 1)) +
  (await run(`either, ${settings.servers} servers on one file`, "mixed", settings.mixes, settings.servers));
console.log(broken === 0 ? "every promise was kept" : `${broken} promises were broken`);
process.exitCode = broken === 0 ? 0 : 1;
