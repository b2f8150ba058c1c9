import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Program } from "./build.js";
import { faultsOf, query, unfinished } from "./file.js";
import { type Load, startLoad } from "./load.js";
import type { EventData, ServerOptions } from "./options.js";
import { type Exit, type ServerProcess, startServer } from "./process.js";
import { createRandom, type Random } from "./random.js";
import { createPromised, type Promised } from "./sender.js";
import { until } from "./until.js";

/** How servers are ended, again and again, under load. */
export interface KillOptions {
  readonly program: Program;
  readonly seed: number;
  readonly rounds: number;
  /** "kill": SIGKILL at any point, of the start too. "terminate": SIGTERM. "mixed": either, by chance. */
  readonly how: "kill" | "terminate" | "mixed";
  /** Servers on the file at once. Default: 1. */
  readonly servers?: number;
  /** New events of a round at most. Default: 150. */
  readonly eventsPerRound?: number;
  /** One of 60 events takes its handlers so long, in milliseconds. Default: none does. */
  readonly slowMs?: number;
  readonly server?: Partial<ServerOptions>;
  /** Told after every round. */
  progress?(line: string): void;
}

/** How a server ended that was told to, and what it had to say. */
export interface End extends Exit {
  readonly tookMs: number;
  readonly output: string;
}

/** What was seen. */
export interface KillResult {
  /** Empty where everything that was promised was kept. */
  readonly faults: readonly string[];
  readonly promised: Promised;
  /** Of each server that was told to end. */
  readonly exits: readonly End[];
  /** Attempts that ended with their process, and were found to. */
  readonly lost: number;
  /** Tasks that were done in another attempt than their first. */
  readonly later: number;
  /** Tasks with more attempts than failed ones and the last: lost, or released and not given back. */
  readonly overcounted: number;
}

function loadData(random: Random, slowMs: number | undefined): EventData {
  if (slowMs !== undefined && random.between(0, 59) === 0) return { ms: slowMs };
  return {
    ms: random.between(0, 3) === 0 ? random.between(1, 60) : 0,
    fail: random.between(0, 19) === 0 ? 1 : 0,
    ...(random.between(0, 2) === 0 ? { key: `key-${random.between(0, 7)}` } : {}),
    padding: "x".repeat(random.between(0, 9) === 0 ? 20_000 : 500),
  };
}

/** Ends servers under load, starts them again on the same file, and says what was not kept when all is done. */
export async function endUnderLoad(options: KillOptions): Promise<KillResult> {
  const folder = mkdtempSync(join(tmpdir(), "hookgate-kills-"));
  const random = createRandom(options.seed);
  const promised = createPromised();
  const files = { db: join(folder, "hooks.db"), log: join(folder, "log") };
  const data = (chance: Random): EventData => loadData(chance, options.slowMs);
  const load = startLoad({ random, promised, senders: 16, prefix: "evt", data });
  const fleet = new Fleet(options, { server: { ...files, ...options.server }, random, load, promised });
  try {
    for (let round = 1; round <= options.rounds; round++) {
      await fleet.round();
      options.progress?.(`round ${round} of ${options.rounds}: ${promised.acknowledged.size} acknowledged`);
    }
    await load.stop();
    await fleet.finish();
    const faults = faultsOf(files.db, files.log, promised);
    return { faults, promised, exits: fleet.exits, ...fleet.attempts() };
  } finally {
    await load.stop();
    await fleet.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The servers on one file. */
class Fleet {
  readonly exits: End[] = [];
  readonly #options: KillOptions;
  readonly #server: ServerOptions;
  readonly #random: Random;
  readonly #load: Load;
  readonly #promised: Promised;
  #servers: ServerProcess[] = [];

  constructor(
    options: KillOptions,
    parts: {
      readonly server: ServerOptions;
      readonly random: Random;
      readonly load: Load;
      readonly promised: Promised;
    },
  ) {
    this.#options = options;
    this.#server = parts.server;
    this.#random = parts.random;
    this.#load = parts.load;
    this.#promised = parts.promised;
  }

  /** Fills up with servers, and ends one of them at some point. */
  async round(): Promise<void> {
    const { how, eventsPerRound = 150 } = this.#options;
    const kills = how === "kill" || (how === "mixed" && this.#random.next() < 0.5);
    const starting = this.#fill();
    if (kills && starting !== undefined && this.#random.next() < 0.2) {
      // Somewhere in its start: the migration, the first claims.
      await pause(this.#random.between(0, 600));
      await this.#kill(starting);
      return;
    }
    this.#load.aim(await this.#ports(), eventsPerRound);
    const events = this.#random.between(1, Math.ceil(eventsPerRound * 0.7));
    await this.#alive("load", () => this.#load.sinceAim >= events, 60_000);
    await pause(this.#random.between(0, 30));
    const victim = this.#servers[this.#random.between(0, this.#servers.length - 1)] as ServerProcess;
    if (kills) await this.#kill(victim);
    else await this.#terminate(victim);
  }

  /** Lets the work that is left be done. */
  async finish(): Promise<void> {
    this.#fill();
    await this.#ports();
    await this.#alive("every task's end", () => unfinished(this.#server.db) === 0, 120_000);
    for (const server of [...this.#servers]) await this.#terminate(server);
  }

  attempts(): Pick<KillResult, "lost" | "later" | "overcounted"> {
    const count = (sql: string): number => query<{ n: number }>(this.#server.db, sql)[0]?.n ?? 0;
    return {
      lost: count("SELECT count(*) AS n FROM hookgate_attempts WHERE outcome = 'lost'"),
      later: count("SELECT count(*) AS n FROM hookgate_tasks WHERE attempts > 1"),
      overcounted: count(
        "SELECT count(*) AS n FROM hookgate_tasks t WHERE t.attempts > 1 + (SELECT count(*) FROM hookgate_attempts a " +
          "WHERE a.event = t.event AND a.handler = t.handler AND a.outcome = 'failed')",
      ),
    };
  }

  async end(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.kill()));
  }

  /** Waits, and rejects with what the servers said where it is in vain or one of them ends unbidden. */
  async #alive(what: string, look: () => boolean, withinMs: number): Promise<void> {
    let dead: ServerProcess | undefined;
    try {
      await until(
        what,
        () => {
          dead = this.#servers.find((server) => server.over());
          return dead !== undefined || look();
        },
        withinMs,
      );
    } catch (cause) {
      const said = this.#servers.map((server) => server.output().slice(-3_000));
      throw new Error(`${String(cause)}; ${this.#heard()}; the servers said: ${said.join("\n---\n")}`, {
        cause,
      });
    }
    if (dead !== undefined) {
      const { code, signal } = await dead.exit;
      throw new Error(`a server ended unbidden (${code ?? signal}): ${dead.output().slice(-3_000)}`);
    }
  }

  #heard(): string {
    return `answers so far: ${JSON.stringify([...this.#promised.answers])}`;
  }

  #fill(): ServerProcess | undefined {
    let latest: ServerProcess | undefined;
    while (this.#servers.length < (this.#options.servers ?? 1)) {
      const mount = this.#random.next() < 0.5 ? "middleware" : "listener";
      latest = startServer(this.#options.program, { mount, ...this.#server });
      this.#servers.push(latest);
    }
    return latest;
  }

  #ports(): Promise<readonly number[]> {
    return Promise.all(this.#servers.map(({ ready }) => ready));
  }

  async #kill(server: ServerProcess): Promise<void> {
    await server.kill();
    this.#gone(server);
  }

  async #terminate(server: ServerProcess): Promise<void> {
    this.exits.push({ ...(await server.terminate()), output: server.output() });
    this.#gone(server);
  }

  /** Senders need not try where nobody is; those of the other servers go on. */
  #gone(server: ServerProcess): void {
    this.#servers = this.#servers.filter((one) => one !== server);
    if (this.#servers.length === 0) this.#load.aim([], 0);
  }
}
