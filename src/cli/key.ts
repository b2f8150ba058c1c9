import { hash, randomBytes } from "node:crypto";
import { unlinkSync } from "node:fs";
import { dirname, isAbsolute, relative, resolve } from "node:path";
import type { CredentialIndex } from "../auth/credentials/credential-index.js";
import { errorCode } from "../auth/credentials/file-definition.js";
import type { Credential, CredentialKind } from "../types/credential.js";
import {
  type CommandIo,
  type ExitCode,
  misused,
  type OptionKinds,
  parseWhen,
  readOptions,
  refused,
  required,
} from "./command.js";
import {
  addEntry,
  credentialsPath,
  type Entry,
  editDocument,
  entriesOf,
  entryNamed,
  type Members,
  nameOf,
  type OwnerName,
  readDocument,
  stateOf,
  upgradeDocument,
  writeDurably,
} from "./credentials-file.js";
import { tableOf } from "./text.js";

const newKinds = {
  file: "text",
  tenant: "text",
  service: "text",
  kind: "text",
  id: "text",
  "not-before": "text",
  expires: "text",
  issuer: "text",
  audience: "texts",
  algorithm: "text",
  "secret-file": "text",
  "secret-env": "text",
} as const;

type NewOptions = ReturnType<typeof readOptions<typeof newKinds>>;

const jwtOnly = ["issuer", "algorithm", "secret-file", "secret-env"] as const;

/** `hookgate key new`: makes a credential, stores what a receiver needs of it, and shows the secret part once. */
export async function keyNew(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const options = readOptions(args, newKinds);
  if (options.file === undefined) return keyAlone(options, io);
  const tenant = required(options.tenant, "tenant");
  const owner: OwnerName = { tenant, service: options.service };
  const kind = kindOf(options);
  const path = credentialsPath(options.file, io);
  const id = options.id ?? newId(kind, io.clock.now());
  const made = kind === "jwt" ? makeJwt(options, path, io) : makeKey();
  const lifetime = {
    notBefore: parseWhen(options["not-before"], "not-before", io.clock.now()),
    expiresAt: parseWhen(options.expires, "expires", io.clock.now()),
  };
  try {
    await editDocument({ path, io, create: true }, (document) => {
      if (entriesOf(document, owner).some((entry) => entry.members.id === id)) {
        throw refused(
          `${nameOf(owner)} already has a credential "${id}"; give another --id, or leave it out`,
        );
      }
      made.save();
      addEntry(document, owner, kind, { id, ...made.members, ...lifetime });
    });
  } catch (error) {
    made.undo();
    throw error;
  }
  if (made.shown !== undefined) io.stdout(`${made.shown}\n`);
  io.stderr(`Stored ${kind} "${id}" of ${nameOf(owner)} in ${path}.\n${made.hint}\n`);
  return 0;
}

/** Without a file: a key, and its digest to be stored by hand. */
function keyAlone(options: NewOptions, io: CommandIo): ExitCode {
  const given = Object.entries(options).find(([, value]) => value !== undefined && value.length > 0);
  if (given !== undefined)
    throw misused(`--${given[0]} goes with --file; without a file, key new only prints a key`);
  const { shown, members } = makeKey();
  io.stdout(`${shown}\n`);
  io.stderr(
    `Its digest, for a credentials file or defineCredentials: ${members.digest}\n` +
      "To store it at once: hookgate key new --file credentials.json --tenant NAME --service NAME\n",
  );
  return 0;
}

function kindOf(options: NewOptions): CredentialKind {
  const kind = options.kind ?? (options.service === undefined ? "profile-key" : "service-key");
  if (kind !== "jwt" && kind !== "service-key" && kind !== "profile-key") {
    throw misused(`--kind must be service-key, profile-key or jwt, not "${kind}"`);
  }
  if (kind === "profile-key" && options.service !== undefined) {
    throw misused("a profile key belongs to its tenant: leave out --service");
  }
  if (kind !== "profile-key") required(options.service, "service");
  const stray = kind === "jwt" ? undefined : jwtOnly.find((name) => options[name] !== undefined);
  if (stray !== undefined) throw misused(`--${stray} goes with --kind jwt`);
  if (kind !== "jwt" && options.audience.length > 0) throw misused("--audience goes with --kind jwt");
  return kind;
}

/** A name that sorts by time and never comes twice, so that logs stay clear after a rotation. */
function newId(kind: CredentialKind, nowMs: number): string {
  const day = new Date(nowMs).toISOString().slice(0, 10).replaceAll("-", "");
  return `${kind === "jwt" ? "jwt" : "key"}-${day}-${randomBytes(3).toString("hex")}`;
}

interface Made {
  readonly members: Members;
  /** What standard output shows, this once. */
  readonly shown: string | undefined;
  readonly hint: string;
  save(): void;
  undo(): void;
}

const nothing = (): void => {};

function makeKey(): Made {
  const key = randomBytes(32).toString("base64url");
  return {
    members: { digest: `sha256:${hash("sha256", key, "hex")}` },
    shown: key,
    hint: "The key is shown this once; only its digest is stored. Senders put it into the header `key`.",
    save: nothing,
    undo: nothing,
  };
}

const secretBytes = new Map([
  ["HS256", 32],
  ["HS384", 48],
  ["HS512", 64],
]);

function makeJwt(options: NewOptions, path: string, io: CommandIo): Made {
  const issuer = required(options.issuer, "issuer");
  const algorithm = options.algorithm ?? "HS256";
  const size = secretBytes.get(algorithm);
  if (size === undefined) {
    throw misused(
      `--algorithm must be HS256, HS384 or HS512, not "${algorithm}"; a sender's public key goes into the file by hand, as publicKey or jwksUri`,
    );
  }
  const { audience } = options;
  const rules = {
    issuer,
    audience: audience.length > 1 ? audience : audience[0],
    algorithms: options.algorithm === undefined ? undefined : [algorithm],
  };
  const secret = randomBytes(size).toString("base64url");
  const { "secret-file": secretFile, "secret-env": secretEnv } = options;
  if ((secretFile === undefined) === (secretEnv === undefined)) {
    throw misused(
      "--kind jwt needs --secret-file PATH or --secret-env NAME: where the receiver finds the secret",
    );
  }
  if (secretEnv !== undefined) return secretInEnvironment(secret, secretEnv, rules);
  return secretInFile(secret, resolve(io.cwd, secretFile as string), path, rules);
}

function secretInEnvironment(secret: string, env: string, rules: Members): Made {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(env)) throw misused(`--secret-env: "${env}" is no name of a variable`);
  return {
    members: { ...rules, secret: { env } },
    shown: secret,
    hint: `The secret is shown this once. Set ${env} to it for the receiver, before the next reload, and give it to the sender.`,
    save: nothing,
    undo: nothing,
  };
}

function secretInFile(secret: string, secretPath: string, path: string, rules: Members): Made {
  const near = relative(dirname(path), secretPath);
  const file = near.startsWith("..") || isAbsolute(near) ? secretPath : near;
  let written = false;
  return {
    members: { ...rules, secret: { file } },
    shown: undefined,
    hint: `The secret is in ${secretPath}, readable by you alone; give it to the sender, and to the receiver's user.`,
    save() {
      try {
        writeDurably(secretPath, secret, 0o600);
        written = true;
      } catch (error) {
        const code = errorCode(error);
        throw refused(
          code === "EEXIST"
            ? `${secretPath} already exists and is not overwritten; give another --secret-file`
            : `cannot write ${secretPath} (${code}); does its folder exist, and may you write there?`,
        );
      }
    },
    undo() {
      if (written) unlinkSync(secretPath);
    },
  };
}

/** `hookgate key list`: every credential of a file, as a table or as JSON. Never a digest or a secret. */
export async function keyList(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const options = readOptions(args, { file: "text", tenant: "text", service: "text", json: "switch" });
  const path = credentialsPath(required(options.file, "file"), io);
  const { index } = readDocument(path, io, false);
  const rows = index.all
    .filter(({ owner }) => options.tenant === undefined || owner.tenant === options.tenant)
    .filter(({ owner }) => options.service === undefined || owner.service === options.service)
    .map((credential) => rowOf(credential, io.clock.now()));
  io.stdout(
    options.json
      ? `${JSON.stringify(rows, null, 2)}\n`
      : tableOf(
          columns,
          rows.map((row) => columns.map((name) => row[name] ?? "")),
        ),
  );
  return 0;
}

const columns = ["tenant", "service", "kind", "id", "state", "notBefore", "expiresAt"] as const;

type Row = Readonly<Record<(typeof columns)[number], string | null>>;

function rowOf(credential: Credential & { readonly kind: CredentialKind }, nowMs: number): Row {
  const { owner, kind, id, notBeforeMs, expiresAtMs } = credential;
  return {
    tenant: owner.tenant,
    service: owner.service ?? null,
    kind,
    id,
    state: stateOf(credential, nowMs),
    notBefore: instant(notBeforeMs),
    expiresAt: instant(expiresAtMs),
  };
}

function instant(ms: number): string | null {
  return Number.isFinite(ms) ? new Date(ms).toISOString() : null;
}

const named = { file: "text", tenant: "text", service: "text", id: "text" } as const satisfies OptionKinds;

/** `hookgate key activate`. */
export async function keyActivate(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  return changeEntry(readOptions(args, named), io, ({ entry, state }) => {
    delete entry.members.state;
    return state === "inactive"
      ? "is active from the receivers' next reload on, within a second"
      : `is already active${state === "active" ? "" : `, but it is ${state}`}`;
  });
}

/** `hookgate key deactivate`: refuses to take an owner's last usable credential of a kind. */
export async function keyDeactivate(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const options = readOptions(args, { ...named, "force-lock-out": "switch" });
  return changeEntry(options, io, ({ entry, state, others, owner }) => {
    if (state === "inactive") return "is already inactive";
    if (state === "active" && others.length === 0 && !options["force-lock-out"]) {
      throw refused(
        `"${options.id}" is the last active ${entry.kind} of ${nameOf(owner)}: without it nobody gets in by one. ` +
          "Make the next one first (hookgate key new), or, to lock everybody out, add --force-lock-out",
      );
    }
    entry.members.state = "inactive";
    return "is refused from the receivers' next reload on, within a second; to undo: hookgate key activate";
  });
}

/** `hookgate key delete`: takes out what is inactive. */
export async function keyDelete(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  return changeEntry(readOptions(args, named), io, ({ entry, state, isOnly }) => {
    if (state !== "inactive") {
      throw refused(`"${String(entry.members.id)}" is not inactive; run hookgate key deactivate first`);
    }
    if (isOnly) {
      throw refused(
        "it is the only credential of the file, which would be empty; make another first, or delete the file",
      );
    }
    entry.remove();
    return "is deleted; a secret file that it referred to is still there";
  });
}

/** `hookgate key upgrade`: writes a file of format version 1 as version 2. */
export async function keyUpgrade(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const path = credentialsPath(required(readOptions(args, { file: "text" }).file, "file"), io);
  if (!(await upgradeDocument(path, io))) io.stderr(`${path} is already in format version 2.\n`);
  return 0;
}

interface FoundEntry {
  readonly entry: Entry;
  readonly owner: OwnerName;
  readonly state: ReturnType<typeof stateOf>;
  /** The other credentials of its owner and kind that are active now. */
  readonly others: readonly unknown[];
  /** Nothing else stands in the file. */
  readonly isOnly: boolean;
}

async function changeEntry(
  options: { readonly [Name in keyof typeof named]: string | undefined },
  io: CommandIo,
  edit: (found: FoundEntry) => string,
): Promise<ExitCode> {
  const path = credentialsPath(required(options.file, "file"), io);
  const owner: OwnerName = { tenant: required(options.tenant, "tenant"), service: options.service };
  const id = required(options.id, "id");
  const said = await editDocument({ path, io }, (document, before) =>
    edit(findEntry(document, before as CredentialIndex, { owner, id, nowMs: io.clock.now() })),
  );
  io.stderr(`"${id}" of ${nameOf(owner)} ${said}.\n`);
  return 0;
}

function findEntry(
  document: Members,
  index: CredentialIndex,
  wanted: { readonly owner: OwnerName; readonly id: string; readonly nowMs: number },
): FoundEntry {
  const { owner, id, nowMs } = wanted;
  const entry = entryNamed(document, owner, id);
  const siblings = index.all.filter(
    (credential) => credential.owner.tenant === owner.tenant && credential.owner.service === owner.service,
  );
  const own = siblings.find((credential) => credential.id === id);
  if (own === undefined) throw refused(`"${id}" of ${nameOf(owner)} cannot be found`);
  return {
    entry,
    owner,
    state: stateOf(own, nowMs),
    others: siblings.filter(
      (other) => other !== own && other.kind === own.kind && stateOf(other, nowMs) === "active",
    ),
    isOnly: index.all.length === 1,
  };
}
