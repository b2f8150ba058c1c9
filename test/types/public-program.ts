import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const ownRoot = fileURLToPath(new URL("../..", import.meta.url));

/** A program of the sources behind the entries of package.json, and what each entry exports. */
export interface PublicProgram {
  readonly program: ts.Program;
  readonly checker: ts.TypeChecker;
  readonly exports: ReadonlyMap<string, readonly ts.Symbol[]>;
}

/** Reads the sources that the entries of package.json are built from. */
export function readPublicProgram(root = ownRoot): PublicProgram {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly exports: Readonly<Record<string, string | { readonly types: string }>>;
  };
  const entries = Object.entries(manifest.exports).flatMap(([subpath, entry]) =>
    typeof entry === "string"
      ? []
      : [{ subpath, file: join(root, entry.types.replace("./dist/", "src/").replace(/\.d\.ts$/, ".ts")) }],
  );
  const program = ts.createProgram(
    entries.map(({ file }) => file),
    {
      module: ts.ModuleKind.NodeNext,
      target: ts.ScriptTarget.ES2023,
      lib: ["lib.es2023.d.ts"],
      types: ["node"],
      strict: true,
      skipLibCheck: true,
    },
  );
  const checker = program.getTypeChecker();
  const exports = entries.map(({ subpath, file }): [string, readonly ts.Symbol[]] => {
    const source = program.getSourceFile(file);
    const module = source && checker.getSymbolAtLocation(source);
    const symbols = module === undefined ? [] : checker.getExportsOfModule(module);
    return [subpath, symbols];
  });
  return { program, checker, exports: new Map(exports) };
}

/** What an exported name stands for, behind its re-exports. */
export function targetOf(symbol: ts.Symbol, checker: ts.TypeChecker): ts.Symbol {
  return (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol);
}
