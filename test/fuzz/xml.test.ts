import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { readXml } from "../../src/body/xml.js";
import { Refusal } from "../../src/errors.js";
import { mutated } from "./mutate.js";
import { check } from "./settings.js";

/** What `readXml` gives for an element. */
type Value = string | { readonly [name: string]: Value | readonly Value[] };

const name = fc.constantFrom("a", "b", "s:c", "é-1.x", "名", "_", "__proto__", "constructor", "𐀀");
/** Every character that XML has; fast-check's lone surrogates are no UTF-8. */
const text = fc
  .array(
    fc.oneof(
      fc.constantFrom(..."<>&\"'\t\n\r ]-!?"),
      fc.string({ unit: "binary", minLength: 1, maxLength: 1 }).filter(isLegal),
    ),
    {
      maxLength: 8,
    },
  )
  .map((characters) => characters.join(""));

function isLegal(character: string): boolean {
  return /^[\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]$/u.test(character);
}

const { element } = fc.letrec<{ element: Value }>((tie) => ({
  element: fc.oneof(
    { maxDepth: 5, depthSize: "small" },
    text,
    fc
      .tuple(
        fc.dictionary(name, text, { maxKeys: 2 }),
        fc.uniqueArray(fc.tuple(name, fc.array(tie("element"), { minLength: 1, maxLength: 3 })), {
          selector: ([one]) => one,
          maxLength: 3,
        }),
        text,
      )
      .map(([attributes, children, own]): Value => {
        const members: [string, Value | readonly Value[]][] = [
          ...Object.entries(attributes).map(([key, value]): [string, Value] => [`@${key}`, value]),
          ...children.map(([key, values]): [string, Value | readonly Value[]] => [
            key,
            values.length === 1 ? (values[0] as Value) : values,
          ]),
        ];
        if (members.length === 0) return own;
        const isDropped = own === "" || (children.length > 0 && /^[\t\n\r ]*$/.test(own));
        return Object.fromEntries(isDropped ? members : [...members, ["#text", own]]);
      }),
  ),
}));

/** Ways to write one character; `pick` chooses. */
function written(value: string, pick: () => number, isText: boolean): string {
  return [...value]
    .map((character) => {
      const code = character.codePointAt(0) as number;
      const ways = [`&#${code};`, `&#x${code.toString(16)};`];
      if (isText && character !== "\r") ways.push(`<![CDATA[${character}]]>`);
      if (isText && pick() % 5 === 0) ways.push(`<!-- & < -->&#${code};`);
      const entity = { "<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;", "'": "&apos;" }[character];
      if (entity !== undefined) ways.push(entity);
      else if (!/[\t\n\r\]]/.test(character)) ways.push(character, character, character);
      return ways[pick() % ways.length];
    })
    .join("");
}

function xmlOf(elementName: string, value: Value, pick: () => number): string {
  if (typeof value === "string") {
    return `<${elementName}>${written(value, pick, true)}</${elementName}>`;
  }
  let head = `<${elementName}`;
  let content = "";
  for (const [key, member] of Object.entries(value)) {
    if (key === "#text") content += written(member as string, pick, true);
    else if (key.startsWith("@")) {
      const quote = pick() % 2 === 0 ? '"' : "'";
      head += `${[" ", "\n", "\t "][pick() % 3]}${key.slice(1)}${["=", " = "][pick() % 2]}${quote}`;
      head += `${written(member as string, pick, false)}${quote}`;
    } else {
      const members = (Array.isArray(member) ? member : [member]) as readonly Value[];
      content += members.map((one) => xmlOf(key, one, pick)).join("");
    }
  }
  return content === "" ? `${head} />` : `${head}>${content}</${elementName}>`;
}

function picks(numbers: readonly number[]): () => number {
  let at = 0;
  return () => numbers[at++ % numbers.length] ?? 0;
}

const document = fc
  .tuple(name, element, fc.array(fc.nat(999), { minLength: 5, maxLength: 30 }))
  .map(([root, value, numbers]) => ({ root, value, xml: xmlOf(root, value, picks(numbers)) }));

/** As text: toStrictEqual takes a member named "constructor" for the class of the object. */
function told(found: ReturnType<typeof readXml>): string {
  return found instanceof Refusal ? found.reason : JSON.stringify(found.value);
}

describe("XML bodies, fuzzed", () => {
  it("reads what was written, however it was written", () => {
    check(
      500,
      fc.property(document, ({ root, value, xml }) => {
        expect(told(readXml(Buffer.from(xml)))).toBe(told({ value: Object.fromEntries([[root, value]]) }));
      }),
    );
  });

  it("E23 refuses a changed body, or reads what can be written and read again", () => {
    let [taken, refused] = [0, 0];
    check(
      2000,
      fc.property(mutated(document.map(({ xml }) => xml)), (xml) => {
        const found = readXml(Buffer.from(xml));
        if (found instanceof Refusal) {
          refused++;
          expect(found.code).toBe("ERR_BODY_MALFORMED");
          return expect(found.reason).toMatch(/^the body [\x20-\x7e]{1,150}$/);
        }
        taken++;
        const [[root, value] = ["", ""]] = Object.entries(found.value as Record<string, Value>);
        expect(told(readXml(Buffer.from(xmlOf(root, value, picks([0, 1, 2])))))).toBe(told(found));
      }),
    );
    expect(taken).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(100);
  });
});
