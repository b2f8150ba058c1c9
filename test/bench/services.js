// Redis and PostgreSQL for the contenders that need them: each in a folder of its own below the system's temporary one, on
// a free port, ended with the bench. Both sync every commit, as whoever promises to lose nothing must.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** What the kernel counts CPU time in, per second. The same on every Linux that Node.js runs on. */
const ticksPerSecond = 100;
const startMs = 20_000;

/** A new folder, taken away with all in it by `remove()`, or when the process is ended before. */
export function temporaryFolder() {
  const path = mkdtempSync(join(tmpdir(), "hookgate-bench-"));
  const clear = () => rmSync(path, { recursive: true, force: true, maxRetries: 5 });
  const quit = () => process.exit(1);
  process.on("exit", clear);
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, quit);
  const remove = () => {
    process.off("exit", clear);
    for (const signal of ["SIGINT", "SIGTERM"]) process.off(signal, quit);
    clear();
  };
  return { path, remove };
}

/**
 * Starts the services of these names in `folder`. Resolves with `{ available, connections, cpuMicros(name), stop() }`; one
 * that is not installed is not available, and that is said.
 */
export async function startServices(names, folder) {
  const running = new Map();
  // However the bench ends, they end with it, and before their folder goes. SIGQUIT has PostgreSQL end all its processes at
  // once.
  const kill = () => {
    for (const { child, atOnce } of running.values()) child.kill(atOnce);
  };
  process.prependListener("exit", kill);
  const stop = async () => {
    await Promise.all([...running.values()].map(end));
    process.off("exit", kill);
  };
  try {
    for (const name of new Set(names)) {
      const program = programs[name]();
      if (program === undefined) console.log(`${name} is not installed: its contenders are left out`);
      else running.set(name, await starters[name](program, folder));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    available: new Set(running.keys()),
    connections: Object.fromEntries([...running].map(([name, { connection }]) => [name, connection])),
    cpuMicros: (name) => (running.has(name) ? cpuMicros(running.get(name).child.pid) : 0),
    stop,
  };
}

const programs = {
  redis: () => found((process.env.PATH ?? "").split(":"), "redis-server"),
  postgresql: () => {
    const versions = "/usr/lib/postgresql";
    const folders = existsSync(versions)
      ? readdirSync(versions)
          .sort((a, b) => Number(b) - Number(a))
          .map((version) => join(versions, version, "bin"))
      : [];
    // As root it needs its own user.
    if (isRoot() && identity("postgres") === undefined) return undefined;
    // The servers proper, not what a distribution puts before them.
    return found([...folders, ...(process.env.PATH ?? "").split(":")], "initdb");
  },
};

function found(folders, name) {
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

const starters = {
  async redis(program, folder) {
    const directory = join(folder, "redis");
    mkdirSync(directory);
    const port = await freePort();
    const durable = [
      "--appendonly",
      "yes",
      "--appendfsync",
      "always",
      "--save",
      "",
      "--maxmemory-policy",
      "noeviction",
    ];
    const child = spawn(
      program,
      ["--port", port, "--bind", "127.0.0.1", "--dir", directory, ...durable],
      quiet,
    );
    await answering("redis-server", child, () => reachable(port));
    return { child, signal: "SIGTERM", atOnce: "SIGKILL", connection: { host: "127.0.0.1", port } };
  },
  async postgresql(program, folder) {
    const directory = join(folder, "postgresql");
    mkdirSync(directory);
    // PostgreSQL does not run as root.
    const as = isRoot() ? identity("postgres") : undefined;
    if (as !== undefined) {
      chownSync(directory, as.uid, as.gid);
      chmodSync(folder, 0o711);
    }
    const options = { ...quiet, ...as, cwd: directory };
    const data = join(directory, "data");
    execFileSync(program, ["-D", data, "-U", "bench", "--auth=trust", "-E", "UTF8", "--locale=C"], options);
    const port = await freePort();
    // Its defaults stand: fsync and synchronous_commit are on.
    const server = program.replace(/initdb$/, "postgres");
    const child = spawn(server, ["-D", data, "-p", port, "-h", "127.0.0.1", "-k", directory], options);
    const ready = program.replace(/initdb$/, "pg_isready");
    await answering("postgres", child, () => succeeds(ready, ["-q", "-h", "127.0.0.1", "-p", String(port)]));
    const connection = { host: "127.0.0.1", port, user: "bench", database: "postgres" };
    // Fast shutdown: it does not wait for clients.
    return { child, signal: "SIGINT", atOnce: "SIGQUIT", connection };
  },
};

const quiet = { stdio: "ignore" };

function isRoot() {
  return process.getuid?.() === 0;
}

/** Undefined where there is no such user. */
function identity(user) {
  const id = (flag) => Number(execFileSync("id", [flag, user], { encoding: "utf8", stdio: "pipe" }));
  try {
    return { uid: id("-u"), gid: id("-g") };
  } catch {
    return undefined;
  }
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return String(port);
}

async function answering(name, child, isReady) {
  const endsAt = performance.now() + startMs;
  while (!(await isReady())) {
    if (child.exitCode !== null || performance.now() > endsAt) {
      child.kill("SIGKILL");
      throw new Error(`${name} did not start`);
    }
    await sleep(50);
  }
}

function reachable(port) {
  return new Promise((resolve) => {
    const socket = connect(Number(port), "127.0.0.1", () => socket.destroy(resolve(true)));
    socket.on("error", () => resolve(false));
  });
}

function succeeds(program, args) {
  const child = spawn(program, args, quiet);
  return once(child, "exit").then(([code]) => code === 0);
}

async function end({ child, signal }) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill(signal);
  const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await ended;
  clearTimeout(late);
}

/** CPU time of a process, its children and those of them that have ended. Zero where there is no /proc. */
function cpuMicros(pid) {
  if (!existsSync("/proc/self/stat")) return 0;
  const own = processTimes(pid);
  const children = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(processTimes)
    .filter((child) => child?.parent === pid);
  const ticks = children.reduce((sum, child) => sum + child.ticks, own.ticks + own.endedTicks);
  return (ticks / ticksPerSecond) * 1e6;
}

/** See proc_pid_stat(5): the name in parentheses may hold spaces; fields are counted from behind it. */
function processTimes(pid) {
  let text;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  const fields = text
    .slice(text.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  return { parent: fields[1], ticks: fields[11] + fields[12], endedTicks: fields[13] + fields[14] };
}
