import type { Buffer } from "node:buffer";
import { decodeBase64 } from "../../lib/base64.js";

/** A bare item (RFC 8941 section 3.3). */
export type BareItem =
  | { readonly type: "integer" | "decimal"; readonly value: number }
  | { readonly type: "string" | "token"; readonly value: string }
  | { readonly type: "bytes"; readonly value: Buffer }
  | { readonly type: "boolean"; readonly value: boolean };

/** Parameters in their order (RFC 8941 section 3.1.2). */
export type Parameters = ReadonlyMap<string, BareItem>;

/** An item with its parameters. */
export interface Item {
  readonly bare: BareItem;
  readonly parameters: Parameters;
}

/** An inner list with its parameters (RFC 8941 section 3.1.1). */
export interface InnerList {
  readonly items: readonly Item[];
  readonly parameters: Parameters;
}

/** What a list or dictionary holds. */
export type Member = Item | InnerList;

/** A dictionary in its order (RFC 8941 section 3.2). */
export type Dictionary = ReadonlyMap<string, Member>;

/** What is wrong with a field, with its place and without its text. */
export interface FieldFault {
  readonly malformed: string;
}

/** Kinds of structured field (RFC 8941 section 3). */
export type StructuredType = "dictionary" | "list" | "item";

/**
 * Parses a dictionary (RFC 8941 section 4.2.2), stricter where the RFC lets parsers be lenient: a key that comes twice
 * is refused instead of the last being taken, and byte sequences must be base64 as an encoder writes it. The dates and
 * display strings of RFC 9651 are not known. Linear in the length of the text.
 */
export function parseDictionary(text: string): Dictionary | FieldFault {
  return parseWhole(text, (reader) => reader.dictionary());
}

/** Parses one item (RFC 8941 section 4.2.3), as strictly as `parseDictionary`. */
export function parseItem(text: string): Item | FieldFault {
  return parseWhole(text, (reader) => reader.item());
}

/** The one way of writing a field of a type (RFC 8941 section 4.1), or what is wrong with it. */
export function strictSerialization(text: string, type: StructuredType): string | FieldFault {
  if (type === "item") {
    const item = parseItem(text);
    return "malformed" in item ? item : serializeMember(item);
  }
  if (type === "list") {
    const list = parseWhole(text, (reader) => reader.list());
    return "malformed" in list ? list : list.map(serializeMember).join(", ");
  }
  const dictionary = parseDictionary(text);
  if ("malformed" in dictionary) return dictionary;
  return [...dictionary].map(([key, member]) => serializeEntry(key, member)).join(", ");
}

/** Writes an item or inner list with its parameters (RFC 8941 sections 4.1.1.1 and 4.1.3). */
export function serializeMember(member: Member): string {
  const value =
    "items" in member ? `(${member.items.map(serializeMember).join(" ")})` : serializeBare(member.bare);
  return `${value}${serializeParameters(member.parameters)}`;
}

/** Writes parameters (RFC 8941 section 4.1.1.2). */
export function serializeParameters(parameters: Parameters): string {
  return [...parameters]
    .map(([key, bare]) => `;${key}${isTrue(bare) ? "" : `=${serializeBare(bare)}`}`)
    .join("");
}

function serializeEntry(key: string, member: Member): string {
  if ("bare" in member && isTrue(member.bare)) return `${key}${serializeParameters(member.parameters)}`;
  return `${key}=${serializeMember(member)}`;
}

function isTrue(bare: BareItem): boolean {
  return bare.type === "boolean" && bare.value;
}

function serializeBare(bare: BareItem): string {
  switch (bare.type) {
    case "integer":
      return String(bare.value);
    case "decimal":
      // Three digits of the fraction at most, and one at least.
      return bare.value.toFixed(3).replace(/0{1,2}$/, "");
    case "string":
      return `"${bare.value.replace(/["\\]/g, "\\$&")}"`;
    case "token":
      return bare.value;
    case "bytes":
      return `:${bare.value.toString("base64")}:`;
    case "boolean":
      return bare.value ? "?1" : "?0";
  }
}

function parseWhole<T>(text: string, read: (reader: FieldReader) => T): T | FieldFault {
  const reader = new FieldReader(text);
  try {
    reader.spaces();
    const value = read(reader);
    reader.spaces();
    reader.end();
    return value;
  } catch (fault) {
    return { malformed: (fault as Error).message };
  }
}

const trueItem: BareItem = { type: "boolean", value: true };

// Sticky, so that each looks at the place of the reader alone; none can backtrack over more than one token.
const patterns = {
  spaces: / */y,
  optionalSpace: /[ \t]*/y,
  key: /[a-z*][a-z0-9_\-.*]*/y,
  number: /-?\d+(?:\.\d*)?/y,
  string: /"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"/y,
  token: /[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*/y,
  bytes: /:[A-Za-z0-9+/=]*:/y,
  boolean: /\?[01]/y,
};

/** Reads a field from left to right; throws at the first character that does not belong there. */
class FieldReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  dictionary(): Dictionary {
    const dictionary = new Map<string, Member>();
    this.#separated(() => {
      const key = this.#newKey(dictionary);
      if (this.#skip("=")) dictionary.set(key, this.#member());
      else dictionary.set(key, { bare: trueItem, parameters: this.#parameters() });
    });
    return dictionary;
  }

  list(): readonly Member[] {
    const list: Member[] = [];
    this.#separated(() => list.push(this.#member()));
    return list;
  }

  item(): Item {
    return { bare: this.#bare(), parameters: this.#parameters() };
  }

  spaces(): void {
    this.#take(patterns.spaces);
  }

  end(): void {
    if (!this.#isAtEnd()) this.#fail("a character that does not belong there");
  }

  #separated(readOne: () => void): void {
    if (this.#isAtEnd()) return;
    for (;;) {
      readOne();
      this.#take(patterns.optionalSpace);
      if (this.#isAtEnd()) return;
      if (!this.#skip(",")) this.#fail("no comma between members");
      this.#take(patterns.optionalSpace);
      if (this.#isAtEnd()) this.#fail("a comma after the last member");
    }
  }

  #member(): Member {
    return this.#skip("(") ? this.#innerList() : this.item();
  }

  #innerList(): InnerList {
    const items: Item[] = [];
    for (;;) {
      this.spaces();
      if (this.#skip(")")) return { items, parameters: this.#parameters() };
      items.push(this.item());
      if (!this.#next(" ") && !this.#next(")")) this.#fail("no space between the items of an inner list");
    }
  }

  #parameters(): Parameters {
    const parameters = new Map<string, BareItem>();
    while (this.#skip(";")) {
      this.spaces();
      const key = this.#newKey(parameters);
      parameters.set(key, this.#skip("=") ? this.#bare() : trueItem);
    }
    return parameters;
  }

  #newKey(taken: ReadonlyMap<string, unknown>): string {
    const key = this.#take(patterns.key);
    if (key === undefined) this.#fail("no key");
    if (taken.has(key)) this.#fail("a key that came before");
    return key;
  }

  #bare(): BareItem {
    const number = this.#take(patterns.number);
    if (number !== undefined) return this.#number(number);
    const string = this.#take(patterns.string);
    if (string !== undefined) return { type: "string", value: string.slice(1, -1).replace(/\\(.)/g, "$1") };
    const token = this.#take(patterns.token);
    if (token !== undefined) return { type: "token", value: token };
    const bytes = this.#take(patterns.bytes);
    if (bytes !== undefined) return this.#bytes(bytes.slice(1, -1));
    const boolean = this.#take(patterns.boolean);
    if (boolean !== undefined) return { type: "boolean", value: boolean === "?1" };
    return this.#fail("no value that is known");
  }

  #number(text: string): BareItem {
    if (/^-?\d{1,15}$/.test(text)) return { type: "integer", value: Number(text) };
    if (/^-?\d{1,12}\.\d{1,3}$/.test(text)) return { type: "decimal", value: Number(text) };
    return this.#fail("a number of too many digits");
  }

  #bytes(text: string): BareItem {
    const value = decodeBase64(text) ?? this.#fail("bytes that are not base64 with its padding");
    return { type: "bytes", value };
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #next(character: string): boolean {
    return this.#text[this.#at] === character;
  }

  #skip(character: string): boolean {
    if (!this.#next(character)) return false;
    this.#at += 1;
    return true;
  }

  #isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  #fail(what: string): never {
    throw new SyntaxError(`${what} at character ${this.#at + 1}`);
  }
}
