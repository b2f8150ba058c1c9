/** The inbox's files are taken away under a running server: by another SQLite library in its process, or by hand. */
import { chmodSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { buildProgram, type Program, secondLibrary } from "../torture/build.js";
import { query, unfinished } from "../torture/file.js";
import { monotonicMs } from "../torture/options.js";
import { type ServerProcess, startServer } from "../torture/process.js";
import { createPromised, createSender, hear, type Promised, type Sender } from "../torture/sender.js";
import { until } from "../torture/until.js";

jest.setTimeout(120_000);

let program: Program;
let library: string;
let folder: string;
let db: string;
let sender: Sender;
let promised: Promised;
const servers: ServerProcess[] = [];

beforeAll(() => {
  program = buildProgram();
  library = secondLibrary(program);
});
afterAll(() => program.remove());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hookgate-second-"));
  db = join(folder, "hooks.db");
  sender = createSender(20);
  promised = createPromised();
});
afterEach(async () => {
  sender.close();
  await Promise.all(servers.splice(0).map((server) => server.kill()));
  rmSync(folder, { recursive: true, force: true });
});

const replaced = /(removed|replaced|locks on .* were lost)/;

async function start(): Promise<{ readonly server: ServerProcess; readonly port: number }> {
  const server = startServer(
    program,
    { db, log: join(folder, "log") },
    { flags: ["--import", program.secondLibrary], environment: { HOOKGATE_SECOND_LIBRARY: library } },
  );
  servers.push(server);
  return { server, port: await server.ready };
}

async function send(port: number, id: string): Promise<number> {
  promised.sent.add(id);
  const heard = await sender.send(port, "load", id);
  hear(promised, id, heard);
  return heard?.status ?? 0;
}

/** Sends so many deliveries, each until it is taken. Returns the statuses that came before. */
async function sendUntilTaken(port: number, prefix: string, count = 20): Promise<number[]> {
  const refused: number[] = [];
  for (let at = 0; at < count; at++) {
    await until(`a 2xx for ${prefix}-${at}`, async () => {
      const status = await send(port, `${prefix}-${at}`);
      if (status < 200 || status > 299) refused.push(status);
      return status === 202 || status === 200;
    });
  }
  return refused;
}

let uses = 0;
/**
 * Waits for the tasks first: a library whose locks do not work, and that reads the log while the store commits, damages the
 * file by itself, with any writer; nothing can prevent that. What the store can do is held here: lose nothing by what follows.
 */
async function useSecondLibrary(server: ServerProcess): Promise<void> {
  await until("no task is left", () => unfinished(db) === 0);
  const said = server.output().split("the second library has closed").length;
  server.signal("SIGUSR2");
  await until(
    `use ${++uses} of the second library`,
    () => server.output().split("the second library has closed").length > said,
  );
}

/** Acknowledged ids that the file does not have, once nobody has it open. */
function lost(): string[] {
  expect(query(db, "PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
  const there = new Set(query<{ id: string }>(db, "SELECT id FROM hookgate_events").map(({ id }) => id));
  return [...promised.acknowledged].filter((id) => !there.has(id));
}

async function killAll(): Promise<void> {
  await Promise.all(servers.splice(0).map((server) => server.kill()));
}

const timesSaid = (server: ServerProcess, text: RegExp): number =>
  server
    .output()
    .split("\n")
    .filter((line) => text.test(line)).length;

describe("one process", () => {
  it("names the other library when it starts", async () => {
    const { server } = await start();
    expect(timesSaid(server, /WARN .*another SQLite library is loaded in this process: .*sqlite/)).toBe(1);
  });

  it("H20: keeps its files from other users, and warns of one that they can read", async () => {
    const { port } = await start();
    await sendUntilTaken(port, "private", 1);
    const modes = ["", "-wal", "-shm"].map((end) => statSync(`${db}${end}`).mode & 0o777);
    expect(modes).toEqual([0o600, 0o600, 0o600]);
    await killAll();
    chmodSync(db, 0o644);
    const { server } = await start();
    expect(
      timesSaid(server, /WARN .*every user of this machine can read the inbox's file \(mode 644\)/),
    ).toBe(1);
  });

  it("has a new store thread where one has ended, and takes deliveries again without a restart", async () => {
    const server = startServer(
      program,
      { db, log: join(folder, "log") },
      { flags: ["--import", program.breakThreads] },
    );
    servers.push(server);
    const port = await server.ready;
    expect(await sendUntilTaken(port, "before", 5)).toEqual([]);
    server.signal("SIGUSR2");
    await server.says("a thread has ended");
    const refused = await sendUntilTaken(port, "after", 20);
    // A heartbeat may have met it first, and the file may be open again.
    expect(refused.filter((status) => status !== 503)).toEqual([]);
    await killAll();
    expect(lost()).toEqual([]);
  });

  it.each<[string, (server: ServerProcess) => unknown]>([
    ["another SQLite library opens and closes the file", useSecondLibrary],
    ["the log is deleted", () => rmSync(`${db}-wal`)],
    ["the log and its index are deleted", () => [rmSync(`${db}-wal`), rmSync(`${db}-shm`)]],
    ["the index is deleted", () => rmSync(`${db}-shm`)],
    [
      "the file is moved away and put back",
      async (server) => {
        const { port } = serverPorts.get(server) ?? { port: 0 };
        renameSync(db, `${db}.away`);
        expect(await send(port, "away")).toBe(503);
        renameSync(`${db}.away`, db);
      },
    ],
  ])("H12: %s: nothing acknowledged is lost when the process is killed", async (_, change) => {
    const { server, port } = await start();
    serverPorts.set(server, { port });
    expect(await sendUntilTaken(port, "before")).toEqual([]);
    await change(server);
    const refused = await sendUntilTaken(port, "after");
    // A heartbeat may have met it first, and the file may be open again.
    expect(refused.filter((status) => status !== 503)).toEqual([]);
    await until("the line in the log", () => timesSaid(server, replaced) > 0);
    await killAll();
    expect(promised.acknowledged.size).toBeGreaterThanOrEqual(40);
    expect(lost()).toEqual([]);
  });

  it("stays at 503 where it happens again within a minute, says so once, and takes deliveries after a restart", async () => {
    const { server, port } = await start();
    await sendUntilTaken(port, "first");
    await useSecondLibrary(server);
    await sendUntilTaken(port, "second");
    await useSecondLibrary(server);
    await until("the last word", async () => {
      await send(port, `third-${promised.sent.size}`);
      return timesSaid(server, /until this process is restarted/) > 0;
    });
    const from = monotonicMs();
    // Longer than the second between two openings.
    while (monotonicMs() - from < 2_500) expect(await send(port, `late-${promised.sent.size}`)).toBe(503);
    expect(timesSaid(server, /second time within a minute/)).toBe(1);
    await killAll();
    expect(lost()).toEqual([]);
    const again = await start();
    expect(await sendUntilTaken(again.port, "restarted", 3)).toEqual([]);
    await killAll();
    expect(lost()).toEqual([]);
  });
});
const serverPorts = new Map<ServerProcess, { readonly port: number }>();

describe("three processes, each with another SQLite library", () => {
  it("acknowledge nothing between the detection and the opening, lose nothing, and leave a file that opens", async () => {
    const three = [await start(), await start(), await start()];
    for (const { port } of three) await sendUntilTaken(port, `before-${port}`, 10);
    for (const { server, port } of three) {
      await useSecondLibrary(server);
      const refused = await sendUntilTaken(port, `after-${port}`, 10);
      // A heartbeat may have met it first, and the file may be open again.
      expect(refused.filter((status) => status !== 503)).toEqual([]);
      await until("the line in the log", () => timesSaid(server, replaced) > 0);
      // Those that were not touched go on.
      for (const other of three) await sendUntilTaken(other.port, `between-${port}-${other.port}`, 3);
    }
    await Promise.all(
      three.map(async ({ server, port }) => {
        await useSecondLibrary(server);
        await until("the last word", async () => {
          await send(port, `last-${promised.sent.size}`);
          return timesSaid(server, /until this process is restarted/) > 0;
        });
        const from = monotonicMs();
        while (monotonicMs() - from < 1_500) expect(await send(port, `late-${promised.sent.size}`)).toBe(503);
      }),
    );
    await killAll();
    expect(lost()).toEqual([]);
    const again = await start();
    expect(await sendUntilTaken(again.port, "restarted", 3)).toEqual([]);
    await killAll();
    expect(lost()).toEqual([]);
  });
});
