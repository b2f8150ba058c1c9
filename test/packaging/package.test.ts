/** The package as users get it: packed, installed into small projects, and run there. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, posix } from "node:path";
import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { proseOf } from "../docs/pages.js";
import {
  bytesIn,
  cleanUp,
  compile,
  link,
  linkExpress,
  makeProject,
  type Packed,
  pack,
  root,
  run,
} from "./packed.js";
import { readExample, tryExample, withRequire } from "./readme.js";

jest.setTimeout(300_000);

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const sources = join(root, "test/packaging/projects");
const sizes: string[] = [];

let packed: Packed | undefined;
beforeAll(() => {
  packed = pack();
  sizes.push(`tarball unpacked: ${kilobytes(packed.unpackedBytes)}`);
});
afterAll(() => {
  cleanUp(packed);
  console.log(sizes.join("\n"));
});

function kilobytes(bytes: number): string {
  return `${Math.round(bytes / 1024)} KiB`;
}

function given(): Packed {
  if (packed === undefined) throw new Error("nothing was packed");
  return packed;
}

describe("the tarball", () => {
  const inTarball = (path: string): string => join(given().linked, "node_modules/hookgate", path);
  const textOf = (path: string): string => readFileSync(inTarball(path), "utf8");
  /** Targets that a packed file refers to relatively and that are not packed themselves. */
  const missing = (path: string, targets: readonly (string | undefined)[]): string[] =>
    targets
      .map((target = "") => posix.join(posix.dirname(path), target))
      .filter((target) => !existsSync(inTarball(target)))
      .map((target) => `${path} refers to ${target}`);

  it("holds code, sources, docs, examples and the changelog, and nothing else", () => {
    const kinds = /^(dist\/.*\.(js|d\.ts|js\.map)|src\/.*\.ts|docs\/.*\.md|examples\/.*\.(ts|md|json))$/;
    const others = given().files.filter((path) => !kinds.test(path));
    expect(others.sort()).toEqual(["CHANGELOG.md", "LICENSE", "README.md", "package.json"]);
    for (const name of ["src/index.ts", "docs/errors.md", "examples/quickstart/server.ts"]) {
      expect(given().files).toContain(name);
    }
  });

  it("holds nothing that an earlier build left behind", () => {
    expect(given().files.filter((path) => path.includes("stale"))).toEqual([]);
  });

  it("has working links in its pages", () => {
    const pages = given().files.filter((path) => path.endsWith(".md"));
    expect(pages.length).toBeGreaterThan(20);
    const dead = pages.flatMap((path) =>
      missing(
        path,
        [...proseOf({ path, text: textOf(path) }).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)].map(
          ([, to]) => to,
        ),
      ),
    );
    expect(dead).toEqual([]);
  });

  it("has the sources that its maps point to, except for types, the command line and the engine conformance suite", () => {
    const maps = given().files.filter((path) => path.endsWith(".js.map"));
    const unmapped = given()
      .files.filter((path) => path.endsWith(".js") && !maps.includes(`${path}.map`))
      .filter((path) => !/^dist\/(cli|types|testing\/engine-conformance)\//.test(path));
    expect(unmapped).toEqual([]);
    expect(maps.flatMap((path) => missing(path, JSON.parse(textOf(path)).sources))).toEqual([]);
  });

  it("has every declaration that its entries lead to", () => {
    const seen = new Set<string>();
    const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, "");
    const visit = (path: string): string[] => {
      if (seen.has(path)) return [];
      seen.add(path);
      const imports = [
        ...withoutComments(textOf(path)).matchAll(/(?:from|import|import\() ?"(\.[^"]+)\.js"/g),
      ].map(([, to]) => `${to}.d.ts`);
      const dead = missing(path, imports);
      if (dead.length > 0) return dead;
      return imports.flatMap((to) => visit(posix.join(posix.dirname(path), to)));
    };
    const entries = Object.values(manifest.exports as Record<string, { types?: string }>);
    expect(entries.flatMap(({ types }) => (types === undefined ? [] : visit(posix.join(types))))).toEqual([]);
    expect(seen.size).toBeGreaterThan(20);
  });

  it("leads from a stack trace to the line in src", () => {
    const project = makeProject(given().linked, "traces", { type: "module", express: 5 });
    writeFileSync(
      join(project, "trace.js"),
      'import { createReceiver } from "hookgate";\ntry { createReceiver({ nam: "x" }); } catch (error) { console.log(error.stack); }\n',
    );
    const stack = run(project, process.execPath, ["--enable-source-maps", "trace.js"]);
    const frames = [...stack.matchAll(/hookgate\/((?:src|dist)\/[^:)]+):(\d+):\d+/g)];
    expect(frames.length).toBeGreaterThan(1);
    for (const [, file = "", line] of frames) {
      expect([file, textOf(file).split("\n")[Number(line) - 1]]).toEqual([
        expect.stringMatching(/^src\/.*\.ts$/),
        expect.stringMatching(/\w\(/),
      ]);
    }
  });

  it("holds code and declarations behind every entry of exports, and the bin", () => {
    const targets = Object.values(manifest.exports).flatMap((entry) =>
      typeof entry === "string" ? [entry] : Object.values(entry as object),
    );
    const named = [...targets, ...Object.values(manifest.bin)].map((path) => String(path).replace("./", ""));
    expect(given().files).toEqual(expect.arrayContaining(named));
    for (const entry of [manifest.exports["."], manifest.exports["./testing"]]) {
      expect(Object.keys(entry)).toEqual(["types", "default"]);
    }
  });

  it("stays under four megabytes", () => {
    expect(given().unpackedBytes).toBeLessThan(4_000_000);
  });
});

const answered = "service-key 42\njwt 42\nanswered 200 200 401 401";

describe.each([4, 5] as const)("with Express %i", (express) => {
  it.each(["app.mjs", "app.cjs"])("%s receives what it should", (file) => {
    const type = file.endsWith(".mjs") ? "module" : "commonjs";
    const project = makeProject(given().linked, `js-${type}-${express}`, { type, express });
    cpSync(join(sources, file), join(project, file));
    expect(run(project, process.execPath, ["--throw-deprecation", file]).trim()).toBe(answered);
  });

  it.each(["app.mjs", "app.cjs"])("the README's receiver runs as %s", async (file) => {
    const type = file.endsWith(".mjs") ? "module" : "commonjs";
    const project = makeProject(given().linked, `readme-${type}-${express}`, { type, express });
    const { statuses, printed } = await tryExample(project, file, readExample());
    expect(statuses).toEqual([202, 200, 200, 401, 401, 401]);
    // Three deliveries of one event: it is handled once.
    expect(printed).toHaveLength(1);
  });
});

describe("in TypeScript", () => {
  it.each([
    { module: "nodenext", esm: 5, cjs: 4 },
    { module: "node20", esm: 4, cjs: 5 },
  ] as const)(
    "an ES module and CommonJS compile under $module, strictly, and run",
    ({ module, esm, cjs }) => {
      const { linked } = given();
      const projects = [
        makeProject(linked, `${module}-esm`, { type: "module", express: esm }),
        makeProject(linked, `${module}-cjs`, { type: "commonjs", express: cjs }),
      ];
      for (const project of projects) cpSync(join(sources, "app.ts"), join(project, "app.ts"));
      // Compiled along with them, to see that complaints come through.
      const mistaken = join(
        makeProject(linked, `${module}-mistaken`, { type: "module", express: 5 }),
        "app.ts",
      );
      writeFileSync(mistaken, 'import { createReceiver } from "hookgate";\ncreateReceiver({ nam: "x" });\n');

      const files = [...projects.map((project) => join(project, "app.ts")), mistaken];
      expect(compile(linked, module, files)).toEqual([expect.stringMatching(/mistaken\/app\.ts:2 .*nam/s)]);
      for (const project of projects) {
        expect(run(project, process.execPath, ["app.js"]).trim()).toBe(`${answered}, caller 200`);
      }
      expect(readFileSync(join(linked, `${module}-esm/app.js`), "utf8")).toContain('from "hookgate"');
      expect(readFileSync(join(linked, `${module}-cjs/app.js`), "utf8")).toContain('require("hookgate")');
    },
  );
});

describe("under the defaults of tsc --init", () => {
  it.each(["typescript59", "typescript", "typescript7"])(
    "%s writes the declarations of an app that exports what hookgate makes",
    (compiler) => {
      const project = makeProject(given().linked, `init-${compiler}`, { type: "module", express: 5 });
      const tsc = join(root, "node_modules", compiler, "bin/tsc");
      run(project, process.execPath, [tsc, "--init"]);
      const compilerOptions = { types: ["node"], emitDeclarationOnly: true };
      const config = { extends: "./tsconfig.json", compilerOptions, files: ["app.ts"] };
      writeFileSync(join(project, "tsconfig.app.json"), JSON.stringify(config));
      cpSync(join(sources, "exports.ts"), join(project, "app.ts"));
      run(project, process.execPath, [tsc, "-p", "tsconfig.app.json"]);
      const declarations = readFileSync(join(project, "app.d.ts"), "utf8");
      expect(declarations).toContain('import("hookgate").InboxReceiver<');
      expect(declarations).not.toMatch(/dist|: any/);
    },
  );
});

describe("sources", () => {
  const subpaths = Object.keys(manifest.exports as object)
    .filter((path) => !["./package.json", "."].includes(path))
    .map((path) => path.replace("./", "hookgate/"));
  /** Every subpath, and two sources whose types another package has. */
  const code = [
    'import { createReceiver } from "hookgate";',
    ...subpaths.map((path, at) => `import * as part${at} from "${path}";`),
    'import { github } from "hookgate/github";',
    'import { stripe } from "hookgate/stripe";',
    `export const parts = [${subpaths.map((_, at) => `part${at}`).join(", ")}];`,
    'const hub = createReceiver({ name: "hub", source: github({ secret: process.env.HUB }) });',
    'const pay = createReceiver({ name: "pay", source: stripe({ secret: process.env.PAY }) });',
    'hub.on("push", (event) => event.data.commits.length);',
    'pay.on("invoice.paid", (event) => event.data.data.object.amount_paid);',
  ].join("\n");

  it("open each by a path of its own, as ES module and CommonJS", () => {
    const opened = JSON.stringify(subpaths);
    for (const type of ["module", "commonjs"] as const) {
      const project = makeProject(given().linked, `subpaths-${type}`, { type, express: 5 });
      const load = type === "module" ? "await import(path)" : "require(path)";
      const script = `for (const path of ${opened}) if (Object.keys(${load}).length === 0) throw new Error(path);`;
      writeFileSync(join(project, "open.js"), script);
      expect(run(project, process.execPath, ["open.js"])).toBe("");
    }
  });

  it("compile strictly where the packages that type their payloads are not there: the data is unknown then", () => {
    const project = makeProject(given().linked, "untyped", { type: "module", express: 5 });
    const file = join(project, "app.ts");
    writeFileSync(file, code);
    expect(compile(given().linked, "nodenext", [file])).toEqual([
      expect.stringMatching(/app\.ts:\d+ .*'event\.data' is of type 'unknown'/),
      expect.stringMatching(/app\.ts:\d+ .*'event\.data' is of type 'unknown'/),
    ]);
  });

  it("have typed payloads where they are", () => {
    // A folder of its own: the compiler looks for optional packages from where ours really lies.
    const folder = join(given().folder, "typed");
    cpSync(join(given().linked, "node_modules"), join(folder, "node_modules"), {
      recursive: true,
      verbatimSymlinks: true,
    });
    link(folder, "@octokit/webhooks-types");
    link(folder, "stripe");
    const project = makeProject(folder, "app", { type: "module", express: 5 });
    const file = join(project, "app.ts");
    writeFileSync(file, code);
    expect(compile(folder, "nodenext", [file])).toEqual([]);
  });
});

describe("installed by npm", () => {
  /** Node.js 22.13 and later. */
  const hasSqlite = process.getBuiltinModule("node:sqlite") !== undefined;
  let project = "";
  beforeAll(() => {
    // Beside the linked modules, not below them: nothing may be found that npm has not brought.
    project = join(given().folder, "installed");
    mkdirSync(project);
    writeFileSync(join(project, "package.json"), JSON.stringify({ name: "installed", private: true }));
    // Express is the user's own; without it the size is ours.
    const quiet = ["--prefer-offline", "--omit=peer", "--no-audit", "--no-fund", "--ignore-scripts"];
    run(project, "npm", ["install", given().tarball, ...quiet]);
    sizes.push(`installed, without Express: ${kilobytes(bytesIn(join(project, "node_modules")))}`);
  });

  it("brings everything it imports: both doors open where only its own dependencies are", () => {
    const brought = readdirSync(join(project, "node_modules"));
    expect(brought).toEqual(expect.arrayContaining(["hookgate", ...Object.keys(manifest.dependencies)]));
    expect(brought).not.toContain("express");
    const code =
      'console.log(typeof require("hookgate").createReceiver, typeof require("hookgate/testing").sendDelivery)';
    expect(run(project, process.execPath, ["-e", code]).trim()).toBe("function function");
  });

  it("brings no SQLite driver: Node.js that has none built in is told what to install", () => {
    expect(readdirSync(join(project, "node_modules"))).not.toContain("@photostructure");
    const code = `
      const { sqliteEngine } = require("hookgate/sqlite");
      const { memoryEngine } = require("hookgate/testing");
      const open = (engine) =>
        engine.open({ note() {} }).then(() => engine.close()).then(() => "open", (error) => error.message);
      Promise.all([sqliteEngine("hooks.db"), memoryEngine()].map(open)).then((told) => console.log(JSON.stringify(told)));`;
    const said = JSON.parse(run(project, process.execPath, ["--no-warnings", "-e", code]));
    const command = "run `npm install @photostructure/sqlite@1`, or use a newer Node.js";
    const answer = hasSqlite ? "open" : expect.stringContaining(command);
    expect(said).toEqual([answer, answer]);
  });

  it("keeps the other files to itself", () => {
    const code = 'require("hookgate/dist/auth/jwt/verify.js")';
    expect(() => run(project, process.execPath, ["-e", code])).toThrow("ERR_PACKAGE_PATH_NOT_EXPORTED");
  });

  it("has a command that says what it can do", () => {
    const command = ["--offline", "hookgate"];
    expect(run(project, "npx", [...command, "--help"])).toContain("Usage: hookgate");
    expect(run(project, "npx", [...command, "--version"]).trim()).toBe(manifest.version);
  });

  it("runs the README's receiver beside the user's own Express", async () => {
    linkExpress(project, 5);
    cpSync(join(root, "node_modules/zod"), join(project, "node_modules/zod"), { recursive: true });
    if (!hasSqlite) link(project, "@photostructure/sqlite");
    const { statuses } = await tryExample(project, "server.mjs", readExample());
    expect(statuses).toEqual([202, 200, 200, 401, 401, 401]);
  });
});

describe("the README's receiver", () => {
  it("is about twenty lines", () => {
    const lines = readExample()
      .code.split("\n")
      .filter((line) => line.trim() !== "");
    expect(lines.length).toBeLessThanOrEqual(25);
  });

  it("needs for CommonJS its imports changed and its await within a function, and nothing else", () => {
    expect(withRequire('import a from "a";\nimport { b, c as d } from "b";\n')).toBe(
      'const a = require("a");\nconst { b, c: d } = require("b");\n',
    );
    expect(withRequire(readExample().code)).not.toMatch(/^(import|export|await|const .* = await) /m);
  });
});
