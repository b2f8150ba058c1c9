/** Makes a copy of the inbox's file in a process of its own, which can be ended at any moment. */
import { backUpFile, type CopyAnswer, type CopyOrder } from "./backup.js";
import { loadDriver } from "./driver.js";

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
