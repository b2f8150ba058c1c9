import { type FSWatcher, watch } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Clock } from "../../lib/clock.js";

/** Watches a changing set of files. */
export interface FileWatch {
  /** Replaces the set of watched files. `fingerprint` is what their present state was read as. */
  update(paths: readonly string[], fingerprint: string): void;
  close(): void;
}

/** What tells one state of a file from the next: inode, size, and the times of its content and of its inode. */
export function fingerprintOf(stats: {
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}): string {
  return `${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
}

/**
 * Calls `changed` when the state of a watched file may have changed: at once where the system tells (fs.watch on the
 * folders, since files are replaced by renaming), else within `pollMs`, because notifications get lost on network
 * and container mounts. Keeps no process alive.
 */
export function watchFiles(options: {
  readonly clock: Clock;
  readonly pollMs: number;
  readonly changed: () => void;
}): FileWatch {
  const { clock, pollMs, changed } = options;
  const folders = new Map<string, FSWatcher>();
  let names = new Set<string>();
  let paths: readonly string[] = [];
  let seen = "";
  let closed = false;
  let checking = false;
  let again = false;

  const check = async (): Promise<void> => {
    if (checking) {
      again = true;
      return;
    }
    checking = true;
    try {
      do {
        again = false;
        const current = await fingerprintOfAll(paths);
        if (!closed && current !== seen) {
          // Where `changed` does not call update, this state has had its turn.
          seen = current;
          changed();
        }
      } while (again && !closed);
    } finally {
      checking = false;
    }
  };

  const watchFolder = (folder: string): void => {
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        // Kubernetes replaces a mounted secret by renaming "..data".
        if (name === null || names.has(name) || name.startsWith("..")) void check();
      });
      watcher.on("error", () => {
        watcher.close();
        folders.delete(folder);
      });
      folders.set(folder, watcher);
    } catch {
      // Best effort: the poll finds changes all the same.
    }
  };

  let cancel = (): void => {};
  const poll = (): void => {
    cancel = clock.after(pollMs, () => {
      void check().then(() => {
        if (!closed) poll();
      });
    });
  };
  poll();

  return {
    update(next, fingerprint) {
      paths = next;
      seen = fingerprint;
      names = new Set(next.map((path) => basename(path)));
      const wanted = new Set(next.map((path) => dirname(path)));
      for (const [folder, watcher] of folders) {
        if (wanted.has(folder)) continue;
        watcher.close();
        folders.delete(folder);
      }
      for (const folder of wanted) if (!closed && !folders.has(folder)) watchFolder(folder);
    },
    close() {
      closed = true;
      cancel();
      for (const watcher of folders.values()) watcher.close();
      folders.clear();
    },
  };
}

async function fingerprintOfAll(paths: readonly string[]): Promise<string> {
  const states = await Promise.all(
    paths.map((path) =>
      stat(path, { bigint: true }).then(fingerprintOf, (error: NodeJS.ErrnoException) => String(error.code)),
    ),
  );
  return states.join(" ");
}
