import type { ChildProcess } from "node:child_process";
import { rmSync } from "node:fs";
import type { BackupReport } from "../../types/engine.js";
import { partialOf } from "./backup.js";
import { startChild } from "./child.js";
import type { CopyAnswer } from "./copy-process.js";

/** Makes copies of a file, each in a process of its own: the engine's end does not wait for them. */
export class CopyHost {
  readonly #source: string;
  readonly #program: URL;
  readonly #running = new Set<(error: Error) => void>();

  /** `program` is the seam for tests. */
  constructor(source: string, program: URL = new URL("./copy-process.js", import.meta.url)) {
    this.#source = source;
    this.#program = program;
  }

  /** Rejects as `backUpFile` throws, and where `end` is called before the copy is made; then nothing is left of it. */
  copy(target: string): Promise<BackupReport> {
    return new Promise((resolve, reject) => {
      const partial = partialOf(target);
      const child: ChildProcess = startChild(this.#program, "inbox.backup");
      let answer: CopyAnswer | undefined;
      let ended: Error | undefined;
      const end = (error: Error): void => {
        ended ??= error;
        child.kill("SIGKILL");
      };
      this.#running.add(end);
      child.on("message", (message: CopyAnswer) => {
        answer = message;
      });
      child.on("error", end);
      child.on("exit", () => {
        this.#running.delete(end);
        if (answer !== undefined && "report" in answer) return resolve(answer.report);
        rmSync(partial, { force: true });
        reject(ended ?? new Error(answer?.message ?? `the copy ${target} was not made: its process ended`));
      });
      child.send({ source: this.#source, target, partial }, (error) => {
        if (error !== null) end(error);
      });
    });
  }

  /** Ends the processes; what they were making is deleted. */
  end(): void {
    for (const end of [...this.#running]) end(new Error("the engine was closed"));
  }
}
