/** What the disk has seen when a sender is answered, and a disk that is full. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { buildProgram, type Program } from "../torture/build.js";
import { faultsOf, unfinished } from "../torture/file.js";
import { monotonicMs } from "../torture/options.js";
import { type ServerProcess, startServer } from "../torture/process.js";
import { createPromised, createSender, hear, type Sender } from "../torture/sender.js";
import { readTrace, straceCommand } from "../torture/trace.js";
import { until } from "../torture/until.js";

jest.setTimeout(90_000);

let program: Program;
let folder: string;
let sender: Sender;
let server: ServerProcess | undefined;
let mounted: string | undefined;

beforeAll(() => {
  program = buildProgram();
});
afterAll(() => program.remove());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hookgate-disk-"));
  sender = createSender(50);
});
afterEach(async () => {
  sender.close();
  await server?.kill();
  if (mounted !== undefined) spawnSync("umount", ["-l", mounted]);
  mounted = undefined;
  rmSync(folder, { recursive: true, force: true });
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

const ids = (prefix: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => `${prefix}-${String(at).padStart(6, "0")}`);

describe("the calls to the kernel", () => {
  const tracing = obstacle("strace", ["-f", "-o", "/dev/null", "true"]);

  where(tracing)("H01: sync the log between an event's write and its 202, every time", async () => {
    const protocol = join(folder, "protocol");
    server = startServer(
      program,
      { db: join(folder, "hooks.db"), log: join(folder, "log") },
      { under: straceCommand(protocol) },
    );
    const port = await server.ready;
    const alone = ids("alone", 20);
    const together = ids("together", 200);
    for (const id of alone) expect((await sender.send(port, "load", id))?.status).toBe(202);
    const heard = await Promise.all(together.map((id) => sender.send(port, "load", id)));
    expect(heard.filter((answer) => answer?.status !== 202)).toEqual([]);
    server.signal("SIGTERM");
    await server.exit;
    const trace = readTrace(readFileSync(protocol, "latin1"), [...alone, ...together]);
    expect(trace.faults).toEqual([]);
    expect(trace.answered).toHaveLength(220);
    expect(trace.syncs).toBeGreaterThan(20);
  });
});

describe("a disk of 2 MB", () => {
  const trial = mkdtempSync(join(tmpdir(), "hookgate-mount-"));
  const mounting = obstacle("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", trial]);
  if (mounting === undefined) spawnSync("umount", [trial]);
  rmSync(trial, { recursive: true, force: true });

  where(mounting)(
    "H12: is 503 when it is full, never a 2xx without a row, and heals within 1 s",
    async () => {
      const disk = join(folder, "disk");
      mkdirSync(disk);
      expect(obstacle("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", disk])).toBeUndefined();
      mounted = disk;
      writeFileSync(join(disk, "ballast"), Buffer.alloc(700_000));
      const db = join(disk, "hooks.db");
      const log = join(folder, "log");
      server = startServer(program, { db, log });
      const port = await server.ready;
      const promised = createPromised();
      const send = async (id: string): Promise<number> => {
        promised.sent.add(id);
        const heard = await sender.send(port, "load", id, { padding: "x".repeat(3_000) });
        hear(promised, id, heard);
        return heard?.status ?? 0;
      };
      for (const id of ids("fill", 2_000)) {
        if ((await send(id)) === 503) break;
      }
      // Full is full: with room for a smaller one, a larger one is refused all the same.
      for (const id of ids("full", 50)) await send(id);
      expect(promised.answers.get(503)).toBeGreaterThan(10);

      rmSync(join(disk, "ballast"));
      const freedAt = monotonicMs();
      let tries = 0;
      await until("a delivery that is taken", async () => (await send(`healed-${++tries}`)) === 202);
      expect(monotonicMs() - freedAt).toBeLessThan(1_000);
      await until("every task's end", () => unfinished(db) === 0, 30_000);
      expect((await server.terminate()).code).toBe(0);
      expect(faultsOf(db, log, promised)).toEqual([]);
      expect([...promised.answers.keys()].sort()).toEqual([202, 503]);
    },
  );
});
