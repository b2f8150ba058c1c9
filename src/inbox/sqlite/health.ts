import { statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { EngineHealth } from "../../types/health.js";
import { memoryPath } from "./connection.js";
import type { RequestQueue } from "./queue.js";

/** A write that was answered within this time says as much as a new one. */
const recentMs = 5_000;

/** Whether the file takes writes: by the last one, or by one that changes nothing and is synced like any other. */
export async function probeWrites(queue: RequestQueue): Promise<Pick<EngineHealth, "writable" | "reason">> {
  if (queue.wroteAgoMs() < recentMs) return { writable: true };
  try {
    await queue.ask({ op: "probe" });
    return { writable: true };
  } catch (error) {
    return { writable: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** The sizes of the file and its log, and the room on its disk; without opening them. Empty for one in memory. */
export function sizesOf(path: string): Pick<EngineHealth, "fileBytes" | "logBytes" | "freeBytes"> {
  if (path === memoryPath) return {};
  const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return { fileBytes: sizeOf(path), logBytes: sizeOf(`${path}-wal`), freeBytes: bavail * bsize };
  } catch {
    // The folder is gone, or may not be read: the writes tell what that means.
    return {};
  }
}
