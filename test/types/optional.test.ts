/** Every optional member of what users give takes `undefined`, as `exactOptionalPropertyTypes` demands for a variable that may be unset. */
import { describe, expect, it } from "@jest/globals";
import ts from "typescript";
import { readPublicProgram, targetOf } from "./public-program.js";

const { checker, exports } = readPublicProgram();

function takesUndefined(node: ts.TypeNode): boolean {
  const type = checker.getTypeFromTypeNode(node);
  const loose = ts.TypeFlags.Undefined | ts.TypeFlags.Any | ts.TypeFlags.Unknown;
  return (type.flags & loose) !== 0 || (type.isUnion() && type.types.some(({ flags }) => flags & loose));
}

/** The declarations of a name within the package. */
function declarationsOf(name: ts.Node): readonly ts.Declaration[] {
  const symbol = checker.getSymbolAtLocation(name);
  const declarations = symbol === undefined ? undefined : targetOf(symbol, checker).declarations;
  return (declarations ?? []).filter((node) => !node.getSourceFile().fileName.includes("node_modules"));
}

/** Members that may be left out and do not take `undefined`, in the parameters of every exported function. */
function strictMembers(): { readonly faults: readonly string[]; readonly seen: number } {
  const faults = new Set<string>();
  const visited = new Set<ts.Node>();
  let seen = 0;
  const visit = (node: ts.Node): void => {
    if (visited.has(node)) return;
    visited.add(node);
    // What a user's own function is given, or gives, is not an option.
    if (ts.isFunctionTypeNode(node) || ts.isMethodSignature(node)) return;
    if (ts.isPropertySignature(node) && node.questionToken !== undefined && node.type !== undefined) {
      seen += 1;
      const file = node.getSourceFile().fileName.replace(/.*\/src\//, "");
      if (!takesUndefined(node.type)) faults.add(`${file} ${node.name.getText()}`);
    }
    if (ts.isTypeReferenceNode(node)) declarationsOf(node.typeName).forEach(visit);
    if (ts.isExpressionWithTypeArguments(node)) declarationsOf(node.expression).forEach(visit);
    ts.forEachChild(node, visit);
  };
  for (const symbol of [...exports.values()].flat()) {
    for (const declaration of targetOf(symbol, checker).declarations ?? []) {
      if (ts.isFunctionDeclaration(declaration)) declaration.parameters.forEach(visit);
      // The options of a receiver's own methods.
      if (ts.isInterfaceDeclaration(declaration) && /^(Receiver|Inbox|HandlerOptions)$/.test(symbol.name)) {
        for (const member of declaration.members) {
          if (ts.isMethodSignature(member)) member.parameters.forEach(visit);
        }
      }
    }
  }
  return { faults: [...faults].sort(), seen };
}

describe("the options", () => {
  const { faults, seen } = strictMembers();

  it("take undefined for whatever may be left out", () => {
    expect(faults).toEqual([]);
  });

  it("were looked at", () => {
    expect(seen).toBeGreaterThan(150);
  });
});
