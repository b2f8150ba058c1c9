import { statfsSync } from "node:fs";
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
