import { randomBytes, randomUUID } from "node:crypto";
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
  writeFileSync,
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
import type { Credential, CredentialKind } from "../types/credential.js";
import { type CommandIo, refused } from "./command.js";

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

/** The owner that options name: a tenant, or one of its services. */
export interface OwnerName {
  readonly tenant: string;
  readonly service: string | undefined;
}

/** One credential where it stands in a document. */
export interface Entry {
  readonly kind: CredentialKind;
  readonly members: Members;
  /** Takes the entry out, and the owner with it where nothing else is left of that. */
  remove(): void;
}

const listNames = { "profile-key": "profileKeys", "service-key": "serviceKeys", jwt: "jwt" } as const;

/** The credentials of an owner. The document must have passed the parser, which vouches for its shape. */
export function entriesOf(document: Members, owner: OwnerName): readonly Entry[] {
  const holder = holderOf(document, owner);
  if (holder === undefined) return [];
  const kinds = owner.service === undefined ? (["profile-key"] as const) : (["service-key", "jwt"] as const);
  return kinds.flatMap((kind) =>
    listOf(holder, kind).map((members) => ({
      kind,
      members,
      remove(): void {
        const rest = listOf(holder, kind).filter((other) => other !== members);
        if (rest.length > 0) holder[listNames[kind]] = rest;
        else delete holder[listNames[kind]];
        prune(document, owner);
      },
    })),
  );
}

/** Adds a credential, making tenant and service where they are new. */
export function addEntry(document: Members, owner: OwnerName, kind: CredentialKind, members: Members): void {
  const tenant = memberOrNew(document.tenants as Members, owner.tenant);
  const holder =
    owner.service === undefined ? tenant : memberOrNew(memberOrNew(tenant, "services"), owner.service);
  holder[listNames[kind]] = [...listOf(holder, kind), members];
}

/** An owner's name for messages. */
export function nameOf({ tenant, service }: OwnerName): string {
  return service === undefined ? `tenant "${tenant}"` : `service "${service}" of tenant "${tenant}"`;
}

function holderOf(document: Members, { tenant, service }: OwnerName): Members | undefined {
  const holder = member(document.tenants as Members, tenant);
  if (service === undefined || holder === undefined) return holder;
  const services = member(holder, "services");
  return services === undefined ? undefined : member(services, service);
}

function listOf(holder: Members, kind: CredentialKind): readonly Members[] {
  const list = Object.hasOwn(holder, listNames[kind]) ? holder[listNames[kind]] : [];
  return (Array.isArray(list) ? list : [list]) as readonly Members[];
}

/** Takes out a service without credentials, then a tenant without any: the parser refuses both. */
function prune(document: Members, { tenant, service }: OwnerName): void {
  const tenants = document.tenants as Members;
  const holder = member(tenants, tenant);
  if (holder === undefined) return;
  const services = member(holder, "services");
  if (services !== undefined && service !== undefined) {
    const own = member(services, service);
    if (own !== undefined && listOf(own, "service-key").length + listOf(own, "jwt").length === 0) {
      delete services[service];
    }
    if (Object.keys(services).length === 0) delete holder.services;
  }
  if (listOf(holder, "profile-key").length === 0 && !Object.hasOwn(holder, "services"))
    delete tenants[tenant];
}

function member(holder: Members, name: string): Members | undefined {
  return Object.hasOwn(holder, name) ? (holder[name] as Members) : undefined;
}

function memberOrNew(holder: Members, name: string): Members {
  const found = member(holder, name);
  if (found !== undefined) return found;
  const made: Members = {};
  // Defined, not assigned: "__proto__" is a name like any other.
  Object.defineProperty(holder, name, { value: made, enumerable: true, writable: true, configurable: true });
  return made;
}

/** Age at which a lock file was left by a process that died: an edit takes milliseconds. */
const staleMs = 10_000;
const waitMs = 5000;
const stepMs = 50;

/** Proves that this process holds the lock. */
export interface HeldLock {
  /** Throws where the lock is no longer ours, because we were so slow that another process took it for left. */
  assertHeld(): void;
}

/** Runs `edit` while no other `hookgate` edits the same file. Waits five seconds, then refuses. */
export async function withLock<T>(path: string, io: CommandIo, edit: (lock: HeldLock) => T): Promise<T> {
  const lockPath = `${path}.lock`;
  const token = `${process.pid} ${randomUUID()}`;
  const deadlineMs = io.clock.now() + waitMs;
  while (!take(lockPath, token)) {
    removeIfStale(lockPath, io.clock.now());
    if (io.clock.now() >= deadlineMs) {
      throw refused(`${path} is being edited by another process; if none is running, delete ${lockPath}`);
    }
    await new Promise((resolve) => setTimeout(resolve, stepMs));
  }
  const isHeld = (): boolean => contentOf(lockPath) === token;
  try {
    return edit({
      assertHeld() {
        if (!isHeld()) throw refused(`the lock ${lockPath} was lost; nothing was changed, try again`);
      },
    });
  } finally {
    if (isHeld()) unlinkSync(lockPath);
  }
}

function take(lockPath: string, token: string): boolean {
  try {
    writeFileSync(lockPath, token, { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    throw refused(`cannot write ${lockPath} (${code}); does its folder exist, and may you write there?`);
  }
}

/** Moved away before it is deleted: of two processes that find the same stale lock only one moves it. */
function removeIfStale(lockPath: string, nowMs: number): void {
  try {
    if (nowMs - statSync(lockPath).mtimeMs < staleMs) return;
    const aside = `${lockPath}.${randomUUID()}`;
    renameSync(lockPath, aside);
    unlinkSync(aside);
  } catch {
    // Its owner, or another waiter, was faster.
  }
}

function contentOf(lockPath: string): string | undefined {
  try {
    return readFileSync(lockPath, "utf8");
  } catch {
    return undefined;
  }
}

/** The entry with this id. Where there is none, the refusal names those that there are. */
export function entryNamed(document: Members, owner: OwnerName, id: string): Entry {
  const entries = entriesOf(document, owner);
  const entry = entries.find(({ members }) => members.id === id);
  if (entry !== undefined) return entry;
  const ids = entries.map(({ members }) => `"${String(members.id)}"`).join(", ");
  throw refused(
    ids === ""
      ? `${nameOf(owner)} has no credential in this file; hookgate key list shows what there is`
      : `${nameOf(owner)} has no credential "${id}"; there is ${ids}`,
  );
}

/** What a request with this credential would meet now. */
export function stateOf(
  credential: Pick<Credential, "active" | "notBeforeMs" | "expiresAtMs">,
  nowMs: number,
): "active" | "inactive" | "expired" | "not yet" {
  if (!credential.active) return "inactive";
  if (nowMs >= credential.expiresAtMs) return "expired";
  return nowMs < credential.notBeforeMs ? "not yet" : "active";
}
