/** What a JSON text says, read the slow way. */
export interface ReferenceJson {
  readonly value: unknown;
  /** No name twice in one object, and no number beyond a double. */
  readonly strict: boolean;
}

/**
 * Reads a text that is known to be JSON with JSON.parse for strings, numbers and literals alone: of Node.js 24 and 26 it
 * cannot be trusted with objects (nodejs/node #63785).
 */
export function readReference(text: string): ReferenceJson {
  let at = 0;
  let strict = true;
  const space = (): void => {
    while (" \t\r\n".includes(text.charAt(at)) && at < text.length) at++;
  };
  const scalar = (): unknown => {
    const found = /"(?:[^"\\]|\\.)*"|[^\s,:[\]{}]+/y;
    found.lastIndex = at;
    const token = found.exec(text)?.[0] ?? "";
    at += token.length;
    return JSON.parse(token);
  };
  const list = (end: string, item: () => void): void => {
    at++;
    for (space(); text[at] !== end; space()) {
      if (text[at] === ",") at++;
      space();
      item();
    }
    at++;
  };
  const array = (): unknown[] => {
    const items: unknown[] = [];
    list("]", () => items.push(read()));
    return items;
  };
  const object = (): object => {
    const members: (readonly [string, unknown])[] = [];
    list("}", () => {
      const name = scalar() as string;
      space();
      at++;
      if (members.some(([known]) => known === name)) strict = false;
      members.push([name, read()]);
    });
    return Object.fromEntries(members);
  };
  const read = (): unknown => {
    space();
    if (text[at] === "[") return array();
    if (text[at] === "{") return object();
    const value = scalar();
    if (Math.abs(Number(value)) === Number.POSITIVE_INFINITY) strict = false;
    return value;
  };
  return { value: read(), strict };
}
