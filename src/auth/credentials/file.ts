import { type BigIntStats, closeSync, fstatSync, openSync, readSync } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Clock, parseClock } from "../../lib/clock.js";
import type { Duration } from "../../lib/duration.js";
import { type Environment, systemEnvironment } from "../../lib/environment.js";
import {
  assertOptions,
  describe,
  durationOption,
  OptionError,
  optionKeys,
  own,
  stringOption,
} from "../../lib/options.js";
import type { CredentialReport, TokenCredential } from "../../types/credential.js";
import { parseJwtOptions, reusingRemoteSets } from "../jwt/options.js";
import type { CredentialIndex } from "./credential-index.js";
import { type Credentials, closeKeySets, indexDefinition } from "./define.js";
import {
  definitionName,
  errorCode,
  fileError,
  parseCredentialsJson,
  resolveReferences,
} from "./file-definition.js";
import { toCurrentVersion, versionNote } from "./file-version.js";
import { createReports } from "./reports.js";

/** Options of `credentialsFromFile`. */
export interface CredentialsFileOptions {
  /** How often the file is checked for changes, `"50ms"` to `"1h"`. Default: `"500ms"`. */
  readonly pollInterval?: Duration | undefined;
  /** The environment variables that `{ "env": NAME }` refers to. Default: those of the process. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** For tests. Default: the machine's clock. */
  readonly clock?: Clock | undefined;
}

const optionNames = optionKeys<CredentialsFileOptions>({ pollInterval: true, env: true, clock: true });

/** Credentials from a file that is read again when it changes. */
export interface FileCredentials extends Credentials {
  /**
   * Reads the file now. True: it is in use. False: it is not usable, observers were told why, and the last good
   * state stays in use.
   */
  reload(): boolean;
}

/**
 * Credentials from a JSON file of the shape that `defineCredentials` takes, read at once and again whenever it, or a
 * file that it refers to, changes. A new state is swapped in whole; one that is not usable leaves the last good one
 * in place, is reported once, and is tried again until it is good. In the file, keys are given as `digest`, HMAC secrets
 * as `{ "env": NAME }` or `{ "file": PATH }`. Replace the file by renaming, as `npx hookgate key` does. Throws where
 * the first state is not usable.
 */
export function credentialsFromFile(
  path: string | URL,
  options: CredentialsFileOptions = {},
): FileCredentials {
  return new PolledFile(absolutePath(path), parseOptions(options));
}

/** How long a file that cannot be used is given to become whole before anybody is told, in milliseconds. */
const settleMs = 200;

interface ResolvedOptions {
  readonly pollMs: number;
  readonly environment: Environment;
  readonly clock: Clock;
}

interface Loaded {
  readonly index: CredentialIndex;
  readonly remotes: ReadonlyMap<string, TokenCredential>;
  /** Of a file of version 1: what version 2 has in its place. */
  readonly changes: readonly string[] | undefined;
}

class PolledFile implements FileCredentials {
  readonly #path: string;
  readonly #options: ResolvedOptions;
  readonly #reports = createReports();
  readonly #warned = new Set<string>();
  #current: Loaded;
  /** The mistake that observers were told of last. */
  #complaint: string | undefined;
  /** The mistake that was met last; it may be a file that an editor has not finished writing. */
  #suspicion: string | undefined;
  /** The state of each file when it was last read or polled, by path. */
  #states: ReadonlyMap<string, string>;
  #cancelPoll = (): void => {};
  #cancelRetry = (): void => {};
  #closed = false;

  constructor(path: string, options: ResolvedOptions) {
    this.#path = path;
    this.#options = options;
    const reader = new StateReader(options.environment);
    this.#current = this.#load(reader, undefined);
    this.#states = reader.states;
    this.#warn(reader);
    this.#poll();
  }

  findKey: CredentialIndex["findKey"] = (digest, kind) => this.#current.index.findKey(digest, kind);

  findTokenCredentials: CredentialIndex["findTokenCredentials"] = (hint) =>
    this.#current.index.findTokenCredentials(hint);

  get all(): CredentialIndex["all"] {
    return this.#current.index.all;
  }

  observe(listener: (report: CredentialReport) => void): () => void {
    return this.#reports.observe(listener);
  }

  reload(): boolean {
    return !this.#closed && this.#read("now");
  }

  close(): void {
    this.#closed = true;
    this.#cancelRetry();
    this.#cancelPoll();
    closeKeySets(this.#current.index);
  }

  #poll(): void {
    const { clock, pollMs } = this.#options;
    this.#cancelPoll = clock.after(pollMs, () => void this.#check());
  }

  async #check(): Promise<void> {
    const states = await statesOf([...this.#states.keys()]);
    if (this.#closed) return;
    this.#poll();
    const changed = [...states].some(([path, state]) => this.#states.get(path) !== state);
    if (changed) this.#read("later");
  }

  /** `complain` "later": a mistake is reported when it is still there after a moment. */
  #read(complain: "now" | "later"): boolean {
    this.#cancelRetry();
    const reader = new StateReader(this.#options.environment);
    const before = this.#current;
    try {
      this.#current = this.#load(reader, before);
    } catch (error) {
      this.#keepLast(error as Error, complain);
      // Polled as far as it was read: what is missing may appear, and a half-written file be finished.
      this.#states = reader.states;
      return false;
    }
    this.#complaint = undefined;
    this.#suspicion = undefined;
    this.#states = reader.states;
    this.#warn(reader);
    closeKeySets(before.index, this.#current.index);
    return true;
  }

  #load(reader: StateReader, before: Loaded | undefined): Loaded {
    try {
      const parsed = parseCredentialsJson(reader.readFile(this.#path));
      const { document, changes } = toCurrentVersion(parsed);
      const { definition } = resolveReferences(document, this.#path, reader);
      const remotes = new Map<string, TokenCredential>();
      const index = indexDefinition(definition, definitionName, {
        clock: this.#options.clock,
        onEvent: this.#reports.tell,
        requireIds: true,
        inUse: before?.index,
        parseToken: reusingRemoteSets(parseJwtOptions, {
          get: (name) => before?.remotes.get(name),
          set: (name, credential) => remotes.set(name, credential),
        }),
      });
      return { index, remotes, changes };
    } catch (error) {
      throw fileError(error, this.#path);
    }
  }

  #keepLast({ message }: Error, complain: "now" | "later"): void {
    const { clock, pollMs } = this.#options;
    const certain = complain === "now" || message === this.#suspicion;
    this.#suspicion = message;
    this.#cancelRetry = clock.after(certain ? pollMs : Math.min(pollMs, settleMs), () => this.#read("later"));
    if (!certain || message === this.#complaint) return;
    this.#complaint = message;
    this.#reports.tell({
      level: "error",
      message: `${message}\nThe credentials that were read last stay in use.`,
      details: { file: this.#path },
    });
  }

  /** Tells once of a file that works and should be changed. */
  #warn({ writableByAll }: StateReader): void {
    const { changes } = this.#current;
    if (changes !== undefined) this.#warnOnce("version", versionNote(this.#path, changes), this.#path);
    for (const path of writableByAll) {
      const message = `${path} can be written by every user of this machine; run: chmod o-w ${path}`;
      this.#warnOnce(path, message, path);
    }
  }

  #warnOnce(subject: string, message: string, file: string): void {
    if (this.#warned.has(subject)) return;
    this.#warned.add(subject);
    this.#reports.tell({ level: "warn", message, details: { file } });
  }
}

/** Reads files and remembers in which state they were. */
class StateReader {
  readonly environment: Environment;
  readonly writableByAll: string[] = [];
  readonly #states = new Map<string, string>();

  constructor(environment: Environment) {
    this.environment = environment;
  }

  get states(): ReadonlyMap<string, string> {
    return this.#states;
  }

  /**
   * Reads synchronously, on reload too: the files are small, and nothing can change between two of our steps. A file
   * that is written to while it is read is read again.
   */
  readFile(path: string): Buffer {
    this.#states.set(path, "unread");
    let descriptor: number;
    try {
      descriptor = openSync(path, "r");
    } catch (error) {
      this.#states.set(path, errorCode(error));
      throw error;
    }
    try {
      for (let attempt = 0; attempt < 5; attempt++) {
        const stats = fstatSync(descriptor, { bigint: true });
        const state = stateOf(stats);
        const bytes = readBytes(descriptor, Number(stats.size));
        if (stateOf(fstatSync(descriptor, { bigint: true })) !== state) continue;
        this.#states.set(path, state);
        if (process.platform !== "win32" && (stats.mode & 0o002n) !== 0n) this.writableByAll.push(path);
        return bytes;
      }
      throw new TypeError(`${path} is being written to; write a new file and rename it`);
    } finally {
      closeSync(descriptor);
    }
  }
}

/** What tells one state of a file from the next: inode, size, and the times of its content and of its inode. */
function stateOf({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${ino}:${size}:${mtimeNs}:${ctimeNs}`;
}

/** The present states of files; of one that cannot be looked at, the system's code for that. */
async function statesOf(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const states = paths.map((path) => stat(path, { bigint: true }).then(stateOf, errorCode));
  const found = await Promise.all(states);
  return new Map(paths.map((path, at): [string, string] => [path, found[at] as string]));
}

const maxFileBytes = 64 * 1024 * 1024;

function readBytes(descriptor: number, size: number): Buffer {
  if (size > maxFileBytes) throw new TypeError(`it has ${size} bytes and may have ${maxFileBytes} at most`);
  const bytes = Buffer.alloc(size);
  let filled = 0;
  while (filled < size) {
    const read = readSync(descriptor, bytes, filled, size - filled, filled);
    if (read === 0) break;
    filled += read;
  }
  return bytes.subarray(0, filled);
}

function absolutePath(path: unknown): string {
  if (path instanceof URL) return fileURLToPath(path);
  return resolve(stringOption(path, "credentialsFromFile's path"));
}

function parseOptions(options: CredentialsFileOptions): ResolvedOptions {
  const where = "credentialsFromFile's options";
  assertOptions(options, optionNames, where);
  const env = own(options, "env");
  if (env !== undefined && (typeof env !== "object" || env === null)) {
    throw new OptionError(`${where}.env`, ` must be an object such as process.env, not ${describe(env)}`);
  }
  const variables = env as NonNullable<CredentialsFileOptions["env"]> | undefined;
  return {
    pollMs: durationOption(own(options, "pollInterval"), `${where}.pollInterval`, {
      min: "50ms",
      max: "1h",
      fallback: "500ms",
    }),
    environment: variables === undefined ? systemEnvironment : { variable: (name) => own(variables, name) },
    clock: parseClock(own(options, "clock"), `${where}.clock`),
  };
}
