import { randomBytes } from "node:crypto";
import {
  chownSync,
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { CredentialIndex } from "../auth/credentials/credential-index.js";
import { closeKeySets, indexDefinition } from "../auth/credentials/define.js";
import {
  definitionName,
  fileError,
  parseCredentialsJson,
  resolveReferences,
} from "../auth/credentials/file-definition.js";
import { fileVersion, toCurrentVersion, versionNote } from "../auth/credentials/file-version.js";
import type { Environment } from "../lib/environment.js";
import { type CommandIo, refused } from "./command.js";
import { type HeldLock, withLock } from "./lock.js";

/** An object of a credentials file; named are the members that commands look at. */
export interface Members {
  [name: string]: unknown;
  tenants?: unknown;
  services?: unknown;
  id?: unknown;
  state?: unknown;
  digest?: unknown;
  secret?: unknown;
  kid?: unknown;
  typ?: unknown;
}

/** A credentials file as it stands, and as the library reads it. */
export interface CheckedDocument {
  readonly document: Members;
  /** The same with every reference resolved: it holds secrets. */
  readonly resolved: Members;
  readonly index: CredentialIndex;
  /** Of a file of format version 1, which `document` no longer is: what version 2 has in its place. */
  readonly changes: readonly string[] | undefined;
}

/** The absolute path of the file behind `--file`, with links followed, so that an edit does not replace a link. */
export function credentialsPath(file: string, io: CommandIo): string {
  const path = resolve(io.cwd, file);
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/**
 * Reads and checks a credentials file, and says on standard error if it is of format version 1. `strict`: variables that
 * it refers to must be set here, too.
 */
export function readDocument(path: string, io: CommandIo, strict: boolean): CheckedDocument {
  const read = parseDocument(readBytes(path), path, io, strict);
  if (read.changes !== undefined) io.stderr(`${versionNote(path, read.changes)}\n`);
  return read;
}

/**
 * Changes a credentials file: under a lock, checked as a whole by the library's own parser before and after, and
 * replaced by renaming, so that a receiver sees the old state or the new one. Members that `change` leaves alone are
 * kept; a file of format version 1 becomes one of version 2. `create`: a file that is not there is made, readable by its
 * owner alone.
 */
export function editDocument<T>(
  options: { readonly path: string; readonly io: CommandIo; readonly create?: boolean },
  change: (document: Members, before: CredentialIndex | undefined) => T,
): Promise<T> {
  const { path, io } = options;
  return withLock(path, io, (lock) => {
    const isNew = options.create === true && !exists(path);
    const before = isNew ? undefined : parseDocument(readBytes(path), path, io, false);
    const document = before?.document ?? { version: fileVersion, tenants: {} };
    const result = change(document, before?.index);
    writeDocument(document, { path, io, lock });
    if (before?.changes !== undefined) tellUpgraded(path, io);
    return result;
  });
}

/** Writes a file of format version 1 as version 2, as `editDocument` does. False: it is of version 2 and left as it is. */
export function upgradeDocument(path: string, io: CommandIo): Promise<boolean> {
  return withLock(path, io, (lock) => {
    const { document, changes } = parseDocument(readBytes(path), path, io, false);
    if (changes === undefined) return false;
    writeDocument(document, { path, io, lock });
    tellUpgraded(path, io);
    return true;
  });
}

function writeDocument(
  document: Members,
  { path, io, lock }: { readonly path: string; readonly io: CommandIo; readonly lock: HeldLock },
): void {
  const text = `${JSON.stringify(document, null, 2)}\n`;
  parseDocument(Buffer.from(text), path, io, false);
  lock.assertHeld();
  replaceFile(path, text);
}

function tellUpgraded(path: string, io: CommandIo): void {
  io.stderr(
    `${path} is now in format version 2. Receivers with an earlier release of hookgate cannot read it: until you update ` +
      "them, they keep the credentials that they read last.\n",
  );
}

function parseDocument(bytes: Buffer, path: string, io: CommandIo, strict: boolean): CheckedDocument {
  try {
    const { document, changes } = toCurrentVersion(parseCredentialsJson(bytes));
    const environment = strict ? io.environment : withStandIns(io.environment);
    const reader = { readFile: (file: string) => readFileSync(file), environment };
    const { definition } = resolveReferences(document, path, reader);
    const index = indexDefinition(definition, definitionName, {
      clock: io.clock,
      onEvent: () => {},
      requireIds: true,
    });
    closeKeySets(index);
    return { document: document as Members, resolved: definition as Members, index, changes };
  } catch (error) {
    throw refused(`${fileError(error, path).message}\nNothing was changed.`);
  }
}

/**
 * The variables of the receiver's process are seldom those of the operator's shell, so one that is not set here
 * counts as set to some good secret.
 */
function withStandIns(environment: Environment): Environment {
  const standIns = new Map<string, string>();
  return {
    variable(name) {
      const value = environment.variable(name) ?? standIns.get(name) ?? randomBytes(64).toString("base64url");
      standIns.set(name, value);
      return value;
    },
  };
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw refused(fileError(error, path).message);
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Writes beside the file, to disk, and renames; mode and owner stay as they were. */
function replaceFile(path: string, text: string): void {
  const folder = dirname(path);
  const beside = join(folder, `.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
  const before = statSync(path, { throwIfNoEntry: false });
  try {
    writeDurably(beside, text, before === undefined ? 0o600 : before.mode & 0o777);
    keepOwner(beside, before);
    renameSync(beside, path);
  } catch (error) {
    try {
      unlinkSync(beside);
    } catch {
      // It was never made.
    }
    throw refused(`cannot write ${path}: ${(error as Error).message}; nothing was changed`);
  }
  syncFolder(folder);
}

/** Creates a file that must not be there yet, and returns when it is on disk. */
export function writeDurably(path: string, text: string, mode: number): void {
  const descriptor = openSync(path, "wx", mode);
  try {
    writeSync(descriptor, text);
    // The mask of the process has had its say at the creation.
    fchmodSync(descriptor, mode);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** A receiver that runs as another user must be able to read what root edited. */
function keepOwner(beside: string, before: { readonly uid: number; readonly gid: number } | undefined): void {
  if (before === undefined) return;
  const now = statSync(beside);
  if (now.uid !== before.uid || now.gid !== before.gid) chownSync(beside, before.uid, before.gid);
}

/** A rename is on disk when its folder is. */
function syncFolder(folder: string): void {
  try {
    const descriptor = openSync(folder, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // Some systems cannot open folders; the rename has happened.
  }
}
