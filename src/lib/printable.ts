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
