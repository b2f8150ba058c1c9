import ts from "typescript";

const durationText = /^[\d.]+(?:ms|s|m|h|d)$/;

/** What the code of some files falls back to. */
export interface Defaults {
  /** By option, where one of the checks of lib/options.ts is given the default; normally one value each. */
  readonly named: ReadonlyMap<string, readonly string[]>;
  /** All strings and lists that stand in the code, as they are written. */
  readonly literals: readonly string[];
}

/** Reads the defaults from sources: `numberOption(own(given, "x"), …, { fallback: 5 })` makes `x` 5. */
export function readDefaults(sources: readonly string[]): Defaults {
  const named = new Map<string, string[]>();
  const literals: string[] = [];
  for (const text of sources) {
    const source = ts.createSourceFile("source.ts", text, ts.ScriptTarget.Latest, true);
    const visit = (node: ts.Node): void => {
      if (ts.isStringLiteral(node) || ts.isArrayLiteralExpression(node)) literals.push(node.getText());
      const found = ts.isCallExpression(node) ? defaultOf(node, source) : undefined;
      if (found !== undefined) named.set(found.option, [...(named.get(found.option) ?? []), found.value]);
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return { named, literals };
}

function defaultOf(
  call: ts.CallExpression,
  source: ts.SourceFile,
): { option: string; value: string } | undefined {
  const [first, second, third, fourth] = call.arguments;
  const option = first === undefined ? undefined : lastName(first);
  if (option === undefined) return undefined;
  const callee = call.expression.getText();
  if (callee === "flagOption") return { option, value: "false" };
  if (callee === "switchOption" && third !== undefined) return { option, value: third.getText() };
  if (callee === "choiceOption" && fourth !== undefined) return { option, value: fourth.getText() };
  if ((callee === "numberOption" || callee === "durationOption") && third !== undefined) {
    return withValue(option, fallbackIn(third, source));
  }
  // A local shorthand around one of them: `number("leaseMs", 10_000, …)`, `duration("cooldown", { …, fallback: "30s" })`.
  if (first === undefined || !ts.isStringLiteral(first) || second === undefined) return undefined;
  const isValue =
    ts.isNumericLiteral(second) || (ts.isStringLiteral(second) && durationText.test(second.text));
  return isValue ? { option, value: second.getText() } : withValue(option, fallbackIn(second, source));
}

function withValue(option: string, value: string | undefined): { option: string; value: string } | undefined {
  return value === undefined ? undefined : { option, value };
}

/** `x` of `own(given, "x")`, `given.x` and `"x"`. */
function lastName(node: ts.Node): string | undefined {
  if (ts.isStringLiteral(node)) return node.text;
  if (ts.isPropertyAccessExpression(node)) return node.name.text;
  if (!ts.isCallExpression(node)) return undefined;
  const last = node.arguments.at(-1);
  return last !== undefined && ts.isStringLiteral(last) ? last.text : undefined;
}

/** The member `fallback` of bounds that stand in place, or in a constant of the file. */
function fallbackIn(bounds: ts.Expression, source: ts.SourceFile): string | undefined {
  if (ts.isIdentifier(bounds)) {
    let value: string | undefined;
    const visit = (node: ts.Node): void => {
      if (
        ts.isVariableDeclaration(node) &&
        node.name.getText() === bounds.text &&
        node.initializer !== undefined
      ) {
        const { initializer } = node;
        const bare = ts.isAsExpression(initializer) ? initializer.expression : initializer;
        value = ts.isIdentifier(bare) ? undefined : fallbackIn(bare, source);
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
    return value;
  }
  if (!ts.isObjectLiteralExpression(bounds)) return undefined;
  for (const member of bounds.properties) {
    if (ts.isPropertyAssignment(member) && member.name.getText() === "fallback")
      return member.initializer.getText();
  }
  return undefined;
}
