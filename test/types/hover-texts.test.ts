/** What an editor shows of every exported name, and of every member of what users give and get. */
import { describe, expect, it } from "@jest/globals";
import ts from "typescript";
import { readPublicProgram, targetOf } from "./public-program.js";

const { checker, exports } = readPublicProgram();

/**
 * Whether a member is described elsewhere: those of a provider's payloads in the provider's documentation, those of
 * Standard Schema in its specification. The options of a source are ours.
 */
function isDescribedElsewhere(node: ts.Node): boolean {
  const file = node.getSourceFile().fileName;
  if (file.endsWith("/types/standard-schema.ts")) return true;
  if (!file.includes("/src/sources/")) return false;
  let outermost: ts.Node = node;
  while (!ts.isSourceFile(outermost.parent)) outermost = outermost.parent;
  const { name } = outermost as ts.Node & { readonly name?: ts.Node };
  return !/(?:Options|Check|Locator|Place|MessageKey)$/.test(name?.getText() ?? "");
}

/** Numbers of ATTACKS.md, and names of pages that users do not have. */
const internal = /\b[A-I]\d{2}\b|ATTACKS|DESIGN|STYLE/;

interface HoverTexts {
  /** `file Type.member`, of what has none. */
  readonly missing: readonly string[];
  /** Those that name something internal. */
  readonly leaking: readonly string[];
  readonly seen: number;
}

type Member = ts.PropertySignature | ts.MethodSignature | ts.PropertyDeclaration | ts.MethodDeclaration;

function isMember(node: ts.Node): node is Member {
  if (ts.isPropertySignature(node) || ts.isMethodSignature(node)) return true;
  return (
    (ts.isPropertyDeclaration(node) || ts.isMethodDeclaration(node)) &&
    ts.isClassDeclaration(node.parent) &&
    !ts.isPrivateIdentifier(node.name)
  );
}

function readHoverTexts(): HoverTexts {
  const missing = new Set<string>();
  const leaking = new Set<string>();
  const visited = new Set<ts.Node>();
  let seen = 0;

  const note = (name: string, symbol: ts.Symbol | undefined): void => {
    seen += 1;
    const text = ts.displayPartsToString(symbol?.getDocumentationComment(checker));
    if (text.trim() === "") missing.add(name);
    if (internal.test(text)) leaking.add(name);
  };

  const nameOf = (member: Member): string => {
    const { parent } = member;
    const file = member.getSourceFile().fileName.replace(/.*\/src\//, "");
    const owner =
      ts.isInterfaceDeclaration(parent) || ts.isClassDeclaration(parent) ? parent.name?.text : "{}";
    return `${file} ${owner}.${member.name.getText()}`;
  };

  const visit = (node: ts.Node): void => {
    if (visited.has(node) || node.getSourceFile().fileName.includes("node_modules")) return;
    visited.add(node);
    // What a function does inside is nobody's business.
    if (ts.isBlock(node)) return;
    if (isMember(node) && !ts.isComputedPropertyName(node.name) && !isDescribedElsewhere(node)) {
      note(nameOf(node), checker.getSymbolAtLocation(node.name));
    }
    if (ts.isTypeReferenceNode(node)) visitTarget(node.typeName);
    if (ts.isExpressionWithTypeArguments(node)) visitTarget(node.expression);
    ts.forEachChild(node, visit);
  };

  const visitTarget = (name: ts.Node): void => {
    const symbol = checker.getSymbolAtLocation(name);
    if (symbol !== undefined) targetOf(symbol, checker).declarations?.forEach(visit);
  };

  for (const [subpath, symbols] of exports) {
    for (const symbol of symbols) {
      const target = targetOf(symbol, checker);
      note(`${symbol.name} of ${subpath}`, target);
      target.declarations?.forEach(visit);
    }
  }
  return { missing: [...missing].sort(), leaking: [...leaking].sort(), seen };
}

describe("hover texts", () => {
  const { missing, leaking, seen } = readHoverTexts();

  it("are there for every exported name and every member", () => {
    expect(missing).toEqual([]);
  });

  it("name nothing that users cannot look up", () => {
    expect(leaking).toEqual([]);
  });

  it("were looked at", () => {
    expect(seen).toBeGreaterThan(700);
  });
});
