import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { transform } from "@swc/core";

const root = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Compiles `src` into a folder of its own below `build`, for what runs outside the test's module loader: threads and
 * processes. Resolves with its path and the function that deletes it.
 */
export async function buildSources(): Promise<{ readonly folder: string; remove(): Promise<void> }> {
  const folder = join(root, "build", `sources-${process.pid}-${Date.now()}`);
  const files = await readdir(join(root, "src"), { recursive: true });
  for (const file of files.filter((name) => name.endsWith(".ts"))) {
    const text = await readFile(join(root, "src", file), "utf8");
    const { code } = await transform(text, {
      jsc: { target: "es2022", parser: { syntax: "typescript" } },
      module: { type: "es6" },
    });
    const target = join(folder, file.replace(/\.ts$/, ".js"));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, code);
  }
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}
