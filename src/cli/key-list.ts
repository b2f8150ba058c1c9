import type { Credential, CredentialKind } from "../types/credential.js";
import { type CommandIo, type ExitCode, readOptions, required } from "./command.js";
import { credentialsPath, readDocument } from "./credentials-document.js";

/** `hookgate key list`: every credential of a file, as a table or as JSON. Never a digest or a secret. */
export async function keyList(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const options = readOptions(args, { file: "text", tenant: "text", service: "text", json: "switch" });
  const path = credentialsPath(required(options.file, "file"), io);
  const { index } = readDocument(path, io, false);
  const rows = index.all
    .filter(({ owner }) => options.tenant === undefined || owner.tenant === options.tenant)
    .filter(({ owner }) => options.service === undefined || owner.service === options.service)
    .map((credential) => rowOf(credential, io.clock.now()));
  io.stdout(options.json ? `${JSON.stringify(rows, null, 2)}\n` : tableOf(rows));
  return 0;
}

type Row = Readonly<
  Record<"tenant" | "service" | "kind" | "id" | "state" | "notBefore" | "expiresAt", string | null>
>;

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

/** What a request with this credential would meet now. */
export function stateOf(
  credential: Pick<Credential, "active" | "notBeforeMs" | "expiresAtMs">,
  nowMs: number,
): "active" | "inactive" | "expired" | "not yet" {
  if (!credential.active) return "inactive";
  if (nowMs >= credential.expiresAtMs) return "expired";
  return nowMs < credential.notBeforeMs ? "not yet" : "active";
}

function instant(ms: number): string | null {
  return Number.isFinite(ms) ? new Date(ms).toISOString() : null;
}

const columns = ["tenant", "service", "kind", "id", "state", "notBefore", "expiresAt"] as const;

function tableOf(rows: readonly Row[]): string {
  const lines = [columns as readonly string[], ...rows.map((row) => columns.map((name) => row[name] ?? "-"))];
  const widths = columns.map((_name, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}
