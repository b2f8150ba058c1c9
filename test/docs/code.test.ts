/** The code in the documentation compiles against the sources, each block on its own. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { blocksOf, type Page, readPages, root } from "./pages.js";

jest.setTimeout(300_000);

const tsc = createRequire(import.meta.url).resolve("typescript/lib/tsc.js");
const pages = readPages();

let folder = "";
beforeAll(() => {
  mkdirSync(join(root, "build"), { recursive: true });
  folder = mkdtempSync(join(root, "build/docs-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Compiles every `ts` block of the pages; the complaints name page and line. */
function complaintsAbout(given: readonly Page[]): string[] {
  const target = mkdtempSync(join(folder, "blocks-"));
  const names = new Map<string, string>();
  for (const page of given) {
    for (const { info, line, code } of blocksOf(page)) {
      if (info !== "ts") continue;
      const name = `${page.path.replaceAll(/\W/g, "_")}_${line}.ts`;
      names.set(name, page.path);
      // The blank lines keep the numbers of the lines those of the page.
      writeFileSync(join(target, name), "\n".repeat(line - 1) + code);
    }
  }
  const compilerOptions = { moduleDetection: "force", noUnusedLocals: false, noUnusedParameters: false };
  const config = { extends: "../../../tsconfig.json", compilerOptions, include: ["*.ts"], exclude: [] };
  writeFileSync(join(target, "tsconfig.json"), JSON.stringify(config));
  const { stdout, status } = spawnSync(process.execPath, [tsc, "-p", "."], { cwd: target, encoding: "utf8" });
  const complaints = stdout.split("\n").filter((line) => line !== "");
  if (status !== 0 && complaints.length === 0) throw new Error("the compiler did not run");
  return complaints.map((line) =>
    line.replace(/^(\w+\.ts)\((\d+),\d+\)/, (_, file, at) => `${names.get(file)}:${at}`),
  );
}

describe("the code in the documentation", () => {
  const wrong: Page = {
    path: "docs/wrong.md",
    text: '# Page\n\n```ts\nimport { createReceiver } from "hookgate";\ncreateReceiver({ nam: "x" });\n```\n',
  };
  let complaints: readonly string[] = [];
  beforeAll(() => {
    complaints = complaintsAbout([...pages, wrong]);
  });

  it("compiles", () => {
    expect(pages.flatMap(blocksOf).filter(({ info }) => info === "ts").length).toBeGreaterThan(10);
    expect(complaints.filter((line) => !line.startsWith(wrong.path))).toEqual([]);
  });

  it("would be caught where it does not, with page and line", () => {
    expect(complaints).toContainEqual(expect.stringMatching(/^docs\/wrong\.md:5: error TS\d+: .*nam/));
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
