/** Every command of docs/guides/backup.md is pasted into a shell, in the order of the page. */
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { blocksOf, root } from "../docs/pages.js";
import { buildSources } from "../support/built-sources.js";
import { newDelivery } from "../support/inbox-parts.js";

const path = "docs/guides/backup.md";
const page = { path, text: readFileSync(join(root, path), "utf8") };

/** The commands under a heading, each of one line. */
function commandsUnder(heading: string): readonly string[] {
  const [, part = ""] = page.text.split(`\n## ${heading}\n`);
  const text = part.split("\n## ")[0] ?? "";
  const commands = blocksOf({ path, text })
    .filter(({ info }) => info === "sh")
    .flatMap(({ code }) => code.split("\n").map((line) => line.trim()));
  if (commands.length === 0) throw new Error(`there is no command under ${heading}`);
  return commands;
}

let built: Awaited<ReturnType<typeof buildSources>>;
let folder: string;
let bin: string;
beforeAll(async () => {
  built = await buildSources();
  bin = mkdtempSync(join(tmpdir(), "hookgate-bin-"));
  const cli = `${JSON.stringify(process.execPath)} --no-warnings ${JSON.stringify(join(built.folder, "cli/main.js"))}`;
  script("npx", `[ "$1" = hookgate ] && shift && exec ${cli} "$@"`);
  // The other host is a folder.
  script("scp", 'cp "$1" new-host/');
  script("ssh", 'cd "$1" && shift && exec "$@"');
});
afterAll(async () => {
  rmSync(bin, { recursive: true });
  await built.remove();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hookgate-guide-"));
  mkdirSync(join(folder, "new-host"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function script(name: string, text: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(bin, name), 0o755);
}

function paste(command: string): Promise<{ readonly code: number | null; readonly wrote: string }> {
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
  const shell = spawn("bash", ["-c", command], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  let wrote = "";
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      wrote += text;
    });
  }
  return new Promise((resolve) => shell.on("close", (code) => resolve({ code, wrote })));
}

type Engine = ReturnType<typeof import("hookgate/sqlite").sqliteEngine>;

async function withInbox<Result>(file: string, use: (engine: Engine) => Promise<Result>): Promise<Result> {
  const url = pathToFileURL(join(built.folder, "inbox/sqlite/index.js")).href;
  const { sqliteEngine }: typeof import("hookgate/sqlite") = await import(url);
  const engine = sqliteEngine(join(folder, file));
  await engine.open({ note: () => undefined });
  try {
    return await use(engine);
  } finally {
    await engine.close();
  }
}

const idsIn = (file: string): Promise<readonly string[]> =>
  withInbox(file, async (engine) => (await engine.list({ oldestFirst: true })).items.map(({ id }) => id));

async function pasteAll(heading: string, between?: () => Promise<void>): Promise<string> {
  let wrote = "";
  for (const command of commandsUnder(heading)) {
    const ran = await paste(command);
    expect({ command, ...ran }).toMatchObject({ code: 0 });
    wrote += ran.wrote;
    await between?.();
  }
  return wrote;
}

/** Text of the page with its times and sizes left open. */
function shaped(text: string): string {
  return text
    .replace(/\d+(\.\d+)? (KB|MB|bytes)/g, "SIZE")
    .replace(/\d+\.\d s/g, "TIME")
    .replace(/\d{8}T\d{6}Z/g, "WHEN");
}

const outputUnder = (heading: string): string => {
  const [, part = ""] = page.text.split(`\n## ${heading}\n`);
  return (
    blocksOf({ path, text: part.split("\n## ")[0] ?? "" }).find(({ info }) => info === "text")?.code ?? ""
  );
};

describe("the guide to backup, restore and moving", () => {
  it("makes a backup while the app runs, restores it, and restores in place of a damaged file", async () => {
    await withInbox("hooks.db", async (engine) => {
      await engine.accept([newDelivery("before")]);
      const wrote = await pasteAll("Make a backup");
      expect(shaped(wrote).trim()).toBe(shaped(outputUnder("Make a backup")));
      await engine.accept([newDelivery("after")]);
    });
    const [restore, ...again] = commandsUnder("Restore");
    const ran = await paste(restore ?? "");
    expect(shaped(ran.wrote).trim()).toBe(shaped(outputUnder("Restore")));
    expect(await idsIn("hooks.db")).toEqual(["before"]);
    const kept = readdirSync(folder).find((name) => name.includes("replaced")) ?? "";
    expect(await idsIn(kept)).toEqual(["before", "after"]);

    writeFileSync(join(folder, "hooks.db"), "x".repeat(10_000));
    for (const command of again) expect(await paste(command)).toMatchObject({ code: 0 });
    expect(await idsIn("hooks.db")).toEqual(["before"]);
  });

  it("moves an inbox to another host", async () => {
    await withInbox("hooks.db", (engine) => engine.accept([newDelivery("e1"), newDelivery("e2")]));
    await pasteAll("Move to another host");
    expect(await idsIn("new-host/hooks.db")).toEqual(["e1", "e2"]);
  });

  it("gives space back", async () => {
    const dead = { name: "Error", message: "no" };
    await withInbox("hooks.db", async (engine) => {
      await engine.accept([newDelivery("e1")]);
      await engine.accept([
        newDelivery("dead", {
          events: [
            { id: "dead", type: "t", digest: "", deduplicateBy: "id", tasks: [{ handler: "ship", dead }] },
          ],
        }),
      ]);
    });
    const wrote = await pasteAll("Give space back to the disk");
    expect(wrote).toMatch(/purged\.\n\d+ KB before, \d+ KB now\.\n$/);
    expect(await idsIn("hooks.db")).toEqual(["e1", "dead"]);
  });
});
