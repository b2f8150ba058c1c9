/**
 * An attribute as a `ce-*` header holds it: quoted strings are resolved, then one round of percent-decoding (HTTP
 * binding section 3.1.3.2). Undefined for anything but ASCII, a quote that does not close, `%` without two hex digits,
 * and bytes that are no UTF-8.
 */
export function decodeHeaderValue(value: string): string | undefined {
  const text = unquote(value);
  if (text === undefined || !text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/**
 * The same without the percent-decoding: senders of older versions, and several of the official SDKs, write a URI as
 * it is.
 */
export function unquote(value: string): string | undefined {
  // A byte beyond ASCII may be Latin-1 or UTF-8: whoever guesses may take two events for one.
  if (!/^[\t\x20-\x7e]*$/.test(value)) return undefined;
  if (!value.includes('"')) return value;
  let text = "";
  let quoted = false;
  for (let at = 0; at < value.length; at++) {
    const character = value[at];
    if (character === '"') quoted = !quoted;
    else if (quoted && character === "\\") {
      at++;
      if (at === value.length) return undefined;
      text += value[at];
    } else text += character;
  }
  return quoted ? undefined : text;
}
