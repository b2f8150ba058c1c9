/** The five entities that XML has without a DTD (XML 1.0 section 4.6). */
const predefined: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
]);

/** Line ends are one line feed to whoever reads (XML 1.0 section 2.11). */
export function withLineFeeds(text: string): string {
  return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
}

/** White space in an attribute is a space each, unless it is written as a reference (XML 1.0 section 3.3.3). */
export function withPlainSpaces(text: string): string {
  return text.replace(/\r\n|[\r\n\t]/g, " ");
}

/**
 * Text with its references resolved; undefined where one is no character and none of the five predefined entities.
 * What a reference stands for is never read again, so nothing grows.
 */
export function resolveReferences(text: string): string | undefined {
  const [first = "", ...rest] = text.split("&");
  let resolved = first;
  for (const piece of rest) {
    const end = piece.indexOf(";");
    const character = end === -1 ? undefined : characterOf(piece.slice(0, end));
    if (character === undefined) return undefined;
    resolved += character + piece.slice(end + 1);
  }
  return resolved;
}

function characterOf(name: string): string | undefined {
  const entity = predefined.get(name);
  if (entity !== undefined) return entity;
  // Eight digits name more than every character; a longer run of zeros is nobody's.
  const [, hex, decimal] = /^#(?:x([0-9a-fA-F]{1,8})|([0-9]{1,8}))$/.exec(name) ?? [];
  const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
  return isCharacter(code) ? String.fromCodePoint(code) : undefined;
}

/** Char of XML 1.0 section 2.2. NaN is none. */
function isCharacter(code: number): boolean {
  if (code < 0x20) return code === 0x9 || code === 0xa || code === 0xd;
  return code <= 0xd7ff || (code >= 0xe000 && code <= 0xfffd) || (code >= 0x1_0000 && code <= 0x10_ffff);
}

/** Offset of the first character that XML does not have (section 2.2), or -1. For text that was UTF-8. */
export function findIllegal(text: string): number {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 ? code !== 0x9 && code !== 0xa && code !== 0xd : code >= 0xfffe) return at;
  }
  return -1;
}

const nameStart =
  ":A-Z_a-z\\u{c0}-\\u{d6}\\u{d8}-\\u{f6}\\u{f8}-\\u{2ff}\\u{370}-\\u{37d}\\u{37f}-\\u{1fff}\\u{200c}\\u{200d}" +
  "\\u{2070}-\\u{218f}\\u{2c00}-\\u{2fef}\\u{3001}-\\u{d7ff}\\u{f900}-\\u{fdcf}\\u{fdf0}-\\u{fffd}\\u{10000}-\\u{effff}";
const nameRest = `${nameStart}\\-.0-9\\u{b7}\\u{300}-\\u{36f}\\u{203f}\\u{2040}`;

// Sticky, and told where to begin before each use. Measured: a new one for each name takes twice as long.
const name = new RegExp(`[${nameStart}][${nameRest}]*`, "uy");

/** The name (XML 1.0 section 2.3) that stands at an offset; empty where none does. */
export function nameAt(text: string, at: number): string {
  name.lastIndex = at;
  return name.exec(text)?.[0] ?? "";
}

/** The offset behind the white space at an offset. */
export function behindSpace(text: string, at: number): number {
  let end = at;
  while (isSpace(text.charCodeAt(end))) end++;
  return end;
}

/** Whether text is nothing but white space. */
export function isBlank(text: string): boolean {
  return behindSpace(text, 0) === text.length;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x9 || code === 0xa || code === 0xd;
}
