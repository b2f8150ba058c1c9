/**
 * The code in the documentation and the examples compile as users would compile them: against the declarations of the
 * package, with the options that `tsc --init` writes, by each version of TypeScript.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { blocksOf, type Page, readPages, root } from "./pages.js";

jest.setTimeout(600_000);

const compilers = ["typescript59", "typescript", "typescript7"] as const;
const pages = readPages();
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>;
};

let folder = "";
beforeAll(() => {
  mkdirSync(join(root, "build"), { recursive: true });
  folder = mkdtempSync(join(root, "build/docs-"));
  emitDeclarations();
});
afterAll(() => rmSync(folder, { recursive: true }));

function tsc(compiler: (typeof compilers)[number], cwd: string, args: readonly string[]): string[] {
  const command = join(root, "node_modules", compiler, "bin/tsc");
  const { stdout, status, error } = spawnSync(process.execPath, [command, ...args], {
    cwd,
    encoding: "utf8",
  });
  if (error !== undefined) throw error;
  const complaints = stdout.split("\n").filter((line) => /error TS/.test(line));
  if (status !== 0 && complaints.length === 0) throw new Error(`the compiler did not run: ${stdout}`);
  return complaints;
}

/** The declarations of the package: a user's compiler sees these, not the sources. */
function emitDeclarations(): void {
  const compilerOptions = { declaration: true, emitDeclarationOnly: true, removeComments: false };
  const outputs = { rootDir: "../../src", outDir: "package", sourceMap: false };
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: "../../tsconfig.build.json",
      compilerOptions: { ...compilerOptions, ...outputs },
      include: ["../../src"],
    }),
  );
  // The fastest of them; the declarations are the same.
  expect(tsc("typescript7", folder, ["-p", "."])).toEqual([]);
}

/** Writes every `ts` block of the pages into a folder, each a file that names its page. */
function writeBlocks(given: readonly Page[]): {
  readonly target: string;
  readonly paths: Map<string, string>;
} {
  const target = mkdtempSync(join(folder, "blocks-"));
  const paths = new Map<string, string>();
  for (const page of given) {
    for (const { info, line, code } of blocksOf(page)) {
      if (info !== "ts") continue;
      const name = `${page.path.replaceAll(/\W/g, "_")}_${line}.ts`;
      paths.set(name, page.path);
      // The blank lines keep the numbers of the lines those of the page.
      writeFileSync(join(target, name), "\n".repeat(line - 1) + code);
    }
  }
  return { target, paths };
}

/** Compiles every `ts` block of the pages, and the examples; the complaints name page and line. */
function complaintsOf(compiler: (typeof compilers)[number], given: readonly Page[]): string[] {
  const { target, paths } = writeBlocks(given);
  const defaults = join(target, "defaults");
  mkdirSync(defaults);
  tsc(compiler, defaults, ["--init"]);
  const entries = Object.entries(manifest.exports).flatMap(([subpath, entry]) =>
    typeof entry === "string"
      ? []
      : [[subpath.replace(".", "hookgate"), [entry.types.replace("./dist", "../package")]] as const],
  );
  // What the comments of `tsc --init` say to write for Node.js, and nothing else that would change the checks.
  const compilerOptions = { types: ["node"], noEmit: true, paths: Object.fromEntries(entries) };
  const config = {
    extends: "./defaults/tsconfig.json",
    compilerOptions,
    include: ["*.ts", "../../../examples"],
  };
  writeFileSync(join(target, "tsconfig.json"), JSON.stringify(config));
  return tsc(compiler, target, ["-p", ".", "--pretty", "false"]).map((line) =>
    line.replace(/^(\w+\.ts)\((\d+),\d+\)/, (_, file, at) => `${paths.get(file)}:${at}`),
  );
}

describe("the code in the documentation", () => {
  const wrong: Page = {
    path: "docs/wrong.md",
    text: '# Page\n\n```ts\nimport { createReceiver } from "hookgate";\ncreateReceiver({ nam: "x" });\n```\n',
  };

  it.each(compilers)("and in the examples compiles under the defaults of %s", (compiler) => {
    const complaints = complaintsOf(compiler, [...pages, wrong]);
    const caught = complaints.filter((line) => line.startsWith(wrong.path));
    expect(complaints.filter((line) => !line.startsWith(wrong.path))).toEqual([]);
    // What is wrong is found, with page and line.
    expect(caught).toEqual([expect.stringMatching(/^docs\/wrong\.md:5: error TS\d+: .*nam/)]);
  });

  it("is there", () => {
    expect(pages.flatMap(blocksOf).filter(({ info }) => info === "ts").length).toBeGreaterThan(10);
  });

  it("says in which language it is, one of a few, so that none escapes", () => {
    const languages = ["ts", "sh", "json", "nginx", "yaml", "http", "text"];
    const others = pages.flatMap((page) =>
      blocksOf(page)
        .filter(({ info, code }) =>
          info === "" ? /\b(import|const|await)\b/.test(code) : !languages.includes(info),
        )
        .map(({ info, line }) => `${page.path}:${line} ${info}`),
    );
    expect(others).toEqual([]);
  });

  it("is JSON where it says so", () => {
    const blocks = pages.flatMap((page) => blocksOf(page)).filter(({ info }) => info === "json");
    for (const { code } of blocks) expect(() => JSON.parse(code)).not.toThrow();
  });
});
