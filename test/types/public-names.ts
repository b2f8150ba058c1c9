import { sep } from "node:path";
import ts from "typescript";
import { type PublicProgram, targetOf } from "./public-program.js";

/** Names that users of the package write. */
export interface PublicNames {
  /** Names behind each entry of package.json. */
  readonly exports: Readonly<Record<string, readonly string[]>>;
  /**
   * Members by their type, as in `InboxOptions.engine`. What a method or function takes stands behind its name: `Inbox.purge().keep`.
   */
  readonly members: readonly string[];
}

/**
 * Every exported name, and every member of every type that can be reached from an export; with `internal`, of every type that
 * is declared in the sources.
 */
export function publicNamesOf(
  { program, checker, exports }: PublicProgram,
  { internal = false }: { readonly internal?: boolean } = {},
): PublicNames {
  const members = new Set<string>();
  const visited = new Map<ts.Type, Set<string>>();

  const isOurs = (symbol: ts.Symbol | undefined): boolean =>
    symbol?.declarations?.some((declaration) => {
      const { fileName } = declaration.getSourceFile();
      return fileName.includes(`${sep}src${sep}`) && !fileName.includes("node_modules");
    }) === true;

  /** Looks at a type, wherever it is used; `label` stands for one without a name. */
  function visit(type: ts.Type, label: string): void {
    const alias = type.aliasSymbol;
    if (alias !== undefined && isOurs(alias)) return collect(type, alias.name);
    if (type.isUnionOrIntersection()) {
      for (const part of type.types) visit(part, label);
      return;
    }
    for (const argument of checker.getTypeArguments(type as ts.TypeReference)) {
      if (!isOurs(type.symbol)) visit(argument, label);
    }
    const { symbol } = type;
    if (!isOurs(symbol)) return;
    const hasName = (symbol.flags & (ts.SymbolFlags.Interface | ts.SymbolFlags.Class)) !== 0;
    collect(type, hasName ? symbol.name : label);
  }

  function collect(type: ts.Type, label: string): void {
    const parts = type.isUnionOrIntersection() ? type.types : [type];
    const labels = visited.get(type) ?? new Set();
    if (labels.has(label)) return;
    visited.set(type, labels.add(label));
    for (const part of parts) {
      // A named part of a named union or intersection has its members under both names.
      if (part !== type) visit(part, label);
      for (const member of checker.getPropertiesOfType(part)) {
        if (!isOurs(member) || member.name.startsWith("__@")) continue;
        members.add(`${label}.${member.name}`);
        const memberType = checker.getTypeOfSymbol(member);
        visit(memberType, `${label}.${member.name}`);
        for (const one of memberType.isUnion() ? memberType.types : [memberType]) {
          signatures(one, `${label}.${member.name}()`);
        }
      }
      signatures(part, `${label}()`);
    }
  }

  function signatures(type: ts.Type, label: string): void {
    for (const signature of type.getCallSignatures()) {
      if (!isOurs(signature.declaration && (signature.declaration as { symbol?: ts.Symbol }).symbol))
        continue;
      for (const parameter of signature.getParameters()) {
        const given = checker.getTypeOfSymbol(parameter);
        visit(given, label);
        for (const part of given.isUnion() ? given.types : [given]) {
          const isAnonymous = part.aliasSymbol === undefined && part.symbol?.name === "__type";
          if (!isAnonymous || part.getCallSignatures().length > 0 || !isOurs(part.symbol)) continue;
          for (const member of checker.getPropertiesOfType(part)) members.add(`${label}.${member.name}`);
        }
      }
      visit(signature.getReturnType(), label);
    }
  }

  for (const source of internal ? program.getSourceFiles() : []) {
    if (!source.fileName.includes(`${sep}src${sep}`) || source.fileName.includes("node_modules")) continue;
    for (const statement of source.statements) {
      const isType =
        ts.isInterfaceDeclaration(statement) ||
        ts.isTypeAliasDeclaration(statement) ||
        ts.isClassDeclaration(statement);
      if (!isType || statement.name === undefined) continue;
      collect(checker.getTypeAtLocation(statement.name), statement.name.text);
    }
  }
  const names: Record<string, readonly string[]> = {};
  for (const [subpath, symbols] of exports) {
    names[subpath] = symbols.map(({ name }) => name).sort();
    for (const symbol of symbols) {
      const target = targetOf(symbol, checker);
      if ((target.flags & ts.SymbolFlags.Function) !== 0) {
        signatures(checker.getTypeOfSymbol(target), `${symbol.name}()`);
        continue;
      }
      collect(checker.getDeclaredTypeOfSymbol(target), symbol.name);
    }
  }
  return { exports: names, members: [...members].sort() };
}
