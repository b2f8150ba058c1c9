// Taken when the module is loaded: an application that replaces them later does not reach us (ATTACKS I11).
const parse = JSON.parse;
const fromEntries = Object.fromEntries;

/**
 * `JSON.parse` that gives every member the name it was sent with. V8 of Node.js 24 and 26 compares a name as it is written,
 * escapes included, with the names of an earlier object, so `{"a":1,"\n":2}` after `{"a":1,"\\":2}` has a member `\`
 * (nodejs/node #63785). It takes a name with an escape in that very text: any other text is left to V8. Throws
 * JSON.parse's SyntaxError.
 */
export function parseJson(text: string): unknown {
  // V8's values and its judgement of the syntax are right, so the reader below is only given texts that are JSON.
  const value: unknown = parse(text);
  return hasEscapedName(text) ? new Reader(text).value() : value;
}

/**
 * Whether a member's name is written with an escape somewhere in a JSON text. Costs one search for a backslash where
 * there is none, and otherwise a walk over the strings that hold one.
 */
export function hasEscapedName(text: string): boolean {
  let at = text.indexOf("\\");
  while (at >= 0) {
    at = afterSpace(text, afterString(text, at));
    if (text.charCodeAt(at) === 0x3a) return true;
    at = text.indexOf("\\", at);
  }
  return false;
}

/** Reads a text that is JSON. Of members of the same name the last one counts, as for JSON.parse. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): unknown {
    this.#at = afterSpace(this.#text, this.#at);
    const first = this.#text[this.#at];
    if (first === "{") return this.#object();
    if (first === "[") return this.#array();
    if (first === '"') return this.#string();
    const start = this.#at;
    while (this.#at < this.#text.length && !isEnd(this.#text.charCodeAt(this.#at))) this.#at++;
    return parse(this.#text.slice(start, this.#at));
  }

  #object(): unknown {
    const members = new Map<string, unknown>();
    while (this.#stepsIn(0x7d)) {
      const name = this.#string();
      this.#at = afterSpace(this.#text, this.#at) + 1;
      members.set(name, this.value());
    }
    // It defines members rather than assigning them, so that "__proto__" stays data.
    return fromEntries(members);
  }

  #array(): unknown {
    const items: unknown[] = [];
    while (this.#stepsIn(0x5d)) items.push(this.value());
    return items;
  }

  /** Goes past an opening bracket or a comma to what follows it: true; or past the closing bracket: false. */
  #stepsIn(closing: number): boolean {
    this.#at = afterSpace(this.#text, this.#at);
    if (this.#text.charCodeAt(this.#at) !== closing) this.#at = afterSpace(this.#text, this.#at + 1);
    if (this.#text.charCodeAt(this.#at) !== closing) return true;
    this.#at++;
    return false;
  }

  #string(): string {
    const start = this.#at;
    this.#at = afterString(this.#text, start + 1);
    const content = this.#text.slice(start + 1, this.#at - 1);
    return content.includes("\\") ? (parse(this.#text.slice(start, this.#at)) as string) : content;
  }
}

/** The offset behind the quote that ends the string whose content `from` is in; the length if none does. */
function afterString(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === 0x22) return at + 1;
    if (char === 0x5c) at++;
  }
  return text.length;
}

function afterSpace(text: string, from: number): number {
  let at = from;
  while (isSpace(text.charCodeAt(at))) at++;
  return at;
}

/** Whether a number, `true`, `false` or `null` ends at this character. */
function isEnd(char: number): boolean {
  return char === 0x2c || char === 0x5d || char === 0x7d || isSpace(char);
}

function isSpace(char: number): boolean {
  return char === 0x20 || char === 0x0a || char === 0x0d || char === 0x09;
}
