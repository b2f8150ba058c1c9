/** `closeOnSignals` in a process of its own: the only one whose end can be seen. */
import { type ChildProcess, spawn } from "node:child_process";
import { request } from "node:http";
import { afterAll, afterEach, describe, expect, it } from "@jest/globals";
import { closeOnSignals } from "hookgate";
import { buildProgram, type Program } from "../torture/build.js";
import { until } from "../torture/until.js";

let program: Program | undefined;
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

afterAll(() => program?.remove());

interface Running {
  readonly child: ChildProcess;
  readonly port: number;
  readonly ended: Promise<number | NodeJS.Signals | null>;
  output(): string;
}

/** A server whose route /slow answers when it is sent SIGUSR2, and that holds a timer of its own. */
async function start(options: object): Promise<Running> {
  program ??= buildProgram();
  const child = spawn(process.execPath, [program.signals], {
    env: { ...process.env, NODE_OPTIONS: "", HOOKGATE_SIGNALS: JSON.stringify(options) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once("close", (code, signal) => resolve(code ?? signal));
  });
  const port = await until("its port", () => /^ready (\d+)$/m.exec(output)?.[1]);
  return { child, port: Number(port), ended, output: () => output };
}

/** Resolves with the status, or 0 where there was no answer; the connection is kept alive. */
function get(port: number, path: string): Promise<number> {
  return new Promise((resolve) => {
    const req = request({ port, host: "127.0.0.1", path, headers: { connection: "keep-alive" } }, (res) => {
      res.resume().on("end", () => resolve(res.statusCode ?? 0));
    });
    req.on("error", () => resolve(0));
    req.end();
  });
}

describe("closeOnSignals", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "H17: on %s takes no more, lets requests in progress end, and exits with 0, whatever else keeps the process alive",
    async (signal) => {
      const { child, port, ended, output } = await start({ grace: "10s" });
      const slow = get(port, "/slow");
      await until("the request", () => output().includes("slow began"));
      child.kill(signal);
      await until("the receiver's end", () => output().includes("receiver closed with 10s"));
      expect(await get(port, "/slow")).toBe(0);
      child.kill("SIGUSR2");
      expect(await slow).toBe(200);
      expect(await ended).toBe(0);
    },
  );

  it("H17: exits when the grace is over", async () => {
    const { child, port, ended, output } = await start({ grace: "50ms" });
    const slow = get(port, "/slow");
    await until("the request", () => output().includes("slow began"));
    child.kill("SIGTERM");
    expect(await slow).toBe(0);
    expect(await ended).toBe(0);
  });

  it("H17: exits with 1 on a second signal", async () => {
    const { child, port, ended, output } = await start({ grace: "1h" });
    void get(port, "/slow");
    await until("the request", () => output().includes("slow began"));
    child.kill("SIGTERM");
    await until("the receiver's end", () => output().includes("receiver closed"));
    child.kill("SIGINT");
    expect(await ended).toBe(1);
  });

  it("takes several receivers, and one whose close rejects", async () => {
    const { child, ended, output } = await start({ receivers: 2, rejects: true });
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect(output().match(/receiver closed with 10s/g)).toHaveLength(2);
  });

  it("returns what removes its listeners", () => {
    const before = process.listenerCount("SIGTERM");
    const server = { close() {} };
    const remove = closeOnSignals(server, { close: async () => {} });
    expect(process.listenerCount("SIGTERM")).toBe(before + 1);
    remove();
    expect(process.listenerCount("SIGTERM")).toBe(before);
  });

  it.each([
    ["server", [undefined, { close: async () => {} }]],
    ["receiver", [{ close() {} }, [{}]]],
    ["grace", [{ close() {} }, [], { grace: "2h" }]],
    ["grace", [{ close() {} }, [], { grace: 5 }]],
    ["graceMs", [{ close() {} }, [], { graceMs: 5 }]],
  ])("refuses a wrong %s", (name, given) => {
    expect(() => closeOnSignals(...(given as Parameters<typeof closeOnSignals>))).toThrow(name);
    expect(() => closeOnSignals(...(given as Parameters<typeof closeOnSignals>))).toThrow(TypeError);
  });
});
