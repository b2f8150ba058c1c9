/** Processes that exit while the store's threads start or work. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { buildProgram, type Program } from "../torture/build.js";

jest.setTimeout(180_000);

let program: Program;
let folder: string;
beforeAll(() => {
  program = buildProgram();
  folder = mkdtempSync(join(tmpdir(), "hookgate-exit-"));
});
afterAll(() => {
  program.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** How such a process ended: its exit code, or the signal. */
function exitOf(how: string, name: string): Promise<{ readonly end: unknown; readonly output: string }> {
  const options = JSON.stringify({ db: join(folder, `${name}.db`), how });
  const child = spawn(process.execPath, [program.exit], {
    env: { ...process.env, NODE_OPTIONS: "", HOOKGATE_EXIT: options },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let output = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ end: code ?? signal, output }));
  });
}

describe("a process that exits soon after the receiver was started", () => {
  // Without the guard about one in six of these aborts on Node.js 20: 134, or SIGABRT.
  it.each(["port taken", "throw", "throw while starting", "exit"])(
    "H17: %s: ends with its own exit code, 12 times of 12",
    async (how) => {
      const ends: unknown[] = [];
      for (let round = 0; round < 4; round++) {
        const names = [0, 1, 2].map((at) => `${how}-${round}-${at}`);
        for (const { end, output } of await Promise.all(names.map((name) => exitOf(how, name)))) {
          ends.push(end);
          expect(output).not.toContain("terminate called");
        }
      }
      expect(ends).toEqual(new Array(12).fill(1));
    },
  );
});
