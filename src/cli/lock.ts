import { randomUUID } from "node:crypto";
import { readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import type { CommandIo } from "./command.js";
import { refused } from "./command.js";

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
