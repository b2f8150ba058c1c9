/** Each example is started as `npm run example` starts it, and every request that it prints is pasted into a shell. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import { transform } from "@swc/core";
import { buildSources } from "../support/built-sources.js";
import { until } from "../support/inbox-scene.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const examples = join(root, "examples");

let built: Awaited<ReturnType<typeof buildSources>>;
/** A package with the built sources as its `dist`, in which examples find `hookgate` as they do in the repository. */
let folder = "";
beforeAll(async () => {
  built = await buildSources();
  folder = `${built.folder}-examples`;
  await mkdir(join(folder, "build"), { recursive: true });
  const { name, type, exports } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  await writeFile(join(folder, "package.json"), JSON.stringify({ name, type, exports }));
  await symlink(built.folder, join(folder, "dist"), "junction");
  for (const file of await readdir(examples, { recursive: true })) {
    if (file.endsWith(".ts")) await compile(file);
  }
});

async function compile(file: string): Promise<void> {
  const target = join(folder, "build/examples", file.replace(/\.ts$/, ".js"));
  const { code } = await transform(await readFile(join(examples, file), "utf8"), {
    jsc: { target: "es2022", parser: { syntax: "typescript" } },
    module: { type: "es6" },
  });
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, code);
}

const servers: ChildProcess[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.kill("SIGKILL");
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await built.remove();
});

/** A process, and what it has written so far. */
function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
  const child = spawn(command, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (piece) => {
      text += piece;
    });
  }
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject).on("close", resolve);
  });
  return { child, ended, text: () => text };
}

function start(name: string, port = "0") {
  const env = {
    ...process.env,
    // Node.js 22 and 24 warn where their own SQLite is used.
    NODE_OPTIONS: "--disable-warning=ExperimentalWarning",
    PORT: port,
    DB: join(folder, `${name}.db`),
    TMPDIR: folder,
  };
  const server = run(process.execPath, ["build/examples/run.js", name], env);
  servers.push(server.child);
  return server;
}

/** Each command that is printed to be pasted, with the comment over it. */
function commandsIn(text: string): readonly (readonly [about: string, command: string])[] {
  let about = "";
  return [...text.matchAll(/^(?:# (.*)|(?:node|curl) (?:.*\\\n)*.*)$/gm)].flatMap(([match, comment]) => {
    if (comment === undefined) return [[about, match] as const];
    about = comment;
    return [];
  });
}

/** The statuses in what `hookgate send` and `curl -i` write. */
function statusesIn(output: string): readonly number[] {
  return [...output.matchAll(/^(?:HTTP\/1\.1 )?(\d{3}) \w/gm)].map(([, status]) => Number(status));
}

const ready: readonly (readonly [name: string, lastWords: string])[] = [
  ...[
    ...["atlassian-connect", "cloudevents", "custom", "github", "google-pubsub", "http-signature", "plaid"],
    ...["quickstart", "shopify", "slack", "standard-webhooks", "stripe", "twilio", "vonage"],
  ].map((name) => [name, "What arrives is shown below."] as const),
  ["webex-connect", "/events/DEMO0WEBHOOK"],
  ["webex-connect-outbound", "/spaces"],
];

describe("npm run example", () => {
  it.each(ready)(
    "%s: what it prints to be pasted is taken, or refused where it says so",
    async (name, last) => {
      const { child, ended, text } = start(name);
      await until(() => text().includes(last) || child.exitCode !== null);
      const exports = [...text().matchAll(/^export .*\n/gm)].join("");
      const commands = commandsIn(text());
      expect(commands.length).toBeGreaterThanOrEqual(2);
      const tried = commands.map(async ([about, command]) => {
        const shell = run("bash", ["-c", `${exports}${command}`]);
        const code = await shell.ended;
        const statuses = statusesIn(shell.text());
        const refused = about.startsWith("refused");
        const fits = (status: number): boolean => (refused ? status >= 400 && status < 500 : status < 300);
        const asSaid = statuses.every(fits) && (refused ? statuses.length > 0 : code === 0);
        expect({ about, asSaid, wrote: asSaid || `${shell.text()}${text()}` }).toEqual({
          about,
          asSaid: true,
          wrote: true,
        });
      });
      await Promise.all(tried);
      child.kill("SIGTERM");
      expect(await ended).toBe(0);
    },
  );

  it.each(["quickstart", "github", "cloudevents", "webex-connect"])(
    "%s: says in one clear line that the port is taken",
    async (name) => {
      const taken = createServer();
      await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
      const { port } = taken.address() as AddressInfo;
      const { ended, text } = start(name, String(port));
      expect(await ended).toBe(1);
      taken.close();
      expect(text()).toMatch(
        /^(?:\S+ INFO [^\n]*\n)*The port is taken; choose another one: PORT=3001 [^\n]*\n$/,
      );
    },
  );

  it("says which there are, where none is named, and its page has them all", async () => {
    const { ended, text } = run(process.execPath, ["build/examples/run.js"]);
    expect(await ended).toBe(2);
    const names = ready.map(([name]) => name);
    expect(text()).toContain(`There are: ${names.join(", ")}\n`);
    const page = await readFile(join(examples, "README.md"), "utf8");
    expect([...page.matchAll(/^\| \[`([\w-]+)`\]\(\1\/\)/gm)].map(([, name]) => name).sort()).toEqual(names);
  });
});
