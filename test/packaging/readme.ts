import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { root } from "./packed.js";

/** The first receiver of the README and what it takes to try it, all read from the page. */
export interface Example {
  /** The code as it stands there. */
  readonly code: string;
  /** The body of the first `curl`. */
  readonly body: string;
  readonly path: string;
  readonly keyVariable: string;
  readonly secretVariable: string;
  readonly issuer: string;
}

/** Reads the first ```ts block of the README and the `curl` behind it. */
export function readExample(): Example {
  const page = readFileSync(join(root, "README.md"), "utf8");
  const part = (what: string, text: string, pattern: RegExp): string => {
    const found = pattern.exec(text)?.[1];
    if (found === undefined) throw new Error(`README.md: no ${what} was found (${pattern})`);
    return found;
  };
  const code = part("```ts block", page, /^```ts\n(.*?)^```$/ms);
  return {
    code,
    body: part("body of a curl", page, /^ *-d '([^']+)'/m),
    path: part("path of the receiver", code, /app\.all\("([^"]+)"/),
    keyVariable: part("variable of the key", code, /process\.env\.(\w*KEY\w*)/),
    secretVariable: part("variable of the secret", code, /process\.env\.(\w*SECRET\w*)/),
    issuer: part("issuer", code, /issuer: "([^"]+)"/),
  };
}

/** The code for a project without ES modules: imports become requires, what awaits at the top goes into a function. */
export function withRequire(code: string): string {
  const [head = "", ...awaiting] = code.split(/^(?=await )/m);
  const body = awaiting.length === 0 ? "" : `(async () => {\n${awaiting.join("")}})();\n`;
  return head
    .concat(body.replace(/^await /gm, "  await "))
    .replace(/^import (\w+) from ("[^"]+");$/gm, "const $1 = require($2);")
    .replace(/^import (\{[^}]+\}) from ("[^"]+");$/gm, (_, names: string, from: string) => {
      return `const ${names.replaceAll(" as ", ": ")} = require(${from});`;
    });
}

const key = "a-service-key-of-more-than-32-characters";
const secret = "a-secret-for-tokens-of-more-than-64-characters-for-any-of-the-hashes";

/** Says which port a server listens on and lets the machine choose it, whatever the code says. */
const preload = `const { Server } = require("node:net");
const { listen, emit } = Server.prototype;
Server.prototype.listen = function (port, ...rest) { return listen.call(this, 0, ...rest); };
Server.prototype.emit = function (event, ...rest) {
  if (event === "listening") console.log("port " + this.address().port);
  return emit.call(this, event, ...rest);
};
`;

/** Starts the example in a project, sends requests, and gives the status of each and what it printed. */
export async function tryExample(
  project: string,
  file: string,
  example: Example,
): Promise<{ readonly statuses: readonly number[]; readonly printed: readonly string[] }> {
  writeFileSync(join(project, "preload.cjs"), preload);
  writeFileSync(join(project, file), file.endsWith(".cjs") ? withRequire(example.code) : example.code);
  const env = { ...process.env, [example.keyVariable]: key, [example.secretVariable]: secret };
  const child = spawn(process.execPath, ["--require", "./preload.cjs", file], { cwd: project, env });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const errors: string[] = [];
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors.push(text));
  const printed: string[] = [];
  const port = new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on("line", (line) => {
      if (line.startsWith("port ")) resolve(line.slice(5));
      else printed.push(line);
    });
    child.once("exit", (code) => reject(new Error(`${file} ended with ${code}:\n${errors.join("")}`)));
  });
  try {
    const url = `http://127.0.0.1:${await port}${example.path}`;
    const token = signedToken(example.issuer);
    const statuses: number[] = [];
    const attempts: readonly Record<string, string>[] = [
      { key },
      { authorization: `Bearer ${token}` },
      { authorization: `Bearer ${token}`, key: "wrong" },
      { authorization: `Bearer ${token.slice(0, -2)}`, key },
      { key: "wrong" },
      {},
    ];
    for (const credentials of attempts) {
      const headers = { "content-type": "application/json", ...credentials };
      statuses.push((await fetch(url, { method: "POST", headers, body: example.body })).status);
    }
    // The handler runs behind the answer.
    while (printed.length === 0 && child.exitCode === null) await new Promise((next) => setTimeout(next, 20));
    return { statuses, printed };
  } finally {
    child.kill();
    await exited;
  }
}

function signedToken(issuer: string): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg: "HS256" })}.${part({ iss: issuer, exp: Math.floor(Date.now() / 1000) + 60 })}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}
