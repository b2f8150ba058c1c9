import { posix } from "node:path";
import ts from "typescript";

/** Files by their path below `src`, with `/`. */
export type House = ReadonlyMap<string, string>;

/** Which floor a room stands on. A file at the top is a room of its own. Imports point down only. */
const floors: ReadonlyMap<string, number> = new Map(
  [
    ["types", "errors.ts", "lib"],
    ["ip", "keys"],
    ["auth", "signatures", "body", "events"],
    ["telemetry", "sources", "inbox", "http"],
    ["receiver"],
    ["index.ts", "cli", "testing"],
  ].flatMap((rooms, floor) => rooms.map((room): [string, number] => [room, floor])),
);

/** The floor of the words and tools that all use: its rooms share. */
const ground = 0;

/** The floors of the rooms that decide: they compute, and open nothing. */
const deciding: ReadonlySet<number> = new Set([1, 2]);

/** Where a package may be imported; one that is not here may not be imported at all. */
const packages: ReadonlyMap<string, readonly string[]> = new Map([
  ["jose", ["auth/jwt/verify.ts", "cli/token.ts", "signatures/sign.ts", "testing/signer.ts"]],
  ["ip-cidr", ["ip/cidr.ts"]],
  ["content-type", ["body/media-type.ts"]],
  ["raw-body", ["body/read.ts"]],
  ["@photostructure", ["inbox/sqlite/driver.ts"]],
  ["@octokit", ["sources/github.ts"]],
  ["stripe", ["sources/stripe.ts"]],
]);

/** Files of the deciding rooms that fetch what is decided on: a body, a key set, a file. They may do I/O. */
const fetchers: ReadonlySet<string> = new Set([
  "body/read.ts",
  "auth/credentials/file.ts",
  "auth/credentials/file-definition.ts",
  "auth/jwt/fetch-key-set.ts",
  "auth/jwt/private-address.ts",
  "auth/jwt/jwks.ts",
]);

/** What decisions may use of Node: it computes, it opens nothing. */
const pureModules: ReadonlySet<string> = new Set(["node:buffer", "node:crypto"]);

/**
 * Files that open files, each with what it opens. Whatever opens the inbox's file or its index other than through SQLite
 * drops the locks of the whole process when it closes them, and deliveries are lost.
 */
const openers: ReadonlyMap<string, string> = new Map([
  ["inbox/sqlite/backup.ts", "the copy, before it has its name, and its folder"],
  [
    "inbox/sqlite/file-identity.ts",
    "the log, in which SQLite locks nothing, /proc/locks, and a file that is not there yet",
  ],
  ["auth/credentials/file.ts", "the credentials file"],
  ["cli/credentials-file.ts", "the credentials file and its lock"],
  ["cli/send.ts", "what is to be sent"],
  ["cli/run.ts", "package.json"],
]);

/** Files that load a module when it is first needed, past the imports that these rules read. */
const loaders: ReadonlySet<string> = new Set([
  "inbox/sqlite/driver.ts",
  "ip/cidr.ts",
  "lib/module-loading.ts",
]);

/** What anybody may use of node:fs: it opens nothing. */
const opensNothing: ReadonlySet<string> = new Set([
  ...["accessSync", "constants", "existsSync", "lstatSync", "realpathSync", "stat", "statSync", "statfsSync"],
  ...["chownSync", "linkSync", "mkdirSync", "readdirSync", "renameSync", "rmSync", "unlinkSync"],
]);

/** Every breach of the rules, one line each; none for a house in order. */
export function faultsOf(house: House): string[] {
  const sources = new Map(
    [...house].map(([path, text]): [string, ts.SourceFile] => [
      path,
      ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true),
    ]),
  );
  return [
    ...[...sources].flatMap(([path, source]) => faultsOfFile(path, source, house)),
    ...circles(sources),
  ];
}

function faultsOfFile(path: string, source: ts.SourceFile, house: House): string[] {
  return [
    ...formFaults(path),
    ...importFaults(path, source, house),
    ...openingFaults(path, source),
    ...sqlFaults(path, source),
    ...syntaxFaults(path, source),
  ];
}

/** Files that import each other, directly or through others, types included. Each circle is named once. */
function circles(sources: ReadonlyMap<string, ts.SourceFile>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    const from = way.indexOf(path);
    if (from >= 0) {
      found.push(`${[...way.slice(from), path].join(" imports ")}: a circle`);
      return;
    }
    if (done.has(path)) return;
    for (const next of inwardImports(path, sources.get(path))) visit(next, [...way, path]);
    done.add(path);
  };
  for (const path of sources.keys()) visit(path, []);
  return found;
}

function inwardImports(path: string, source: ts.SourceFile | undefined): string[] {
  if (source === undefined) return [];
  return importsOf(source)
    .filter(({ specifier }) => specifier.startsWith("."))
    .map(({ specifier }) => resolveImport(path, specifier));
}

function resolveImport(path: string, specifier: string): string {
  return posix.join(posix.dirname(path), specifier).replace(/\.js$/, ".ts");
}

function roomOf(path: string): string {
  return path.split("/")[0] ?? path;
}

function formFaults(path: string): string[] {
  const faults: string[] = [];
  if (!/^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(path)) {
    faults.push(`${path} is not named in kebab-case`);
  }
  if (!floors.has(roomOf(path))) faults.push(`${path} is in a room that stands on no floor`);
  return faults;
}

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

function importsOf(source: ts.SourceFile): Import[] {
  const found: Import[] = [];
  const add = (specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (specifier !== undefined && ts.isStringLiteralLike(specifier)) {
      found.push({ specifier: specifier.text, typeOnly });
    }
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    } else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node)) add((node.argument as ts.LiteralTypeNode).literal, true);
    else if (ts.isCallExpression(node) && /^(import|require)$/.test(node.expression.getText())) {
      add(node.arguments[0], false);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function importFaults(path: string, source: ts.SourceFile, house: House): string[] {
  return importsOf(source).flatMap((imported) =>
    imported.specifier.startsWith(".")
      ? inwardFaults(path, imported.specifier, house)
      : outwardFaults(path, imported),
  );
}

function inwardFaults(path: string, specifier: string, house: House): string[] {
  if (!specifier.endsWith(".js")) return [`${path} imports ${specifier}: relative imports end in .js`];
  const target = resolveImport(path, specifier);
  if (!house.has(target)) return [`${path} imports ${target}, which is not there`];
  const [from, to] = [roomOf(path), roomOf(target)];
  const [here, there] = [floors.get(from), floors.get(to)];
  if (from === to || here === undefined || there === undefined) return [];
  if (there > here) return [`${path} imports ${target}, a floor above it`];
  if (there === here && here !== ground) return [`${path} imports ${target}, the room beside it`];
  return [];
}

function outwardFaults(path: string, { specifier, typeOnly }: Import): string[] {
  if (specifier.startsWith("node:")) {
    const pure = deciding.has(floors.get(roomOf(path)) ?? -1) || roomOf(path) === "sources";
    return pure && !fetchers.has(path) && !typeOnly && !pureModules.has(specifier)
      ? [`${path} imports ${specifier}: decisions do no I/O`]
      : [];
  }
  // A path within a package ("jose/errors") belongs to whom the package belongs to.
  const owners = packages.get(specifier.replace(/\/.*$/, ""));
  if (owners?.includes(path) === true) return [];
  return [`${path} imports ${specifier}, which belongs to ${owners?.join(", ") ?? "no file"}`];
}

/** What begins a statement of SQL, or names one of our tables in the middle of one. */
const sql =
  /^\s*(?:SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|CREATE|ALTER|DROP|PRAGMA|VACUUM|BEGIN|COMMIT|ROLLBACK|EXPLAIN)\b|\bhookgate_[a-z]/;

/** An engine's SQL is in its tables and its statements, where it can be read as a whole. */
function sqlFaults(path: string, source: ts.SourceFile): string[] {
  if (roomOf(path) !== "inbox" || /\/(?:schema|statements)\.ts$/.test(path)) return [];
  const faults: string[] = [];
  const visit = (node: ts.Node): void => {
    const isText =
      ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node);
    // A prefix of our tables alone is what users' statements are checked for.
    if (isText && node.text !== "hookgate_" && sql.test(node.text)) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart());
      faults.push(`${path}:${line + 1} holds SQL, which belongs to the engine's schema.ts or statements.ts`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return faults;
}

function openingFaults(path: string, source: ts.SourceFile): string[] {
  if (openers.has(path)) return [];
  return source.statements.flatMap((statement) => {
    if (
      !ts.isImportDeclaration(statement) ||
      !/^.node:fs(\/promises)?.$/.test(statement.moduleSpecifier.getText())
    ) {
      return [];
    }
    const bindings = statement.importClause?.namedBindings;
    if (statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword) return [];
    const names =
      bindings !== undefined && ts.isNamedImports(bindings)
        ? bindings.elements
            .filter(({ isTypeOnly }) => !isTypeOnly)
            .map(({ propertyName, name }) => (propertyName ?? name).text)
        : ["everything"];
    return names
      .filter((name) => !opensNothing.has(name))
      .map((name) => `${path} imports ${name} of node:fs: it is not one of the files that open files`);
  });
}

function syntaxFaults(path: string, source: ts.SourceFile): string[] {
  const faults: string[] = [];
  const report = (node: ts.Node, what: string): void => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    faults.push(`${path}:${line + 1} ${what}`);
  };
  for (const statement of source.statements) {
    if (isTypesOnly(path) && !isTypeStatement(statement)) {
      report(statement, "holds a value: this file is for types alone, and no test has to run it");
    }
    if (ts.isVariableStatement(statement) && (statement.declarationList.flags & ts.NodeFlags.Const) === 0) {
      report(statement, "keeps state in the module");
    }
  }
  const mayReadEnvironment = roomOf(path) === "cli" || path === "lib/environment.ts";
  const visit = (node: ts.Node): void => {
    const what = forbidden(node);
    if (what !== undefined) report(node, what);
    if (ts.isStringLiteralLike(node) && node.text === "node:sqlite" && path !== "inbox/sqlite/driver.ts") {
      report(node, "names node:sqlite, which belongs to inbox/sqlite/driver.ts");
    }
    if (!mayReadEnvironment && ts.isPropertyAccessExpression(node) && node.getText() === "process.env") {
      report(node, "reads process.env");
    }
    if (
      !loaders.has(path) &&
      ts.isPropertyAccessExpression(node) &&
      node.getText() === "process.getBuiltinModule"
    ) {
      report(node, "calls process.getBuiltinModule: it is not one of the files that load modules later");
    }
    if (path !== "lib/json.ts" && ts.isPropertyAccessExpression(node) && node.getText() === "JSON.parse") {
      report(node, "calls JSON.parse: parseJson of lib/json.ts reads names with escapes on every Node.js");
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return faults;
}

function forbidden(node: ts.Node): string | undefined {
  if (node.kind === ts.SyntaxKind.AnyKeyword) return "uses any";
  if (node.kind === ts.SyntaxKind.DefaultKeyword && !ts.isDefaultClause(node.parent))
    return "exports a default";
  if (ts.isExportAssignment(node) || ts.isExportSpecifier(node)) {
    const name = ts.isExportSpecifier(node) ? node.name.text : "default";
    return name === "default" ? "exports a default" : undefined;
  }
  if (ts.isEnumDeclaration(node)) return "declares an enum";
  if (ts.isNonNullExpression(node)) return "asserts that something is not null";
  return undefined;
}

/** What the coverage leaves out (jest.config.js). */
function isTypesOnly(path: string): boolean {
  const named = ["inbox/polling/task-queue.ts"];
  return roomOf(path) === "types" || path.endsWith("-types.ts") || named.includes(path);
}

function isTypeStatement(statement: ts.Statement): boolean {
  if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) return true;
  if (ts.isImportDeclaration(statement)) {
    return statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
  }
  // What is declared is there for the compiler alone.
  if (ts.isVariableStatement(statement)) {
    return statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.DeclareKeyword) === true;
  }
  return ts.isExportDeclaration(statement) && statement.isTypeOnly;
}
