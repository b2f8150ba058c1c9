/** Makes a copy of the inbox's file in a process of its own, which can be ended at any moment. */
import { backUpFile, type CopyAnswer, type CopyOrder } from "./backup.js";
import { loadDriver } from "./driver.js";

process.on("message", ({ file, target, partial }: CopyOrder) => {
  process.send?.(answerOf(file, target, partial), () => process.disconnect());
});

function answerOf(file: string, target: string, partial: string): CopyAnswer {
  try {
    return { report: backUpFile(loadDriver(), file, { target, partial }) };
  } catch (error) {
    return { message: error instanceof Error ? error.message : String(error) };
  }
}
