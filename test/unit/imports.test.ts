/** What a process loads that imports `hookgate`: the static imports of its sources, followed as Node.js follows them. */
import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "@jest/globals";
import ts from "typescript";

const src = fileURLToPath(new URL("../../src/", import.meta.url));

interface Loaded {
  /** Paths below `src`. */
  readonly files: readonly string[];
  readonly packages: readonly string[];
}

/** Everything that is loaded before the importing module's first line runs. Types are gone by then. */
function loadedBy(entry: string): Loaded {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (path: string): void => {
    if (files.has(path)) return;
    files.add(path);
    for (const specifier of runtimeImports(path)) {
      if (specifier.startsWith(".")) {
        visit(posix.join(posix.dirname(path), specifier).replace(/\.js$/, ".ts"));
      } else packages.add(specifier);
    }
  };
  visit(entry);
  return { files: [...files].sort(), packages: [...packages].sort() };
}

/** What is imported when the file is loaded: imports and exports that the compiler leaves in. */
function runtimeImports(path: string): string[] {
  const source = ts.createSourceFile(path, readFileSync(src + path, "utf8"), ts.ScriptTarget.Latest);
  return source.statements.flatMap((statement): string[] => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    const { moduleSpecifier } = statement;
    if (moduleSpecifier === undefined || !ts.isStringLiteral(moduleSpecifier)) return [];
    return isTypeOnly(statement) ? [] : [moduleSpecifier.text];
  });
}

function isTypeOnly(statement: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(statement)) {
    const names = statement.exportClause;
    if (statement.isTypeOnly || names === undefined || !ts.isNamedExports(names)) return statement.isTypeOnly;
    return names.elements.every((element) => element.isTypeOnly);
  }
  const clause = statement.importClause;
  if (clause === undefined) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const names = clause.namedBindings;
  if (clause.name !== undefined || names === undefined || !ts.isNamedImports(names)) return false;
  return names.elements.length > 0 && names.elements.every((element) => element.isTypeOnly);
}

describe("importing hookgate", () => {
  const { files, packages } = loadedBy("index.ts");

  it("follows imports through the rooms", () => {
    expect(files).toEqual(
      expect.arrayContaining(["receiver/receiver.ts", "auth/jwt/verify.ts", "errors.ts"]),
    );
  });

  it.each([
    ["XML", /^body\/xml/],
    ["HTTP message signatures (RFC 9421)", /^signatures\/http-message\//],
    ["the signing of deliveries", /^signatures\/sign(ing)?\.ts$/],
    ["a source", /^sources\//],
    ["an engine", /^inbox\/sqlite\//],
    ["the command line", /^cli\//],
    ["the testing kit", /^testing\//],
    ["the client for remote key sets", /^auth\/jwt\/fetch-key-set/],
  ])("loads nothing of %s", (_what, pattern) => {
    expect(files.filter((path) => pattern.test(path))).toEqual([]);
  });

  it("loads no package but content-type", () => {
    expect(packages.filter((name) => !name.startsWith("node:"))).toEqual(["content-type"]);
  });

  // An import of node:http reads its getter WebSocket, which loads undici (see lib/node-http.ts).
  it.each(["http", "https", "tls", "dns", "worker_threads", "child_process"])(
    "does not import node:%s, which takes long to load",
    (name) => {
      expect(packages).toContain("node:crypto");
      expect(packages).not.toContain(`node:${name}`);
    },
  );
});

describe("a source's subpath", () => {
  it.each(["github", "stripe", "slack"])(
    "hookgate/%s loads no XML and no HTTP message signatures",
    (name) => {
      const { files } = loadedBy(`sources/${name}.ts`);
      expect(files.filter((path) => /^body\/xml|^signatures\/http-message\//.test(path))).toEqual([]);
    },
  );

  it("hookgate/http-signature loads its own check", () => {
    expect(loadedBy("sources/http-signature.ts").files).toContain("signatures/http-message/verify.ts");
  });
});
