/**
 * Builds `dist`: declarations with their comments, code without them, and of the declarations only those that a compiler
 * can come to from an entry of `exports`.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const compiler = createRequire(import.meta.url).resolve("typescript/bin/tsc");
const { exports } = JSON.parse(readFileSync("package.json", "utf8"));

function compile(...options) {
  execFileSync(process.execPath, [compiler, "-p", "tsconfig.build.json", ...options], { stdio: "inherit" });
}

/** A declaration file and all that it refers to, by path. */
function follow(file, found) {
  if (found.has(file)) return;
  found.add(file);
  for (const [, path] of readFileSync(file, "utf8").matchAll(/(?:from|import|import\() ?"(\.[^"]+)\.js"/g)) {
    follow(join(dirname(file), `${path}.d.ts`), found);
  }
}

rmSync("dist", { recursive: true, force: true });
compile("--emitDeclarationOnly");
compile("--declaration", "false", "--removeComments");
const reachable = new Set();
for (const { types } of Object.values(exports)) if (types !== undefined) follow(join(types), reachable);
for (const file of readdirSync("dist", { recursive: true })) {
  const path = join("dist", file);
  if (path.endsWith(".d.ts") && !reachable.has(path)) rmSync(path);
}
