import { type ChildProcess, spawn } from "node:child_process";
import type { Program } from "./build.js";
import { monotonicMs, optionsVariable, type ServerOptions } from "./options.js";

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A server's process. */
export interface ServerProcess {
  /** That of the command where it runs under one. */
  readonly pid: number;
  /** Resolves with the port; rejects where the process ends before it listens. */
  readonly ready: Promise<number>;
  readonly exit: Promise<Exit>;
  signal(name: NodeJS.Signals): void;
  /** Ends it at once, as a power switch would for the process, and resolves when it is gone. */
  kill(): Promise<Exit>;
  /** SIGTERM; resolves when it is gone, with the milliseconds that it took. */
  terminate(): Promise<Exit & { readonly tookMs: number }>;
  /** Resolves when its standard output holds this text. */
  says(text: string): Promise<void>;
  /** Whether it is gone. */
  over(): boolean;
  /** Everything that it wrote to both streams. */
  output(): string;
}

/** How a server is started, beside its options. */
export interface StartOptions {
  /** Flags of Node.js. */
  readonly flags?: readonly string[];
  /** A command that runs it, such as strace with its own flags. */
  readonly under?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** Starts a server; it listens when `ready` resolves. */
export function startServer(
  program: Program,
  options: ServerOptions,
  { flags = [], under = [], environment = {} }: StartOptions = {},
): ServerProcess {
  const [command = process.execPath, ...args] = [...under, process.execPath, ...flags, program.server];
  const child = spawn(command, args, {
    env: { ...process.env, NODE_OPTIONS: "", ...environment, [optionsVariable]: JSON.stringify(options) },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let output = "";
  let over = false;
  const watchers = new Set<() => void>();
  const changed = (): void => {
    for (const watcher of [...watchers]) watcher();
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      changed();
    });
  }
  // Where the process is gone, what is written to it has nowhere to go.
  child.stdin?.on("error", () => {});
  const exit = exitOf(child, () => {
    over = true;
    changed();
  });
  const until = (pattern: RegExp): Promise<RegExpExecArray> =>
    found(pattern, () => ({ output, over }), watchers);
  const ready = until(/^ready (\d+) \d+$/m).then((match) => Number(match[1]));
  ready.catch(() => {});
  // Under another command it is that command's child, and signals are meant for it.
  const send = (name: NodeJS.Signals): void => {
    const own = /^ready \d+ (\d+)$/m.exec(output)?.[1];
    if (own === undefined || Number(own) === child.pid) child.kill(name);
    else if (!over) killIfThere(Number(own), name);
  };
  return {
    pid: child.pid ?? 0,
    ready,
    exit,
    signal: send,
    kill() {
      send("SIGKILL");
      return exit;
    },
    async terminate() {
      const at = monotonicMs();
      send("SIGTERM");
      return { ...(await exit), tookMs: monotonicMs() - at };
    },
    says: async (text) => void (await until(new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")))),
    over: () => over,
    output: () => output,
  };
}

function killIfThere(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself a moment ago.
  }
}

function exitOf(child: ChildProcess, ended: () => void): Promise<Exit> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    // Not "exit": its last words are wanted, too.
    child.once("close", (code, signal) => {
      resolve({ code, signal });
      ended();
    });
  });
}

function found(
  pattern: RegExp,
  now: () => { readonly output: string; readonly over: boolean },
  watchers: Set<() => void>,
): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const { output, over } = now();
      const match = pattern.exec(output);
      if (match === null && !over) return;
      watchers.delete(look);
      if (match === null) reject(new Error(`the server ended without ${pattern}: ${output}`));
      else resolve(match);
    };
    watchers.add(look);
    look();
  });
}
