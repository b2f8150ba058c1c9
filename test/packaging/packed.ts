import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
const modules = join(root, "node_modules");

/** The package as npm packs it, unpacked in a folder outside the repository. */
export interface Packed {
  /** Everything lies below. */
  readonly folder: string;
  /** Projects made in here find `hookgate`, and what it depends on, in its node_modules. */
  readonly linked: string;
  readonly tarball: string;
  /** Paths of the tarball's files. */
  readonly files: readonly string[];
  readonly unpackedBytes: number;
}

/** Runs a command to its end and gives what it wrote; an exit code other than 0 throws, with all of it. */
export function run(cwd: string, command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env: outerEnvironment(),
    encoding: "utf8",
    timeout: 240_000,
    shell: process.platform === "win32",
  });
  if (error !== undefined) throw error;
  if (status !== 0)
    throw new Error(`${command} ${args.join(" ")} ended with ${status}:\n${stdout}\n${stderr}`);
  return stdout;
}

/** The environment without what `npm test` adds to it: an npm inside would take this repository for its project. */
function outerEnvironment(): NodeJS.ProcessEnv {
  const added = /^(npm_config_local_prefix|npm_(package|lifecycle)_.*|npm_command|INIT_CWD|NODE_OPTIONS)$/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !added.test(name)));
}

/**
 * Packs a copy of the repository, so that nobody else's `dist` is built anew meanwhile, and unpacks it. `prepack` builds
 * the copy.
 */
export function pack(): Packed {
  const folder = mkdtempSync(join(tmpdir(), "hookgate-packaging-"));
  const copy = join(folder, "copy");
  const sources = [
    "package.json",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "docs",
    "examples",
    "src",
    "tsconfig.json",
    "tsconfig.build.json",
  ];
  const unpublished = ["test", "biome.json", "package-lock.json"];
  for (const name of [...sources, ...unpublished]) {
    if (existsSync(join(root, name))) cpSync(join(root, name), join(copy, name), { recursive: true });
  }
  // What an earlier build left must not be packed.
  mkdirSync(join(copy, "dist/auth"), { recursive: true });
  writeFileSync(join(copy, "dist/auth/stale.js"), "");
  symlinkSync(modules, join(copy, "node_modules"), "junction");
  const output = run(copy, "npm", ["pack", "--json", "--pack-destination", folder]);
  const [packed] = JSON.parse(output.slice(output.indexOf("["))) as [
    { filename: string; unpackedSize: number; files: { path: string }[] },
  ];
  const tarball = join(folder, packed.filename);
  const linked = join(folder, "linked");
  const unpacked = join(linked, "node_modules/hookgate");
  mkdirSync(unpacked, { recursive: true });
  run(unpacked, "tar", ["-xzf", tarball, "--strip-components=1"]);
  const brought = ["jose", "raw-body", "ip-cidr", "content-type", "@photostructure/sqlite"];
  for (const name of [...brought, "zod", "@types/node"]) link(linked, name);
  return {
    folder,
    linked,
    tarball,
    files: packed.files.map(({ path }) => path),
    unpackedBytes: packed.unpackedSize,
  };
}

/** Makes a module of the repository's node_modules visible in a project, under this name or another. */
export function link(project: string, name: string, from = name): void {
  const target = join(project, "node_modules", name);
  mkdirSync(dirname(target), { recursive: true });
  symlinkSync(join(modules, from), target, "junction");
}

/** Makes a project of this module type with this Express and its types. Returns its folder. */
export function makeProject(
  folder: string,
  name: string,
  { type, express }: { readonly type: "module" | "commonjs"; readonly express: 4 | 5 },
): string {
  const project = join(folder, name);
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name, private: true, type }));
  linkExpress(project, express);
  return project;
}

/** Makes Express and its types visible in a project. */
export function linkExpress(project: string, express: 4 | 5): void {
  link(project, "express", express === 4 ? "express4" : "express");
  link(project, "@types/express", express === 4 ? "express4-types" : "@types/express");
}

/** Compiles files in place and gives the compiler's complaints; see compile.mjs. */
export function compile(folder: string, module: "nodenext" | "node20", files: readonly string[]): string[] {
  const script = join(root, "test/packaging/compile.mjs");
  return JSON.parse(run(folder, process.execPath, [script, module, ...files]));
}

/** Bytes of all files in a folder. */
export function bytesIn(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((path) => statSync(join(folder, path)))
    .reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0);
}

/** Removes everything that `pack` and the projects left. */
export function cleanUp(packed: Packed | undefined): void {
  if (packed !== undefined) rmSync(packed.folder, { recursive: true, force: true });
}
