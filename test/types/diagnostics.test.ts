/** What the compiler tells a user: the words of its complaints, and that plain JavaScript under `checkJs` gets none. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";

jest.setTimeout(300_000);

const root = fileURLToPath(new URL("../..", import.meta.url));

let folder = "";
beforeAll(() => {
  mkdirSync(join(root, "build"), { recursive: true });
  folder = mkdtempSync(join(root, "build/diagnostics-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Compiles one file and gives the compiler's output. */
function compile(compiler: string, name: string, code: string): string {
  const target = mkdtempSync(join(folder, "file-"));
  writeFileSync(join(target, name), code);
  // As `tsc --init` leaves them: off.
  const off = { noUnusedLocals: false, noUnusedParameters: false, noImplicitReturns: false };
  const compilerOptions = { ...off, allowJs: true, checkJs: true, moduleDetection: "force" };
  const config = { extends: "../../../tsconfig.json", compilerOptions, include: [name], exclude: [] };
  writeFileSync(join(target, "tsconfig.json"), JSON.stringify(config));
  const tsc = join(root, "node_modules", compiler, "bin/tsc");
  const { stdout, error } = spawnSync(process.execPath, [tsc, "-p", ".", "--pretty", "false"], {
    cwd: target,
    encoding: "utf8",
  });
  if (error !== undefined) throw error;
  return stdout;
}

describe.each(["typescript59", "typescript", "typescript7"])("%s", (compiler) => {
  it("names auth and source where a receiver has neither", () => {
    const said = compile(
      compiler,
      "app.ts",
      'import { createReceiver } from "hookgate";\ncreateReceiver({ name: "orders" });\n',
    );
    expect(said).toMatch(/^app\.ts\(2,16\): error/);
    expect(said).toMatch(/'source' is missing/);
    expect(said).toMatch(/required in type '\w*OrAuth/);
  });

  it("has no complaint about JavaScript that is checked", () => {
    const code = `import express from "express";
import { createReceiver, NonRetriableError, requireAuth } from "hookgate";
import { sqliteEngine } from "hookgate/sqlite";
import { z } from "zod";

const receiver = createReceiver({
  name: "orders",
  events: { "order.paid": z.object({ orderId: z.string() }), "order.lost": z.object({ why: z.string() }) },
  auth: { serviceKey: process.env.HOOK_SERVICE_KEY },
  inbox: { engine: sqliteEngine("hooks.db") },
});

/** @param {string} id */
async function ship(id) {
  if (id === "") throw new NonRetriableError("no id");
  return { id };
}

receiver.on("order.paid", async (event, context) => {
  const shipped = await ship(event.data.orderId);
  await context.complete();
  return shipped;
});
receiver.on("order.lost", (event) => console.log(event.data.why), { name: "lost", maxAttempts: 3 });
receiver.on("order.*", async (event) => {
  if (event.type === "order.lost") return event.data.why;
});

/** @type {import("hookgate").HandlerOf<typeof receiver, "order.paid">} */
const onPaid = async (event) => {
  await ship(event.data.orderId);
};
/** @type {import("hookgate").HandlerOf<typeof receiver, "order.lost">} */
const onLost = (event) => (event.data.why === "" ? undefined : ship(event.data.why));
receiver.on("order.lost", onLost, { name: "onLost" });
receiver.on("order.paid", onPaid, { name: "again" });

const app = express();
app.all("/hooks", receiver.middleware());
app.get("/me", requireAuth({ serviceKey: process.env.HOOK_SERVICE_KEY }), (req, res) => {
  res.send(req.caller?.method);
});
await receiver.start();
`;
    expect(compile(compiler, "app.js", code)).toBe("");
  });

  it("complains about JavaScript that is wrong", () => {
    const code = `import { createReceiver } from "hookgate";
createReceiver({ name: "orders", auth: { serviceKey: "k" } }).on("a", () => {}, { maxAttempts: 1 });
`;
    expect(compile(compiler, "app.js", code)).toMatch(/app\.js\(2,\d+\): error .*maxAttempts/);
  });
});
