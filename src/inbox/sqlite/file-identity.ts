import { Buffer } from "node:buffer";
import { closeSync, openSync, readSync, realpathSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** What identifies a file and its state. */
export interface FileState {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
}

/** Reads the state of files; a seam for tests. */
export interface FileProbe {
  /** Undefined: the file does not exist. */
  state(path: string): FileState | undefined;
  /** The first salt in the header of a log; undefined if it has none yet. */
  salt(log: string): number | undefined;
  /** `f_type` of statfs(2); undefined if unknown. */
  fileSystem(path: string): number | undefined;
  /** Undefined if the system does not list them. */
  locks(): Pick<ProcessLocks, "find" | "hold" | "close"> | undefined;
}

/**
 * How connections to changed files are closed: "checkpoint" moves the log into the file that was open, since its content is
 * nowhere else or must not meet another file; "leave" touches nothing. "stale": the files had changed before the connection was
 * opened, and something in this process still has the old ones open.
 */
export type FileChange = keyof typeof changeCodes;

/** In the range that SQLite's result codes leave free, so that they are passed on like those. */
const changeCodes = { stale: 253, leave: 254, checkpoint: 255 } as const;

/** A connection's files were removed or replaced while they were open. */
export class FileChangedError extends Error {
  readonly errcode: number;

  constructor(message: string, change: FileChange) {
    super(message);
    this.name = "FileChangedError";
    this.errcode = changeCodes[change];
  }
}

/** The kind of change of a FileChangedError, also from the other thread; undefined for any other error. */
export function changeOf(error: unknown): FileChange | undefined {
  const code: unknown =
    typeof error === "object" && error !== null ? Reflect.get(error, "errcode") : undefined;
  return (Object.keys(changeCodes) as FileChange[]).find((change) => changeCodes[change] === code);
}

/** The byte that SQLite locks in an open file, and the one in the index of its log. */
const openByte = 1_073_741_826;
const indexByte = 128;

/** `f_type` of file systems that invent inode numbers, and may change them while a file is open. */
const inventsInodes: ReadonlySet<number> = new Set([0x65735546, 0xff534d42, 0xfe534d42, 0x517b, 0x786f4256]);

/** A log that restarts increments its salt; with a larger step between two checks it is another log. */
const maxSaltSteps = 1_000;

/**
 * The files of a connection: the database, its log (-wal) and the log's index (-shm). When another SQLite library in this
 * process closes the same database, the system drops the locks of the whole process: the next one to close it, that library
 * included, takes itself for the last one and removes the log, and what is written from then on is lost with the process. So
 * the files are compared before each commit, and again, together with the locks, before the answer.
 */
export class FileIdentity {
  readonly #path: string;
  readonly #log: string;
  readonly #index: string;
  readonly #look: FileProbe;
  readonly #note: (message: string) => void;
  readonly #locks: ReturnType<FileProbe["locks"]>;
  readonly #locked: readonly LockedByte[];
  #database: FileState;
  #logState: FileState;
  #indexState: FileState;
  #salt: number | undefined;
  /** Inode numbers cannot be trusted here. */
  #inventing = false;

  /** To be created on an open connection that has read the file. Throws if its log or index has been removed already. */
  constructor(path: string, note: (message: string) => void, look: FileProbe = systemProbe) {
    this.#path = path;
    this.#look = look;
    this.#note = note;
    // SQLite follows links, and puts the log next to the file itself.
    const real = realpathSync(path);
    this.#log = `${real}-wal`;
    this.#index = `${real}-shm`;
    const [database, log, index] = this.#states();
    if (database === undefined || log === undefined || index === undefined) throw this.#goneAtOpening();
    this.#database = database;
    this.#logState = log;
    this.#indexState = index;
    this.#salt = look.salt(this.#log);
    if (this.#numbersMoved()) this.#distrustNumbers();
    const locks = look.locks();
    const open = locks?.find(database, openByte);
    if (locks === undefined || open === undefined) {
      // A list without the lock of a file that was just opened shows no locks at all.
      locks?.close();
      this.#locked = [];
      return;
    }
    const byte = locks.find(index, indexByte);
    if (byte === undefined && !this.#inventing) {
      locks.close();
      throw this.#goneAtOpening();
    }
    this.#locks = locks;
    this.#locked = byte === undefined ? [open] : [open, byte];
  }

  /** Throws a FileChangedError if a file was replaced. To be called before a commit. */
  assertSame(): void {
    const fault = this.#fault(false);
    if (fault !== undefined) throw this.#changed(fault);
  }

  /** As `assertSame`, and checks that this process still has its locks. To be called after commits, before their answers. */
  assertKept(): void {
    const fault = this.#fault(true);
    if (fault !== undefined) throw this.#changed(fault);
    if (this.#locks?.hold(this.#locked) === false)
      throw this.#changed(`the locks on ${this.#path} were lost`);
  }

  close(): void {
    this.#locks?.close();
  }

  #states(): readonly (FileState | undefined)[] {
    return [this.#path, this.#log, this.#index].map((path) => this.#look.state(path));
  }

  #fault(written: boolean): string | undefined {
    const [database, log, index] = this.#states();
    if (database === undefined) return `the file ${this.#path} was removed`;
    if (log === undefined) return `${this.#log} was removed`;
    if (index === undefined) return `${this.#index} was removed`;
    if (!this.#inventing && !this.#isSame(database, log, index)) {
      if (!this.#mayInvent()) return `${this.#nameOfChanged(database, log)} was replaced`;
      this.#distrustNumbers();
    }
    if (this.#inventing && !this.#goesOn(log, written)) return `${this.#log} was replaced`;
    [this.#database, this.#logState, this.#indexState] = [database, log, index];
    return undefined;
  }

  #isSame(database: FileState, log: FileState, index: FileState): boolean {
    return (
      isSameFile(this.#database, database) &&
      isSameFile(this.#logState, log) &&
      isSameFile(this.#indexState, index)
    );
  }

  #nameOfChanged(database: FileState, log: FileState): string {
    if (!isSameFile(this.#database, database)) return `the file ${this.#path}`;
    return isSameFile(this.#logState, log) ? this.#index : this.#log;
  }

  /** Whether the log is still the same by its salt and its size, if inode numbers cannot tell. */
  #goesOn(log: FileState, written: boolean): boolean {
    const before = this.#salt;
    const salt = this.#look.salt(this.#log);
    if (salt === undefined) return !written;
    this.#salt = salt;
    if (before === undefined || before === salt)
      return log.size >= this.#logState.size || before === undefined;
    return (salt - before) >>> 0 <= maxSaltSteps;
  }

  #mayInvent(): boolean {
    const type = this.#look.fileSystem(this.#path);
    return (type !== undefined && inventsInodes.has(type)) || this.#numbersMoved();
  }

  /** Whether the inode number of the file changes by itself. */
  #numbersMoved(): boolean {
    const [first, ...others] = [1, 2, 3].map(() => this.#look.state(this.#path));
    return others.some((other) => first !== undefined && other !== undefined && !isSameFile(first, other));
  }

  #distrustNumbers(): void {
    this.#inventing = true;
    this.#note(
      `the inode numbers of ${this.#path} change by themselves on this file system: replaced files are detected only by the size and the header of the log; a local disk is safer`,
    );
  }

  #goneAtOpening(): FileChangedError {
    return new FileChangedError(
      `${this.#path} was opened with a log that has been removed: something in this process still has the old one open`,
      "stale",
    );
  }

  #changed(what: string): FileChangedError {
    const [database, log] = this.#states();
    const message = `${what} while it was open: by another SQLite library in this process, or by hand`;
    return new FileChangedError(message, this.#isToBeSaved(database, log) ? "checkpoint" : "leave");
  }

  #isToBeSaved(database: FileState | undefined, log: FileState | undefined): boolean {
    if (database === undefined || !isSameFile(this.#database, database)) {
      // The log belongs to the file that was open: another file in its place must not meet it.
      return log === undefined || isSameFile(this.#logState, log);
    }
    // Unless somebody made a checkpoint or began another log, its content is nowhere else.
    const untouched = database.mtimeNs === this.#database.mtimeNs && database.size === this.#database.size;
    return untouched && (log === undefined || log.size === 0n);
  }
}

function isSameFile(one: FileState, other: FileState): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}

/** Reads the real files. The log may be opened, since SQLite locks nothing in it; the other two must not. */
const systemProbe: FileProbe = {
  state: (path) => statSync(path, { bigint: true, throwIfNoEntry: false }),
  salt(log) {
    const header = Buffer.alloc(24);
    let descriptor: number | undefined;
    try {
      descriptor = openSync(log, "r");
      return readSync(descriptor, header, 0, header.length, 0) === header.length
        ? header.readUInt32BE(16)
        : undefined;
    } catch {
      return undefined;
    } finally {
      if (descriptor !== undefined) closeSync(descriptor);
    }
  },
  fileSystem(path) {
    try {
      return Number(statfsSync(dirname(path)).type) >>> 0;
    } catch {
      return undefined;
    }
  },
  locks() {
    try {
      return new ProcessLocks();
    } catch {
      return undefined;
    }
  },
};

/** A byte of a file that this process has locked for reading. */
export interface LockedByte {
  /** The kernel's name of the file: major and minor number of its device, and its inode. */
  readonly file: string;
  readonly byte: number;
}

/** The kernel returns the list in pieces; a lock that is released between two of them can hide the next one. */
const maxTries = 5;

/** The POSIX locks of this process, as Linux lists them: no system call tells one's own. */
class ProcessLocks {
  readonly #descriptor: number;
  #buffer = Buffer.alloc(16_384);

  /** Throws if there is no such list: on another system, or if it is hidden. */
  constructor(list = "/proc/locks") {
    // Kept open: reading it from the beginning renews the list, at a tenth of the cost of opening it.
    this.#descriptor = openSync(list, "r");
  }

  /** The byte of a file, if this process has locked it for reading. */
  find(file: { readonly dev: bigint; readonly ino: bigint }, byte: number): LockedByte | undefined {
    const own = `${nameOfDevice(file.dev)}:${file.ino}`;
    const text = this.#read([]);
    // Some file systems, such as btrfs, show another device here than stat(2) does.
    const others = [...text.matchAll(new RegExp(` ${process.pid} ([0-9a-f]+:[0-9a-f]+:${file.ino}) `, "g"))];
    return [own, ...others.map((match) => match[1] ?? "")]
      .map((name) => ({ file: name, byte }))
      .find((wanted) => isListed(text, wanted));
  }

  /** Whether every one of them is still locked. */
  hold(wanted: readonly LockedByte[]): boolean {
    for (let tries = 0; tries < maxTries; tries++) {
      const text = this.#read(wanted);
      if (wanted.every((one) => isListed(text, one))) return true;
    }
    return false;
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  /** The list, up to the point where it contains everything wanted. */
  #read(wanted: readonly LockedByte[]): string {
    let length = 0;
    for (;;) {
      if (this.#buffer.length - length < 8_192) this.#buffer = Buffer.concat([this.#buffer, this.#buffer]);
      const count = readSync(this.#descriptor, this.#buffer, length, this.#buffer.length - length, length);
      length += count;
      const text = this.#buffer.toString("latin1", 0, length);
      if (count === 0 || (wanted.length > 0 && wanted.every((one) => isListed(text, one)))) return text;
    }
  }
}

/** `17: POSIX  ADVISORY  READ 4711 fe:00:1234 128 128`: number, kind, owner, file, first and last byte. */
function isListed(text: string, { file, byte }: LockedByte): boolean {
  const name = ` READ ${process.pid} ${file} `;
  for (let at = text.indexOf(name); at !== -1; at = text.indexOf(name, at + 1)) {
    const [first = "", last = ""] = text.slice(at + name.length, text.indexOf("\n", at)).split(" ");
    // Adjacent locks are merged.
    if (Number(first) <= byte && (last === "EOF" || byte <= Number(last))) return true;
  }
  return false;
}

function nameOfDevice(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n);
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
  return [major, minor].map((number) => number.toString(16).padStart(2, "0")).join(":");
}

/** `f_type` of statfs(2) on Linux, of file systems without locks, or whose locks other machines do not see. */
const networkTypes: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x5346414f, "AFS"],
  [0x00c36400, "Ceph"],
  [0x01021997, "9P"],
  [0x0bd00bd0, "Lustre"],
  [0x6e667364, "NFS server"],
  [0x7461636f, "OCFS2"],
]);

/** The kind of network file system of a path; undefined for a local one, or if it is unknown. */
export function networkFileSystem(path: string): string | undefined {
  try {
    return networkTypes.get(Number(statfsSync(dirname(path)).type) >>> 0);
  } catch {
    return undefined;
  }
}

/**
 * Creates an empty file that only its owner can read and write; SQLite gives its log and index the same mode. Only if there is
 * none: opening one that another connection of this process has open would drop its locks.
 */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch {
    // It exists or cannot be created: SQLite will say why it cannot open it.
  }
}

/** The mode of a file that every user of this machine can read, such as "644"; undefined if they cannot, or if it is unknown. */
export function publicMode(path: string): string | undefined {
  // Windows has no such modes.
  if (process.platform === "win32") return undefined;
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  return (mode & 0o004) === 0 ? undefined : (mode & 0o777).toString(8);
}

/** Identifies a file on this machine; undefined if there is none at the path. Opens nothing. */
export function fileIdentity(path: string): string | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats && `${stats.dev}:${stats.ino}`;
}
