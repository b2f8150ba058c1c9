import { closeSync, openSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** `f_type` of statfs(2) on Linux, of file systems whose locks other machines do not see or that have none. */
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

/** The kind of network file system that a path lies on; undefined for a local one, and where it cannot be told. */
export function networkFileSystem(path: string): string | undefined {
  try {
    return networkTypes.get(Number(statfsSync(dirname(path)).type) >>> 0);
  } catch {
    return undefined;
  }
}

/**
 * Makes an empty file that only its owner can read and write; SQLite gives its log and its index the same mode. Only where
 * there is none: opening one that another connection of this process has open would drop its locks.
 */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch {
    // It is there, or cannot be made: then SQLite says why it cannot open it.
  }
}

/** The mode of a file that every user of this machine can read, such as "644"; undefined where they cannot, or it cannot be told. */
export function publicMode(path: string): string | undefined {
  // Windows has no such modes.
  if (process.platform === "win32") return undefined;
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  return (mode & 0o004) === 0 ? undefined : (mode & 0o777).toString(8);
}

/** What tells a file apart from every other on this machine; undefined where there is none at the path. Opens nothing. */
export function fileIdentity(path: string): string | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats && `${stats.dev}:${stats.ino}`;
}
