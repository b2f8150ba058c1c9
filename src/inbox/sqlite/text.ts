import { parseJson } from "../../lib/json.js";

/**
 * Text of others as SQLite keeps it. UTF-8 has no lone surrogates, and a driver ends text at its first NUL: ids that differ
 * behind one would become the same. Such text, and text that begins with our mark, is kept as JSON behind the mark.
 */
const mark = "\u0001";
const unstorable = /[\p{Surrogate}\0]/u;

/** The form in which text is stored and compared. */
export function toStored(text: string): string {
  return text.startsWith(mark) || unstorable.test(text) ? mark + JSON.stringify(text) : text;
}

/** The text that a stored form stands for. */
export function fromStored(stored: string): string {
  return stored.startsWith(mark) ? (parseJson(stored.slice(1)) as string) : stored;
}
