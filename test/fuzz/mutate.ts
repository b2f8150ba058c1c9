import fc from "fast-check";

/** One change of a text; places are taken modulo its length. */
interface Edit {
  readonly kind: "insert" | "delete" | "replace" | "repeat" | "move" | "cut" | "case";
  readonly at: number;
  readonly length: number;
  readonly text: string;
}

/** Characters that parsers trip over: separators, quotes, spaces of every kind, controls, digits that look alike. */
export const nasty: fc.Arbitrary<string> = fc.constantFrom(
  ...",;:=.\"\\/[]{}()<>@%&+?#|~^`'-_*!$0159aAfFzZ \t",
  ..."\0\r\n\u000b\u007f\u0085\u00a0\u00ff\u2028\u3000\ufeff\uff0e\uff11\ud800\udc00é",
  "..",
  "%00",
  "\r\n",
  "__proto__",
);

const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom("insert", "delete", "replace", "repeat", "move", "cut", "case"),
  at: fc.nat(9999),
  length: fc.integer({ min: 1, max: 12 }),
  text: nasty,
});

/** Texts that are nearly what `base` gives: none to three small changes. */
export function mutated(base: fc.Arbitrary<string>, most = 3): fc.Arbitrary<string> {
  return fc
    .tuple(base, fc.array(edit, { maxLength: most }))
    .map(([text, edits]) => edits.reduce(apply, text));
}

function apply(text: string, { kind, at: place, length, text: more }: Edit): string {
  const at = place % (text.length + 1);
  const head = text.slice(0, at);
  const piece = text.slice(at, at + length);
  const tail = text.slice(at + length);
  switch (kind) {
    case "insert":
      return head + more + piece + tail;
    case "delete":
      return head + tail;
    case "replace":
      return head + more + piece.slice(1) + tail;
    case "repeat":
      return head + piece + piece + tail;
    case "move":
      return head + tail + piece;
    case "cut":
      return head;
    case "case":
      return head + (piece === piece.toLowerCase() ? piece.toUpperCase() : piece.toLowerCase()) + tail;
  }
}
