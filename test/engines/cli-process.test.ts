/** The command line and a receiver in processes of their own: what they print, and that they end. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { buildSources } from "../support/built-sources.js";

let built: Awaited<ReturnType<typeof buildSources>>;
let folder: string;
const children = new Set<ChildProcess>();

beforeAll(async () => {
  built = await buildSources();
  folder = mkdtempSync(join(tmpdir(), "hookgate-cli-process-"));
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
  await built.remove();
});

function run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const { NODE_NO_WARNINGS: _, ...env } = process.env;
  const child = spawn(process.execPath, args, { cwd: folder, env: { ...env, NODE_OPTIONS: "" } });
  children.add(child);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

const cli = (...args: string[]) => run(join(built.folder, "cli", "main.js"), ...args);

/** A module with a receiver on `db`, and what else it does. */
function moduleFile(name: string, { db, more }: { readonly db: string; readonly more: string }): string {
  const at = (file: string) => JSON.stringify(pathToFileURL(join(built.folder, file)).href);
  const path = join(folder, name);
  writeFileSync(
    path,
    `import { createServer } from "node:http";
import { createReceiver } from ${at("index.js")};
import { sqliteEngine } from ${at("inbox/sqlite/index.js")};
export const receiver = createReceiver({
  name: "orders",
  auth: { serviceKey: "k".repeat(43) },
  inbox: { engine: sqliteEngine(${JSON.stringify(join(folder, db))}) },
});
receiver.onAny(() => {});
${more}
`,
  );
  return path;
}

describe("warnings of Node.js about its own SQLite", () => {
  it("are printed neither by a receiver with an inbox nor by the commands that read one", async () => {
    const started = await run(
      moduleFile("once.mjs", { db: "quiet.db", more: "await receiver.start(); await receiver.close();" }),
    );
    expect(started.code).toBe(0);
    expect(started.stderr).not.toContain("ExperimentalWarning");

    const listed = await cli("events", "list", "--db", "quiet.db");
    expect(listed).toEqual({ code: 0, stdout: "", stderr: "No event matches.\n" });
  });

  it("hide no other warning from who runs a command", async () => {
    const path = moduleFile("warns.mjs", { db: "warns.db", more: 'process.emitWarning("mind this");' });
    expect((await cli("doctor", path)).stderr).toContain("mind this");
  });
});

describe("hookgate doctor in a process", () => {
  it("ends though the module starts a server and its receiver", async () => {
    const path = moduleFile("server.mjs", {
      db: "server.db",
      more: 'await receiver.start(); createServer(receiver.middleware()).listen(0, "127.0.0.1");',
    });
    const { code, stderr } = await cli("doctor", path);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringContaining("receiver: nothing to say\n"),
    });
  });
});
