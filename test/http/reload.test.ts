import { createHash } from "node:crypto";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterAll, afterEach, describe, expect, it } from "@jest/globals";
import { createReceiver, credentialsFromFile, type Duration, type FileCredentials } from "hookgate";
import { createScene, mounts } from "../support/scene.js";

const scene = createScene();
const folder = mkdtempSync(join(tmpdir(), "hookgate-reload-"));
const path = join(folder, "credentials.json");
const opened: FileCredentials[] = [];

afterEach(async () => {
  for (const credentials of opened.splice(0)) credentials.close();
  await scene.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const stable = scene.secret("stable");
const keyOf = (generation: number): string => `canary-${generation}-0123456789abcdef0123456789abcdef`;
const digestOf = (key: string): string => `sha256:${createHash("sha256").update(key).digest("hex")}`;

function contentOf(generation: number): string {
  const serviceKeys = [
    { id: "stable", digest: digestOf(stable) },
    { id: `generation-${generation}`, digest: digestOf(keyOf(generation)) },
  ];
  // Format versions 1 and 2 in turn.
  const version = generation % 2 === 0 ? {} : { version: 2 };
  return JSON.stringify({ ...version, tenants: { acme: { services: { orders: { serviceKeys } } } } });
}

/** As the command line does it: beside the file, then by renaming. */
function replaceFile(generation: number): void {
  writeFileSync(`${path}.new`, contentOf(generation));
  renameSync(`${path}.new`, path);
}

async function start(pollInterval: Duration) {
  replaceFile(0);
  const credentials = credentialsFromFile(path, { pollInterval });
  opened.push(credentials);
  const receiver = createReceiver({
    name: "orders",
    auth: { accept: ["service-key"], credentials },
    type: () => "any",
    logger: scene.logger,
    hooks: scene.hooks,
  });
  receiver.onAny(() => {});
  const port = await scene.listen(mounts[2]![1](receiver.middleware()));
  const status = async (key: string) => (await scene.send(port, { key, body: {} })).status;
  /** Sends with the stable key until told to end; gives how often each status came. */
  const load = (senders: number) => {
    const counts = new Map<number, number>();
    let on = true;
    const loops = Array.from({ length: senders }, async () => {
      while (on) {
        const came = await status(stable);
        counts.set(came, (counts.get(came) ?? 0) + 1);
      }
    });
    return async () => {
      on = false;
      await Promise.all(loops);
      return counts;
    };
  };
  return { credentials, status, load };
}

describe("the credentials file, reloaded under load", () => {
  it("C08 C09 loses no delivery over 1,000 reloads, and takes no key that was removed", async () => {
    const { credentials, status, load } = await start("1m");
    const end = load(1);
    for (let generation = 1; generation <= 1000; generation++) {
      if (generation % 10 === 0) {
        // Somebody writes the file in place and has not finished: the last good state stays.
        writeFileSync(path, contentOf(generation).slice(0, -20));
        expect(credentials.reload()).toBe(false);
        if (generation % 50 === 0) expect(await status(stable)).toBe(200);
      }
      replaceFile(generation);
      expect(credentials.reload()).toBe(true);
      if (generation % 10 === 0) {
        expect([await status(keyOf(generation)), await status(keyOf(generation - 1))]).toEqual([200, 401]);
      } else await turn();
    }
    const counts = await end();
    expect([...counts.keys()]).toEqual([200]);
    expect(counts.get(200)).toBeGreaterThan(100);
  }, 60_000);

  it("C08 C09 follows the file by itself, and takes a removed key never again", async () => {
    const { status, load } = await start("50ms");
    const end = load(1);
    for (let generation = 1; generation <= 20; generation++) {
      replaceFile(generation);
      while ((await status(keyOf(generation))) !== 200);
      expect(await status(keyOf(generation - 1))).toBe(401);
    }
    expect([...(await end()).keys()]).toEqual([200]);
  }, 60_000);

  it("C09 keeps the last good state while the file is gone, empty or without any credential", async () => {
    const { credentials, status } = await start("1m");
    for (const content of [undefined, "", "{}", '{"tenants":{}}', "null", '{"tenants":null}']) {
      if (content === undefined) rmSync(path);
      else writeFileSync(path, content);
      expect([content, credentials.reload(), await status(stable), await status("wrong")]).toEqual([
        content,
        false,
        200,
        401,
      ]);
    }
    replaceFile(1);
    expect([credentials.reload(), await status(keyOf(0)), await status(keyOf(1))]).toEqual([true, 401, 200]);
  });
});

it("I01 shows no key in log and answers", () => {
  expect(scene.leaks()).toEqual([]);
  expect(scene.takeLog().filter((line) => line.includes("canary-"))).toEqual([]);
});
