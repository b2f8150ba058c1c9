/** Servers in processes of their own whose store is in the way of their end. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { DatabaseSync } from "@photostructure/sqlite";
import { buildProgram, type Program } from "../torture/build.js";
import { hooksPath } from "../torture/options.js";
import { type ServerProcess, startServer } from "../torture/process.js";
import { createSender, type Sender } from "../torture/sender.js";
import { until } from "../torture/until.js";

jest.setTimeout(60_000);
// A machine that is busy with other things may be late by more than we promise.
jest.retryTimes(2, { logErrorsBeforeRetry: true });

const graceMs = 500;
let program: Program;
let folder: string;
let sender: Sender;
let server: ServerProcess | undefined;
const ends: (() => void)[] = [];

beforeAll(() => {
  program = buildProgram();
});
afterAll(() => program.remove());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hookgate-closing-"));
  sender = createSender(50);
});
afterEach(async () => {
  for (const end of ends.splice(0)) end();
  sender.close();
  await server?.kill();
  rmSync(folder, { recursive: true, force: true });
});

const file = (): string => join(folder, "hooks.db");

/** A server that has taken a delivery. */
async function serve(under: readonly string[] = []): Promise<{ server: ServerProcess; port: number }> {
  server = startServer(program, { db: file(), log: join(folder, "log"), graceMs }, { under });
  const port = await server.ready;
  expect((await sender.send(port, "load", "first"))?.status).toBe(202);
  return { server, port };
}

/** Sends deliveries that the store cannot take, and waits until the server has read them. Resolves with their statuses. */
async function wait(port: number): Promise<Promise<readonly number[]>[]> {
  const ids = Array.from({ length: 30 }, (_, at) => `waiting-${at}`);
  const statuses = Promise.all(ids.map(async (id) => (await sender.send(port, "load", id))?.status ?? 0));
  // Whatever came before it on this machine has been read when it is answered.
  await fetch(`http://127.0.0.1:${port}${hooksPath}`, { method: "PUT" });
  return [statuses];
}

describe("H17: a server that is told to end", () => {
  it("ends within its grace and a second while another process holds the write lock; who waits is answered 503", async () => {
    const { server, port } = await serve();
    const db = new DatabaseSync(file());
    ends.push(() => db.close());
    db.exec("PRAGMA busy_timeout = 10000; BEGIN IMMEDIATE");
    const [statuses] = await wait(port);
    const { code, tookMs } = await server.terminate();
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(graceMs + 1_000);
    expect(await statuses).toEqual(Array(30).fill(503));
  });

  it("ends within its grace and a second where the file was removed under a running handler", async () => {
    const { server, port } = await serve();
    await sender.send(port, "wait", "running", { ms: 100 });
    await until("a handler that runs", () => readFileSync(join(folder, "log"), "utf8").includes("running"));
    for (const suffix of ["", "-wal", "-shm"]) rmSync(`${file()}${suffix}`, { force: true });
    const [statuses] = await wait(port);
    const { code, tookMs } = await server.terminate();
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(graceMs + 1_000);
    expect(await statuses).toEqual(Array(30).fill(503));
  });

  const delayMs = 1_500;
  // From the 40th on: the file is made without them.
  const slowSyncs = ["-e", `inject=fsync,fdatasync:delay_enter=${delayMs * 1_000}:when=40+`];
  const strace = ["strace", "-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", ...slowSyncs];

  where(obstacle("strace", [...strace.slice(1), "true"]))(
    "begins no second sync after its time is up",
    async () => {
      const { server, port } = await serve(strace);
      // One commit after another, until one of them is slow.
      for (let at = 0, tookMs = 0; tookMs < delayMs / 2; at++) {
        const beganMs = performance.now();
        await sender.send(port, "load", `one-${at}`);
        tookMs = performance.now() - beganMs;
      }
      const [statuses] = await wait(port);
      const { code, tookMs } = await server.terminate();
      expect(code).toBe(0);
      expect(tookMs).toBeLessThan(graceMs + 1_000 + delayMs);
      expect(new Set(await statuses)).toEqual(new Set([503]));
      // What the last commit left behind is whole.
      const db = new DatabaseSync(file());
      ends.push(() => db.close());
      expect(db.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    },
  );
});

/** Why a check cannot be made here; undefined where it can. */
function obstacle(command: string, args: readonly string[]): string | undefined {
  const { status, error } = spawnSync(command, args, { encoding: "utf8" });
  return status === 0 ? undefined : `${command}: ${error?.message ?? `exit code ${status}`}`;
}

/** A test where there is no obstacle; else one that is skipped and says why. */
function where(reason: string | undefined): typeof it | typeof it.skip {
  if (reason !== undefined) process.stderr.write(`skipped, for this machine cannot: ${reason}\n`);
  return reason === undefined ? it : it.skip;
}
