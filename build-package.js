/**
 * Builds `dist`: code without comments, and of the declarations only those that a compiler can come to from an entry of
 * `exports`, with comments where an entry offers what they speak of. All of it is indented by tabs.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import ts from "typescript";

const compiler = createRequire(import.meta.url).resolve("typescript/bin/tsc");
const { exports } = JSON.parse(readFileSync("package.json", "utf8"));

function compile(...options) {
  execFileSync(process.execPath, [compiler, "-p", "tsconfig.build.json", ...options], { stdio: "inherit" });
}

const reference = /(?:from|import|import\() ?"(\.[^"]+)\.js"/g;
const offer = /^export [^;]*? from "(\.[^"]+)\.js"/gm;

/** A declaration file and all that it refers to in this way, by path. */
function follow(file, way, found) {
  if (found.has(file)) return;
  found.add(file);
  for (const [, path] of readFileSync(file, "utf8").matchAll(way)) {
    follow(join(dirname(file), `${path}.d.ts`), way, found);
  }
}

/** Declarations that nobody looks at. What tells the compiler something stays. */
function withoutComments(text) {
  return text.replace(/^\s*\/\*\*(?! @ts-)[\s\S]*?\*\/\n/gm, "");
}

/** Where lines begin within a template literal: their spaces are text. */
function linesOfText(source) {
  const lines = new Set();
  const visit = (node) => {
    if (ts.isTemplateLiteralToken(node)) {
      const first = source.getLineAndCharacterOfPosition(node.getStart(source)).line;
      const last = source.getLineAndCharacterOfPosition(node.getEnd()).line;
      for (let line = first + 1; line <= last; line++) lines.add(line);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return lines;
}

/** The compiler indents by four spaces: a tenth of the package. */
function indentByTabs(path, text) {
  const kept = linesOfText(ts.createSourceFile(path, text, ts.ScriptTarget.Latest));
  const lines = text.split("\n").map((line, at) => {
    const tabs = /^(?: {4})+/.exec(line)?.[0] ?? "";
    return kept.has(at) ? line : "\t".repeat(tabs.length / 4) + line.slice(tabs.length);
  });
  return lines.join("\n");
}

rmSync("dist", { recursive: true, force: true });
compile("--emitDeclarationOnly");
compile("--declaration", "false", "--removeComments");
const [reachable, offered] = [new Set(), new Set()];
for (const { types } of Object.values(exports)) {
  if (types === undefined) continue;
  follow(join(types), reference, reachable);
  follow(join(types), offer, offered);
}
for (const file of readdirSync("dist", { recursive: true })) {
  const path = join("dist", file);
  if (path.endsWith(".d.ts") && !reachable.has(path)) rmSync(path);
  else if (/\.(js|d\.ts)$/.test(path)) {
    const text = readFileSync(path, "utf8");
    const hidden = path.endsWith(".d.ts") && !offered.has(path);
    writeFileSync(path, indentByTabs(path, hidden ? withoutComments(text) : text));
  }
}
