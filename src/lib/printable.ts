/**
 * Text from outside, fit for a log line: control characters, line separators and everything outside ASCII are
 * escaped, the length is capped (ATTACKS I02).
 */
export function printable(text: string, maxLength = 100): string {
  const cut = text.length > maxLength ? text.slice(0, maxLength) : text;
  const escaped = cut.replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return text.length > maxLength ? `${escaped}… (${text.length} characters)` : escaped;
}

/**
 * Text for people, of any language: what a terminal obeys or a reader cannot see (control and format characters, line
 * separators, lone surrogates) is escaped, the length is capped.
 */
export function shown(text: string, maxLength: number): string {
  const cut = text.length > maxLength ? text.slice(0, maxLength) : text;
  const escaped = escapeUnseen(cut);
  return text.length > maxLength ? `${escaped}… (${text.length} characters)` : escaped;
}

/** Escapes what a terminal obeys or a reader cannot see (ATTACKS I02). */
export function escapeUnseen(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (char) => {
    const code = char.codePointAt(0) ?? 0;
    return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
