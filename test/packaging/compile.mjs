// node compile.mjs MODULE FILE...: compiles files in place, and prints as a JSON list the complaints about them and about
// the declarations of the package. These are looked into as `skipLibCheck: false` would, those of others are not: that
// takes the compiler ten seconds. A process of its own, since the compiler is slow inside a test.
import ts from "typescript";

const [, , module, ...files] = process.argv;
const program = ts.createProgram(files, {
  module: module === "nodenext" ? ts.ModuleKind.NodeNext : ts.ModuleKind.Node20,
  target: ts.ScriptTarget.ES2022,
  strict: true,
  types: ["node"],
});
const ours = program
  .getSourceFiles()
  .filter(({ fileName }) => files.includes(fileName) || fileName.includes("/node_modules/hookgate/"));
const diagnostics = [
  ...program.getOptionsDiagnostics(),
  ...ours.flatMap((file) => [
    ...program.getSyntacticDiagnostics(file),
    ...program.getSemanticDiagnostics(file),
  ]),
  // File by file: an emit of everything has everything checked first.
  ...files.flatMap((name) => program.emit(program.getSourceFile(name)).diagnostics),
];
const complaints = diagnostics.map(({ file, start, messageText }) => {
  const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start ?? 0).line + 1;
  return `${file?.fileName}:${line} ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
});
console.log(JSON.stringify(complaints));
