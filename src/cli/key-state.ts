import type { CredentialIndex } from "../auth/credentials/credential-index.js";
import {
  type CommandIo,
  type ExitCode,
  type OptionKinds,
  readOptions,
  refused,
  required,
} from "./command.js";
import { credentialsPath, editDocument, type Members, upgradeDocument } from "./credentials-document.js";
import { type Entry, entriesOf, nameOf, type OwnerName } from "./entries.js";
import { stateOf } from "./key-list.js";

const named = { file: "text", tenant: "text", service: "text", id: "text" } as const satisfies OptionKinds;

/** `hookgate key activate`. */
export async function keyActivate(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  return change(readOptions(args, named), io, ({ entry, state }) => {
    delete entry.members.state;
    return state === "inactive"
      ? "is active from the receivers' next reload on, within a second"
      : `was active already${state === "active" ? "" : `; it is of no use, though: it is ${state}`}`;
  });
}

/** `hookgate key deactivate`: refuses to take an owner's last usable credential of a kind. */
export async function keyDeactivate(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const options = readOptions(args, { ...named, "force-lock-out": "switch" });
  return change(options, io, ({ entry, state, others, owner }) => {
    if (state === "inactive") return "was inactive already";
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
  return change(readOptions(args, named), io, ({ entry, state, isOnly }) => {
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

interface Found {
  readonly entry: Entry;
  readonly owner: OwnerName;
  readonly state: ReturnType<typeof stateOf>;
  /** The other credentials of its owner and kind that are active now. */
  readonly others: readonly unknown[];
  /** Nothing else stands in the file. */
  readonly isOnly: boolean;
}

async function change(
  options: { readonly [Name in keyof typeof named]: string | undefined },
  io: CommandIo,
  edit: (found: Found) => string,
): Promise<ExitCode> {
  const path = credentialsPath(required(options.file, "file"), io);
  const owner: OwnerName = { tenant: required(options.tenant, "tenant"), service: options.service };
  const id = required(options.id, "id");
  const said = await editDocument({ path, io }, (document, before) =>
    edit(find(document, before as CredentialIndex, { owner, id, nowMs: io.clock.now() })),
  );
  io.stderr(`"${id}" of ${nameOf(owner)} ${said}.\n`);
  return 0;
}

function find(
  document: Members,
  index: CredentialIndex,
  wanted: { readonly owner: OwnerName; readonly id: string; readonly nowMs: number },
): Found {
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
