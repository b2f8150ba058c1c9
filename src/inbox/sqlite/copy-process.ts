/** Makes a copy of the inbox's file in a process of its own, which can be ended at any moment. */
import type { BackupReport } from "../../types/engine.js";
import { backUpFile } from "./backup.js";
import { loadDriver } from "./driver.js";

/** What is copied, as it is sent to the process. */
export interface CopyOrder {
  readonly source: string;
  readonly target: string;
  /** Where the copy is written until it is whole. */
  readonly partial: string;
}

export type CopyAnswer = { readonly report: BackupReport } | { readonly message: string };

process.on("message", ({ source, target, partial }: CopyOrder) => {
  process.send?.(answerOf(source, target, partial), () => process.disconnect());
});

function answerOf(source: string, target: string, partial: string): CopyAnswer {
  try {
    return { report: backUpFile(loadDriver(), source, { target, partial }) };
  } catch (error) {
    return { message: error instanceof Error ? error.message : String(error) };
  }
}
