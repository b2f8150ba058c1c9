/** A comment, a string, a quoted name, or anything else that is one piece to a search for what lies between statements. */
const piece =
  /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|`(?:[^`]|``)*(?:`|$)|\[[^\]]*(?:\]|$)|[\s\S]/g;

/** The first word of a statement in lower case, behind white space and comments; empty where there is none. */
export function firstKeyword(sql: string): string {
  let word = "";
  for (const [text] of sql.matchAll(piece)) {
    if (/^[a-z]$/i.test(text)) word += text.toLowerCase();
    else if (word !== "" || !/^(?:\s|--|\/\*)/.test(text)) return word;
  }
  return word;
}

/**
 * Whether more than white space and comments follows the end of the first statement. Drivers compile the first statement
 * and pass over the rest without a word.
 */
export function hasSecondStatement(sql: string): boolean {
  if (!sql.includes(";")) return false;
  let ended = false;
  for (const [text] of sql.matchAll(piece)) {
    if (text === ";") ended = true;
    else if (ended && !/^(?:\s|--|\/\*)/.test(text)) return true;
  }
  return false;
}
