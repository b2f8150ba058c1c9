/** What becomes of tasks whose process stalls or dies, over servers in processes of their own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { buildProgram, type Program } from "../torture/build.js";
import { isWriteLocked, query, readLog, unfinished } from "../torture/file.js";
import type { LogLine, ServerOptions } from "../torture/options.js";
import { type ServerProcess, type StartOptions, startServer } from "../torture/process.js";
import { createSender, type Sender } from "../torture/sender.js";
import { until } from "../torture/until.js";

jest.setTimeout(90_000);

let program: Program;
let folder: string;
let sender: Sender;
const servers: ServerProcess[] = [];

beforeAll(() => {
  program = buildProgram();
});
afterAll(() => program.remove());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hookgate-crash-"));
  sender = createSender(1_000);
});
afterEach(async () => {
  sender.close();
  await Promise.all(servers.splice(0).map((server) => server.kill()));
  rmSync(folder, { recursive: true, force: true });
});

const db = (): string => join(folder, "hooks.db");
const log = (): readonly LogLine[] => readLog(join(folder, "log"));

function start(options: Partial<ServerOptions> = {}, how: StartOptions = {}): ServerProcess {
  const server = startServer(program, { db: db(), log: join(folder, "log"), ...options }, how);
  servers.push(server);
  return server;
}

/** How often a handler was begun, and by whom. */
function starts(handler: string, pid?: number): readonly LogLine[] {
  return log().filter(
    (line) => line.what === "start" && line.handler === handler && (pid === undefined || line.pid === pid),
  );
}

interface TaskRow {
  readonly id: string;
  readonly state: number;
  readonly attempts: number;
  readonly error: string | null;
}

const tasks = (): readonly TaskRow[] =>
  query<TaskRow>(
    db(),
    "SELECT e.id, t.state, t.attempts, t.error FROM hookgate_tasks t JOIN hookgate_events e ON e.event = t.event",
  );

describe("one id, sent 1,000 times at once to two processes on one file", () => {
  it("H04, H22: is one row, handled once, and answered 200 or 202 alone", async () => {
    const ports = await Promise.all([start().ready, start({ mount: "listener" }).ready]);
    const sent = Array.from({ length: 1_000 }, (_, at) =>
      sender.send(ports[at % 2] as number, "load", "same"),
    );
    const statuses = (await Promise.all(sent)).map((heard) => heard?.status ?? 0);
    expect(statuses.filter((status) => status === 202)).toHaveLength(1);
    expect(statuses.filter((status) => status === 200)).toHaveLength(999);
    expect(query(db(), "SELECT id FROM hookgate_events")).toHaveLength(1);
    await until("its handling", () => unfinished(db()) === 0);
    expect(tasks().map(({ state, attempts }) => [state, attempts])).toEqual([
      [3, 1],
      [3, 1],
      [3, 1],
    ]);
    expect(query(db(), "SELECT id FROM effects WHERE handler = 'effect'")).toHaveLength(1);
    expect(log().filter(({ what, handler }) => what === "end" && handler === "log")).toHaveLength(1);
  });
});

describe("a worker that is stopped past its lease and goes on later", () => {
  const ends = ["done", "complete", "throw", "dead"] as const;
  const events = ends.flatMap((end) => [1, 2, 3].map((number) => ({ id: `${end}-${number}`, end })));

  /** Stops a process where it does not hold the file's lock: nobody could write until it went on. */
  async function stopUnlocked(server: ServerProcess): Promise<void> {
    await until("a stop outside of a transaction", () => {
      server.signal("SIGSTOP");
      if (!isWriteLocked(db())) return true;
      server.signal("SIGCONT");
      return false;
    });
  }

  it("H08: has every late step refused, and effects are there exactly once", async () => {
    const zombie = start({ gate: "shut", leaseMs: 500 });
    const port = await zombie.ready;
    for (const { id, end } of events)
      expect((await sender.send(port, "gate", id, { end }))?.status).toBe(202);
    await until("its runs", () => starts("gate", zombie.pid).length === events.length);
    await stopUnlocked(zombie);
    const heir = start({ leaseMs: 500 });
    await heir.ready;
    await until("the other's runs", () => unfinished(db()) === 0);
    const before = tasks();
    expect(before.map(({ state, attempts }) => [state, attempts])).toEqual(events.map(() => [3, 2]));

    zombie.signal("SIGCONT");
    zombie.signal("SIGUSR2");
    const late = () => log().filter(({ what, pid }) => pid === zombie.pid && ["end", "lost"].includes(what));
    await until("its late ends", () => late().filter(({ id }) => !/throw|dead/.test(id)).length === 6);
    expect((await zombie.terminate()).code).toBe(0);

    expect(tasks()).toEqual(before);
    const mine = log().filter(({ pid }) => pid === zombie.pid);
    expect(mine.filter(({ what }) => ["handled", "failed", "retried", "dead"].includes(what))).toEqual([]);
    const lost = mine.filter(({ what }) => what === "lost");
    expect(lost.map(({ id, message }) => [id, message]).sort()).toEqual(
      [1, 2, 3].map((number) => [`complete-${number}`, "ERR_LEASE_LOST"]),
    );
    const effects = query<{ id: string; pid: number }>(db(), "SELECT id, pid FROM effects ORDER BY id");
    expect(effects.map(({ id, pid }) => [id, pid])).toEqual(
      [1, 2, 3].map((number) => [`complete-${number}`, heir.pid]),
    );
  });
});

describe("a handler that kills its process", () => {
  it("H09: is a dead letter after maxAttempts, with every attempt counted as lost, and others are handled", async () => {
    const options = { maxAttempts: 3, leaseMs: 300 };
    const first = start(options);
    const port = await first.ready;
    void sender.send(port, "poison", "poison-1");
    await until("the first death", () => starts("poison").length === 1);
    await first.exit;
    for (let restarts = 0; starts("poison").length < 3; restarts++) {
      expect(restarts).toBeLessThan(3);
      expect((await start(options).exit).signal).toBe("SIGKILL");
    }
    const last = start(options);
    const [healthy] = [await sender.send(await last.ready, "load", "healthy-1")];
    expect(healthy?.status).toBe(202);
    await until("the end of every task", () => unfinished(db()) === 0);
    expect((await last.terminate()).code).toBe(0);

    const poison = tasks().filter(({ id }) => id === "poison-1");
    expect(poison.map(({ state, attempts }) => [state, attempts])).toEqual([[4, 3]]);
    expect(JSON.parse(poison[0]?.error ?? "{}")).toMatchObject({ code: "ERR_LEASE_LOST" });
    expect(query(db(), "SELECT attempt, outcome FROM hookgate_attempts ORDER BY number")).toMatchObject([
      { attempt: 1, outcome: "lost" },
      { attempt: 2, outcome: "lost" },
      { attempt: 3, outcome: "lost" },
    ]);
    expect(starts("poison").map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect(tasks().filter(({ id, state }) => id === "healthy-1" && state === 3)).toHaveLength(3);
    expect(log().filter(({ what }) => what === "dead")).toMatchObject([{ id: "poison-1", pid: last.pid }]);
  });
});

describe("a process whose wall clock is set", () => {
  const hourMs = 3_600_000;

  it.each([hourMs, -hourMs])("H15: by %i ms expires nothing and delays nothing", async (shiftMs) => {
    const environment = { HOOKGATE_SHIFTS: String(shiftMs) };
    // It looks at the other's sign of life ten times as often as that changes.
    const shifted = start({ leaseMs: 400 }, { flags: ["--import", program.shiftClock], environment });
    const other = start({ leaseMs: 4_000 });
    const ports = await Promise.all([shifted.ready, other.ready]);
    // Long enough for both to be running when the clock is set, and for several leases behind it.
    for (const port of ports) {
      for (const number of [1, 2, 3])
        await sender.send(port, "wait", `runs-${port}-${number}`, { ms: 4_000 });
      await sender.send(port, "wait", `fails-${port}`, { fail: 1 });
    }
    const ids = (): number => new Set(starts("wait").map(({ id }) => id)).size;
    await until("every first run", () => ids() === 8);
    await until("the retries", () => log().filter(({ what }) => what === "retried").length === 2);
    shifted.signal("SIGUSR2");
    await shifted.says(`shifted ${shiftMs}`);
    for (const port of ports) await sender.send(port, "load", `later-${port}`);
    expect((await sender.send(ports[0] as number, "load", `later-${ports[0]}`))?.status).toBe(200);
    await until("every end", () => unfinished(db()) === 0);

    expect(query(db(), "SELECT * FROM hookgate_attempts WHERE outcome = 'lost'")).toEqual([]);
    const failed = (id: string): boolean => id.startsWith("fails");
    for (const { id, attempts } of tasks()) expect([id, attempts]).toEqual([id, failed(id) ? 2 : 1]);
    for (const port of ports) {
      const of = (what: string) =>
        log().find((line) => line.id === `fails-${port}` && line.what === what)?.atMs;
      const waitedMs = (of("end") ?? 0) - (of("retried") ?? 0);
      expect(waitedMs).toBeGreaterThan(1_400);
      expect(waitedMs).toBeLessThan(4_000);
    }
    for (const server of [shifted, other]) expect((await server.terminate()).code).toBe(0);
  });

  it.each([hourMs, -hourMs])("H15: by %i ms between two runs on one file delays nothing", async (shiftMs) => {
    const first = start();
    const port = await first.ready;
    await sender.send(port, "wait", "fails-1", { fail: 1 });
    await until("a retry", () => log().some(({ what }) => what === "retried"));
    await first.kill();
    const environment = { HOOKGATE_FIRST_SHIFT: String(shiftMs) };
    const second = start({}, { flags: ["--import", program.shiftClock], environment });
    expect((await sender.send(await second.ready, "wait", "fails-1", { fail: 1 }))?.status).toBe(200);
    await sender.send(await second.ready, "wait", "fails-2", { fail: 1 });
    await until("every end", () => unfinished(db()) === 0, 10_000);
    expect(tasks().map(({ id, state, attempts }) => [id, state, attempts])).toEqual([
      ["fails-1", 3, 2],
      ["fails-2", 3, 2],
    ]);
    expect((await second.terminate()).code).toBe(0);
  });
});
